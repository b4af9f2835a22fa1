//! What the tests of the Datadog Agent's process scrubber expect. Its cases with a bare word before the value (`java kafka
//! password 1234`) are not here: procline masks that form only for programs that have it, because prose has it, too.

use super::table::cases;
use super::{fault, redact};

#[test]
fn the_cases_of_the_datadog_agent() {
    let words = ["consul_token", "dd_password", "blocked_from_yaml", "config", "pid"];
    let options: Vec<&str> = words.iter().flat_map(|word| ["--redact-word", word]).collect();
    let cases = cases("datadog.txt");
    assert!(cases.len() > 50);
    let lines: Vec<String> = cases.iter().map(|case| case.line.clone()).collect();
    let masked = redact(&options, &lines);
    let wrong: Vec<String> = cases.iter().zip(&masked).filter_map(|(case, masked)| fault(case, masked)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
