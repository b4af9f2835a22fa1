//! The unit files of a machine, systemd.unit(5): which there are, what links say of them, and what `systemctl is-enabled`
//! would say. systemd need not run.

use std::collections::BTreeMap;

use super::names::{self, expand, is_service, is_template, is_unit};
use super::service::Service;
use super::unit_file::UnitFile;
use crate::rootfs::Rootfs;
use crate::text::lossy;

/// Where the manager looks for unit files: earlier directories count more. systemd is built with one of the last two
/// directories of packages, or with both.
pub const SEARCH_PATH: &[&str] = &[
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/run/systemd/transient",
    "/run/systemd/generator.early",
    PERSISTENT,
    "/etc/systemd/system.attached",
    RUNTIME,
    "/run/systemd/system.attached",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
    "/run/systemd/generator.late",
];

/// The administrator's directory, where `systemctl enable` makes links.
const PERSISTENT: &str = "/etc/systemd/system";
/// The same until the next boot.
const RUNTIME: &str = "/run/systemd/system";

/// How many names a unit may lead to, one after the other.
const MAX_ALIASES: usize = 16;

/// The unit files, and the links to them.
pub struct UnitFiles<'a> {
    root: &'a Rootfs,
    directories: Vec<&'a str>,
    names: BTreeMap<String, Name>,
    links: Vec<Link>,
}

/// What there is for a name of a unit, of any type.
#[derive(Default)]
struct Name {
    /// Where the name leads, in the first directory that has it.
    place: Option<Place>,
    /// The directories of drop-ins, such as `a.service.d`, in the order of the search path.
    drop_ins: Vec<String>,
}

enum Place {
    File(Unit),
    /// It is another name of this unit.
    Alias(String),
}

/// Where the name of a unit leads.
struct Unit {
    /// The directory of the search path.
    directory: String,
    /// The file's path.
    path: String,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    /// A link to a file that is not in the search path.
    Linked,
    Masked,
    /// A link to nothing.
    Bad,
}

/// A link that a unit is known or wanted by.
struct Link {
    directory: String,
    /// The unit that wants it, and whether it does so by `.wants`. None for a link beside the unit files.
    by: Option<(String, bool)>,
    name: String,
    /// The name of the file that it leads to.
    target: String,
}

