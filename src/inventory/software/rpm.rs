//! The packages of rpm. Its database has had three formats, so the program of that name reads it.

use std::io;
use std::os::fd::AsRawFd;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, anyhow};

use super::package::{Package, Put, append_line, kib, number};
use crate::exit::{Outcome, Transient};
use crate::inventory::command::run;
use crate::rootfs::Rootfs;

/// The directories that have the database.
const DIRECTORIES: [&str; 3] = ["usr/lib/sysimage/rpm", "var/lib/rpm", "usr/share/rpm"];
/// The files of the three formats.
const FILES: [&str; 3] = ["rpmdb.sqlite", "Packages.db", "Packages"];

/// What is asked for, and the letter that says how its text is printed: s as a quoted string, n as a number.
const TAGS: [(&str, char); 14] = [
    ("NAME", 's'),
    ("EPOCH", 'n'),
    ("VERSION", 's'),
    ("RELEASE", 's'),
    ("ARCH", 's'),
    ("PACKAGER", 's'),
    ("VENDOR", 's'),
    // SIZE has 32 bits.
    ("LONGSIZE", 'n'),
    ("INSTALLTIME", 'n'),
    ("GROUP", 's'),
    ("URL", 's'),
    ("SOURCERPM", 's'),
    ("SUMMARY", 's'),
    ("DESCRIPTION", 's'),
];

/// Yields what `rpm -qa` lists. `is_here` tells whether the root is this machine's. Returns whether there is a database.
///
/// # Errors
/// If there is a database and rpm cannot read it.
pub fn read(root: &Rootfs, is_here: bool, deadline: Instant, put: &mut Put<'_>) -> Result<bool, Outcome> {
    let has_file = |directory: &&&str| FILES.iter().any(|file| root.file(&format!("{directory}/{file}")).is_ok());
    let Some(directory) = DIRECTORIES.iter().find(has_file) else { return Ok(false) };
    let mut command = Command::new("rpm");
    if !is_here {
        // rpm has no option to resolve a link as the other machine would. This path has none.
        let place = root.directory(directory).with_context(|| format!("cannot open /{directory}"))?;
        let path = std::fs::read_link(format!("/proc/self/fd/{}", place.as_raw_fd()));
        command.arg("--dbpath").arg(path.with_context(|| format!("cannot find /{directory}"))?);
    }
    command.args(["-qa", "--queryformat", &format()]).env("LC_ALL", "C.UTF-8");
    let output = run(&mut command, deadline).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => anyhow!("rpm is not installed, which procline needs to read /{directory}").into(),
        io::ErrorKind::TimedOut => Outcome::Transient(Transient::Program, anyhow!("rpm does not end within --timeout")),
        _ => Outcome::Transient(Transient::Program, anyhow!(error).context("cannot run rpm")),
    })?;
    let (installed, rest) = by_time(&output.text);
    let mut packages = Packages::of(&output.text);
    for text in installed {
        packages.text = text;
        if packages.next().is_none() || !put(&packages.package) {
            return Ok(true);
        }
    }
    if !output.status.success() || !rest.is_empty() {
        let error = anyhow!("rpm cannot list the packages in /{directory}: {}", output.reason());
        return Err(Outcome::Transient(Transient::Program, error));
    }
    Ok(true)
}

/// One line for each package: words as a shell would read them. A tag that a package lacks is an empty word.
fn format() -> String {
    let word = |(tag, kind): &(&str, char)| {
        let format = if *kind == 's' { ":shescape" } else { "" };
        format!("%|{tag}?{{%{{{tag}{format}}}}}:{{''}}|")
    };
    TAGS.iter().map(word).collect::<Vec<_>>().join(" ") + "\\n"
}

/// Where each package begins in the output, in the order of installation, and the rest that has no whole package. A kernel comes
/// after the older ones that stay: `--changes` needs that to tell which one is new.
fn by_time(text: &[u8]) -> (Vec<&[u8]>, &[u8]) {
    let mut packages = Packages::of(text);
    let mut begins = Vec::new();
    loop {
        let begin = packages.text;
        if packages.next().is_none() {
            break;
        }
        begins.push((packages.package.installed_at, begin));
    }
    begins.sort_by_key(|(time, _)| *time);
    (begins.into_iter().map(|(_, begin)| begin).collect(), packages.text)
}

/// The packages in the output.
struct Packages<'a> {
    text: &'a [u8],
    package: Package,
}

impl<'a> Packages<'a> {
    fn of(text: &'a [u8]) -> Self {
        Packages { text, package: Package { source: "rpm", ..Package::default() } }
    }

