//! Names of users and groups: /etc/passwd and /etc/group first, then the system's other sources (LDAP, SSSD, systemd)
//! through NSS; each id is looked up once.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::rc::Rc;

/// Asks the system's name services for the name of an id.
pub type Service = fn(u32) -> Option<String>;

/// Finds and keeps the names of users, or of groups.
pub struct Names {
    file: PathBuf,
    /// The file's text, once it was needed.
    text: Option<Vec<u8>>,
    service: Option<Service>,
    known: HashMap<u32, Rc<str>>,
}

impl Names {
    /// Names from a file in the form of passwd(5) or group(5), then from `service`.
    pub fn new(file: PathBuf, service: Option<Service>) -> Self {
        Names { file, text: None, service, known: HashMap::new() }
    }

    /// The name of `id`, or its digits where it has none. May wait for a name service.
    pub fn name(&mut self, id: u32) -> Rc<str> {
        if let Some(name) = self.known.get(&id) {
            return Rc::clone(name);
        }
        // A minimal root has no such file; nobody has a name there.
        let text = self.text.get_or_insert_with(|| fs::read(&self.file).unwrap_or_default());
        let name = name_in(text, id)
            .or_else(|| self.service.and_then(|service| service(id)))
            .unwrap_or_else(|| id.to_string());
        let name: Rc<str> = name.into();
        self.known.insert(id, Rc::clone(&name));
        name
    }
}

/// The first name that a text in the form of passwd(5) or group(5) gives to `id`: `name:password:id:…`.
pub fn name_in(text: &[u8], id: u32) -> Option<String> {
    text.split(|byte| *byte == b'\n').find_map(|line| {
        let mut parts = line.split(|byte| *byte == b':');
        let name = parts.next()?;
        let found: u32 = std::str::from_utf8(parts.nth(1)?).ok()?.parse().ok()?;
        // `+` and `-` are directions to NSS, nsswitch.conf(5) "compat"; `#` is a comment.
        let is_name = !name.is_empty() && !name.starts_with(b"+") && !name.starts_with(b"-") && !name.starts_with(b"#");
        (found == id && is_name).then(|| String::from_utf8_lossy(name).into_owned())
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
    fn without_a_file_an_id_is_a_number() {
        let mut names = Names::new("/nonexistent".into(), None);
        assert_eq!(&*names.name(0), "0");
        assert_eq!(&*names.name(4_294_967_294), "4294967294");
    }

    #[test]
    fn the_service_is_asked_for_what_the_file_lacks() {
        let mut names = Names::new("/nonexistent".into(), Some(|id| (id == 7).then(|| "seven".to_owned())));
        assert_eq!([&*names.name(7), &*names.name(8)], ["seven", "8"]);
    }
}
