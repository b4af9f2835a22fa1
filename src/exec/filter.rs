//! Which programs have records. What is not known of a program never leaves it out. Pure.

use glob::Pattern;

use super::Program;
use crate::process::names;

/// A filter that is given several times matches any of its values; different filters must all match.
#[derive(Debug, Default)]
pub struct Filter {
    /// Whether programs of root have records, too.
    pub root: bool,
    /// Whether programs that the kernel starts have records, too.
    pub kernel_helpers: bool,
    /// Users, by name or by uid. Then root is like any other user.
    pub users: Vec<String>,
    /// Names to match.
    pub names: Vec<Pattern>,
    /// Names to exclude.
    pub excludes: Vec<Pattern>,
}

impl Filter {
    /// Whether a program of this real user may have a record, before its user's name is known.
    pub fn allows_uid(&self, uid: Option<u32>) -> bool {
        self.root || !self.users.is_empty() || uid != Some(0)
    }

    /// Whether the parents of programs of this user must be known.
    pub fn needs_parent(&self, uid: Option<u32>) -> bool {
        // The kernel starts its helpers as root.
        !self.kernel_helpers && uid == Some(0)
    }

    /// Whether a program has a record.
    pub(super) fn matches(&self, program: &Program) -> bool {
        let is_user = |user: &String| {
            program.user.as_deref() == Some(user) || program.uid.is_some_and(|uid| uid.to_string() == *user)
        };
        let has_name = program.has_stat || !program.process.program_name().is_empty();
        (self.users.is_empty() || program.uid.is_none() || self.users.iter().any(is_user))
            && (self.names.is_empty() || !has_name || names::any(&self.names, &program.process))
            && !names::any(&self.excludes, &program.process)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_owner_is_not_root() {
        let filter = Filter::default();
        assert_eq!([None, Some(0), Some(1)].map(|uid| filter.allows_uid(uid)), [true, false, true]);
        let filter = Filter { users: vec!["root".into()], ..Filter::default() };
        assert!(filter.allows_uid(Some(0)));
        let program = |uid: Option<u32>| Program { uid, ..Program::default() };
        assert!(filter.matches(&program(None)) && !filter.matches(&program(Some(0))));
        let by_uid = Filter { users: vec!["0".into()], ..Filter::default() };
        assert!(by_uid.matches(&program(Some(0))) && !by_uid.matches(&program(Some(10))));
    }

    #[test]
    fn an_unknown_name_matches() {
        let names = vec![Pattern::new("make").unwrap()];
        let filter = Filter { names, ..Filter::default() };
        assert!(filter.matches(&Program::default()));
        assert!(!filter.matches(&Program { has_stat: true, ..Program::default() }));
    }
}