impl<'a> UnitFiles<'a> {
    /// Reads what the directories of `path` contain. What cannot be read is as if it were missing.
    pub fn read(root: &'a Rootfs, path: &[&'a str]) -> Self {
        let mut units = UnitFiles { root, directories: Vec::new(), names: BTreeMap::new(), links: Vec::new() };
        for directory in path {
            let Ok(names) = root.names(directory) else { continue };
            units.directories.push(directory);
            for name in names {
                units.entry(directory, &name);
            }
        }
        units.keep_aliases_of_files();
        units
    }

    /// A name that leads to no file is no alias.
    fn keep_aliases_of_files(&mut self) {
        let leads_nowhere = |name: &str| {
            let template = || names::template(self.resolve(name));
            self.file(name).is_none() && template().is_none_or(|template| self.file(&template).is_none())
        };
        let aliases = self.links.iter().filter(|link| link.by.is_none() && leads_nowhere(&link.name));
        let bad: Vec<_> = aliases.map(|link| (link.name.clone(), link.directory.clone())).collect();
        for (name, directory) in bad {
            let unit = Unit { path: format!("{directory}/{name}"), directory, kind: Kind::Bad };
            self.names.entry(name).or_default().place = Some(Place::File(unit));
        }
    }

    fn entry(&mut self, directory: &str, name: &str) {
        let path = format!("{directory}/{name}");
        if let Some(unit) = name.strip_suffix(".d") {
            self.names.entry(unit.to_owned()).or_default().drop_ins.push(path);
        } else if let Some((by, kind)) =
            name.rsplit_once('.').filter(|(_, kind)| ["wants", "requires", "upholds"].contains(kind))
        {
            for name in self.root.names(&path).unwrap_or_default() {
                let target = self.root.link(&format!("{path}/{name}")).unwrap_or_else(|| name.clone());
                let by = Some((by.to_owned(), kind == "wants"));
                self.links.push(Link { directory: directory.into(), by, name, target: last(&target).into() });
            }
        } else if is_unit(name) {
            self.unit(directory, name, path);
        }
    }

    /// A unit file, or a link in the place of one.
    fn unit(&mut self, directory: &str, name: &str, path: String) {
        let target = self.root.link(&path);
        let base = target.as_deref().map_or(name, last);
        // A service may only be another name of a service, and a template only of a template.
        let may_be = base.rsplit_once('.').map(|of| of.1) == name.rsplit_once('.').map(|of| of.1);
        // A link from an instance to its own template enables it.
        let is_enabled_instance = names::template(name).as_deref() == Some(base);
        let is_alias = may_be
            && !is_enabled_instance
            && base != name
            && is_unit(base)
            && (is_template(base) || !is_template(name));
        if is_alias || is_enabled_instance {
            let link = Link { directory: directory.into(), by: None, name: name.into(), target: base.into() };
            self.links.push(link);
        }
        if self.place(name).is_some() {
            return;
        }
        let inside = |target: &str| !target.contains('/') || self.is_searched(&path_of(directory, target));
        let (kind, path) = match target.as_deref() {
            Some(target) if path_of(directory, target) == "/dev/null" => (Kind::Masked, path),
            Some(target) if is_alias && inside(target) => {
                let alias = Place::Alias(last(target).to_owned());
                self.names.entry(name.to_owned()).or_default().place = Some(alias);
                return;
            }
            // The instance has the file of its template.
            Some(target) if is_enabled_instance && inside(target) && self.root.file(&path).is_ok() => return,
            target => match self.root.file(&path) {
                Ok(file) if file.metadata().is_ok_and(|metadata| metadata.len() == 0) => (Kind::Masked, path),
                Ok(_) if target.is_some_and(|target| !inside(target)) => (Kind::Linked, path),
                Ok(_) => (Kind::File, path),
                Err(_) if target.is_some() => (Kind::Bad, path),
                Err(_) => return,
            },
        };
        let unit = Unit { directory: directory.to_owned(), path, kind };
        self.names.entry(name.to_owned()).or_default().place = Some(Place::File(unit));
    }

    /// Whether a file's directory is in the search path. /lib may be a link to /usr/lib.
    fn is_searched(&self, path: &str) -> bool {
        let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
        let of_usr = |path: &str| path.strip_prefix("/usr").unwrap_or(path).to_owned();
        SEARCH_PATH.iter().chain(&self.directories).any(|searched| of_usr(searched) == of_usr(directory))
    }

    /// The unit that has this name. A name may lead to another one.
    fn resolve<'b>(&'b self, name: &'b str) -> &'b str {
        let mut name = name;
        for _ in 0..MAX_ALIASES {
            let Some(Place::Alias(next)) = self.place(name) else { break };
            name = next;
        }
        name
    }

    /// Every service that has a file, and every instance that something wants.
    pub fn services(&self) -> Vec<Service> {
        let is_file = |name: &&String| matches!(self.place(name), Some(Place::File(_)));
        // An instance has a link, and the file of its template.
        let by_links = self.links.iter().map(|link| self.resolve(&link.name));
        let wanted =
            by_links.filter(|name| names::template(name).is_some_and(|template| self.file(&template).is_some()));
        let names = self.names.keys().filter(is_file).map(String::as_str).chain(wanted);
        let mut names: Vec<_> = names.filter(|name| is_service(name)).collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter().map(|name| self.service(name)).collect()
    }

    fn place(&self, name: &str) -> Option<&Place> {
        self.names.get(name)?.place.as_ref()
    }

    fn file(&self, name: &str) -> Option<&Unit> {
        match self.place(self.resolve(name))? {
            Place::File(unit) => Some(unit),
            Place::Alias(_) => None,
        }
    }

    /// What the files say of a service.
    pub fn service(&self, name: &str) -> Service {
        let mut service = Service { name: name.to_owned(), ..Service::default() };
        let is_ours = |alias: &&String| alias.as_str() != name && self.resolve(alias) == name;
        service.aliases = self.names.keys().filter(is_ours).cloned().collect();
        let unit = self.file(name).or_else(|| self.file(&names::template(name)?));
        let Some(unit) = unit else { return service };
        service.fragment_path.clone_from(&unit.path);
        if matches!(unit.kind, Kind::Masked | Kind::Bad) {
            service.unit_file_state = self.state(name, unit, &UnitFile::default());
            return service;
        }
        let mut file = UnitFile::default();
        file.apply(&self.text(&unit.path));
        service.drop_ins = self.drop_ins(name, &service.aliases);
        for path in &service.drop_ins {
            file.apply(&self.text(path));
        }
        service.unit_file_state = self.state(name, unit, &file);
        let wants =
            |link: &Link| link.by.as_ref().filter(|(_, wants)| *wants).map(|(by, _)| self.resolve(by).to_owned());
        // A link to /dev/null takes a link of another directory away. Still it counts for `is-enabled`.
        let is_wanted = |link: &&Link| self.resolve(&link.name) == name && link.target != "null";
        service.wanted_by = self.links.iter().filter(is_wanted).filter_map(wants).collect();
        service.wanted_by.sort_unstable();
        service.wanted_by.dedup();
        let text = if file.description.is_empty() { "%n" } else { &file.description };
        service.description = expand(text, name);
        service.user = match file.user.as_str() {
            "" if file.has_dynamic_user => names::dynamic_user(name).unwrap_or_default().to_owned(),
            "" => "root".to_owned(),
            user => expand(user, name),
        };
        service.service_type = file.service_type;
        service.commands = file.commands.iter().map(|command| expand(command, name)).collect();
        service
    }

    /// A file of units is small. What cannot be read says nothing.
    fn text(&self, path: &str) -> String {
        self.root.read(path).map(|text| lossy(&text).into_owned()).unwrap_or_default()
    }

    /// The files in the directories for this unit, in the order in which they apply: that of their names. Of several with
    /// one name the first counts: for each name of the unit, the search path comes first, and then how special it is. What
    /// is for every service comes last. systemd lists links to nothing, too, which hide a file of another directory.
    fn drop_ins(&self, name: &str, aliases: &[String]) -> Vec<String> {
        let mut files: Vec<(String, String)> = Vec::new();
        let units = [name].into_iter().chain(aliases.iter().map(String::as_str));
        let kind = name.rsplit_once('.').map_or("", |(_, kind)| kind).to_owned();
        for names in units.map(names_of_drop_ins).chain([vec![kind]]) {
            let of_path = |directory: &&str| {
                let directory = directory.to_string();
                names.iter().filter_map(move |name| {
                    let path = format!("{directory}/{name}.d");
                    self.names.get(name).filter(|name| name.drop_ins.contains(&path)).map(|_| path)
                })
            };
            for directory in self.directories.iter().flat_map(of_path) {
                for file in self.root.names(&directory).unwrap_or_default() {
                    if file.ends_with(".conf") && !files.iter().any(|(earlier, _)| *earlier == file) {
                        let path = format!("{directory}/{file}");
                        files.push((file, path));
                    }
                }
            }
        }
        files.sort_unstable();
        files.into_iter().map(|(_, path)| path).collect()
    }

    /// What `systemctl is-enabled` says, which this follows: unit_file_get_state of systemd's src/shared/install.c.
    fn state(&self, name: &str, unit: &Unit, file: &UnitFile) -> String {
        let is_runtime = |directory: &str| directory.starts_with("/run/");
        let suffix = |directory: &str| if is_runtime(directory) { "-runtime" } else { "" };
        match unit.kind {
            Kind::Masked => return format!("masked{}", suffix(&unit.directory)),
            Kind::Bad => return "bad".into(),
            Kind::File | Kind::Linked => {}
        }
        if unit.directory.starts_with("/run/systemd/generator") {
            return "generated".into();
        }
        if unit.directory.starts_with("/run/systemd/transient") {
            return "transient".into();
        }
        let base = last(&unit.path);
        let install = &file.install;
        let aliases: Vec<_> = install.aliases.iter().map(|alias| expand(alias, name)).collect();
        let default = is_template(name) && !install.default_instance.is_empty();
        let default = default.then(|| names::instance(name, &install.default_instance));
        // The links that enabling makes have one of these names.
        let is_known =
            |link: &Link| link.name == name || aliases.contains(&link.name) || default.as_ref() == Some(&link.name);
        let leads_here = |link: &&Link| match link.by {
            Some(_) => link.target == base || link.name == name,
            None => link.target == base && link.name != base,
        };
        let of_place = |place: &str, any: bool| {
            self.links.iter().filter(leads_here).any(|link| link.directory == place && (any || is_known(link)))
        };
        for (place, state) in [(PERSISTENT, "enabled"), (RUNTIME, "enabled-runtime")] {
            if of_place(place, false) {
                return state.into();
            }
        }
        if unit.kind == Kind::Linked {
            return format!("linked{}", suffix(&unit.directory));
        }
        let is_in_use = of_place(PERSISTENT, true) || of_place(RUNTIME, true);
        if is_in_use || install.has_others && !install.has_links() {
            return "indirect".into();
        }
        if install.has_links() { "disabled" } else { "static" }.into()
    }
}

