//! Names of users: /etc/passwd first, then the system's other sources (LDAP, SSSD, systemd) through NSS; each uid is
//! looked up once.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::sys;

/// Finds and keeps the names of users.
pub struct Users {
    passwd: PathBuf,
    /// The file's text, once it was needed.
    text: Option<Vec<u8>>,
    nss: bool,
    names: HashMap<u32, Rc<str>>,
}

impl Users {
    /// Names from the passwd(5) file of the machine whose root directory is `rootfs`; with `nss`, also from what
    /// nsswitch.conf(5) names on this machine.
    pub fn new(rootfs: &Path, nss: bool) -> Self {
        Users { passwd: rootfs.join("etc/passwd"), text: None, nss, names: HashMap::new() }
    }

    /// The user's name, or the uid in digits where it has none. May wait for a name service.
    pub fn name(&mut self, uid: u32) -> Rc<str> {
        if let Some(name) = self.names.get(&uid) {
            return Rc::clone(name);
        }
        // A minimal root has no such file; its users have no names then.
        let text = self.text.get_or_insert_with(|| fs::read(&self.passwd).unwrap_or_default());
        let name = name_in(text, uid)
            .or_else(|| self.nss.then(|| sys::user_name(uid)).flatten())
            .unwrap_or_else(|| uid.to_string());
        let name: Rc<str> = name.into();
        self.names.insert(uid, Rc::clone(&name));
        name
    }
}

/// The first name that a passwd(5) text gives to `uid`.
pub fn name_in(passwd: &[u8], uid: u32) -> Option<String> {
    passwd.split(|byte| *byte == b'\n').find_map(|line| {
        let mut parts = line.split(|byte| *byte == b':');
        let name = parts.next()?;
        let found: u32 = std::str::from_utf8(parts.nth(1)?).ok()?.parse().ok()?;
        // `+` and `-` are directions to NSS, nsswitch.conf(5) "compat"; `#` is a comment.
        let is_name = !name.is_empty() && !name.starts_with(b"+") && !name.starts_with(b"-") && !name.starts_with(b"#");
        (found == uid && is_name).then(|| String::from_utf8_lossy(name).into_owned())
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
    fn without_a_file_a_user_is_a_number() {
        let mut users = Users::new(Path::new("/nonexistent"), false);
        assert_eq!(&*users.name(0), "0");
        assert_eq!(&*users.name(4_294_967_294), "4294967294");
    }
}
