//! The options of `procline groups`.

use clap::Args;

use super::help;
use super::process::{CommandOptions, FilterOptions};
use super::shared::{KindOptions, SampleOption};
use crate::groups::By;

/// The options of the group records.
#[derive(Args, Debug)]
#[command(after_help = help::SHORT_GROUPS, after_long_help = help::long_groups())]
pub struct GroupOptions {
    /// What most kinds of records have.
    #[command(flatten)]
    pub kind: KindOptions,
    /// What is shown of command lines.
    #[command(flatten)]
    pub command: CommandOptions,
    /// Which processes count.
    #[command(flatten)]
    pub filter: FilterOptions,
    /// What a group has in common.
    #[command(flatten)]
    pub by: ByOption,
    /// What `cpu_now` is measured over.
    #[command(flatten)]
    pub sample: SampleOption,
}

/// What a group has in common.
#[derive(Args, Debug)]
#[command(next_help_heading = "Processes")]
pub struct ByOption {
    /// Group by name, exe, user, container, unit or cgroup
    ///
    /// `name` is the program's name, `unit` the unit of systemd. Processes without a container or a unit are one group,
    /// whose record has no such field. The default is `name`.
    #[arg(long, value_name = "WHAT", default_value = "name", hide_default_value = true, hide_possible_values = true)]
    pub by: By,
}
