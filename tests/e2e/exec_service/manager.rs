//! The machine's own systemd as a manager of services, where the kernel sends process events.

use std::ops::Deref;
use std::path::Path;

use super::overlay::Overlay;
use super::{UNIT, file};
use crate::limit::wait_for;
use crate::support::{lacks, skip};

/// A manager that has the shipped unit, and runs nothing.
pub struct Manager(Overlay);

impl Deref for Manager {
    type Target = Overlay;

    fn deref(&self) -> &Overlay {
        &self.0
    }
}

impl Manager {
    /// Starts it. `None` if the test must be skipped.
    pub fn start(test: &str) -> Option<Self> {
        if lacks(test, true, &["systemctl", "python3"]) {
            return None;
        }
        if !Path::new("/lib/systemd/systemd").exists() {
            skip(test, "systemd is not installed");
            return None;
        }
        let manager = Manager(Overlay::make(test, &[], &["systemd"])?);
        let is_up = "systemctl --user is-system-running";
        wait_for("systemd", || manager.output(is_up).status.success().then_some(()));
        // As the system's manager makes it: everybody may write to it.
        manager.run("chmod 777 /run/manager/systemd/notify");
        manager.run(&format!("cat >/var/systemd/user/{UNIT} <<'END'\n{}END\n", file(UNIT)));
        manager.edit("");
        Some(manager)
    }

    /// A property of the service.
    pub fn property(&self, name: &str) -> String {
        self.run(&format!("systemctl --user show --value -p {name} {UNIT}")).trim().to_owned()
    }

    /// The service's process.
    pub fn pid(&self) -> u32 {
        self.property("MainPID").parse().unwrap()
    }

    /// Changes the unit as an administrator does, in place of what an earlier call has changed. There is no journal, so the errors
    /// go to a file.
    pub fn edit(&self, lines: &str) {
        self.run(&format!(
            "mkdir -p /var/systemd/user/{UNIT}.d
            printf '[Service]\\nStandardError=append:/run/errors\\n' >/var/systemd/user/{UNIT}.d/a.conf
            cat >/var/systemd/user/{UNIT}.d/own.conf <<'END'\n[Service]\n{lines}\nEND
            systemctl --user daemon-reload"
        ));
    }

    /// Starts the service. False if the kernel sends no events, which is reported.
    pub fn begin(&self, test: &str) -> bool {
        if self.output(&format!("systemctl --user restart {UNIT}")).status.success() {
            return true;
        }
        assert!(self.errors().contains("no process events"), "{}", self.errors());
        skip(test, "the kernel sends no process events here");
        false
    }

    /// What the service has reported.
    pub fn errors(&self) -> String {
        String::from_utf8(self.output("cat /run/errors").stdout).unwrap()
    }
}
