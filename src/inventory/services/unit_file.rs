//! The text of unit files and drop-ins, systemd.syntax(7): what the records need of it. Pure.

use super::exec;

/// A unit, as its files describe it.
#[derive(Debug, Default, PartialEq)]
pub struct UnitFile {
    /// `Description=`
    pub description: String,
    /// `User=`
    pub user: String,
    /// `DynamicUser=`
    pub has_dynamic_user: bool,
    /// `Type=`
    pub service_type: String,
    /// The commands of `ExecStart=`, as `exec` splits them.
    pub commands: Vec<String>,
    /// The section `[Install]`.
    pub install: Install,
}

/// What `systemctl enable` would do.
#[derive(Debug, Default, PartialEq)]
pub struct Install {
    /// Whether there is a `WantedBy=`
    pub is_wanted: bool,
    /// Whether there is a `RequiredBy=`
    pub is_required: bool,
    /// Whether there is an `UpheldBy=`
    pub is_upheld: bool,
    /// `Alias=`
    pub aliases: Vec<String>,
    /// Whether enabling also enables other units.
    pub has_others: bool,
    /// `DefaultInstance=`
    pub default_instance: String,
}

impl Install {
    /// Whether enabling makes links.
    pub fn has_links(&self) -> bool {
        self.is_wanted || self.is_required || self.is_upheld || !self.aliases.is_empty()
    }
}

impl UnitFile {
    /// Applies a file: the unit file, then its drop-ins in their order.
    pub fn apply(&mut self, text: &str) {
        let mut section = String::new();
        for line in lines(text) {
            if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                name.clone_into(&mut section);
            } else if let Some((key, value)) = line.split_once('=') {
                self.set(&section, key.trim_end(), value.trim_start());
            }
        }
    }

    fn set(&mut self, section: &str, key: &str, value: &str) {
        let install = &mut self.install;
        match (section, key) {
            ("Unit", "Description") => value.clone_into(&mut self.description),
            ("Service", "User") => value.clone_into(&mut self.user),
            ("Service", "Type") => value.clone_into(&mut self.service_type),
            // An empty value removes those before it.
            ("Service", "ExecStart") if value.is_empty() => self.commands.clear(),
            ("Service", "ExecStart") => self.commands.extend(exec::commands(value)),
            ("Service", "DynamicUser") => {
                self.has_dynamic_user = boolean(value).unwrap_or(self.has_dynamic_user);
            }
            ("Install", "Alias") if value.is_empty() => install.aliases.clear(),
            ("Install", "Alias") => install.aliases.extend(value.split_ascii_whitespace().map(str::to_owned)),
            ("Install", "WantedBy") => install.is_wanted = !value.is_empty(),
            ("Install", "RequiredBy") => install.is_required = !value.is_empty(),
            ("Install", "UpheldBy") => install.is_upheld = !value.is_empty(),
            // Unlike the others, this list is not emptied by an empty value.
            ("Install", "Also") => install.has_others |= !value.is_empty(),
            ("Install", "DefaultInstance") => value.clone_into(&mut install.default_instance),
            _ => {}
        }
    }
}

/// A boolean value. None if systemd would ignore it.
fn boolean(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "1" | "yes" | "y" | "true" | "t" | "on" => Some(true),
        "0" | "no" | "n" | "false" | "f" | "off" => Some(false),
        _ => None,
    }
}

