//! Writes the manual pages and the shells' completions into a folder: `cargo run --example manuals -- FOLDER`. They come
//! from the same definition as the command line, and are not part of the program.

use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context, ensure};
use chrono::DateTime;
use clap::builder::PossibleValuesParser;
use clap::{Command, CommandFactory};
use clap_complete::{Shell, generate_to};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use procline::cli::Cli;
use procline::cli::help::{ENVIRONMENT, EXAMPLES, EXIT_STATUS};
use procline::process::fields::{FIELDS, LISTS};
use procline::record::selection;

fn main() -> anyhow::Result<()> {
    let folder = env::args_os().nth(1).map(PathBuf::from).context("name the folder to write to")?;
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    completions(&folder)?;
    manuals(&folder)
}

/// What is better than what clap_complete writes: mostly a list, whose last item is completed, for one value.
struct Change<'a> {
    shell: Shell,
    from: &'a str,
    to: &'a str,
}

fn completions(folder: &Path) -> anyhow::Result<()> {
    let lists = LISTS.iter().map(|(list, _)| *list).chain(["all"]);
    let names: Vec<_> = lists.chain(FIELDS.iter().map(|field| field.name)).collect();
    let numeric = selection::numeric(FIELDS).map(|field| field.name);
    let mut command = Cli::command()
        .mut_arg("fields", |fields| fields.value_parser(PossibleValuesParser::new(names.clone())))
        .mut_arg("by", |by| by.value_parser(PossibleValuesParser::new(numeric)));
    let words = names.join(" ");
    let in_fish = names.iter().map(|name| format!("{name}\\t''")).collect::<Vec<_>>().join("\n");
    let changes = [
        Change {
            shell: Shell::Bash,
            from: &format!("compgen -W \"{words}\" -- \"${{cur}}\""),
            to: &format!("compgen -P \"${{cur%\"${{cur##*[,+-]}}\"}}\" -W \"{words}\" -- \"${{cur##*[,+-]}}\""),
        },
        Change {
            shell: Shell::Bash,
            from: "--user)\n                    COMPREPLY=($(compgen -f \"${cur}\"",
            to: "--user)\n                    COMPREPLY=($(compgen -P \"${cur%\"${cur##*,}\"}\" -u -- \"${cur##*,}\"",
        },
        Change {
            shell: Shell::Zsh,
            from: &format!(":LIST:({words})"),
            to: &format!(":LIST:_sequence compadd - {words}"),
        },
        Change { shell: Shell::Zsh, from: ":USER:_users", to: ":USER:_sequence _users" },
        Change {
            shell: Shell::Fish,
            from: &format!("-a \"{in_fish}\""),
            to: &format!("-a \"(__fish_complete_list , 'string split \\\" \\\" \\\"{words}\\\"')\""),
        },
        Change {
            shell: Shell::Fish,
            from: "(__fish_complete_users)",
            to: "(__fish_complete_list , __fish_complete_users)",
        },
        // Its argparse fails at a last option whose value is still to come: no value would be offered.
        Change { shell: Shell::Fish, from: "    or return\n", to: "    or return 0\n" },
    ];
    for shell in [Shell::Bash, Shell::Fish, Shell::Zsh] {
        let path = generate_to(shell, &mut command, "procline", folder)?;
        let mut text = fs::read_to_string(&path)?;
        for Change { from, to, .. } in changes.iter().filter(|change| change.shell == shell) {
            ensure!(text.contains(from), "clap_complete has changed what it writes for {shell}: no {from}");
            text = text.replace(from, to);
        }
        fs::write(path, text)?;
    }
    Ok(())
}

fn manuals(folder: &Path) -> anyhow::Result<()> {
    let mut command = Cli::command().disable_help_subcommand(true).after_help("").after_long_help("");
    command.build();
    for fields in command.get_subcommands() {
        let man = page(fields.clone())?;
        let mut text = Vec::new();
        man.render(&mut text)?;
        fs::write(folder.join(man.get_filename()), text)?;
    }
    // One line for each way to use it, instead of one with every option.
    let man = page(command.override_usage("procline [OPTIONS]\nprocline fields [OPTIONS]"))?;
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    man.render_subcommands_section(&mut text)?;
    let mut roff = Roff::new();
    for (title, rows) in [("EXIT STATUS", &EXIT_STATUS), ("ENVIRONMENT", &ENVIRONMENT)] {
        roff.control("SH", [title]);
        for (name, meaning) in rows {
            roff.control("TP", []).text([bold(*name)]).text([roman(*meaning)]);
        }
    }
    roff.control("SH", ["EXAMPLES"]);
    for (command, meaning) in EXAMPLES {
        roff.control("TP", []).text([bold(command)]).text([roman(meaning)]);
    }
    roff.to_writer(&mut text)?;
    man.render_version_section(&mut text)?;
    fs::write(folder.join(man.get_filename()), text)?;
    Ok(())
}

/// A page with its date: the same from the same commit, whenever it is made.
fn page(command: Command) -> anyhow::Result<Man> {
    let date = match env::var("SOURCE_DATE_EPOCH") {
        Ok(seconds) => {
            let time = seconds.parse().ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
            time.with_context(|| format!("SOURCE_DATE_EPOCH={seconds} is no time"))?.format("%Y-%m-%d").to_string()
        }
        Err(_) => env!("PROCLINE_COMMIT_DATE").to_owned(),
    };
    Ok(Man::new(command).date(date).source(concat!("procline ", env!("CARGO_PKG_VERSION"))).manual("procline"))
}
