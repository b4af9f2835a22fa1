//! The packages of dpkg: /var/lib/dpkg/status, deb-control(5), and what dpkg has noted since it wrote that.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;

use anyhow::Context;
use memchr::memchr;
use rustix::fs::{AtFlags, statat};

use super::needs;
use super::package::{Package, Put, append_line, number};
use super::stanzas::Lines;
use crate::rootfs::Rootfs;

const STATUS: &str = "var/lib/dpkg/status";
/// Changes that dpkg has not yet written to the status: a file of numbered names for each.
const UPDATES: &str = "var/lib/dpkg/updates";
/// The lists of the packages' files.
const INFO: &str = "var/lib/dpkg/info";

/// Yields what `dpkg-query --show` lists. Returns whether there is a database.
///
/// # Errors
/// If it cannot be read.
pub fn read(root: &Rootfs, needs: u32, put: &mut Put<'_>) -> anyhow::Result<bool> {
    let Some(file) = open(root, STATUS)? else { return Ok(false) };
    let info = if needs & needs::INSTALLED_AT != 0 { root.directory(INFO).ok() } else { None };
    let mut put = |stanza: &mut Stanza| {
        if !stanza.is_there() {
            return true;
        }
        let package = &mut stanza.package;
        // What is left of a removed package has a list, which is as old as the removal.
        if let Some(info) = info.as_ref().filter(|_| package.status != b"config-files") {
            package.installed_at = changed(info, stanza.is_of_several, package);
        }
        put(package)
    };
    let wants_description = needs & needs::DESCRIPTION != 0;
    let mut updates = updates(root, wants_description)?;
    let mut stanzas = Stanzas::new(file, wants_description);
    while let Some(stanza) = stanzas.next().with_context(|| format!("cannot read /{STATUS}"))? {
        let same = updates.iter().position(|update| update.is_of_same(stanza));
        let newer = same.or_else(|| updates.iter().position(|update| update.replaces(stanza)));
        let goes_on = match newer {
            Some(place) => put(&mut updates.swap_remove(place)),
            None => put(stanza),
        };
        if !goes_on {
            return Ok(true);
        }
    }
    for mut stanza in updates {
        if !put(&mut stanza) {
            break;
        }
    }
    Ok(true)
}

/// The changes that are not in the status yet, the latest of each package.
fn updates(root: &Rootfs, wants_description: bool) -> anyhow::Result<Vec<Stanza>> {
    let mut updates: Vec<Stanza> = Vec::new();
    let names = root.names(UPDATES).unwrap_or_default();
    for name in names.iter().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())) {
        let path = format!("{UPDATES}/{name}");
        // dpkg may have removed it meanwhile.
        let Some(file) = open(root, &path)? else { continue };
        let mut stanzas = Stanzas::new(file, wants_description);
        while let Some(stanza) = stanzas.next().with_context(|| format!("cannot read /{path}"))? {
            updates.retain(|earlier| !stanza.is_of_same(earlier) && !stanza.replaces(earlier));
            updates.push(stanza.clone());
        }
    }
    Ok(updates)
}

/// When the list of a package's files was written: when dpkg unpacked this version.
fn changed(info: &OwnedFd, is_of_several: bool, package: &Package) -> Option<i64> {
    let Package { name, architecture, .. } = package;
    let list =
        if is_of_several { [name, &b":"[..], architecture, b".list"].concat() } else { [name, &b".list"[..]].concat() };
    if list.contains(&b'/') {
        return None;
    }
    Some(statat(info, list, AtFlags::SYMLINK_NOFOLLOW).ok()?.st_mtime)
}

/// A paragraph of the database.
#[derive(Clone, Debug, Default)]
struct Stanza {
    package: Package,
    /// Whether packages of this name may be installed for several architectures.
    is_of_several: bool,
}

impl Stanza {
    /// Whether there is anything of the package.
    fn is_there(&self) -> bool {
        !self.package.status.is_empty() && self.package.status != b"not-installed"
    }

    /// Whether both are of one package, for one architecture.
    fn is_of_same(&self, other: &Stanza) -> bool {
        let (one, other) = (&self.package, &other.package);
        one.name == other.name && one.architecture == other.architecture
    }

    /// Whether this is the package for another architecture, in the place of the earlier one. A package has several
    /// architectures only if all of them are `Multi-Arch: same`.
    fn replaces(&self, earlier: &Stanza) -> bool {
        let is_beside = self.is_of_several && earlier.is_of_several;
        self.package.name == earlier.package.name && earlier.is_there() && !is_beside
    }

