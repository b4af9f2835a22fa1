//! The Bicep files: a parser of the language reads them. The files, parameters and columns that they name exist.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::{Value, json};

use super::queries::ask;
use super::{KINDS, file, parse, path, written};

/// The name and text of every file with this extension.
pub(super) fn files(extension: &str) -> Vec<(String, String)> {
    let names = fs::read_dir(path("")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut files: Vec<_> =
        names.filter(|name| name.ends_with(extension)).map(|name| (name.clone(), file(&name))).collect();
    files.sort();
    assert!(!files.is_empty(), "no {extension}");
    files
}

/// A Bicep file as the parser sees it, `None` if the test must be skipped.
pub(super) fn bicep(test: &str, name: &str) -> Option<Value> {
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

/// The properties of a resource or a module, without the loop and the condition around them.
pub(super) fn config(resource: &Value) -> &Value {
    let mut config = &resource["config"];
    while config.get("loop_type").is_some() || config.get("condition").is_some() {
        config = &config["config"];
    }
    config
}

/// `variable.property` as the parser represents it.
fn property(variable: impl Into<Value>, property: &str) -> Value {
    let variable = variable.into();
    json!({"operator": {"type": "property_accessor", "operands": {"operand_1": variable, "operand_2": property}}})
}

/// `columns.part.list`, as the parser nests it.
fn list(part: &str, list: &str) -> Value {
    json!({"operator": {"type": "property_accessor", "operands": {"operand_1": "columns", "operand_2": property(part, list)}}})
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
            let given: BTreeSet<_> = config(module)["params"].as_object().unwrap().keys().cloned().collect();
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

/// The parts of a resource id are where the templates take them from.
#[test]
fn resource_ids_are_taken_apart() {
    let test = "resource_ids_are_taken_apart";
    let ids = [
        ("isMachine", "/providers/Microsoft.Compute/virtualMachines/web-1"),
        ("isScaleSet", "/providers/Microsoft.Compute/virtualMachineScaleSets/web-1"),
        ("isInstance", "/providers/Microsoft.Compute/virtualMachineScaleSets/web-1/virtualMachines/7"),
        ("isArc", "/providers/Microsoft.HybridCompute/machines/web-1"),
    ];
    for (name, kinds) in [
        ("association.bicep", ["isMachine", "isScaleSet", "isArc"]),
        ("run.bicep", ["isMachine", "isInstance", "isArc"]),
    ] {
        let Some(template) = bicep(test, name) else { return };
        let operand =
            |variable: &str, place: &str| &template["variables"][variable]["value"]["operator"]["operands"][place];
        for (kind, rest) in ids.iter().filter(|(kind, _)| kinds.contains(kind)) {
            let id = format!("/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/shop{rest}");
            let parts: Vec<_> = id.split('/').collect();
            let place = |variable: &str| usize::try_from(operand(variable, "operand_2").as_u64().unwrap()).unwrap();
            assert_eq!(parts[place("machineName")], "web-1");
            assert_eq!(
                operand(kind, "operand_2"),
                &Value::from(parts[6..8].join("/").to_lowercase()),
                "{name}: {kind}"
            );
            // In the templates that deploy these.
            assert_eq!([parts[2], parts[4]], ["00000000-0000-0000-0000-000000000000", "shop"]);
            assert!(*kind != "isInstance" || parts.len() > 10 && parts[10] == "7");
        }
        assert!(file(name).contains("'${parts[6]}/${parts[7]}'"));
    }
    assert!(file("run.bicep").contains("length(parts) > 10 ? parts[10]"));
    for name in ["machines.bicep", "install.bicep"] {
        assert!(file(name).contains("scope: resourceGroup(split(id, '/')[2], split(id, '/')[4])"), "{name}");
    }
}

/// The pages deploy templates with parameters that these have.
#[test]
fn the_pages_name_parameters_that_exist() {
    let mut all = BTreeSet::new();
    for (name, _) in files(".bicep") {
        let Some(template) = bicep("the_pages_name_parameters_that_exist", &name) else { return };
        all.extend(parameters(&template).1);
    }
    let mut deployments = 0;
    for page in ["README.md", "MACHINES.md"] {
        let text = file(page);
        for command in text.lines().filter(|line| line.starts_with("az deployment ")) {
            let (_, template) = command.split_once("--template-file ama/").expect(command);
            let mut words = template.split(' ');
            let (_, possible) =
                parameters(&bicep("the_pages_name_parameters_that_exist", words.next().unwrap()).unwrap());
            for word in words.filter(|word| *word != "--parameters") {
                let known = word.split_once('=').is_some_and(|(name, _)| possible.contains(name));
                let is_file = word.strip_prefix("ama/").is_some_and(|name| path(name).is_file());
                assert!(known || is_file, "{page}: {word} in {command}");
            }
            deployments += 1;
        }
        let spans =
            text.split('`').skip(1).step_by(2).filter(|span| span.starts_with(|c: char| c.is_ascii_lowercase()));
        for (name, _) in spans.filter(|span| !span.contains(' ')).filter_map(|span| span.split_once('=')) {
            assert!(all.contains(name), "{page}: {name}");
        }
    }
    assert!(deployments >= 6, "{deployments}");
}

/// The rule reads the unit's files as JSON, and writes to the table, which Azure creates first, with our columns and
/// transforms.
#[test]
fn the_rule_reads_what_the_units_write() {
    let test = "the_rule_reads_what_the_units_write";
    let Some(template) = bicep(test, "machines.bicep") else { return };
    let variables = &template["variables"];
    assert_eq!(variables["columns"]["value"]["function"]["parameters"]["file_path"], "columns.json");
    let layouts = [
        ("procline", "ProcessMonitor_CL", "transform.kql"),
        ("ps", "ProcessMonitor_CL", "transform-ps.kql"),
        ("oms", "process_CL", "transform-oms.kql"),
    ];
    for (layout, table, transform) in layouts {
        let layout_of = &variables["layouts"]["value"][layout];
        assert_eq!(layout_of["table"], table);
        assert_eq!(layout_of["columns"], list("tables", layout));
        assert_eq!(layout_of["transform"]["function"]["parameters"]["file_path"], transform);
    }
    assert_eq!(variables["layouts"]["value"].as_object().unwrap().len(), layouts.len());
    let kinds = variables["kinds"]["value"].as_array().unwrap();
    assert_eq!(kinds.len(), KINDS.len());
    assert!(kinds.len() <= 10, "Azure allows ten data sources and ten flows in a rule");
    for (row, kind) in kinds.iter().zip(&KINDS) {
        assert_eq!((&row["name"], &row["stream"]), (&kind.name.into(), &kind.stream().into()));
        if kind.list == "procline" {
            let layout = json!({"operator": {"type": "index_accessor", "operands": {"operand_1": "layouts", "operand_2": "layout"}}});
            for key in ["table", "columns", "transform"] {
                assert_eq!(row[key], property(layout.clone(), key));
            }
        } else {
            assert_eq!(row["table"], kind.table);
            assert_eq!(row["columns"], list("tables", kind.list));
            assert_eq!(row["transform"]["function"]["parameters"]["file_path"], kind.transform());
        }
    }

    // Each kind has a source, a flow and a table.
    let rule = &template["resources"]["rule"]["config"];
    let properties = &rule["properties"];
    let of_kinds = |part: &Value| -> Value {
        assert_eq!(part["loop_type"]["detail"], json!({"item_name": "kind", "array_name": "kinds"}));
        part["config"].clone()
    };
    assert_eq!(properties["streamDeclarations"], property("columns", "streams"));
    let source = of_kinds(&properties["dataSources"]["logFiles"]);
    assert_eq!(source["streams"], json!([property("kind", "stream")]));
    assert_eq!(source["format"], "json");
    let flow = of_kinds(&properties["dataFlows"]);
    assert_eq!(flow["streams"], json!([property("kind", "stream")]));
    assert_eq!(flow["transformKql"], property("kind", "transform"));
    assert_eq!(flow["outputStream"], "Custom-${kind.table}");
    assert_eq!(rule["dependsOn"], json!(["tables"]));
    let table = &template["modules"]["tables"];
    assert_eq!(table["detail"]["path"], "table.bicep");
    let parameters = of_kinds(&table["config"])["params"].clone();
    assert_eq!(parameters["tableName"], property("kind", "table"));
    assert_eq!(parameters["columns"], property("kind", "columns"));

    // The pattern of each kind matches what its service writes, and nothing that another one does.
    for kind in &KINDS {
        let pattern = source["filePatterns"][0].as_str().unwrap().replace("${kind.name}", kind.name);
        let pattern = glob::Pattern::new(&pattern).unwrap();
        for other in &KINDS {
            assert_eq!(pattern.matches(&written(&other.service())), kind.name == other.name, "{pattern}");
        }
    }
}

/// The columns that an alert measures and splits by are columns of its query, after its words are replaced. Each placeholder
/// occurs once, where it is replaced.
#[test]
fn the_names_in_bicep_exist() {
    let test = "the_names_in_bicep_exist";
    let Some(template) = bicep(test, "watch.bicep") else { return };
    let criterion = |alert: &str| &config(&template["resources"][alert])["properties"]["criteria"]["allOf"][0];
    let loaded = |text: &Value| text["function"]["parameters"]["file_path"].clone();
    let programs = &template["variables"]["alertQuery"]["value"]["function"]["parameters"];
    assert_eq!(loaded(&programs["original_string"]), "alert.kql");
    assert_eq!(programs["new_string"]["function"]["parameters"]["value_to_convert"], "programNames");
    assert_eq!(loaded(&template["variables"]["silenceQuery"]["value"]), "alert-host.kql");
    assert_eq!(loaded(&template["variables"]["lossQuery"]["value"]), "alert-exec.kql");
    let word = programs["old_string"].as_str().unwrap().replace('\\', "");
    let mut queries = BTreeMap::new();
    for (alert, name, variable) in [
        ("alert", "alert.kql", "alertQuery"),
        ("silence", "alert-host.kql", "silenceQuery"),
        ("loss", "alert-exec.kql", "lossQuery"),
    ] {
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
    for (script, template) in [("cloud-init.yml", "demo.bicep"), ("install.sh", "install.bicep")] {
        for word in ["PACKAGE_URL", "PACKAGE_SHA256"] {
            assert_eq!(file(script).matches(word).count(), 1, "{script}: {word}");
            assert!(file(template).contains(&format!("'{word}'")), "{template}: {word}");
        }
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