/// The lines without comments and blanks around them. A line whose last byte is a backslash that no other one escapes goes
/// on in the next one that is no comment.
fn lines(text: &str) -> Vec<String> {
    let mut whole = Vec::new();
    let mut begun: Option<String> = None;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    for line in text.split(['\n', '\r']) {
        if line.trim_start().starts_with(['#', ';']) {
            continue;
        }
        let mut joined = begun.take().unwrap_or_default();
        let backslashes = line.len() - line.trim_end_matches('\\').len();
        if backslashes % 2 == 1 {
            joined.push_str(&line[..line.len() - 1]);
            joined.push(' ');
            begun = Some(joined);
        } else {
            joined.push_str(line);
            whole.push(joined);
        }
    }
    whole.extend(begun);
    let trimmed = whole.iter().map(|line| line.trim().to_owned());
    trimmed.filter(|line| !line.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(files: &[&str]) -> UnitFile {
        let mut unit = UnitFile::default();
        files.iter().for_each(|file| unit.apply(file));
        unit
    }

    #[test]
    fn sections_comments_and_continued_lines() {
        let unit = parse(&[
            "# c\n[Unit]\nDescription = A \\\n  # no\n  b \n; c\nUser=no\n[Service]\nUser=nobody\nType=oneshot\n\
                            ExecStart=-/bin/a  \\\n\t-x\nExecStart=@/bin/b b\n[Install]\nWantedBy=a.target\nAlias=b.service c.service\n\
                            Also=d.socket\nDefaultInstance=e\n[X]\nDescription=no",
        ]);
        assert_eq!(
            (unit.description.as_str(), unit.user.as_str(), unit.service_type.as_str()),
            ("A    b", "nobody", "oneshot")
        );
        assert_eq!(unit.commands, ["/bin/a\0-x\0", "b\0"]);
        let install = Install {
            is_wanted: true,
            is_required: false,
            is_upheld: false,
            aliases: vec!["b.service".into(), "c.service".into()],
            has_others: true,
            default_instance: "e".into(),
        };
        assert_eq!(unit.install, install);
    }

    #[test]
    fn a_drop_in_changes_and_resets() {
        let unit = parse(&[
            "[Unit]\nDescription=a\n[Service]\nUser=a\nExecStart=/bin/a\n",
            "[Service]\nExecStart=\nExecStart=/bin/b\nUser=\n",
        ]);
        assert_eq!((unit.description.as_str(), unit.user.as_str()), ("a", ""));
        assert_eq!(unit.commands, ["/bin/b\0"]);
    }

    /// Each as `systemctl --root=DIR list-unit-files` of systemd 252 has it: disabled with links, static without.
    #[test]
    fn ends_of_lines_and_emptied_lists() {
        for (text, has_links) in [
            ("[Install]\nX=\\ \nWantedBy=a.target\n", true),
            ("[Install]\nX=\\\nWantedBy=a.target\n", false),
            ("[Install]\nX=\\\\\nWantedBy=a.target\n", true),
            ("[Install]\nX=\\\\\\\nWantedBy=a.target\n", false),
            ("[Install]\nX=\\\n\nWantedBy=a.target\n", true),
            ("\u{feff}[Install]\nWantedBy=a.target\n", true),
            ("[Install]\rWantedBy=a.target\r", true),
            ("[Install]\r\nWantedBy=a.target\r\n", true),
            ("[Install]\r\nX=\\\r\nWantedBy=a.target\r\n", false),
            ("[Install]\nWantedBy=a.target\nWantedBy=\n", false),
            ("[Install]\nWantedBy=a.target\nRequiredBy=\n", true),
            ("[Install]\nAlias=b.service\nAlias=\n", false),
        ] {
            assert_eq!(parse(&[text]).install.has_links(), has_links, "{text:?}");
        }
        assert!(parse(&["[Install]\nAlso=b.service\nAlso=\n"]).install.has_others);
    }

    #[test]
    fn booleans() {
        let has_dynamic_user = |value: &str| parse(&[&format!("[Service]\nDynamicUser={value}\n")]).has_dynamic_user;
        assert!(["yes", "1", "True", "on"].iter().all(|value| has_dynamic_user(value)));
        assert!(["no", "", "maybe", "yes\nDynamicUser=off"].iter().all(|value| !has_dynamic_user(value)));
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in "(\\[Unit\\]|\\[Service\\]|\\[|\\]|Description|ExecStart|=|[a-z\\\\#; \n\r\t]){0,40}") {
            parse(&[&text]);
        }
    }
}
