//! Where a receiver of the Fluent Forward protocol listens: the value of `--forward`.

use std::fmt;
use std::path::PathBuf;

/// The port of Fluentd's and Fluent Bit's `forward` inputs.
const PORT: u16 = 24224;

/// Where a receiver listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A host and a port.
    Tcp(String, u16),
    /// The same, with TLS.
    Tls(String, u16),
    /// A socket in the file system.
    Unix(PathBuf),
    /// A socket in Linux's abstract namespace, unix(7).
    Abstract(String),
}

impl Address {
    /// Parses `HOST[:PORT]`, `[IPV6]:PORT`, each with `tls:` before it or not, `unix:/path` or `unix:@name`.
    ///
    /// # Errors
    /// A sentence that says what was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        const EXPECTED: &str = "expected HOST:PORT, tls:HOST:PORT, unix:/path or unix:@name, such as 127.0.0.1:24224";
        if let Some(path) = text.strip_prefix("unix:") {
            return match path.strip_prefix('@') {
                Some("") => Err(EXPECTED.into()),
                Some(name) => Ok(Address::Abstract(name.into())),
                None if path.starts_with('/') => Ok(Address::Unix(path.into())),
                None => Err("expected an absolute path after unix:, or @ and a name".into()),
            };
        }
        let (text, has_tls) = text.strip_prefix("tls:").map_or((text, false), |rest| (rest, true));
        let (host, port) = match text.rsplit_once(':') {
            Some((host, _)) if host.contains(':') && !host.starts_with('[') => {
                return Err("put the IPv6 address in brackets, such as [::1]:24224".into());
            }
            Some((host, port)) if !port.ends_with(']') => {
                let port = port.parse().ok().filter(|port| *port > 0);
                (host, port.ok_or("expected a port from 1 to 65535 after the last colon")?)
            }
            _ => (text, PORT),
        };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let is_host =
            !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || c.is_control() || "/[]@".contains(c));
        match (is_host, has_tls) {
            (false, _) => Err(EXPECTED.into()),
            (true, false) => Ok(Address::Tcp(host.into(), port)),
            (true, true) => Ok(Address::Tls(host.into(), port)),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if matches!(self, Address::Tls(..)) {
            formatter.write_str("tls:")?;
        }
        match self {
            Address::Tcp(host, port) | Address::Tls(host, port) if host.contains(':') => {
                write!(formatter, "[{host}]:{port}")
            }
            Address::Tcp(host, port) | Address::Tls(host, port) => write!(formatter, "{host}:{port}"),
            Address::Unix(path) => write!(formatter, "unix:{}", path.display()),
            Address::Abstract(name) => write!(formatter, "unix:@{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, shown) in [
            ("localhost:24224", "localhost:24224"),
            ("log.example", "log.example:24224"),
            ("[::1]:99", "[::1]:99"),
            ("[::1]", "[::1]:24224"),
            ("tls:log.example", "tls:log.example:24224"),
            ("tls:[::1]:99", "tls:[::1]:99"),
            ("unix:/run/fluent.sock", "unix:/run/fluent.sock"),
            ("unix:@fluent", "unix:@fluent"),
        ] {
            assert_eq!(Address::parse(text).map(|address| address.to_string()).as_deref(), Ok(shown));
        }
        for text in [
            "",
            ":24224",
            "host:",
            "host:0",
            "host:70000",
            "::1",
            "tls:",
            "tls:::1",
            "tls:unix:/run/fluent.sock",
            "unix:",
            "unix:@",
            "unix:relative",
            "a b:1",
            "http://a:1",
        ] {
            assert!(Address::parse(text).is_err(), "{text}");
        }
    }
}
