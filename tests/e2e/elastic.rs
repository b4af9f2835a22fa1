//! contrib/elastic: every key that procline prints has a mapping of its type, which is that of ECS. The client's own types accept
//! the template.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::ama::{feed, parse, tool};
use crate::exec_stream::{Stream, hold, word};
use crate::limit::wait_for;
use crate::support::{command, lacks, lines, procline, quiet};

/// What ECS says of a field.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Known {
    r#type: String,
    others: Vec<(String, String)>,
    longest: Option<u64>,
}

/// What ECS does not have, by how its name begins. Where the names are Metricbeat's, so are the types.
const NOT_ECS: [&str; 5] = ["procline.", "system.process.", "process.state", "truncated", "command_truncated"];

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib/elastic").join(name)).unwrap()
}

/// The mappings by their whole names.
fn mappings() -> BTreeMap<String, Map<String, Value>> {
    fn collect(prefix: &str, properties: &Map<String, Value>, found: &mut BTreeMap<String, Map<String, Value>>) {
        for (name, mapping) in properties {
            let mapping = mapping.as_object().unwrap();
            let name = format!("{prefix}{name}");
            match mapping.get("properties") {
                Some(inner) => collect(&format!("{name}."), inner.as_object().unwrap(), found),
                None => drop(found.insert(name, mapping.clone())),
            }
        }
    }
    let template: Value = serde_json::from_str(&read("index-template.json")).unwrap();
    let mut found = BTreeMap::new();
    collect("", template["template"]["mappings"]["properties"].as_object().unwrap(), &mut found);
    found
}

/// The types of Elasticsearch that hold a value of this type.
fn holds(kind: &str, name: &str) -> &'static [&'static str] {
    match kind {
        _ if ["@timestamp", "process.start"].contains(&name) => &["date"],
        "string" | "list" => &["keyword", "wildcard"],
        "int" => &["long"],
        "float" => &["scaled_float"],
        "bool" => &["boolean"],
        other => panic!("{name}: {other}"),
    }
}

#[test]
fn every_key_has_a_mapping_and_every_mapping_a_key() {
    let mut mappings = mappings();
    let kind = |mapping: &Map<String, Value>| mapping["type"].as_str().unwrap().to_owned();
    let mut seen = BTreeSet::new();
    for record in ["exec", "process"] {
        let fields = quiet(&mut procline(&["fields", record, "--schema", "ecs", "--format", "json"]));
        for field in String::from_utf8(fields).unwrap().lines() {
            let field: Value = serde_json::from_str(field).unwrap();
            let name = field["name"].as_str().unwrap();
            let mapping = mappings.get(name).unwrap_or_else(|| panic!("{name} has no mapping"));
            let expected = holds(field["type"].as_str().unwrap(), name);
            assert!(expected.contains(&&*kind(mapping)), "{name}: {mapping:?}");
            seen.insert(name.to_owned());
        }
    }
    mappings.retain(|name, _| !seen.contains(name));
    // Every record has the version, and labels if there are any.
    assert_eq!(mappings.keys().collect::<Vec<_>>(), ["ecs.version", "labels"]);
}

