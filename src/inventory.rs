//! The inventory: what is installed on a machine. `services` are the services of systemd, `software` the installed packages,
//! and `files` the files of a path. None of them knows another one. `command` runs a program that knows more than
//! the files say.

mod command;
pub mod files;
pub mod services;
pub mod software;
