//! One service: what a record can say of it.

/// One service. What is unknown is `None` or empty.
#[derive(Debug, Default, PartialEq)]
pub struct Service {
    /// Its unit's name.
    pub name: String,
    /// Its other names, in order.
    pub aliases: Vec<String>,
    /// `Description=`
    pub description: String,
    /// `LoadState`
    pub load_state: String,
    /// `ActiveState`
    pub active_state: String,
    /// `SubState`
    pub sub_state: String,
    /// As `systemctl is-enabled` says it.
    pub unit_file_state: String,
    /// The units that want it, in order.
    pub wanted_by: Vec<String>,
    /// Its unit file.
    pub fragment_path: String,
    /// Its main process.
    pub main_pid: Option<u64>,
    /// `User=`
    pub user: String,
    /// `NRestarts`
    pub restarts: Option<u64>,
    /// The exit code of its main process.
    pub exit_status: Option<u64>,
    /// The signal that ended its main process.
    pub exit_signal: Option<u64>,
    /// When its state last changed, RFC 3339.
    pub since: String,
    /// `Type=`
    pub service_type: String,
    /// `Result`
    pub result: String,
    /// The files that change its unit file.
    pub drop_ins: Vec<String>,
    /// Each command of `ExecStart=`: a text, or arguments with a NUL after each.
    pub commands: Vec<String>,
}