/// The part after the last slash.
fn last(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

/// The path to which a link in `directory` leads. The parent of the root is the root.
fn path_of(directory: &str, target: &str) -> String {
    let whole = if target.starts_with('/') { target.to_owned() } else { format!("{directory}/{target}") };
    let mut parts = Vec::new();
    for part in whole.split('/').filter(|part| !matches!(*part, "" | ".")) {
        if part == ".." {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    format!("/{}", parts.join("/"))
}

/// The names whose `.d` directories apply to one name of a unit, as unit_file_process_dir of systemd's
/// src/shared/dropin.c has them: this name, those for its template, and those for the beginning that ends in a dash.
fn names_of_drop_ins(name: &str) -> Vec<String> {
    let mut names = vec![name.to_owned()];
    names.extend(names::template(name).iter().flat_map(|template| names_of_drop_ins(template)));
    let (prefix, _) = names::parts(name);
    let shorter = prefix.strip_suffix('-').unwrap_or(prefix);
    if let Some(dash) = shorter.rfind('-') {
        // The beginning of a template is no template.
        let rest = &name[prefix.len()..];
        let rest = if is_template(name) { rest.trim_start_matches('@') } else { rest };
        let beginning = format!("{}{rest}", &prefix[..=dash]);
        names.extend(names_of_drop_ins(&beginning));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_links() {
        for (target, expected) in [
            ("/lib/a.service", "/lib/a.service"),
            ("a.service", "/etc/systemd/system/a.service"),
            ("../x/./a.service", "/etc/systemd/x/a.service"),
            ("../../../../a.service", "/a.service"),
            ("/dev//../dev/null", "/dev/null"),
        ] {
            assert_eq!(path_of(PERSISTENT, target), expected, "{target}");
        }
    }

    #[test]
    fn directories_of_drop_ins() {
        assert_eq!(names_of_drop_ins("a-b-c.service"), ["a-b-c.service", "a-b-.service", "a-.service"]);
        assert_eq!(
            names_of_drop_ins("a-b@c-d.service"),
            ["a-b@c-d.service", "a-b@.service", "a-.service", "a-@c-d.service", "a-@.service"]
        );
        assert_eq!(names_of_drop_ins("a@.service"), ["a@.service"]);
        assert_eq!(names_of_drop_ins("a--b.service"), ["a--b.service", "a--.service", "a-.service"]);
    }
}