    /// Reads the next package. None if the rest has no whole line.
    fn next(&mut self) -> Option<()> {
        let mut rest = self.text;
        let mut words: [Vec<u8>; TAGS.len()] = Default::default();
        for (place, word) in words.iter_mut().enumerate() {
            let end;
            (*word, end, rest) = self::word(rest)?;
            if (end == b'\n') != (place + 1 == TAGS.len()) {
                return None;
            }
        }
        self.text = rest;
        let [
            name,
            epoch,
            version,
            release,
            architecture,
            packager,
            vendor,
            size,
            time,
            group,
            url,
            source,
            summary,
            text,
        ] = words;
        let package = &mut self.package;
        package.clear();
        package.version = if epoch.is_empty() { Vec::new() } else { [&epoch[..], b":"].concat() };
        package.version.extend_from_slice(&[&version[..], b"-", &release].concat());
        package.size_kib = number(&size).map(kib);
        package.installed_at = number(&time).and_then(|seconds| seconds.try_into().ok());
        package.status = b"installed".into();
        (package.name, package.architecture, package.section, package.homepage) = (name, architecture, group, url);
        package.publisher = if packager.is_empty() { vendor } else { packager };
        package.source_package = source;
        append_line(&mut package.summary, &summary);
        append_line(&mut package.description, &text);
        Some(())
    }
}

/// The first word, the blank or newline after it, and the rest. In single quotes everything is itself, and a backslash
/// outside makes the next character itself. None if the word does not end.
fn word(text: &[u8]) -> Option<(Vec<u8>, u8, &[u8])> {
    let mut word = Vec::new();
    let mut is_quoted = false;
    let mut rest = text;
    loop {
        let (byte, after) = rest.split_first()?;
        rest = after;
        match byte {
            b'\'' => is_quoted = !is_quoted,
            b'\\' if !is_quoted => {
                let (byte, after) = rest.split_first()?;
                word.push(*byte);
                rest = after;
            }
            b' ' | b'\n' if !is_quoted => return Some((word, *byte, rest)),
            byte => word.push(*byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(text: &str) -> (Vec<Package>, usize) {
        let mut packages = Packages::of(text.as_bytes());
        let mut all = Vec::new();
        while packages.next().is_some() {
            all.push(packages.package.clone());
        }
        (all, packages.text.len())
    }

    #[test]
    fn packages_with_quotes_and_newlines() {
        let one = "'one' 2 '1.0' '3.el9' 'noarch' '' 'Example' 1025 1700000000 'Unspecified' '' 'one-1.0-3.el9.src.rpm' \
                   'it'\\''s  one' 'a\n b\n\n'\\''c'\\'' | d'\n";
        let two = "'gpg-pubkey' '' 'aa' 'bb' '' 'A <a@example.com>' 'Example' '' '' '' '' '' '' ''\n";
        let (packages, left) = all(&format!("{one}{two}"));
        let expected = Package {
            name: b"one".into(),
            version: b"2:1.0-3.el9".into(),
            architecture: b"noarch".into(),
            publisher: b"Example".into(),
            size_kib: Some(2),
            summary: b"it's one".into(),
            description: b"a b 'c' | d".into(),
            status: b"installed".into(),
            installed_at: Some(1_700_000_000),
            source: "rpm",
            section: b"Unspecified".into(),
            source_package: b"one-1.0-3.el9.src.rpm".into(),
            ..Package::default()
        };
        assert_eq!(packages[0], expected);
        assert_eq!(
            (packages[1].version.as_slice(), packages[1].publisher.as_slice()),
            (&b"aa-bb"[..], &b"A <a@example.com>"[..])
        );
        assert_eq!((packages.len(), left), (2, 0));
        // What is cut off is seen.
        assert_eq!(all(&one[..one.len() - 2]), (Vec::new(), one.len() - 2));
        assert_eq!(all("'one' 2\n"), (Vec::new(), 8));
    }

    #[test]
    fn the_order_of_installation() {
        let line =
            |version: u32, time: u32| format!("'kernel' '' '{version}' '1' 'x86_64' '' '' '1' {time} '' '' '' '' ''\n");
        let text = line(3, 30) + &line(1, 10) + &line(2, 10) + "'cut";
        let (begins, rest) = by_time(text.as_bytes());
        let begins: Vec<_> = begins.iter().map(|begin| char::from(begin[13])).collect();
        assert_eq!((begins, rest), (vec!['1', '2', '3'], &b"'cut"[..]));
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in "['\\\\ \n1aü]{0,80}") {
            all(&text);
            by_time(text.as_bytes());
        }
    }
}
