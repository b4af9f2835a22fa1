//! The tests of the real binary: one module per theme. `support` starts programs and checks lines; `test_process.py` makes
//! processes that are hard to read.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails panics")]

mod ama;
mod ansible;
mod anything;
mod appends;
mod consumers;
mod container;
mod cpu_now;
mod disk;
mod docs;
mod duckdb;
mod endings;
mod fields;
mod filters;
mod formats;
mod golden;
mod groups;
mod host;
mod hostile;
mod interval;
mod kubernetes;
mod limit;
mod masking;
mod names;
mod oms;
mod output;
mod package;
mod packages;
mod parity;
mod passing;
mod planted;
mod redact;
mod requested;
mod rights;
mod roots;
mod schemas;
mod static_build;
mod structure;
mod stuck;
mod support;
mod test_process;
mod usage;
mod watching;
mod wazuh;
mod workflows;
