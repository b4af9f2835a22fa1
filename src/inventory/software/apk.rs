//! The packages of apk: its file `installed`, whose lines are a letter, a colon and a value.

use std::io::{self, Read};

use anyhow::Context;

use super::package::{Package, Put, append_line, kib, number};
use super::stanzas::Lines;
use crate::rootfs::Rootfs;

/// Where the database is, and where it is on systems whose /lib is /usr/lib.
const INSTALLED: [&str; 2] = ["lib/apk/db/installed", "usr/lib/apk/db/installed"];

/// Yields the packages. Returns whether there is a database.
///
/// # Errors
/// If it cannot be read.
pub fn read(root: &Rootfs, put: &mut Put<'_>) -> anyhow::Result<bool> {
    for path in INSTALLED {
        match root.file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("cannot open /{path}")),
            Ok(file) => {
                packages(file, put).with_context(|| format!("cannot read /{path}"))?;
                return Ok(true);
            }
        }
    }
    Ok(false)
}

fn packages(text: impl Read, put: &mut Put<'_>) -> io::Result<()> {
    let mut lines = Lines::new(text);
    let mut package = Package { source: "apk", ..Package::default() };
    loop {
        let line = lines.line()?;
        let is_end = line.is_none();
        match line {
            Some([key, b':', value @ ..]) => set(&mut package, *key, value),
            Some([]) | None => {
                if !package.name.is_empty() {
                    package.status.extend_from_slice(b"installed");
                    if package.source_package == package.name {
                        package.source_package.clear();
                    }
                    if !put(&package) {
                        return Ok(());
                    }
                }
                package.clear();
            }
            Some(_) => {}
        }
        if is_end {
            return Ok(());
        }
    }
}

/// Reads a line. Most are of the files of the package.
fn set(package: &mut Package, key: u8, value: &[u8]) {
    let text = match key {
        b'P' => &mut package.name,
        b'V' => &mut package.version,
        b'A' => &mut package.architecture,
        b'T' => &mut package.summary,
        b'U' => &mut package.homepage,
        b'm' => &mut package.publisher,
        b'o' => &mut package.source_package,
        b'I' => return package.size_kib = number(value).map(kib),
        // Files, a script or extended attributes that could not be installed. Other letters are no errors.
        b'f' if value.iter().any(|flag| b"fsx".contains(flag)) => return package.error = b"broken".into(),
        _ => return,
    };
    text.clear();
    append_line(text, value);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(text: &[u8]) -> Vec<Package> {
        let mut all = Vec::new();
        let mut put = |package: &Package| {
            all.push(package.clone());
            true
        };
        packages(text, &mut put).unwrap();
        all
    }

    #[test]
    fn packages_with_files_and_without() {
        let text = "C:Q1abc=\nP:musl\nV:1.2.5-r9\nA:x86_64\nS:400\nI:667649\nT:the  C library\nU:https://example.com/\nL:MIT\n\
                    o:musl\nm:A <a@example.com>\nt:1700000000\nF:lib\nR:ld-musl-x86_64.so.1\na:0:0:755\nZ:Q1xyz=\n\n\
                    P:musl-utils\nV:1.2.5-r9\nA:x86_64\nI:x\no:musl\nf:fS\n\nP:last\nf:S\nr:P:no";
        let packages = all(text.as_bytes());
        let musl = Package {
            name: b"musl".into(),
            version: b"1.2.5-r9".into(),
            architecture: b"x86_64".into(),
            publisher: b"A <a@example.com>".into(),
            size_kib: Some(653),
            summary: b"the C library".into(),
            status: b"installed".into(),
            source: "apk",
            homepage: b"https://example.com/".into(),
            ..Package::default()
        };
        assert_eq!(packages[0], musl);
        assert_eq!(
            (packages[1].source_package.as_slice(), packages[1].error.as_slice()),
            (&b"musl"[..], &b"broken"[..])
        );
        assert_eq!((packages[1].size_kib, packages[2].error.as_slice(), packages.len()), (None, &b""[..], 3));
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in "([PVAITf]:|[a:\n ü]){0,40}") {
            all(text.as_bytes());
        }
    }
}
