//! What `systemctl show` prints: a block of `Name=value` lines for each unit, with an empty line between two. Pure.

use super::service::Service;

/// The properties that every record needs.
pub const PROPERTIES: &str = "Id,Names,Description,LoadState,ActiveState,SubState,UnitFileState,WantedBy,FragmentPath,\
                              DropInPaths,MainPID,User,NRestarts,ExecMainCode,ExecMainStatus,Result,Type,\
                              StateChangeTimestamp";

/// The properties for the command lines. An argument may contain lines that look like any others, so nothing else is asked
/// for with them.
pub const COMMANDS: &str = "ExecStart,Id";

/// The services in the output.
pub fn services(text: &str) -> Vec<Service> {
    let mut services = Vec::new();
    let mut block = Block::default();
    for line in text.split('\n') {
        if line.is_empty() {
            services.extend(std::mem::take(&mut block).service());
        } else if let Some((name, value)) = line.split_once('=') {
            block.set(name, value);
        }
    }
    services.extend(block.service());
    services
}

/// The command lines of each of `count` units, from the output for [`COMMANDS`]. None if it is not clear which unit a
/// command belongs to.
///
/// Every systemctl prints `ExecStart` before `Id`. Each unit has one `Id`, so all are true if there are no more than units.
/// One unit alone has all commands.
pub fn commands(text: &str, count: usize) -> Option<Vec<Vec<String>>> {
    let is_id = |line: &str| line.starts_with("Id=");
    let of_unit = |text: &str| text.split("\nExecStart={ ").skip(1).filter_map(command).collect();
    let text = format!("\n{text}");
    if count == 1 {
        return Some(vec![of_unit(&text)]);
    }
    let units: Vec<&str> = text.split("\nId=").collect();
    let ends_in_id = text.lines().rfind(|line| !line.is_empty()).is_some_and(is_id);
    (units.len() == count + 1 && ends_in_id).then(|| units[..count].iter().map(|unit| of_unit(unit)).collect())
}

/// One unit, as far as it was read.
#[derive(Default)]
struct Block {
    service: Service,
    names: Vec<String>,
    /// `CLD_EXITED` and so on, waitid(2); 0 if the main process has not ended.
    code: u64,
    status: Option<u64>,
}

impl Block {
    fn set(&mut self, name: &str, value: &str) {
        let service = &mut self.service;
        let text = match name {
            "Id" => &mut service.name,
            "Description" => &mut service.description,
            "LoadState" => &mut service.load_state,
            "ActiveState" => &mut service.active_state,
            "SubState" => &mut service.sub_state,
            "UnitFileState" => &mut service.unit_file_state,
            "FragmentPath" => &mut service.fragment_path,
            "User" => &mut service.user,
            "Result" => &mut service.result,
            "Type" => &mut service.service_type,
            "StateChangeTimestamp" => return service.since = time(value).unwrap_or_default(),
            "Names" => return self.names = words(value),
            "WantedBy" => return service.wanted_by = words(value),
            "DropInPaths" => return service.drop_ins = words(value),
            "MainPID" => return service.main_pid = value.parse().ok().filter(|pid| *pid > 0),
            "NRestarts" => return service.restarts = value.parse().ok(),
            "ExecMainCode" => return self.code = value.parse().unwrap_or(0),
            "ExecMainStatus" => return self.status = value.parse().ok(),
            _ => return,
        };
        value.clone_into(text);
    }

    /// The service. None if the block has no name.
    fn service(self) -> Option<Service> {
        /// waitid(2).
        const EXITED: u64 = 1;
        const KILLED: u64 = 2;
        const DUMPED: u64 = 3;
        let Block { mut service, names, code, status } = self;
        service.aliases = names.into_iter().filter(|name| *name != service.name).collect();
        service.aliases.sort_unstable();
        service.wanted_by.sort_unstable();
        match code {
            EXITED => service.exit_status = status,
            KILLED | DUMPED => service.exit_signal = status,
            _ => {}
        }
        match service.load_state.as_str() {
            "loaded" if service.user.is_empty() => "root".clone_into(&mut service.user),
            "loaded" => {}
            // What is not loaded has the defaults of what is not there.
            _ => {
                service.result.clear();
                service.restarts = None;
            }
        }
        (!service.name.is_empty()).then_some(service)
    }
}

/// A list. Words with a backslash or another character that a shell would not leave as it is are in quotes.
fn words(value: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut is_quoted = false;
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                is_quoted = !is_quoted;
                word.get_or_insert_default();
            }
            '\\' if is_quoted => word.get_or_insert_default().extend(chars.next()),
            ' ' if !is_quoted => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// The arguments of `path=… ; argv[]=… ; ignore_errors=no ; …`.
fn command(text: &str) -> Option<String> {
    let (_, text) = text.split_once("argv[]=")?;
    let end = [" ; ignore_errors=", " ; flags="].iter().find_map(|key| text.rfind(key));
    Some(text[..end.unwrap_or(text.len())].to_owned())
}

