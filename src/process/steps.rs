//! The steps of a worker that reads processes, and how long each may take before the worker counts as stuck.

use std::time::Duration;

use crate::run::steps::{FIRST, Step};

/// How long reading a process's command line or other files may take.
const READING_PATIENCE: Duration = Duration::from_millis(50);
/// How long the system's name services may take for one name: they may use the network.
const NAMING_PATIENCE: Duration = Duration::from_secs(1);

/// Doing anything that does not block.
pub const WORKING: usize = FIRST;
/// Reading a command line.
pub const COMMAND: usize = FIRST + 1;
/// Reading another file that may block.
pub const FILES: usize = FIRST + 2;
/// Asking for a user's or a group's name.
pub const NAMING: usize = FIRST + 3;

/// All these steps, in the order of their numbers.
pub const STEPS: &[Step] = &[
    Step { doing: "reading processes", patience: None },
    Step { doing: "reading a command line", patience: Some(READING_PATIENCE) },
    Step { doing: "reading what a process uses", patience: Some(READING_PATIENCE) },
    Step { doing: "asking the system for a name", patience: Some(NAMING_PATIENCE) },
];

/// How long stuck command lines may take in total. After that, the command lines of processes in uninterruptible sleep
/// are not read.
pub const COMMANDS_PATIENCE: Duration = Duration::from_secs(1);
