//! `procline inventory software`, compared with what the programs of dpkg and rpm say of the same databases: this machine's,
//! and those that a test makes with the programs themselves.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{command, complaint, lacks, lines, procline, quiet};

/// A software record with all fields, as its reader would declare it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(deny_unknown_fields)]
struct Package {
    name: String,
    version: Option<String>,
    architecture: Option<String>,
    publisher: Option<String>,
    size: Option<u64>,
    summary: Option<String>,
    description: Option<String>,
    want: Option<String>,
    status: String,
    error: Option<String>,
    installed_at: Option<String>,
    source: String,
    #[serde(rename = "Computer")]
    computer: String,
    timestamp: String,
    section: Option<String>,
    homepage: Option<String>,
    source_package: Option<String>,
}

const SOFTWARE: [&str; 5] = ["inventory", "software", "--timeout=5m", "--fields", "all"];

/// What procline prints of a database, without what every record has, in order.
fn packages(arguments: &[&str], source: &str) -> Vec<Package> {
    let output = quiet(procline(&SOFTWARE).args(arguments));
    let parse = |line: &&str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let packages = lines(&output).iter().map(parse).collect::<Vec<Package>>();
    let without = |package: Package| Package { computer: String::new(), timestamp: String::new(), ..package };
    let mut packages: Vec<_> = packages.into_iter().filter(|package| package.source == source).map(without).collect();
    packages.sort();
    packages
}

/// A text that is not empty.
fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn one_line<'a>(lines: impl Iterator<Item = &'a str>) -> Option<String> {
    some(&lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" "))
}

