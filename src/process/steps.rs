//! What a worker that reads processes may be doing, and how long each may take before it counts as stuck.

use std::time::Duration;

use crate::run::steps::{FIRST, Step};

/// How long a process's command line, or its other files, may take.
const READING_PATIENCE: Duration = Duration::from_millis(50);
/// How long the system's name services may take for one user: they may ask the network.
const NAMING_PATIENCE: Duration = Duration::from_secs(1);

/// Anything that does not block.
pub const WORKING: usize = FIRST;
/// Reading a command line.
pub const COMMAND: usize = FIRST + 1;
/// Reading the other files that may block.
pub const FILES: usize = FIRST + 2;
/// Asking for a user's or a group's name.
pub const NAMING: usize = FIRST + 3;

/// The same as a list, in that order.
pub const STEPS: &[Step] = &[
    Step { doing: "reading processes", patience: None },
    Step { doing: "reading a command line", patience: Some(READING_PATIENCE) },
    Step { doing: "reading what a process uses", patience: Some(READING_PATIENCE) },
    Step { doing: "asking the system for a name", patience: Some(NAMING_PATIENCE) },
];

/// How long stuck command lines may take in all before no process in uninterruptible sleep is asked for its own.
pub const COMMANDS_PATIENCE: Duration = Duration::from_secs(1);
