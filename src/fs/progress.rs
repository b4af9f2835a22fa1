//! The progress of a walk, on a terminal: one line on standard error, which disappears when the walk ends.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a walk takes before anything is shown.
const DELAY: Duration = Duration::from_secs(1);
/// How often the line changes.
const INTERVAL: Duration = Duration::from_millis(200);
/// Back to the start of the line, and erase it.
const ERASE: &str = "\r\x1b[K";

/// The line of one walk.
pub struct Progress {
    is_wanted: bool,
    next: Instant,
    is_shown: bool,
}

impl Progress {
    /// A line for a walk that begins now, if it is wanted.
    pub fn new(is_wanted: bool) -> Self {
        Progress { is_wanted, next: Instant::now() + DELAY, is_shown: false }
    }

    /// Shows how many files were seen.
    pub fn show(&mut self, path: &Path, seen: u64) {
        if !self.is_wanted || Instant::now() < self.next {
            return;
        }
        self.next = Instant::now() + INTERVAL;
        self.is_shown = true;
        let path: String = path.to_string_lossy().chars().filter(|c| !c.is_control()).take(50).collect();
        let _ = write!(std::io::stderr(), "{ERASE}{path}: {seen} files\r");
    }

    /// Erases the line.
    pub fn clear(&mut self) {
        if self.is_shown {
            let _ = write!(std::io::stderr(), "{ERASE}");
        }
    }
}
