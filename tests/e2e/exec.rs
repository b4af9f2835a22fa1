//! `procline exec`: the records of programs as they start and end. The tests look only at programs that they start: this
//! machine starts others meanwhile.

use crate::exec_stream::Stream;
use crate::support::quiet;

#[test]
fn a_program_that_starts_has_a_record_with_its_command() {
    let Some(mut stream) = Stream::start("a_program_that_starts_has_a_record_with_its_command", &["--root"]) else {
        return;
    };
    let word = stream.word("first");
    quiet(&mut crate::support::command("/bin/true", &["--a b", &word]));
    let record = stream.wait_for(|record| record.incomplete == Some(true) || record.has(&word));
    assert!(record.event == "exec" && record.pid.is_some(), "{record:?}");
}
