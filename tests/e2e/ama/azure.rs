//! The Bicep files: a parser of the language reads them. The files, parameters and columns that they name exist.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::{Value, json};

use super::queries::ask;
use super::{file, parse, path, written};

/// The name and text of every file with this extension.
fn files(extension: &str) -> Vec<(String, String)> {
    let names = fs::read_dir(path("")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut files: Vec<_> =
        names.filter(|name| name.ends_with(extension)).map(|name| (name.clone(), file(&name))).collect();
    files.sort();
    assert!(!files.is_empty(), "no {extension}");
    files
}

/// A Bicep file as the parser sees it, `None` if the test must be skipped.
fn bicep(test: &str, name: &str) -> Option<Value> {
    Some(parse(test, "bicep", &file(name))?.unwrap_or_else(|error| panic!("{name}: {error}")))
}

/// The values of this key at any depth.
fn all<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(map) => {
            found.extend(map.get(key));
            map.values().for_each(|value| all(value, key, found));
        }
        Value::Array(list) => list.iter().for_each(|value| all(value, key, found)),
        _ => (),
    }
}

/// `variable.property` as the parser represents it.
fn property(variable: &str, property: &str) -> Value {
    json!({"operator": {"type": "property_accessor", "operands": {"operand_1": variable, "operand_2": property}}})
}

/// The required parameters, and all parameters.
fn parameters(template: &Value) -> (BTreeSet<String>, BTreeSet<String>) {
    let parameters = template["parameters"].as_object().unwrap();
    let required = parameters.iter().filter(|(_, parameter)| parameter["default"].is_null());
    (required.map(|(name, _)| name.clone()).collect(), parameters.keys().cloned().collect())
}

#[test]
fn bicep_parses_and_finds_its_files() {
    let test = "bicep_parses_and_finds_its_files";
    let mut loads = false;
    for (name, _) in files(".bicep") {
        let Some(template) = bicep(test, &name) else { return };
        let mut loaded = Vec::new();
        all(&template, "file_path", &mut loaded);
        loads |= !loaded.is_empty();
        for loaded in loaded {
            assert!(path(loaded.as_str().unwrap()).is_file(), "{name} loads {loaded}");
        }
        for (symbol, module) in template["modules"].as_object().into_iter().flatten() {
            let Some(other) = bicep(test, module["detail"]["path"].as_str().unwrap()) else { return };
            let (required, possible) = parameters(&other);
            let given: BTreeSet<_> = module["config"]["params"].as_object().unwrap().keys().cloned().collect();
            assert!(given.is_superset(&required) && given.is_subset(&possible), "{name}: {symbol}: {given:?}");
        }
    }
    assert!(loads, "nothing that a file loads is found");
}

/// The first line of a parameter file names its template. The other lines set its parameters.
#[test]
fn parameter_files_fit_their_templates() {
    let test = "parameter_files_fit_their_templates";
    for (name, text) in files(".bicepparam") {
        let (using, rest) = text.split_once('\n').unwrap();
        let template = using.strip_prefix("using './").and_then(|rest| rest.strip_suffix('\'')).expect(using);
        assert_eq!(format!("{template}param"), name);
        let Some(template) = bicep(test, template) else { return };
        // The parser knows templates only. It accepts these lines as variables.
        let variables = rest.replace("param ", "var ");
        let parsed = parse(test, "bicep", &variables).unwrap().unwrap_or_else(|error| panic!("{name}: {error}"));
        let given: BTreeSet<_> = parsed["variables"].as_object().unwrap().keys().cloned().collect();
        let (required, _) = parameters(&template);
        // The file sets exactly the required parameters, and leaves their values empty for the user.
        assert_eq!(given, required, "{name}");
        for variable in parsed["variables"].as_object().unwrap().values() {
            assert!(variable["value"] == "" || variable["value"] == json!([]), "{name}: {variable}");
        }
    }
}