    /// Reads a line that begins with the name of a field. Returns whether lines that begin with a blank continue the
    /// description.
    fn set(&mut self, line: &[u8]) -> bool {
        let Some(colon) = memchr(b':', line) else { return false };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        let package = &mut self.package;
        let text = match name {
            b"Package" => &mut package.name,
            b"Version" => &mut package.version,
            b"Architecture" => &mut package.architecture,
            b"Maintainer" => &mut package.publisher,
            b"Description" => &mut package.summary,
            b"Section" => &mut package.section,
            b"Homepage" => &mut package.homepage,
            b"Source" => &mut package.source_package,
            b"Installed-Size" => {
                package.size_kib = number(value);
                return false;
            }
            b"Multi-Arch" => {
                self.is_of_several = value == b"same";
                return false;
            }
            b"Status" => {
                let mut words = value.split(|byte| *byte == b' ');
                for text in [&mut package.want, &mut package.error, &mut package.status] {
                    text.extend_from_slice(words.next().unwrap_or_default());
                }
                if package.error == b"ok" {
                    package.error.clear();
                }
                return false;
            }
            _ => return false,
        };
        text.clear();
        append_line(text, value);
        name == b"Description"
    }
}

/// The paragraphs of a text.
struct Stanzas<R> {
    lines: Lines<R>,
    wants_description: bool,
    stanza: Stanza,
}

impl<R: Read> Stanzas<R> {
    fn new(reader: R, wants_description: bool) -> Self {
        let package = Package { source: "dpkg", ..Package::default() };
        Stanzas { lines: Lines::new(reader), wants_description, stanza: Stanza { package, is_of_several: false } }
    }

    /// The next paragraph that has the name of a package.
    fn next(&mut self) -> io::Result<Option<&mut Stanza>> {
        self.stanza.package.clear();
        self.stanza.is_of_several = false;
        let mut describes = false;
        loop {
            let line = self.lines.line()?;
            match line {
                Some([b' ' | b'\t', text @ ..]) => {
                    // A full stop alone stands for an empty line.
                    if describes && self.wants_description && text != b"." {
                        append_line(&mut self.stanza.package.description, text);
                    }
                }
                Some([]) | None if !self.stanza.package.name.is_empty() => return Ok(Some(&mut self.stanza)),
                None => return Ok(None),
                Some(line) => describes = self.stanza.set(line),
            }
        }
    }
}

/// Opens a file of the database. None if it is missing.
fn open(root: &Rootfs, path: &str) -> anyhow::Result<Option<File>> {
    match root.file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        opened => Ok(Some(opened.with_context(|| format!("cannot open /{path}"))?)),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;

    fn packages(text: &str) -> Vec<Package> {
        let mut stanzas = Stanzas::new(text.as_bytes(), true);
        let mut packages = Vec::new();
        while let Some(stanza) = stanzas.next().unwrap() {
            packages.push(stanza.package.clone());
        }
        packages
    }

    #[test]
    fn a_paragraph() {
        let text = "\n\nPackage: one\nStatus: hold reinstreq half-installed\nInstalled-Size: 12\nMaintainer: A <a@example.com>\n\
                    Architecture: amd64\nMulti-Arch: same\nSource: src (2)\nVersion: 1:2-3\nConffiles:\n /etc/a 0123\n\
                    Description: a  summary\n First line.\n .\n   * second\nHomepage: https://example.com/\n\n\n\
                    Version: 1\n\nPackage: two\nStatus: deinstall ok config-files\nDescription:\n only this";
        let packages = packages(text);
        let one = Package {
            name: b"one".into(),
            version: b"1:2-3".into(),
            architecture: b"amd64".into(),
            publisher: b"A <a@example.com>".into(),
            size_kib: Some(12),
            summary: b"a summary".into(),
            description: b"First line. * second".into(),
            want: b"hold".into(),
            status: b"half-installed".into(),
            error: b"reinstreq".into(),
            source: "dpkg",
            homepage: b"https://example.com/".into(),
            source_package: b"src (2)".into(),
            ..Package::default()
        };
        assert_eq!(packages[0], one);
        assert_eq!((packages[1].name.as_slice(), packages[1].version.as_slice()), (&b"two"[..], &b"1"[..]));
        assert_eq!((packages[1].description.as_slice(), packages[1].error.as_slice()), (&b"only this"[..], &b""[..]));
        assert_eq!(packages.len(), 2);
    }

    #[test]
    fn changes_that_are_not_merged_yet_count_more() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join("var/lib/dpkg").join(name);
        fs::create_dir_all(at("updates")).unwrap();
        let of = |name: &str, version: u32| {
            format!("Package: {name}\nStatus: install ok installed\nArchitecture: all\nVersion: {version}\n\n")
        };
        fs::write(at("status"), [of("a", 1), of("b", 1)].concat()).unwrap();
        for (name, text) in [("0000", of("b", 2)), ("0001", of("c", 1)), ("0002", of("b", 3)), ("tmp.i", of("d", 1))] {
            fs::write(at("updates").join(name), text).unwrap();
        }
        let mut found = Vec::new();
        let put = &mut |package: &Package| {
            found.push([&package.name[..], &package.version].concat());
            true
        };
        assert!(read(&Rootfs::open(folder.path()).unwrap(), u32::MAX, put).unwrap());
        assert_eq!(found, [b"a1", b"b3", b"c1"]);
        let empty = tempfile::tempdir().unwrap();
        assert!(!read(&Rootfs::open(empty.path()).unwrap(), u32::MAX, &mut |_| true).unwrap());
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in "(Package:|Status:|Description:|[a: .\n\tü/]){0,40}") {
            packages(&text);
        }
    }
}
