//! Names of units, systemd.unit(5): their parts, and the specifiers that stand for parts. Pure.

/// Whether this can be the name of a service: no other word is given to systemctl.
pub fn is_service(name: &str) -> bool {
    name.ends_with(".service") && is_unit(name)
}

/// Whether this can be the name of a unit.
pub fn is_unit(name: &str) -> bool {
    let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || b":-_.\\@".contains(&byte);
    let prefix = name.rfind('.').unwrap_or(0);
    prefix > 0 && !name.starts_with('@') && name.len() < 256 && name.bytes().all(is_valid)
}

/// The prefix and the instance of a unit: `a@b.service` is `a` and `b`. A template has an empty instance.
pub fn parts(name: &str) -> (&str, Option<&str>) {
    let whole = name.rsplit_once('.').map_or(name, |(whole, _)| whole);
    whole.split_once('@').map_or((whole, None), |(prefix, instance)| (prefix, Some(instance)))
}

/// Whether this is a template.
pub fn is_template(name: &str) -> bool {
    parts(name).1 == Some("")
}

/// The template of an instance.
pub fn template(name: &str) -> Option<String> {
    let (prefix, instance) = parts(name);
    instance.filter(|instance| !instance.is_empty())?;
    Some(with_instance(name, prefix, ""))
}

/// The instance of a template.
pub fn instance(template: &str, instance: &str) -> String {
    with_instance(template, parts(template).0, instance)
}

fn with_instance(name: &str, prefix: &str, instance: &str) -> String {
    let suffix = name.rsplit_once('.').map_or("", |(_, suffix)| suffix);
    format!("{prefix}@{instance}.{suffix}")
}

/// The text with the specifiers replaced that stand for the unit's name. Others stay, and so do all that stand for the
/// instance in a template, which has none.
pub fn expand(text: &str, name: &str) -> String {
    let (prefix, instance) = parts(name);
    let last = prefix.rsplit_once('-').map_or(prefix, |(_, last)| last);
    let whole = name.rsplit_once('.').map_or(name, |(whole, _)| whole);
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        expanded.push_str(before);
        let mut chars = after.chars();
        let of_instance = |part: &dyn Fn(&str) -> String| match instance {
            Some("") => None,
            instance => Some(part(instance.unwrap_or_default())),
        };
        let value = match chars.next() {
            Some('%') => Some("%".into()),
            Some('n') => Some(name.into()),
            Some('N') => Some(whole.into()),
            Some('p') => Some(prefix.into()),
            Some('P') => Some(unescape(prefix)),
            Some('j') => Some(last.into()),
            Some('J') => Some(unescape(last)),
            Some('i') => of_instance(&str::to_owned),
            Some('I') => of_instance(&unescape),
            _ => None,
        };
        match value {
            Some(value) => {
                expanded.push_str(&value);
                rest = chars.as_str();
            }
            None => {
                expanded.push('%');
                rest = after;
            }
        }
    }
    expanded + rest
}

/// The user that `DynamicUser=` makes for a unit. None if the unit's name can be no user's: systemd then makes a name of
/// a hash.
pub fn dynamic_user(name: &str) -> Option<&str> {
    /// `UT_NAMESIZE` of utmp(5), without the NUL.
    const MAX: usize = 31;
    let prefix = parts(name).0;
    let is_first = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'_';
    let is_next = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    let is_user = prefix.as_bytes().first().is_some_and(is_first) && prefix.bytes().all(is_next) && prefix.len() <= MAX;
    is_user.then_some(prefix)
}

/// The text that systemd-escape(1) made this of.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        let hex = after.strip_prefix(b"x").and_then(|after| str::from_utf8(after.get(..2)?).ok());
        let escaped = hex.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        rest = match (byte, escaped) {
            (b'\\', Some(value)) => {
                bytes.push(value);
                &after[3..]
            }
            (byte, _) => {
                bytes.push(if *byte == b'-' { b'/' } else { *byte });
                after
            }
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_their_parts() {
        for name in ["a.service", "-.service", "a\\x2db.service", "a@b.service", "a@.service", "a@b@c:d.service"] {
            assert!(is_service(name), "{name}");
        }
        let long = format!("{}.service", "a".repeat(250));
        for name in
            [".service", "a.socket", "a b.service", "a*.service", "@a.service", "ä.service", "a/b.service", &long]
        {
            assert!(!is_service(name), "{name}");
        }
        assert!(is_unit("a.target") && !is_unit("a"));
        assert_eq!(parts("a@b.c@d.service"), ("a", Some("b.c@d")));
        assert_eq!((parts("a.service"), parts("a@.service")), (("a", None), ("a", Some(""))));
        assert!(is_template("a@.service") && !is_template("a@b.service") && !is_template("a.service"));
        assert_eq!(template("a@b.c.service").as_deref(), Some("a@.service"));
        assert_eq!((template("a@.service"), template("a.service")), (None, None));
        assert_eq!(instance("a@.service", "b"), "a@b.service");
    }

    #[test]
    fn dynamic_users() {
        for (name, user) in [
            ("dyn.service", Some("dyn")),
            ("_a-1@i.service", Some("_a-1")),
            ("1dyn.service", None),
            ("dy\\x2dn.service", None),
            ("dyn.x.service", None),
            ("a23456789-123456789-123456789-12.service", None),
        ] {
            assert_eq!(dynamic_user(name), user, "{name}");
        }
    }

    #[test]
    fn specifiers_of_the_name() {
        let name = "one-two@dev-sd\\x2da.service";
        for (text, expected) in [
            ("%n", name),
            ("%N", "one-two@dev-sd\\x2da"),
            ("%p %P %j %J", "one-two one/two two two"),
            ("%i %I", "dev-sd\\x2da dev/sd-a"),
            ("100 %% of %H %", "100 % of %H %"),
        ] {
            assert_eq!(expand(text, name), expected, "{text}");
        }
        assert_eq!(expand("Getty on %I, %p", "getty@.service"), "Getty on %I, getty");
        assert_eq!(expand("[%i]", "a.service"), "[]");
        assert_eq!(
            (unescape("\\x"), unescape("\\xzz"), unescape("\\x2")),
            ("\\x".into(), "\\xzz".into(), "\\x2".into())
        );
    }
}
