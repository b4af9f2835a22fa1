//! Writes the manual page and the shells' completions into a folder: `cargo run --example manuals -- FOLDER`. From the
//! same definition as the command line, and not part of the program.

use std::path::PathBuf;
use std::{env, fs};

use anyhow::Context;
use clap::CommandFactory;
use clap_complete::{Shell, generate_to};
use procline::cli::Cli;

fn main() -> anyhow::Result<()> {
    let folder = env::args_os().nth(1).map(PathBuf::from).context("name the folder to write to")?;
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut command = Cli::command();
    for shell in [Shell::Bash, Shell::Fish, Shell::Zsh] {
        generate_to(shell, &mut command, "procline", &folder)?;
    }
    clap_mangen::generate_to(command, &folder)?;
    Ok(())
}