/// The rule reads the unit's files as JSON, and writes to the table, which Azure creates first, with our columns and
/// transforms.
#[test]
fn the_rule_reads_what_the_units_write() {
    let Some(template) = bicep("the_rule_reads_what_the_units_write", "machines.bicep") else { return };
    let variables = &template["variables"];
    assert_eq!(variables["columns"]["value"]["function"]["parameters"]["file_path"], "columns.json");
    for (layout, transform) in [("procline", "transform.kql"), ("ps", "transform-ps.kql")] {
        let layout_of = &variables["layouts"]["value"][layout];
        assert_eq!(layout_of["columns"], property("columns", layout));
        assert_eq!(layout_of["transform"]["function"]["parameters"]["file_path"], transform);
    }
    let rule = &template["resources"]["rule"]["config"];
    let properties = &rule["properties"];
    let kinds = [
        ("table", "stream", "procline.service", "procline-host.service"),
        ("hostTable", "hostStream", "procline-host.service", "procline.service"),
    ];
    for (part, count) in [(&properties["dataSources"]["logFiles"], 2), (&properties["dataFlows"], 2)] {
        assert_eq!(part.as_array().unwrap().len(), count);
    }
    for (place, (table, list, unit, other)) in kinds.into_iter().enumerate() {
        let table = &template["resources"][table]["config"];
        let source = &properties["dataSources"]["logFiles"][place];
        let flow = &properties["dataFlows"][place];
        let stream = source["streams"][0].as_str().unwrap();
        assert!(stream.starts_with("Custom-"), "{stream}");
        assert_eq!(properties["streamDeclarations"][format!("'{stream}'")]["columns"], property("columns", list));
        assert_eq!(flow["streams"], json!([stream]));
        assert_eq!(flow["outputStream"], format!("Custom-{}", table["name"].as_str().unwrap()));
        assert_eq!(table["name"], table["properties"]["schema"]["name"]);
        assert_eq!(source["format"], "json");
        let pattern = source["filePatterns"][0].as_str().unwrap();
        let matches = |unit: &str| glob::Pattern::new(pattern).unwrap().matches(&written(unit));
        assert!(matches(unit) && !matches(other), "{pattern}");
    }
    assert_eq!(rule["dependsOn"], json!(["table", "hostTable"]));
    let host = &template["resources"]["hostTable"]["config"]["properties"]["schema"]["columns"];
    assert_eq!(*host, property("columns", "host"));
    let transform = &properties["dataFlows"][1]["transformKql"];
    assert_eq!(transform["function"]["parameters"]["file_path"], "transform-host.kql");
}

/// The columns that an alert measures and splits by are columns of its query, after its words are replaced. Each placeholder
/// occurs once, where it is replaced.
#[test]
fn the_names_in_bicep_exist() {
    let test = "the_names_in_bicep_exist";
    let Some(template) = bicep(test, "watch.bicep") else { return };
    let criterion = |alert: &str| &template["resources"][alert]["config"]["properties"]["criteria"]["allOf"][0];
    let loaded = |text: &Value| text["function"]["parameters"]["file_path"].clone();
    let programs = &template["variables"]["alertQuery"]["value"]["function"]["parameters"];
    assert_eq!(loaded(&programs["original_string"]), "alert.kql");
    assert_eq!(programs["new_string"]["function"]["parameters"]["value_to_convert"], "programNames");
    assert_eq!(loaded(&template["variables"]["silenceQuery"]["value"]), "alert-host.kql");
    let word = programs["old_string"].as_str().unwrap().replace('\\', "");
    let mut queries = BTreeMap::new();
    for (alert, name, variable) in [("alert", "alert.kql", "alertQuery"), ("silence", "alert-host.kql", "silenceQuery")]
    {
        let replaced = &criterion(alert)["query"]["function"]["parameters"];
        assert_eq!(replaced["original_string"], variable);
        assert_eq!(replaced["new_string"], "machinePattern");
        let machines = replaced["old_string"].as_str().unwrap();
        let text = file(name);
        assert_eq!(text.matches(machines).count(), 1, "{name}");
        assert_eq!(text.matches(&word).count(), usize::from(alert == "alert"), "{name}");
        let text = text.replace(&word, r#"["cron","it's","a\"b"]"#).replace(machines, "^(web|db)-\\d+$");
        queries.insert(alert.to_owned(), text);
    }
    let workbook = &template["resources"]["workbook"]["config"]["properties"]["serializedData"];
    let replaced = &workbook["function"]["parameters"];
    assert_eq!(loaded(&replaced["original_string"]), "workbook.json");
    assert_eq!(file("workbook.json").matches(replaced["old_string"].as_str().unwrap()).count(), 1);
    for word in ["PACKAGE_URL", "PACKAGE_SHA256"] {
        assert_eq!(file("cloud-init.yml").matches(word).count(), 1, "{word}");
        assert!(file("demo.bicep").contains(&format!("'{word}'")), "{word}");
    }
    let Some(answers) = ask(test, &queries) else { return };
    for (alert, answer) in answers {
        assert_eq!(answer.problems, Vec::<String>::new(), "{alert}");
        let criterion = criterion(&alert);
        let dimensions = criterion["dimensions"].as_array().unwrap().iter().map(|dimension| &dimension["name"]);
        let named = [&criterion["metricMeasureColumn"], &criterion["resourceIdColumn"]].into_iter().chain(dimensions);
        let columns: BTreeSet<_> = answer.columns.iter().map(|column| column.name.as_str()).collect();
        // Several periods need a time. Each other column is named, so no row is measured together with a foreign one.
        let named: BTreeSet<_> = named.map(|name| name.as_str().unwrap()).chain(["TimeGenerated"]).collect();
        assert_eq!(named, columns, "{alert}");
        assert!(!file("alert.kql").contains("AggregatedValue"), "Azure reserves this word");
    }
}

/// The check finds mistakes.
#[test]
fn wrong_bicep_is_refused() {
    let text = file("machines.bicep");
    for (right, wrong) in
        [("name: 'procline'\n  location", "name: 'procline\n  location"), ("= {", "= "), ("param ", "params ")]
    {
        assert!(text.contains(right), "{right}");
        let Some(parsed) = parse("wrong_bicep_is_refused", "bicep", &text.replacen(right, wrong, 1)) else { return };
        assert!(parsed.is_err(), "{wrong}");
    }
}
