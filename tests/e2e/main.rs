//! The tests of the real binary: one module per theme. `support` starts programs and checks lines; `test_process.py` makes
//! processes that are hard to read.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails panics")]

mod ama;
mod anything;
mod appends;
mod consumers;
mod cpu_now;
mod docs;
mod endings;
mod fields;
mod filters;
mod formats;
mod golden;
mod host;
mod hostile;
mod interval;
mod limit;
mod names;
mod oms;
mod output;
mod package;
mod packages;
mod parity;
mod passing;
mod planted;
mod requested;
mod rights;
mod roots;
mod schemas;
mod structure;
mod stuck;
mod support;
mod test_process;
mod usage;