/// RFC 3339 of `Sun 2026-11-22 06:11:00 UTC`, as every systemctl prints it if its time zone is UTC.
fn time(value: &str) -> Option<String> {
    let mut words = value.split(' ').skip(1);
    let (date, time) = (words.next()?, words.next()?);
    let has_form = |text: &str, form: &str| {
        let fits = |(byte, form): (u8, u8)| if form == b'0' { byte.is_ascii_digit() } else { byte == form };
        text.len() == form.len() && text.bytes().zip(form.bytes()).all(fits)
    };
    let is_whole = words.next() == Some("UTC") && has_form(date, "0000-00-00") && has_form(time, "00:00:00");
    is_whole.then(|| format!("{date}T{time}Z"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn blocks_and_lines() {
        let text = "Type=simple\nMainPID=47\nNRestarts=2\nExecMainCode=0\nExecMainStatus=0\nUser=nobody\nId=a.service\n\
                    Names=b.service a.service \"c\\\\x2dd.service\"\nWantedBy=z.target m.target\nDescription=A = \"ü\"\n\
                    LoadState=loaded\nStateChangeTimestamp=Sun 2026-11-22 09:21:02 UTC\n\n\
                    Id=b.service\nLoadState=loaded\nExecMainCode=1\nExecMainStatus=3\nUser=\nNew=1\n\n\
                    Id=c.service\nLoadState=loaded\nExecMainCode=3\nExecMainStatus=11\n\nLoadState=loaded\n\n\
                    Id=d.service\nLoadState=not-found\nNRestarts=0\nResult=success\nStateChangeTimestamp=\nMainPID=0\n";
        let services = services(text);
        let names: Vec<_> = services.iter().map(|service| service.name.as_str()).collect();
        assert_eq!(names, ["a.service", "b.service", "c.service", "d.service"]);
        let expected = Service {
            name: "a.service".into(),
            aliases: vec!["b.service".into(), "c\\x2dd.service".into()],
            description: "A = \"ü\"".into(),
            load_state: "loaded".into(),
            wanted_by: vec!["m.target".into(), "z.target".into()],
            main_pid: Some(47),
            user: "nobody".into(),
            restarts: Some(2),
            since: "2026-11-22T09:21:02Z".into(),
            service_type: "simple".into(),
            ..Service::default()
        };
        assert_eq!(services[0], expected);
        let [b, c, d] = [1, 2, 3].map(|place| &services[place]);
        assert_eq!((b.exit_status, b.exit_signal, b.user.as_str()), (Some(3), None, "root"));
        assert_eq!((c.exit_status, c.exit_signal), (None, Some(11)));
        assert_eq!(*d, Service { name: "d.service".into(), load_state: "not-found".into(), ..Service::default() });
    }

    /// The lines of one unit.
    fn block(argv: &[&str], id: &str) -> String {
        let line = |argv: &&str| {
            format!(
                "ExecStart={{ path=/bin/x ; argv[]={argv} ; ignore_errors=no ; pid=0 ; code=(null) ; status=0/0 }}\n"
            )
        };
        argv.iter().map(line).collect::<String>() + &format!("Id={id}.service\n")
    }

    #[test]
    fn no_argument_forges_an_end_or_another_unit() {
        let end = "/bin/x ; ignore_errors=no ; pid=0 ; code=(null) ; status=0/0 }\nId=evil.service\n\n";
        for argv in ["/bin/x a b", "/bin/x a\n\nb", "/bin/x ; ignore_errors=no ; c", "", "\"", "f() { a; }\nf", end] {
            assert_eq!(commands(&block(&[argv, "b"], "a"), 1), Some(vec![vec![argv.to_owned(), "b".to_owned()]]));
            let several =
                [block(&["a"], "a"), block(&[], "b"), block(&[argv, "c"], "c"), block(&["d"], "d")].join("\n");
            let expected = [vec!["a"], vec![], vec![argv, "c"], vec!["d"]];
            let expected = expected.map(|unit| unit.into_iter().map(str::to_owned).collect::<Vec<_>>()).to_vec();
            assert_eq!(commands(&several, 4), (argv != end).then_some(expected), "{argv}");
        }
        assert_eq!((commands("", 2), commands("Id=a\n\nId=b\nc", 2)), (None, None));
    }

    #[test]
    fn only_utc_is_a_time() {
        for value in ["", "n/a", "Sun 2026-11-22 09:21:02 CET", "Sun 2026-11-22 09:21 UTC", "2026-11-22 09:21:02 UTC"] {
            assert_eq!(time(value), None, "{value}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in "(Id=|Names=|ExecStart=\\{ |argv\\[\\]=| \\}|[a-z\"\\\\ \n=ü;]){0,40}") {
            services(&text);
            commands(&text, 1);
            commands(&text, 2);
        }
    }
}
