//! What the processes of a group have in common.

use clap::ValueEnum;

use crate::process;

/// What the processes of a group have in common. The variants are the values of `--by`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum By {
    /// The program's name
    #[default]
    Name,
    /// The executable's path
    Exe,
    /// The effective user
    User,
    /// The container's id
    Container,
    /// The unit of systemd
    Unit,
    /// The control group's path
    Cgroup,
}

impl By {
    /// The field of a process that is compared.
    pub fn field(self) -> &'static str {
        match self {
            By::Name => "name",
            By::Exe => "exe",
            By::User => "user",
            By::Container => "container",
            By::Unit => "unit",
            By::Cgroup => "cgroup",
        }
    }

    /// What must be read of a process to compare it.
    pub fn needs(self) -> u32 {
        process::fields::needs(self.field())
    }
}
