//! What was typed, made into what a run needs. The checks that go across options, or need a kind's table, are here.

use crate::cli::FilterOptions;
use crate::process::fields::FIELDS;
use crate::process::filter::{Filter, Top};
use crate::record::selection;

/// Which processes are asked for.
///
/// # Errors
/// A sentence for the user, if `--by` names no numeric field.
pub fn filter(asked: &FilterOptions) -> Result<Filter, String> {
    let top = match asked.top {
        Some(max) => Some(Top { max, by: selection::by(FIELDS, &asked.by)? }),
        None => None,
    };
    Ok(Filter {
        names: asked.name.clone(),
        excludes: asked.exclude.clone(),
        users: asked.user.clone(),
        pids: asked.pid.clone(),
        min_cpu: asked.min_cpu,
        no_kernel_threads: asked.no_kernel_threads,
        children: asked.children,
        top,
    })
}
