//! Every property of every resource in the Bicep files, at any depth, against the types that Microsoft publishes. `types.txt`
//! restates the types. Values that Azure computes are not judged.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use super::azure::{bicep, config, files};
use super::{KINDS, columns, feed, file, parse, tool};
use crate::support::{command, lacks};

/// The type of a property, as `types.txt` has it.
struct Rule {
    required: bool,
    kind: String,
}

/// The properties of one resource type by their paths.
type Rules = BTreeMap<String, Rule>;

fn text() -> String {
    fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/ama/types.txt")).unwrap()
}

/// The rules of each `type@version`.
fn types() -> BTreeMap<String, Rules> {
    let text = text();
    let mut types: BTreeMap<String, Rules> = BTreeMap::new();
    let mut current = String::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let Some(property) = line.strip_prefix("  ") else {
            assert!(types.insert(line.to_owned(), Rules::new()).is_none(), "{line} twice");
            current = line.to_owned();
            continue;
        };
        let (path, kind) = property.split_once(' ').expect(property);
        let rule = Rule { required: path.ends_with('!'), kind: kind.to_owned() };
        let path = path.trim_end_matches('!').to_owned();
        assert!(types.get_mut(&current).expect(line).insert(path, rule).is_none(), "{current}: {line} twice");
    }
    types
}

/// Judges one resource.
struct Judge<'a> {
    template: &'a Value,
    rules: &'a Rules,
    /// The variables of the loop that creates the resource.
    items: Vec<&'a str>,
    problems: Vec<String>,
}

