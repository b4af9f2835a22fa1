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
use procline::cli::help::{
    DISK_EXAMPLES, ENVIRONMENT, EXAMPLES, EXEC_EXAMPLES, EXIT_STATUS, FILES_EXAMPLES, GROUPS_EXAMPLES, HOST_EXAMPLES,
    REDACT_EXAMPLES, SERVICES_EXAMPLES, SOFTWARE_EXAMPLES,
};
use procline::inventory::{files, services, software};
use procline::record::{Kind, selection};
use procline::{disk, exec, groups, machine, process};

fn main() -> anyhow::Result<()> {
    let folder = env::args_os().nth(1).map(PathBuf::from).context("name the folder to write to")?;
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    completions(&folder)?;
    manuals(&folder)
}

/// What is better than what clap_complete writes: mostly a list, whose last item is completed, for one value.
struct Change {
    shell: Shell,
    from: String,
    to: String,
}

fn completions(folder: &Path) -> anyhow::Result<()> {
    let of_process = words(&process::fields::KIND);
    let of_groups = words(&groups::fields::KIND);
    let of_host = words(&machine::fields::KIND);
    let of_disk = words(&disk::fields::KIND);
    let of_exec = words(&exec::fields::KIND);
    let of_services = words(&services::fields::KIND);
    let of_software = words(&software::fields::KIND);
    let of_files = words(&files::fields::KIND);
    let possible = |words: &[&'static str]| PossibleValuesParser::new(words.to_vec());
    let numeric: Vec<_> = selection::numeric(&process::fields::KIND).map(|field| field.name).collect();
    let kinds = [
        process::fields::KIND.name,
        groups::fields::KIND.name,
        machine::fields::KIND.name,
        disk::fields::KIND.name,
        exec::fields::KIND.name,
        services::fields::KIND.name,
        software::fields::KIND.name,
        files::fields::KIND.name,
    ];
    let mut command = Cli::command();
    // Subcommands have no options before that.
    command.build();
    let mut command = command
        .mut_arg("fields", |fields| fields.value_parser(possible(&of_process)))
        .mut_arg("by", |by| by.value_parser(possible(&numeric)))
        .mut_subcommand("groups", |groups| groups.mut_arg("fields", |fields| fields.value_parser(possible(&of_groups))))
        .mut_subcommand("host", |host| host.mut_arg("fields", |fields| fields.value_parser(possible(&of_host))))
        .mut_subcommand("disk", |disk| disk.mut_arg("fields", |fields| fields.value_parser(possible(&of_disk))))
        .mut_subcommand("exec", |exec| exec.mut_arg("fields", |fields| fields.value_parser(possible(&of_exec))))
        .mut_subcommand("inventory", |inventory| {
            let mut inventory = inventory;
            for (name, words) in [("services", &of_services), ("software", &of_software), ("files", &of_files)] {
                inventory = inventory
                    .mut_subcommand(name, |kind| kind.mut_arg("fields", |fields| fields.value_parser(possible(words))));
            }
            inventory
        })
        .mut_subcommand("fields", |fields| fields.mut_arg("kind", |kind| kind.value_parser(possible(&kinds))));
    let mut changes = vec![
        Change {
            shell: Shell::Bash,
            from: "--user)\n                    COMPREPLY=($(compgen -f \"${cur}\"".into(),
            to: "--user)\n                    COMPREPLY=($(compgen -P \"${cur%\"${cur##*,}\"}\" -u -- \"${cur##*,}\""
                .into(),
        },
        Change { shell: Shell::Zsh, from: ":USER:_users".into(), to: ":USER:_sequence _users".into() },
        Change {
            shell: Shell::Fish,
            from: "(__fish_complete_users)".into(),
            to: "(__fish_complete_list , __fish_complete_users)".into(),
        },
        // Its argparse fails at a last option whose value is still to come: no value would be offered.
        Change { shell: Shell::Fish, from: "    or return\n".into(), to: "    or return 0\n".into() },
    ];
    let of_all = [of_process, of_groups, of_host, of_disk, of_exec, of_services, of_software, of_files];
    changes.extend(of_all.iter().flat_map(|words| lists(words)));
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

/// What `--fields` takes for a kind of record.
fn words<R>(kind: &Kind<R>) -> Vec<&'static str> {
    let lists = kind.lists.iter().map(|(list, _)| *list).chain(["all"]);
    lists.chain(kind.fields.iter().map(|field| field.name)).collect()
}

/// A list of these words in place of one of them.
fn lists(words: &[&str]) -> [Change; 3] {
    let in_fish = words.iter().map(|word| format!("{word}\\t''")).collect::<Vec<_>>().join("\n");
    let words = words.join(" ");
    [
        Change {
            shell: Shell::Bash,
            from: format!("compgen -W \"{words}\" -- \"${{cur}}\""),
            to: format!("compgen -P \"${{cur%\"${{cur##*[,+-]}}\"}}\" -W \"{words}\" -- \"${{cur##*[,+-]}}\""),
        },
        Change {
            shell: Shell::Zsh,
            from: format!(":LIST:({words})"),
            to: format!(":LIST:_sequence compadd - {words}"),
        },
        Change {
            shell: Shell::Fish,
            from: format!("-a \"{in_fish}\""),
            to: format!("-a \"(__fish_complete_list , 'string split \\\" \\\" \\\"{words}\\\"')\""),
        },
    ]
}

/// A section: its title, and terms with the meaning of each.
type Section<'a> = (&'a str, &'a [(&'a str, &'a str)]);

fn manuals(folder: &Path) -> anyhow::Result<()> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    for subcommand in command.get_subcommands() {
        let sections: &[Section] = match subcommand.get_name() {
            "groups" => &[("EXAMPLES", &GROUPS_EXAMPLES)],
            "host" => &[("EXAMPLES", &HOST_EXAMPLES)],
            "disk" => &[("EXAMPLES", &DISK_EXAMPLES)],
            "exec" => &[("EXAMPLES", &EXEC_EXAMPLES)],
            "redact" => &[("EXAMPLES", &REDACT_EXAMPLES)],
            _ => &[],
        };
        write(folder, subcommand.clone(), sections)?;
        for kind in subcommand.get_subcommands() {
            let examples: &[(&str, &str)] = match kind.get_name() {
                "services" => &SERVICES_EXAMPLES,
                "software" => &SOFTWARE_EXAMPLES,
                _ => &FILES_EXAMPLES,
            };
            write(folder, kind.clone(), &[("EXAMPLES", examples)])?;
        }
    }
    // One line for each way to use it, instead of one with every option.
    let usages = [
        "procline [OPTIONS]",
        "procline groups [OPTIONS]",
        "procline host [OPTIONS]",
        "procline disk [OPTIONS] PATH...",
        "procline exec [OPTIONS]",
        "procline inventory services [OPTIONS]",
        "procline inventory software [OPTIONS]",
        "procline inventory files [OPTIONS] PATH...",
        "procline fields [OPTIONS] [KIND]",
        "procline redact [OPTIONS] [-- COMMAND]",
    ];
    let sections: [Section; 3] =
        [("EXIT STATUS", &EXIT_STATUS), ("ENVIRONMENT", &ENVIRONMENT), ("EXAMPLES", &EXAMPLES)];
    write(folder, command.override_usage(usages.join("\n")), &sections)
}

/// Writes a command's page, with these sections in place of what `--help` has after the options.
fn write(folder: &Path, command: Command, sections: &[Section]) -> anyhow::Result<()> {
    let (has_subcommands, has_version) = (command.has_subcommands(), command.get_version().is_some());
    let man = page(command)?;
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if has_subcommands {
        man.render_subcommands_section(&mut text)?;
    }
    let mut roff = Roff::new();
    for (title, rows) in sections {
        roff.control("SH", [*title]);
        for (term, meaning) in *rows {
            roff.control("TP", []).text([bold(*term)]).text([roman(*meaning)]);
        }
    }
    roff.to_writer(&mut text)?;
    if has_version {
        man.render_version_section(&mut text)?;
    }
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
