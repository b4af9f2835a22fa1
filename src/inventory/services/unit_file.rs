//! The text of unit files and drop-ins, systemd.syntax(7): what the records need of it. Pure.

/// A unit, as its files describe it.
#[derive(Debug, Default, PartialEq)]
pub struct UnitFile {
    /// `Description=`
    pub description: String,
    /// `User=`
    pub user: String,
    /// `Type=`
    pub service_type: String,
    /// `ExecStart=`, without the signs before the program.
    pub commands: Vec<String>,
    /// The section `[Install]`.
    pub install: Install,
}

/// What `systemctl enable` would do.
#[derive(Debug, Default, PartialEq)]
pub struct Install {
    /// Whether enabling makes links: `WantedBy=`, `RequiredBy=`, `UpheldBy=` or `Alias=`.
    pub has_links: bool,
    /// `Alias=`
    pub aliases: Vec<String>,
    /// Whether enabling also enables other units.
    pub has_others: bool,
    /// `DefaultInstance=`
    pub default_instance: String,
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
            ("Service", "ExecStart") => {
                self.commands.push(value.trim_start_matches(['@', '-', ':', '+', '!', '|']).into())
            }
            ("Install", "Alias") if value.is_empty() => install.aliases.clear(),
            ("Install", "Alias") => {
                install.aliases.extend(value.split_ascii_whitespace().map(str::to_owned));
                install.has_links = true;
            }
            ("Install", "WantedBy" | "RequiredBy" | "UpheldBy") => install.has_links |= !value.is_empty(),
            ("Install", "Also") => install.has_others |= !value.is_empty(),
            ("Install", "DefaultInstance") => value.clone_into(&mut install.default_instance),
            _ => {}
        }
    }
}

/// The lines without comments and blanks around them. A line that ends in a backslash goes on in the next one that is no
/// comment.
fn lines(text: &str) -> Vec<String> {
    let mut whole = Vec::new();
    let mut begun: Option<String> = None;
    for line in text.lines() {
        if line.trim_start().starts_with(['#', ';']) {
            continue;
        }
        let mut joined = begun.take().unwrap_or_default();
        match line.trim_end().strip_suffix('\\') {
            Some(part) => {
                joined.push_str(part);
                joined.push(' ');
                begun = Some(joined);
            }
            None => {
                joined.push_str(line);
                whole.push(joined);
            }
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
                            ExecStart=-/bin/a  \\\n\t-x\nExecStart=@/bin/b\n[Install]\nWantedBy=a.target\nAlias=b.service c.service\n\
                            Also=d.socket\nDefaultInstance=e\n[X]\nDescription=no",
        ]);
        assert_eq!(
            (unit.description.as_str(), unit.user.as_str(), unit.service_type.as_str()),
            ("A    b", "nobody", "oneshot")
        );
        assert_eq!(unit.commands, ["/bin/a   \t-x", "/bin/b"]);
        let install = Install {
            has_links: true,
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
        assert_eq!(unit.commands, ["/bin/b"]);
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in "(\\[Unit\\]|\\[Service\\]|\\[|\\]|Description|ExecStart|=|[a-z\\\\#; \n\r\t]){0,40}") {
            parse(&[&text]);
        }
    }
}
