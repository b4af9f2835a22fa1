//! The service record: the one table from which its encodings, `procline fields` and the README's table come.

use super::needs::COMMANDS;
use super::service::Service;
use crate::record::Type::{Int, List, String as Text, Token};
use crate::record::schema::Schema;
use crate::record::{Field, Kind, Truncation, Value, computer, timestamp};

/// The service records.
pub static KIND: Kind<Service> = Kind {
    name: "services",
    fields: FIELDS,
    lists: &[("default", DEFAULT)],
    schemas: &[Schema::Procline],
    truncation: Truncation {
        first: &["commands"],
        mark: "truncated",
        doc: "true if the record was cut, to fit `--max-record-bytes`; absent otherwise",
    },
};

const DEFAULT: &[&str] = &[
    "name",
    "description",
    "load_state",
    "active_state",
    "sub_state",
    "unit_file_state",
    "aliases",
    "wanted_by",
    "fragment_path",
    "main_pid",
    "user",
    "restarts",
    "exit_status",
    "exit_signal",
    "since",
    "Computer",
    "timestamp",
];

type Row = Field<Service>;

/// Every field of the service record.
const FIELDS: &[Field<Service>] = &[
    Row::new(
        "name",
        Text,
        "",
        0,
        "the unit's name, such as `ssh.service`; `getty@.service` is a template",
        |service, _| text(&service.name),
    )
    .key(),
    Row::new("description", Text, "", 0, "`Description=`, secrets masked", |service, _| text(&service.description))
        .compared(),
    Row::new(
        "load_state",
        Token,
        "",
        0,
        "loaded, masked, not-found, bad-setting or error; this and the states of running absent for a template",
        |service, _| text(&service.load_state),
    )
    .compared(),
    Row::new(
        "active_state",
        Token,
        "",
        0,
        "active, inactive, failed, activating, deactivating, reloading or maintenance",
        |service, _| text(&service.active_state),
    )
    .compared_unless(is_between_states),
    Row::new(
        "sub_state",
        Token,
        "",
        0,
        "the same in detail, such as running, exited, dead or auto-restart",
        |service, _| text(&service.sub_state),
    )
    .compared_unless(is_between_states),
    Row::new(
        "unit_file_state",
        Token,
        "",
        0,
        "as `systemctl is-enabled`, such as enabled, disabled, static or masked; absent without a file",
        |service, _| text(&service.unit_file_state),
    )
    .compared(),
    Row::new("aliases", List, "", 0, "its other names; absent for none", |service, _| list(&service.aliases))
        .compared(),
    Row::new("wanted_by", List, "", 0, "the units that start it if they can; absent for none", |service, _| {
        list(&service.wanted_by)
    })
    .compared(),
    Row::new("fragment_path", Text, "", 0, "its unit file", |service, _| text(&service.fragment_path)).compared(),
    Row::new("main_pid", Int, "", 0, "process id of its main process; absent if there is none", |service, _| {
        count(service.main_pid)
    }),
    Row::new("user", Text, "", 0, "`User=`; root if that is not set", |service, _| text(&service.user)).compared(),
    Row::new(
        "restarts",
        Int,
        "",
        0,
        "how often systemd restarted it by itself since somebody started it (systemd 235)",
        |service, _| count(service.restarts),
    ),
    Row::new(
        "exit_status",
        Int,
        "",
        0,
        "exit code of its main process; absent if that runs, or if a signal ended it",
        |service, _| count(service.exit_status),
    ),
    Row::new("exit_signal", Int, "", 0, "the signal that ended its main process", |service, _| {
        count(service.exit_signal)
    }),
    Row::new("since", Token, "", 0, "when its state last changed, RFC 3339 UTC, whole seconds", |service, _| {
        text(&service.since)
    }),
    computer(),
    timestamp(),
    Row::new("service_type", Token, "", 0, "`Type=`, such as simple, notify or oneshot", |service, _| {
        text(&service.service_type)
    })
    .compared(),
    Row::new(
        "result",
        Token,
        "",
        0,
        "how it ended last: success, exit-code, signal, timeout and others",
        |service, _| text(&service.result),
    )
    .compared(),
    Row::new("drop_ins", List, "", 0, "the files that change its unit file; absent for none", |service, _| {
        list(&service.drop_ins)
    })
    .compared(),
    Row::new("commands", List, "", COMMANDS, "each `ExecStart=`, secrets masked", |service, _| list(&service.commands))
        .compared(),
];

/// Whether it starts, reloads or stops. That is over soon, and a timer may start a service all the time. One that fails again and
/// again is between states, too, but that counts.
fn is_between_states(service: &Service) -> bool {
    matches!(service.active_state.as_str(), "activating" | "deactivating" | "reloading")
        && !service.sub_state.starts_with("auto-restart")
}

fn text(text: &str) -> Value<'_> {
    if text.is_empty() { Value::Absent } else { Value::Str(text.into()) }
}

fn list(texts: &[String]) -> Value<'_> {
    if texts.is_empty() { Value::Absent } else { Value::List(texts.iter().map(String::as_bytes).collect()) }
}

fn count<'a>(number: Option<u64>) -> Value<'a> {
    number.map_or(Value::Absent, Value::count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_that_are_soon_over() {
        let is_between = |active: &str, sub: &str| {
            is_between_states(&Service { active_state: active.into(), sub_state: sub.into(), ..Service::default() })
        };
        assert!(is_between("activating", "start") && is_between("deactivating", "stop-sigterm"));
        assert!(is_between("reloading", "reload"));
        assert!(!is_between("activating", "auto-restart") && !is_between("activating", "auto-restart-queued"));
        assert!(!is_between("active", "running") && !is_between("failed", "failed") && !is_between("", ""));
    }
}
