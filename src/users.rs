//! Names of users and groups. They come from /etc/passwd and /etc/group first, then from the system's other sources
//! (LDAP, SSSD, systemd) through NSS. Each id is looked up once. The names of another machine come only from its root
//! directory.

use std::collections::HashMap;
use std::fs;
use std::rc::Rc;

use crate::rootfs::Rootfs;
use crate::text::lossy;

/// A function that asks the system's name services for the name of an id.
pub type Service = fn(u32) -> Option<String>;

/// Where names come from. A path is relative to the root directory, and its file has the format of passwd(5) or
/// group(5).
pub enum Source<'a> {
    /// This machine's file, then its name services.
    Here(&'static str, Option<Service>),
    /// Another machine's file.
    Root(&'a Rootfs, &'static str),
    /// No source: the machine's root directory is not known.
    Nowhere,
}

impl Source<'_> {
    /// The file's text. A minimal root has no such file, so nobody has a name there.
    fn text(&self) -> Vec<u8> {
        match self {
            Source::Here(path, _) => fs::read(format!("/{path}")).unwrap_or_default(),
            Source::Root(root, path) => root.read(path).unwrap_or_default(),
            Source::Nowhere => Vec::new(),
        }
    }

    fn ask(&self, id: u32) -> Option<String> {
        match self {
            Source::Here(_, service) => service.and_then(|service| service(id)),
            _ => None,
        }
    }
}

/// Looks up and caches the names of users, or of groups.
pub struct Names<'a> {
    source: Source<'a>,
    /// The file's text, read when it is first needed.
    text: Option<Vec<u8>>,
    known: HashMap<u32, Rc<str>>,
    /// The last lookup: the next process often has the same id.
    last: Option<(u32, Rc<str>)>,
}

impl<'a> Names<'a> {
    /// An empty cache of the names in `source`.
    pub fn new(source: Source<'a>) -> Self {
        Names { source, text: None, known: HashMap::new(), last: None }
    }

    /// The name of `id`, or its digits if it has none. This may wait for a file or a name service.
    pub fn name(&mut self, id: u32) -> Rc<str> {
        if let Some((last, name)) = &self.last
            && *last == id
        {
            return Rc::clone(name);
        }
        let name = self.find(id);
        self.last = Some((id, Rc::clone(&name)));
        name
    }

    fn find(&mut self, id: u32) -> Rc<str> {
        if let Some(name) = self.known.get(&id) {
            return Rc::clone(name);
        }
        let text = self.text.get_or_insert_with(|| self.source.text());
        let name = name_in(text, id).or_else(|| self.source.ask(id)).unwrap_or_else(|| id.to_string());
        let name: Rc<str> = name.into();
        self.known.insert(id, Rc::clone(&name));
        name
    }
}

/// The first name for `id` in a text with the format of passwd(5) or group(5): `name:password:id:…`.
pub fn name_in(text: &[u8], id: u32) -> Option<String> {
    text.split(|byte| *byte == b'\n').find_map(|line| {
        let mut parts = line.split(|byte| *byte == b':');
        let name = parts.next()?;
        let found: u32 = std::str::from_utf8(parts.nth(1)?).ok()?.parse().ok()?;
        // `+` and `-` begin instructions to NSS, nsswitch.conf(5) "compat". `#` begins a comment.
        let is_name = !name.is_empty() && !name.starts_with(b"+") && !name.starts_with(b"-") && !name.starts_with(b"#");
        (found == id && is_name).then(|| lossy(name).into_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &[u8] = b"\
root:x:0:0:root:/root:/bin/sh
toor:x:0:0::/:/bin/sh
+::::::
+netuser:x:7:7:::
#old:x:8:8:::
:x:9:9:::
broken
broken:x
broken:x:ten:10:::
caf\xe9:x:11:11:::
last:x:12:12";

    #[test]
    fn the_first_line_with_the_uid_counts() {
        assert_eq!(name_in(PASSWD, 0).as_deref(), Some("root"));
        assert_eq!(name_in(PASSWD, 12).as_deref(), Some("last"));
        assert_eq!(name_in(PASSWD, 11).as_deref(), Some("caf\u{fffd}"));
        for uid in [7, 8, 9, 10, 13, u32::MAX] {
            assert_eq!(name_in(PASSWD, uid), None, "{uid}");
        }
    }

    #[test]
    fn without_a_source_an_id_is_a_number() {
        let mut names = Names::new(Source::Nowhere);
        assert_eq!(&*names.name(0), "0");
        assert_eq!(&*names.name(4_294_967_294), "4294967294");
    }

    #[test]
    fn the_service_is_asked_for_ids_that_the_file_lacks() {
        let mut names = Names::new(Source::Here("nonexistent", Some(|id| (id == 7).then(|| "seven".to_owned()))));
        assert_eq!([&*names.name(7), &*names.name(8)], ["seven", "8"]);
    }
}