impl<'a> Judge<'a> {
    /// Whether there is such a property, or one inside it.
    fn knows(&self, path: &str) -> bool {
        let inside = |known: &String| {
            known.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        self.rules.keys().any(inside)
    }

    fn judge(&mut self, path: &str, value: &'a Value) {
        match value {
            Value::Object(map) if map.contains_key("function") => (),
            // A list whose items a loop makes.
            Value::Object(map) if map.contains_key("loop_type") => self.judge(&format!("{path}[]"), &map["config"]),
            Value::Object(map) if map.contains_key("operator") => {
                // Either branch may be the value. The parser may put the condition's operator around the branches.
                for (name, operand) in map["operator"]["operands"].as_object().into_iter().flatten() {
                    if ["true_value", "false_value"].contains(&name.as_str()) || operand.get("operator").is_some() {
                        self.judge(path, operand);
                    }
                }
            }
            Value::Object(map) => self.judge_object(path, map),
            Value::Array(list) => list.iter().for_each(|value| self.judge(&format!("{path}[]"), value)),
            Value::String(text) => self.judge_text(path, text, value),
            Value::Null => (),
            Value::Bool(_) | Value::Number(_) => self.judge_literal(path, value),
        }
    }

    fn judge_object(&mut self, path: &str, map: &'a serde_json::Map<String, Value>) {
        if self.rules.get(path).is_some_and(|rule| rule.kind == "any") {
            return;
        }
        let join = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        let keys: Vec<_> = map.keys().map(|key| key.trim_matches('\'')).collect();
        for (key, value) in keys.iter().zip(map.values()) {
            match [join(key), join("*")].into_iter().find(|path| self.knows(path)) {
                Some(path) => self.judge(&path, value),
                // These are Bicep's own.
                None if path.is_empty() && ["parent", "scope", "dependsOn"].contains(key) => (),
                None => self.problems.push(format!("there is no {}", join(key))),
            }
        }
        for (known, rule) in self.rules.iter().filter(|(_, rule)| rule.required) {
            let known = known.trim_end_matches("[]");
            let (parent, key) = known.rsplit_once('.').unwrap_or(("", known));
            if parent == path && !keys.contains(&key) {
                self.problems.push(format!("{known} is required: {}", rule.kind));
            }
        }
    }

    /// The parser represents a text and the name of a variable in the same way.
    fn judge_text(&mut self, path: &str, text: &str, value: &'a Value) {
        let template = self.template;
        if let Some(variable) = template["variables"].get(text) {
            self.judge(path, &variable["value"]);
        } else if let Some(parameter) = template["parameters"].get(text) {
            let decorators = parameter["decorators"].as_array().unwrap().iter();
            match decorators
                .filter(|decorator| decorator["type"] == "allowed")
                .map(|allowed| &allowed["argument"])
                .next()
            {
                Some(allowed) => allowed.as_array().unwrap().iter().for_each(|value| self.judge_literal(path, value)),
                None => self.judge_parameter(path, text, parameter["type"].as_str().unwrap()),
            }
        } else if !self.items.contains(&text) {
            self.judge_literal(path, value);
        }
    }

    fn judge_parameter(&mut self, path: &str, name: &str, of: &str) {
        let fits = match self.rules.get(path).map(|rule| rule.kind.as_str()) {
            Some("any") => true,
            Some(kind @ ("int" | "bool")) => of == kind,
            Some(_) => of == "string",
            None => ["array", "object"].contains(&of),
        };
        if !fits {
            self.problems.push(format!("{path} cannot be the {of} {name}"));
        }
    }

    fn judge_literal(&mut self, path: &str, value: &Value) {
        let fits = match (self.rules.get(path).map(|rule| rule.kind.as_str()), value) {
            (Some("any"), _) => true,
            (Some("int"), value) => value.is_i64(),
            (Some("bool"), value) => value.is_boolean(),
            (Some("string"), value) => value.is_string(),
            (Some(kind), Value::String(text)) => text.contains("${") || kind.split('|').any(|allowed| allowed == text),
            _ => false,
        };
        if !fits {
            self.problems.push(format!("{path} cannot be {value}"));
        }
    }
}

/// What is wrong with the resources of a template.
fn problems(types: &BTreeMap<String, Rules>, template: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    for (symbol, resource) in template["resources"].as_object().into_iter().flatten() {
        let name = ["type", "api_version"].map(|key| resource[key].as_str().unwrap()).join("@");
        let Some(rules) = types.get(&name) else {
            problems.push(format!("{symbol}: {name} is not in types.txt"));
            continue;
        };
        if resource["existing"] == true {
            continue;
        }
        let names = resource["config"]["loop_type"]["detail"].as_object();
        let items = names.into_iter().flat_map(serde_json::Map::values).filter_map(Value::as_str).collect();
        let mut judge = Judge { template, rules, items, problems: Vec::new() };
        judge.judge("", config(resource));
        problems.extend(judge.problems.into_iter().map(|problem| format!("{symbol}: {problem}")));
    }
    problems
}

#[test]
fn every_property_is_one_of_its_type() {
    let types = types();
    let mut used = Vec::new();
    for (name, _) in files(".bicep") {
        let Some(template) = bicep("every_property_is_one_of_its_type", &name) else { return };
        assert_eq!(problems(&types, &template), Vec::<String>::new(), "{name}");
        let resources = template["resources"].as_object().into_iter().flat_map(serde_json::Map::values);
        used.extend(resources.map(|one| ["type", "api_version"].map(|key| one[key].as_str().unwrap()).join("@")));
    }
    for name in types.keys() {
        assert!(used.contains(name), "no file uses {name}");
    }
    // The columns come from another file.
    let table = ("Microsoft.OperationalInsights/workspaces/tables", "properties.schema.columns[].type");
    let stream = ("Microsoft.Insights/dataCollectionRules", "properties.streamDeclarations.*.columns[].type");
    let mut lists: Vec<_> = ["ps", "oms"].map(|layout| (layout.to_owned(), table)).into();
    lists.extend(KINDS.iter().flat_map(|kind| [(kind.list.to_owned(), table), (kind.stream(), stream)]));
    for (list, (name, path)) in lists {
        let (_, rules) = types.iter().find(|(known, _)| known.starts_with(&format!("{name}@"))).expect(name);
        for column in columns(&list) {
            let mut allowed = rules[path].kind.split('|');
            assert!(allowed.any(|kind| kind.eq_ignore_ascii_case(&column.r#type)), "{list}: {column:?}");
        }
    }
}

/// The judge finds mistakes at every depth, and names them.
#[test]
fn a_wrong_property_is_found() {
    let types = types();
    let cases = [
        ("machines.bicep", "  kind: 'Linux'", "  kynd: 'Linux'", "there is no kynd"),
        (
            "machines.bicep",
            "publicNetworkAccess: p",
            "publicNetworkAcess: p",
            "there is no properties.networkAcls.publicNetworkAcess",
        ),
        (
            "machines.bicep",
            "workspaceResourceId:",
            "workspaceId:",
            "there is no properties.destinations.logAnalytics[].workspaceId",
        ),
        (
            "machines.bicep",
            "streams: [kind.stream]\n          f",
            "f",
            "properties.dataSources.logFiles[].streams is required: string",
        ),
        (
            "machines.bicep",
            "format: 'json'",
            "format: 'jsonl'",
            "properties.dataSources.logFiles[].format cannot be \"jsonl\"",
        ),
        (
            "machines.bicep",
            "['Enabled', 'Disabled']",
            "['Enabled', 'No']",
            "properties.networkAcls.publicNetworkAccess cannot be \"No\"",
        ),
        (
            "machines.bicep",
            "dataCollectionRules@2024-03-11",
            "dataCollectionRules@2023-03-12",
            "Microsoft.Insights/dataCollectionRules@2023-03-12 is not in types.txt",
        ),
        (
            "table.bicep",
            "param retentionInDays int = -1",
            "param retentionInDays string = ''",
            "properties.retentionInDays cannot be the string retentionInDays",
        ),
        (
            "demo.bicep",
            "priority: 1000",
            "priority: '1000'",
            "properties.securityRules[].properties.priority cannot be \"1000\"",
        ),
        (
            "demo.bicep",
            "direction: 'Inbound'\n",
            "",
            "properties.securityRules[].properties.direction is required: Inbound|Outbound",
        ),
        (
            "demo.bicep",
            "enableLogAccessUsingOnly",
            "enableLogAccessUsing",
            "there is no properties.features.enableLogAccessUsingResourcePermissions",
        ),
        (
            "demo.bicep",
            "createOption: 'FromImage'\n",
            "",
            "properties.storageProfile.osDisk.createOption is required: FromImage|Empty|Attach|Copy|Restore",
        ),
        (
            "demo.bicep",
            "publicKeys: [",
            "publicKey: [",
            "there is no properties.osProfile.linuxConfiguration.ssh.publicKey",
        ),
        (
            "run.bicep",
            "timeoutInSeconds: 900",
            "timeoutInSeconds: '900'",
            "properties.timeoutInSeconds cannot be \"900\"",
        ),
        (
            "policy.bicep",
            "principalType: 'ServicePrincipal'",
            "principalType: 'Principal'",
            "properties.principalType cannot be \"Principal\"",
        ),
    ];
    for (name, right, wrong, problem) in cases {
        let text = file(name);
        assert!(text.contains(right), "{name}: {right}");
        let Some(parsed) = parse("a_wrong_property_is_found", "bicep", &text.replacen(right, wrong, 1)) else { return };
        let found = problems(&types, &parsed.unwrap());
        assert!(found.iter().any(|found| found.ends_with(problem)), "{name}: {wrong}: {found:?}");
    }
}

/// What `models.py` finds about this table: how many properties of each type it compared, and what differs.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Comparison {
    compared: BTreeMap<String, usize>,
    problems: Vec<String>,
}

/// The models in Microsoft's packages for Python say the same as the table, for the types that these packages have.
#[test]
fn the_models_of_microsoft_agree() {
    let test = "the_models_of_microsoft_agree";
    if lacks(test, false, &["python3"]) {
        return;
    }
    let Some(models) = tool(test, "models") else { return };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/ama/models.py");
    let compare = |table: &str| -> Comparison {
        let (success, output, errors) = feed(command("python3", &[script]).arg(&models), table);
        assert!(success, "{errors}");
        serde_json::from_str(&output).unwrap()
    };
    let text = text();
    let Comparison { compared, problems } = compare(&text);
    assert_eq!(problems, Vec::<String>::new());
    assert!(compared.len() >= 18 && compared.values().sum::<usize>() >= 140, "{compared:?}");
    // It finds mistakes in the table.
    for (right, wrong) in [
        ("networkAcls.publicNetworkAccess", "networkAcls.publicAccess"),
        ("properties.totalRetentionInDays int", "properties.totalRetentionInDays string"),
        ("createOption! FromImage", "createOption FromImage"),
        ("deleteOption Delete|Detach", "deleteOption Delete|Keep"),
        ("subnets[].properties.addressPrefix", "subnets.properties.addressPrefix"),
    ] {
        assert!(text.contains(right), "{right}");
        let problems = compare(&text.replace(right, wrong)).problems;
        assert_eq!(problems.len(), 1, "{wrong}: {problems:?}");
    }
}