/// Seconds since 1970 as in a record.
fn time(seconds: &str) -> Option<String> {
    let time = chrono::DateTime::from_timestamp(seconds.parse().ok()?, 0)?;
    Some(time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
}

/// What dpkg-query says of the database in `folder`.
fn by_dpkg(folder: &str) -> Vec<Package> {
    let fields = [
        "Package",
        "Version",
        "Architecture",
        "Maintainer",
        "Installed-Size",
        "Description",
        "db:Status-Want",
        "db:Status-Eflag",
        "db:Status-Status",
        "db-fsys:Last-Modified",
        "Section",
        "Homepage",
        "Source",
    ];
    let format = fields.map(|field| format!("${{{field}}}")).join("\x1f") + "\x1e";
    let output = quiet(&mut command("dpkg-query", &["--admindir", folder, "--show", "--showformat", &format]));
    let text = String::from_utf8(output).unwrap();
    let package = |record: &str| {
        let values: Vec<_> = record.split('\x1f').collect();
        let [
            name,
            version,
            architecture,
            publisher,
            size,
            texts,
            want,
            error,
            status,
            changed,
            section,
            homepage,
            source,
        ] = values[..]
        else {
            panic!("{record}")
        };
        let (summary, description) = texts.split_once('\n').unwrap_or((texts, ""));
        Package {
            name: name.into(),
            version: some(version),
            architecture: some(architecture),
            publisher: some(publisher),
            size: size.parse().ok(),
            summary: one_line([summary].into_iter()),
            description: one_line(description.lines().filter(|line| *line != " .")),
            want: some(want),
            status: status.into(),
            error: some(error).filter(|error| error != "ok"),
            installed_at: time(changed).filter(|_| status != "config-files"),
            source: "dpkg".into(),
            section: some(section),
            homepage: some(homepage),
            source_package: some(source),
            ..Package::default()
        }
    };
    let mut packages: Vec<_> = text.split_terminator('\x1e').map(package).collect();
    packages.sort();
    packages
}

#[test]
fn every_package_of_this_machine_equals_dpkg_query() {
    const TEST: &str = "every_package_of_this_machine_equals_dpkg_query";
    const FOLDER: &str = "/var/lib/dpkg";
    if lacks(TEST, false, &["dpkg-query"]) {
        return;
    }
    // Somebody may install a package meanwhile.
    let (ours, theirs) = (0..10)
        .find_map(|_| {
            let before = by_dpkg(FOLDER);
            let ours = packages(&[], "dpkg");
            (before == by_dpkg(FOLDER)).then_some((ours, before))
        })
        .expect("a moment in which nothing is installed");
    assert!(theirs.len() > 50, "{}", theirs.len());
    assert_same(&ours, &theirs);
    assert!(ours.iter().all(|package| package.installed_at.is_some() || package.status == "config-files"));
    // The root of this machine, as if it were another one's.
    assert_same(&packages(&["--rootfs", "/"], "dpkg"), &theirs);
}

fn assert_same(ours: &[Package], theirs: &[Package]) {
    for (one, other) in ours.iter().zip(theirs) {
        assert_eq!(one, other);
    }
    assert_eq!(ours.len(), theirs.len());
}

/// A root directory with a database of dpkg of its own.
struct Dpkg(TempDir);

impl Dpkg {
    fn new() -> Self {
        let root = Dpkg(tempfile::tempdir().unwrap());
        for folder in ["info", "updates", "triggers"] {
            fs::create_dir_all(root.admin().join(folder)).unwrap();
        }
        fs::write(root.admin().join("status"), "").unwrap();
        root
    }

    fn admin(&self) -> PathBuf {
        self.0.path().join("var/lib/dpkg")
    }

    /// Builds a package. `more` are fields of its control file, and `scripts` names of scripts, none of which can run in
    /// the root: there is no shell.
    fn build(&self, name: &str, architecture: &str, more: &str, scripts: &[&str]) -> PathBuf {
        let folder = self.0.path().join("build").join(format!("{name}-{architecture}"));
        fs::create_dir_all(folder.join("DEBIAN")).unwrap();
        fs::create_dir_all(folder.join("etc")).unwrap();
        fs::write(folder.join(format!("etc/{name}.conf")), "x").unwrap();
        fs::write(folder.join("DEBIAN/conffiles"), format!("/etc/{name}.conf\n")).unwrap();
        let control = format!(
            "Package: {name}\nArchitecture: {architecture}\nMaintainer: Example Ünit <unit@example.com>\nInstalled-Size: 7\n\
             Section: misc\n{more}"
        );
        fs::write(folder.join("DEBIAN/control"), control).unwrap();
        for script in scripts {
            let path = folder.join("DEBIAN").join(script);
            fs::write(&path, "#!/bin/sh\nexit 1\n").unwrap();
            quiet(command("chmod", &["755"]).arg(path));
        }
        let package = folder.with_extension("deb");
        let build = ["--build", "--root-owner-group", folder.to_str().unwrap(), package.to_str().unwrap()];
        quiet(command("dpkg-deb", &build).env("TMPDIR", self.0.path()));
        package
    }

    fn dpkg(&self, arguments: &[&str], package: Option<&Path>) -> bool {
        let root = self.0.path().to_str().unwrap();
        let mut dpkg = command("dpkg", &["--root", root, "--log", "/dev/null", "--force-depends"]);
        dpkg.args(arguments).args(package).output().unwrap().status.success()
    }
}

/// Each state is one that dpkg has made.
#[test]
fn every_state_of_a_package_equals_dpkg_query() {
    const TEST: &str = "every_state_of_a_package_equals_dpkg_query";
    if lacks(TEST, true, &["dpkg", "dpkg-deb", "dpkg-query"]) {
        return;
    }
    let root = Dpkg::new();
    let texts = "Version: 1:2.0-1\nSource: other (3)\nHomepage: https://example.com/\nDescription: a \"short\" text\n \
                 The first line\n continues.\n .\n  * An item – ü\n";
    let plain = "Version: 1\nDescription: short\n";
    assert!(root.dpkg(&["--install"], Some(&root.build("whole", "all", texts, &[]))));
    assert!(root.dpkg(&["--install"], Some(&root.build("held", "all", plain, &[]))));
    quiet(command("sh", &["-c", "echo held hold | dpkg --root \"$0\" --set-selections"]).arg(root.0.path()));
    assert!(root.dpkg(&["--install"], Some(&root.build("left", "all", plain, &[]))));
    assert!(root.dpkg(&["--remove", "left"], None));
    assert!(root.dpkg(&["--unpack"], Some(&root.build("unpacked", "all", plain, &[]))));
    assert!(!root.dpkg(&["--install"], Some(&root.build("unready", "all", plain, &["postinst"]))));
    assert!(!root.dpkg(&["--install"], Some(&root.build("half", "all", plain, &["preinst", "postrm"]))));
    assert!(root.dpkg(&["--add-architecture", "arm64"], None) && root.dpkg(&["--add-architecture", "amd64"], None));
    let same = "Version: 1\nMulti-Arch: same\nDescription: short\n";
    for architecture in ["amd64", "arm64"] {
        let package = root.build("library", architecture, same, &[]);
        assert!(root.dpkg(&["--install", "--force-architecture"], Some(&package)), "{architecture}");
    }

    let admin = root.admin();
    let compare = || {
        let ours = packages(&["--rootfs", root.0.path().to_str().unwrap()], "dpkg");
        assert_same(&ours, &by_dpkg(admin.to_str().unwrap()));
        ours
    };
    let ours = compare();
    let states = |ours: &[Package]| {
        let state = |of: &Package| {
            let error = of.error.clone().unwrap_or_default();
            let name = format!("{}:{}", of.name, of.architecture.as_ref().unwrap());
            (name, format!("{} {error} {}", of.want.as_ref().unwrap(), of.status))
        };
        ours.iter().map(state).collect::<BTreeMap<_, _>>()
    };
    let expected = [
        ("half:all", "install reinstreq half-installed"),
        ("held:all", "hold  installed"),
        ("left:all", "deinstall  config-files"),
        ("library:amd64", "install  installed"),
        ("library:arm64", "install  installed"),
        ("unpacked:all", "install  unpacked"),
        ("unready:all", "install  half-configured"),
        ("whole:all", "install  installed"),
    ];
    assert_eq!(states(&ours), expected.map(|(name, state)| (name.to_owned(), state.to_owned())).into());
    let whole = ours.iter().find(|package| package.name == "whole").unwrap();
    assert_eq!(whole.summary.as_deref(), Some("a \"short\" text"));
    assert_eq!(whole.description.as_deref(), Some("The first line continues. * An item – ü"));
    assert!(
        ours.iter().all(|package| package.installed_at.is_some() != (package.name == "left" || package.name == "half"))
    );

    // A change that dpkg has noted, and not yet merged.
    let status = fs::read_to_string(admin.join("status")).unwrap();
    let held = status.split("\n\n").find(|stanza| stanza.starts_with("Package: held\n")).unwrap();
    fs::write(admin.join("updates/0000"), format!("{}\n", held.replace("hold ok", "purge ok"))).unwrap();
    fs::write(admin.join("updates/0001"), format!("{}\n", held.replace("Package: held", "Package: late"))).unwrap();
    let merged = states(&compare());
    assert_eq!(merged["held:all"], "purge  installed");
    assert_eq!((merged["late:all"].as_str(), merged.len()), ("hold  installed", expected.len() + 1));
}

/// A package has several architectures only if all of them are `Multi-Arch: same`. Otherwise, a new one takes the place of the old.
#[test]
fn a_package_that_changes_its_architecture_equals_dpkg_query() {
    if lacks("a_package_that_changes_its_architecture_equals_dpkg_query", false, &["dpkg-query"]) {
        return;
    }
    let root = Dpkg::new();
    // An architecture of uppercase letters is of a package that is Multi-Arch: same, and one in brackets is not installed.
    let stanza = |(version, architecture): (usize, &str)| {
        let state = if architecture.starts_with('(') { "purge ok not-installed" } else { "install ok half-configured" };
        let multi = if architecture.starts_with(char::is_uppercase) { "Multi-Arch: same\n" } else { "" };
        let architecture = architecture.trim_matches(['(', ')']).to_lowercase();
        format!(
            "Package: cross\nStatus: {state}\nMaintainer: a\nArchitecture: {architecture}\n{multi}Version: {version}\nDescription: a\n\n"
        )
    };
    let mut shown = Vec::new();
    for (status, updates) in [
        (&["amd64"][..], &["all"][..]),
        (&["amd64"], &["amd64", "all"]),
        (&["amd64"], &["all", "amd64"]),
        (&["amd64"], &["(amd64)", "all"]),
        (&["amd64"], &["(arm64)", "amd64"]),
        (&["amd64"], &["ARM64"]),
        (&["amd64"], &["ARM64", "AMD64"]),
        (&["AMD64"], &["arm64"]),
        (&["AMD64"], &["ARM64"]),
        (&["AMD64", "ARM64"], &["ARM64"]),
        (&["(arm64)", "amd64"], &["all"]),
        (&["(arm64)", "amd64"], &["amd64"]),
    ] {
        let text: String = status.iter().map(|architecture| stanza((0, architecture))).collect();
        fs::write(root.admin().join("status"), text).unwrap();
        let _ = fs::remove_dir_all(root.admin().join("updates"));
        fs::create_dir(root.admin().join("updates")).unwrap();
        for (place, architecture) in updates.iter().enumerate() {
            fs::write(root.admin().join(format!("updates/{place:04}")), stanza((place + 1, architecture))).unwrap();
        }
        let ours = packages(&["--rootfs", root.0.path().to_str().unwrap()], "dpkg");
        assert_eq!(ours, by_dpkg(root.admin().to_str().unwrap()), "{status:?} {updates:?}");
        shown.push(ours.len());
    }
    assert_eq!(shown, [1, 1, 1, 1, 1, 1, 2, 1, 2, 2, 1, 1]);
}

/// A package of rpm, as its specification.
fn spec(name: &str, version: &str, more: &str, description: &str) -> String {
    format!(
        "Name: {name}\nVersion: {version}\nRelease: 3%{{?none}}\nSummary: it's \"{name}\"  – ü\nLicense: MIT\n{more}\n\
         %description\n{description}\n%install\nmkdir -p %{{buildroot}}/etc\nhead -c 1500 /dev/zero >%{{buildroot}}/etc/{name}\n\
         %files\n/etc/{name}\n"
    )
}

/// Builds a package from its specification, into `folder`/RPMS.
fn build_rpm(folder: &Path, target: &str, spec: &str) {
    let path = folder.join("package.spec");
    fs::write(&path, spec).unwrap();
    let top = format!("_topdir {}", folder.display());
    let mut rpmbuild = command("rpmbuild", &["-bb", "--quiet", "--target", target, "--define", &top]);
    let build = rpmbuild.args(["--define", "_build_id_links none"]).arg(&path).env("HOME", folder).output().unwrap();
    assert!(build.status.success(), "{build:?}");
}

/// What rpm says of a database, tag by tag.
fn by_rpm(database: &Path) -> Vec<Package> {
    let tags = [
        "NAME",
        "EPOCH",
        "VERSION",
        "RELEASE",
        "ARCH",
        "PACKAGER",
        "VENDOR",
        "SIZE",
        "INSTALLTIME",
        "GROUP",
        "URL",
        "SOURCERPM",
        "SUMMARY",
        "DESCRIPTION",
    ];
    let format = tags.map(|tag| format!("%{{{tag}}}")).join("\x1f") + "\x1e";
    let mut rpm = command("rpm", &["-qa", "--queryformat", &format, "--dbpath"]);
    let text = String::from_utf8(quiet(rpm.arg(database))).unwrap();
    let package = |record: &str| {
        let values: Vec<_> = record.split('\x1f').map(|value| if value == "(none)" { "" } else { value }).collect();
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
        ] = values[..]
        else {
            panic!("{record}")
        };
        let epoch = if epoch.is_empty() { String::new() } else { format!("{epoch}:") };
        Package {
            name: name.into(),
            version: Some(format!("{epoch}{version}-{release}")),
            architecture: some(architecture),
            publisher: some(if packager.is_empty() { vendor } else { packager }),
            size: size.parse::<u64>().ok().map(|bytes| bytes.div_ceil(1024)),
            summary: one_line([summary].into_iter()),
            description: one_line(text.lines()),
            status: "installed".into(),
            installed_at: self::time(time),
            source: "rpm".into(),
            section: some(group),
            homepage: some(url),
            source_package: some(source),
            ..Package::default()
        }
    };
    let mut packages: Vec<_> = text.split_terminator('\x1e').map(package).collect();
    packages.sort();
    packages
}