#[test]
fn the_types_are_those_of_ecs() {
    let test = "the_types_are_those_of_ecs";
    if lacks(test, false, &["node"]) {
        return;
    }
    let Some(packages) = tool(test, "node_modules") else { return };
    if tool(test, "node_modules/@elastic/ecs").is_none() {
        return;
    }
    let mappings = mappings();
    let names = json!(mappings.keys().collect::<Vec<_>>()).to_string();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/elastic/ecs.js");
    let (success, output, errors) = feed(command("node", &[script]).arg(packages), &names);
    assert!(success && errors.is_empty(), "{errors}");
    let mut ecs: BTreeMap<String, Known> = serde_json::from_str(&output).unwrap();
    for (name, mapping) in &mappings {
        let Some(known) = ecs.remove(name) else {
            assert!(NOT_ECS.iter().any(|start| name.starts_with(start)), "{name}");
            continue;
        };
        assert_eq!(mapping["type"], known.r#type, "{name}");
        let others: Vec<_> = mapping.get("fields").and_then(Value::as_object).into_iter().flatten().collect();
        let others: Vec<_> =
            others.iter().map(|(name, it)| ((*name).clone(), it["type"].as_str().unwrap().to_owned())).collect();
        assert_eq!(others, known.others, "{name}");
        if let Some(least) = known.longest {
            // In the worst case, a character has four bytes, and Lucene allows 32,766.
            let longest = mapping["ignore_above"].as_u64().unwrap();
            assert!(longest >= least && longest * 4 <= 32_766, "{name}");
        }
    }
}

/// TypeScript's compiler accepts the template as a request of Elastic's client, and finds a fault in it.
#[test]
fn the_clients_types_accept_the_template() {
    let test = "the_clients_types_accept_the_template";
    if lacks(test, false, &["node"]) {
        return;
    }
    for package in ["node_modules/typescript", "node_modules/@elastic/elasticsearch"] {
        if tool(test, package).is_none() {
            return;
        }
    }
    let packages = tool(test, "node_modules").unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(&packages, folder.path().join("node_modules")).unwrap();
    let compile = |template: &str| {
        let (_, body) = template.split_once('{').unwrap();
        let source = format!(
            "import type {{ IndicesPutIndexTemplateRequest }} from '@elastic/elasticsearch/lib/api/types'\n\
             export const template: IndicesPutIndexTemplateRequest = {{ \"name\": \"logs-procline\", {body}"
        );
        fs::write(folder.path().join("template.ts"), source).unwrap();
        let compiler = packages.join("typescript/bin/tsc");
        let options =
            ["--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext", "--moduleResolution", "nodenext"];
        let mut tsc = command("node", &[]);
        let output = tsc.arg(compiler).args(options).arg("template.ts").current_dir(folder.path()).output().unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    };
    let template = read("index-template.json");
    assert_eq!(compile(&template), (true, String::new()));
    for (there, wrong) in
        [("ignore_above", "ignore_abov"), ("\"boolean\"", "\"bool\""), ("data_retention", "retention")]
    {
        let (success, errors) = compile(&template.replacen(there, wrong, 1));
        assert!(!success && errors.contains("error TS"), "{wrong}: {errors}");
    }
}

/// Each value of a record: its name, and itself.
fn leaves<'a>(prefix: &str, record: &'a Value, found: &mut Vec<(String, &'a Value)>) {
    for (name, value) in record.as_object().unwrap() {
        let name = format!("{prefix}{name}");
        if value.is_object() { leaves(&format!("{name}."), value, found) } else { found.push((name, value)) }
    }
}

/// Every value is one that its mapping can index.
fn fit(output: &[u8], mappings: &BTreeMap<String, Map<String, Value>>) {
    for line in lines(output) {
        let record = serde_json::from_str(line).unwrap();
        let mut values = Vec::new();
        leaves("", &record, &mut values);
        for (name, value) in values {
            if name.starts_with("labels.") {
                assert!(value.is_string());
                continue;
            }
            let mapping = mappings.get(&name).unwrap_or_else(|| panic!("{name}: {line}"));
            let values = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
            let is_fit = |value: &Value| match mapping["type"].as_str().unwrap() {
                "keyword" | "wildcard" => value.is_string(),
                "long" => value.is_i64(),
                "scaled_float" => value.is_number(),
                "boolean" => value.is_boolean(),
                "date" => value.as_str().is_some_and(|time| time.parse::<chrono::DateTime<chrono::Utc>>().is_ok()),
                other => panic!("{other}"),
            };
            assert!(values.iter().all(is_fit), "{name}: {line}");
        }
    }
}

#[test]
fn what_procline_prints_fits() {
    let test = "what_procline_prints_fits";
    let mappings = mappings();
    let all = ["--schema", "ecs", "--fields", "all", "--label", "env=test"];
    fit(&quiet(procline(&all).args(["--timeout", "5m", "--sample", "1ms"])), &mappings);
    let exec = [&["exec", "--root", "--exits", "--env", "LOADEDMODULES"][..], &all].concat();
    let Some(mut stream) = Stream::with(test, &mut procline(&exec)) else { return };
    let word = word("elastic");
    let held = hold("env", &["LOADEDMODULES=gcc/13", "sh", "-c", "read x; exit 7", &word]);
    let pid = format!(r#""pid":{},"#, held.0.id());
    let has = |words: &[&str]| {
        let text = fs::read_to_string(stream.output()).unwrap();
        text.lines().any(|line| line.ends_with('}') && words.iter().all(|word| line.contains(word))).then_some(())
    };
    wait_for("the start", || has(&[&pid, &word, "LOADEDMODULES=gcc/13", "\"labels\""]));
    drop(held);
    wait_for("the end", || has(&[&pid, "exit_signal"]));
    stream.finish_unread();
    fit(&fs::read(stream.output()).unwrap(), &mappings);
}

/// Filebeat's file is YAML. It follows the service's files into a data stream of the template, and cuts no line.
#[test]
fn filebeat_follows_the_files() {
    let Some(parsed) = parse("filebeat_follows_the_files", "yaml", &read("filebeat.yml")) else { return };
    let config = parsed.unwrap();
    let input = &config["filebeat.inputs"][0];
    assert_eq!(input["paths"], json!(["/var/log/procline-exec/*.jsonl"]));
    assert_eq!(input["parsers"], json!([{"ndjson": {"target": "", "overwrite_keys": true, "add_error_key": true}}]));
    assert!(input["message_max_bytes"].as_u64().unwrap() > 32_000);
    let index = config["output.elasticsearch"]["index"].as_str().unwrap();
    let template: Value = serde_json::from_str(&read("index-template.json")).unwrap();
    let pattern = glob::Pattern::new(template["index_patterns"][0].as_str().unwrap()).unwrap();
    assert!(pattern.matches(index), "{index}");
}

/// The queries of the README name fields that have a mapping.
#[test]
fn the_queries_name_known_fields() {
    let mappings = mappings();
    let readme = read("README.md");
    let queries: Vec<_> = readme.split("```esql\n").skip(1).map(|part| part.split("```").next().unwrap()).collect();
    assert!(queries.len() > 3);
    for query in queries {
        let (from, rest) = query.split_once('\n').unwrap();
        assert_eq!(from, "FROM logs-procline.exec-*");
        let words = rest.split(|letter: char| !(letter.is_alphanumeric() || "@._".contains(letter)));
        for word in words.filter(|word| word.contains(['.', '@'])) {
            assert!(mappings.contains_key(word), "{word}: {query}");
        }
    }
}
