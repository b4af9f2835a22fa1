//! The modules of procline. The program is `main.rs`; this library exists for its tests, benchmarks and fuzz targets,
//! and promises nothing to others.

mod changes;
pub mod cli;
pub mod disk;
pub mod encode;
pub mod exec;
pub mod exit;
pub mod fields;
mod fs;
pub mod groups;
pub mod host;
pub mod inventory;
pub mod machine;
pub mod output;
pub mod parse;
mod paths;
pub mod plan;
pub mod process;
mod procfs;
pub mod record;
pub mod redaction;
pub mod request;
mod rootfs;
pub mod run;
pub mod sink;
pub mod source;
mod sys;
pub mod text;
pub mod users;
