//! jq reads every record, and the recipes of contrib/README.md work.

use std::fs;

use serde_json::{Value, json};

use super::{Record, hard_tree, printed, shipped};
use crate::support::{PROCLINE, Tree, command, lacks, quiet};

/// What the shell prints for a command line. procline reads the tree, and contrib/ is the working directory.
fn shell(tree: &Tree, line: &str) -> String {
    let folder = std::path::Path::new(PROCLINE).parent().unwrap().display();
    let mut command = command("sh", &["-c", &format!("PATH={folder}:$PATH; {line}")]);
    command.env("HOST_PROC", tree.path("proc")).env("HOST_ROOT", tree.path("root"));
    String::from_utf8(quiet(command.current_dir(shipped("contrib")))).unwrap()
}

fn parsed(output: &str) -> Vec<Value> {
    serde_json::Deserializer::from_str(output).into_iter().collect::<Result<_, _>>().unwrap()
}

/// jq 1.6 prints 0.0 as 0: it has only one type of number. So has Telegraf's JSON.
pub(super) fn one_kind_of_number(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64().unwrap()),
        Value::Array(values) => values.iter().map(one_kind_of_number).collect(),
        Value::Object(object) => object.iter().map(|(key, value)| (key.clone(), one_kind_of_number(value))).collect(),
        value => value.clone(),
    }
}

fn without_time(mut values: Vec<Value>) -> Vec<Value> {
    for value in &mut values {
        let time = value.as_object_mut().unwrap().remove("timestamp").expect("a timestamp");
        assert!(chrono::DateTime::parse_from_rfc3339(time.as_str().unwrap()).is_ok());
    }
    values
}

#[test]
fn jq_reads_every_record() {
    if lacks("jq_reads_every_record", false, &["sh", "jq"]) {
        return;
    }
    let tree = hard_tree();
    let expected: Vec<_> =
        printed(&tree, &[]).into_iter().map(|record| one_kind_of_number(&Value::Object(record))).collect();
    for line in ["procline | jq -c .", "procline | jq .", "procline --format array | jq -c '.[]'"] {
        let found: Vec<_> = without_time(parsed(&shell(&tree, line))).iter().map(one_kind_of_number).collect();
        assert_eq!(found, expected, "{line}");
    }
    // jq sees one set of types in all records.
    let types = shell(&tree, "procline | jq -c 'del(.command_truncated) | map_values(type)' | sort -u");
    let shape = parsed(&types);
    assert!(shape.len() == 1 && shape[0]["cpu"] == "number" && shape[0]["command"] == "string", "{types}");
}

/// The expected output of each recipe is computed here from the records.
#[test]
fn the_recipes_of_contrib() {
    if lacks("the_recipes_of_contrib", false, &["sh", "jq"]) {
        return;
    }
    let tree = hard_tree();
    let records = printed(&tree, &[]);
    let number = |record: &Record, key: &str| record[key].as_f64().unwrap();
    let text = fs::read_to_string(shipped("contrib/README.md")).unwrap();
    let recipes: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("$ procline")).collect();
    assert!(!recipes.is_empty());
    for recipe in recipes {
        let output = shell(&tree, &format!("procline{recipe}"));
        match recipe {
            " | jq -c 'select(.cpu > 50)'" => {
                let found = without_time(parsed(&output));
                let expected: Vec<_> = records.iter().filter(|record| number(record, "cpu") > 50.0).collect();
                assert!(found.len() == expected.len() && found.len() == 2, "{output}");
                for (found, expected) in found.iter().zip(expected) {
                    assert_eq!((&found["pid"], &found["command"]), (&expected["pid"], &expected["command"]));
                }
            }
            " | jq -r 'select(.stat | startswith(\"Z\")) | .pid'" => {
                let zombie = |record: &&Record| record["stat"].as_str().unwrap().starts_with('Z');
                let expected: Vec<_> = records.iter().filter(zombie).map(|record| record["pid"].to_string()).collect();
                assert_eq!(output.lines().collect::<Vec<_>>(), expected);
                assert!(!expected.is_empty());
            }
            " | jq -s 'max_by(.rss) | {pid, rss, command}'" => {
                let most = records.iter().max_by_key(|record| record["rss"].as_u64()).unwrap();
                let expected = json!({"pid": most["pid"], "rss": most["rss"], "command": most["command"]});
                assert_eq!(parsed(&output), [expected]);
            }
            " --format array | jq 'length'" => assert_eq!(output.trim(), records.len().to_string()),
            " --fields pid,user,command | jq -r '[.pid, .user, .command] | @csv'" => {
                let first = &records[0];
                let row = format!("{},{},{}", first["pid"], first["user"], first["command"]);
                assert_eq!(output.lines().next(), Some(row.as_str()));
            }
            " | jq -cs -f by-user.jq" => {
                let found = parsed(&output);
                let of = |user: &Value| records.iter().filter(|record| record["user"] == *user).collect::<Vec<_>>();
                let count: usize = found.iter().map(|row| of(&row["user"]).len()).sum();
                assert_eq!(count, records.len());
                for row in &found {
                    let mine = of(&row["user"]);
                    let sum = |key: &str| mine.iter().map(|record| number(record, key)).sum::<f64>();
                    assert_eq!(number(row.as_object().unwrap(), "processes"), mine.len() as f64, "{row}");
                    assert_eq!(number(row.as_object().unwrap(), "rss"), sum("rss"), "{row}");
                    assert!((number(row.as_object().unwrap(), "cpu") - sum("cpu")).abs() < 0.001, "{row}");
                }
                assert!(found.len() >= 2 && found.is_sorted_by_key(|row| -(row["rss"].as_i64().unwrap())), "{output}");
            }
            _ => panic!("nothing is expected of {recipe}"),
        }
    }
}
