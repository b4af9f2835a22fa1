//! The exec records: programs as they start, and as they end. `fields` is the table of the record, `request` what a run is asked
//! for. `connector` gets the kernel's events, and `decode` decodes them. On each CPU, a thread takes its `share` of the events, and
//! reads each process at once (`capture`). Another one reads the processes that run already. What they read goes through a bounded
//! `queue` to the `writer`'s thread, where `present` makes records of it and `filter` selects. `stream` starts the threads and
//! watches them.

mod capture;
mod connector;
pub mod decode;
pub mod fields;
pub mod filter;
mod present;
mod queue;
pub mod request;
pub mod share;
mod started;
pub mod stream;
mod writer;

use std::rc::Rc;
use std::sync::Arc;

use crate::process::Process;

/// What a record says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Action {
    /// A process executes a program.
    #[default]
    Exec,
    /// A program ended.
    Exit,
    /// A program ran already.
    Running,
    /// Events were lost.
    Lost,
}

/// The subject of one record.
#[derive(Debug, Default)]
pub struct Happening {
    action: Action,
    /// When it happened, in nanoseconds since 1970.
    at: i64,
    /// Absent where events were lost.
    program: Option<Program>,
    end: Option<Ended>,
    lost: Option<Lost>,
    /// Whether anything was gone before it was read.
    is_incomplete: bool,
}

/// A program, as far as it could be read in time.
#[derive(Debug, Default)]
struct Program {
    process: Process,
    /// Whether the process's `stat` was read: else its numbers are none.
    has_stat: bool,
    uid: Option<u32>,
    user: Option<Rc<str>>,
    /// Where it differs from the real user.
    effective_uid: Option<u32>,
    effective_user: Option<Rc<str>>,
    /// The parent's name. Empty if unknown.
    parent: Vec<u8>,
    /// Empty if none was asked for, or none is set.
    environment: Vec<Variable>,
}

/// A variable of the environment: its name, and `NAME=value` with secrets masked.
type Variable = (Arc<str>, Vec<u8>);

/// How a program ended.
#[derive(Clone, Copy, Debug)]
struct Ended {
    /// As wait(2) returns it.
    status: u32,
    /// Nanoseconds since it started.
    duration: Option<u64>,
    /// Whether its `stat` was read at its end, and not only at its start.
    has_time: bool,
}

/// How many events were lost, and where.
#[derive(Clone, Copy, Debug)]
struct Lost {
    count: u64,
    place: Place,
}

/// Where events are lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In the kernel's queue, which was full.
    Kernel,
    /// In procline's own queue, because lines could not be written.
    Queue,
}