/// A real database, which rpm makes of packages that rpmbuild makes.
#[test]
fn every_package_of_rpm_equals_rpm() {
    const TEST: &str = "every_package_of_rpm_equals_rpm";
    if lacks(TEST, false, &["rpm", "rpmbuild"]) {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("build");
    let database = root.path().join("usr/lib/sysimage/rpm");
    fs::create_dir_all(&database).unwrap();
    fs::create_dir_all(&folder).unwrap();
    fs::create_dir_all(root.path().join("var/lib")).unwrap();
    // As on systems that have moved it.
    symlink("/usr/lib/sysimage/rpm", root.path().join("var/lib/rpm")).unwrap();
    let hostile = "It's 'quoted' \\ \"twice\"\n\n  * 100%% | ;\n'\n%%{NAME} (none)";
    for (name, more, description, target) in [
        (
            "one",
            "Epoch: 2\nPackager: A <a@example.com>\nVendor: Example\nURL: https://example.com/\nGroup: Tools",
            "Text",
            "noarch",
        ),
        ("two", "Vendor: Example", hostile, "x86_64"),
        ("three", "", "Ü", "aarch64"),
    ] {
        build_rpm(&folder, target, &spec(name, "1.0", more, description));
    }
    let install =
        "rpm --dbpath \"$0\" --install --justdb --nodeps --ignorearch --ignoreos --noscripts \"$1\"/RPMS/*/*.rpm";
    // Debian's rpm says that it is not for installing.
    assert!(command("sh", &["-c", install]).arg(&database).arg(&folder).output().unwrap().status.success());

    let at = root.path().to_str().unwrap();
    let theirs = by_rpm(&database);
    assert_eq!(theirs.iter().map(|package| package.name.as_str()).collect::<Vec<_>>(), ["one", "three", "two"]);
    let ours = packages(&["--rootfs", at], "rpm");
    assert_same(&ours, &theirs);
    let [one, three, two] = [0, 1, 2].map(|place| &ours[place]);
    assert_eq!((one.version.as_deref(), one.size), (Some("2:1.0-3"), Some(2)));
    assert_eq!((three.publisher.as_deref(), three.architecture.as_deref()), (None, Some("aarch64")));
    assert_eq!(two.version.as_deref(), Some("1.0-3"));
    assert_eq!(two.description.as_deref(), Some("It's 'quoted' \\ \"twice\" * 100% | ; ' %{NAME} (none)"));

    // Only the link, which is absolute: rpm must not follow it to this machine.
    fs::rename(&database, root.path().join("usr/lib/sysimage/moved")).unwrap();
    fs::remove_file(root.path().join("var/lib/rpm")).unwrap();
    symlink("/usr/lib/sysimage/moved", root.path().join("var/lib/rpm")).unwrap();
    assert_same(&packages(&["--rootfs", at], "rpm"), &theirs);

    let (code, errors) =
        complaint(&procline(&SOFTWARE).args(["--rootfs", at]).env("PATH", "/nonexistent").output().unwrap());
    assert!(code == 1 && errors.contains("rpm is not installed"), "{errors}");
    fs::write(root.path().join("usr/lib/sysimage/moved/rpmdb.sqlite"), "no database").unwrap();
    let (code, errors) = complaint(&procline(&SOFTWARE).args(["--rootfs", at]).output().unwrap());
    assert!(code == 1 && errors.contains("rpm cannot list the packages in /var/lib/rpm: "), "{errors}");
}

/// rpm has several versions of a kernel at once. One that comes is no change of another.
#[test]
fn kernels_come_and_go() {
    const TEST: &str = "kernels_come_and_go";
    if lacks(TEST, false, &["rpm", "rpmbuild"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let [build, root] = ["build", "root"].map(|name| folder.path().join(name));
    let database = root.join("usr/lib/sysimage/rpm");
    fs::create_dir_all(&build).unwrap();
    fs::create_dir_all(&database).unwrap();
    let rpm = |arguments: &[&str]| {
        let mut rpm = command("sh", &["-c", "rpm --dbpath \"$0\" --justdb --nodeps --noscripts \"$@\""]);
        let output = rpm.arg(&database).args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    let install = |version: u32| {
        build_rpm(&build, "noarch", &spec("kernel", &version.to_string(), "", "Text"));
        rpm(&[
            "--install",
            "--oldpackage",
            build.join(format!("RPMS/noarch/kernel-{version}-3.noarch.rpm")).to_str().unwrap(),
        ]);
    };
    let [root, state] = [root, folder.path().join("state")].map(|path| path.to_str().unwrap().to_owned());
    let changes = || {
        let arguments = [&SOFTWARE[..], &["--rootfs", &root, "--changes", &state]].concat();
        let output = String::from_utf8(quiet(&mut procline(&arguments))).unwrap();
        let change = |line: &str| {
            let record: serde_json::Value = serde_json::from_str(line).unwrap();
            let version = record.get("version").unwrap_or(&record["previous"]["version"]);
            format!("{} {}", record["change"].as_str().unwrap(), version.as_str().unwrap())
        };
        output.lines().map(change).collect::<Vec<_>>()
    };
    install(2);
    assert_eq!(changes(), ["added 2-3"]);
    // The first of several is the one that was there.
    install(1);
    assert_eq!(changes(), ["added 1-3"]);
    install(3);
    rpm(&["--erase", "kernel-2-3"]);
    assert_eq!(changes(), ["added 3-3", "removed 2-3"]);
    rpm(&["--erase", "kernel-3-3"]);
    assert_eq!(changes(), ["removed 3-3"]);
    install(4);
    rpm(&["--erase", "kernel-1-3"]);
    assert_eq!(changes(), ["modified 4-3"]);
}

/// Two databases in one root, as on a Debian that builds packages for others. The one of apk is written by hand.
#[test]
fn each_database_has_its_records() {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in [
        ("var/lib/dpkg/status", "Package: a\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n"),
        (
            "usr/lib/apk/db/installed",
            "C:Q1x=\nP:musl\nV:1.2.5-r9\nA:x86_64\nI:1025\nT:the C library\nm:A <a@example.com>\nF:lib\n\n",
        ),
    ] {
        fs::create_dir_all(root.path().join(path).parent().unwrap()).unwrap();
        fs::write(root.path().join(path), text).unwrap();
    }
    let at = root.path().to_str().unwrap();
    assert_eq!(packages(&["--rootfs", at], "dpkg").len(), 1);
    let musl = Package {
        name: "musl".into(),
        version: Some("1.2.5-r9".into()),
        architecture: Some("x86_64".into()),
        publisher: Some("A <a@example.com>".into()),
        size: Some(2),
        summary: Some("the C library".into()),
        status: "installed".into(),
        source: "apk".into(),
        ..Package::default()
    };
    assert_eq!(packages(&["--rootfs", at], "apk"), [musl]);

    let output = quiet(&mut procline(&["inventory", "software", "--schema", "ecs", "--rootfs", at]));
    let ecs: Vec<Value> = lines(&output).iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&ecs[1]["package"]["size"], &ecs[1]["package"]["type"]), (&2048.into(), &"apk".into()));
    assert_eq!(ecs[1]["package"]["description"], "the C library");
}

#[test]
fn without_a_database_there_is_one_sentence() {
    let root = tempfile::tempdir().unwrap();
    let none = ["--rootfs", root.path().to_str().unwrap()];
    let (code, errors) = complaint(&procline(&SOFTWARE).args(none).output().unwrap());
    assert!(code == 1 && errors.contains("there is no database of packages"), "{errors}");
    let (code, errors) = complaint(&procline(&SOFTWARE).args(["--procfs", "/proc"]).output().unwrap());
    assert!(code == 1 && errors.contains("add --rootfs"), "{errors}");
    fs::create_dir_all(root.path().join("var/lib/dpkg/status")).unwrap();
    let (code, errors) = complaint(&procline(&SOFTWARE).args(none).output().unwrap());
    assert!(code == 1 && errors.contains("cannot open /var/lib/dpkg/status"), "{errors}");
}
