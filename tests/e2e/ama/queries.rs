//! Kusto's own parser reads every KQL text and binds it to the columns of the tables.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::inventory::{SAVED, azures_columns};
use super::{Column, KINDS, blocks, column, columns, feed, file, tool};
use crate::support::{command, lacks};

/// What `kql.js` reports about a query.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Answer {
    pub problems: Vec<String>,
    operators: Vec<String>,
    functions: Vec<String>,
    pub columns: Vec<Column>,
}

/// What a transform may use, from Microsoft's page "Supported KQL features in Azure Monitor transformations" of 2026-01-20,
/// without what only text in a certain form needs.
const OPERATORS: [&str; 5] =
    ["ExtendOperator", "FilterOperator", "ProjectOperator", "ProjectAwayOperator", "ProjectRenameOperator"];
const FUNCTIONS: [&str; 26] = [
    "abs",
    "bin",
    "case",
    "ceiling",
    "datetime_add",
    "datetime_diff",
    "datetime_part",
    "extract",
    "iif",
    "indexof",
    "isempty",
    "isnotempty",
    "isnotnull",
    "isnull",
    "now",
    "round",
    "split",
    "strcat",
    "strlen",
    "substring",
    "tobool",
    "todatetime",
    "toint",
    "tolong",
    "toreal",
    "tostring",
];

/// What Kusto reports about the queries, `None` if the test must be skipped.
pub(super) fn ask(test: &str, queries: &BTreeMap<String, String>) -> Option<BTreeMap<String, Answer>> {
    ask_with_source(test, "Custom-ProcessMonitor", queries)
}

/// The columns of a table of `columns.json`, and those that every table of a workspace has.
pub(super) fn table(list: &str) -> Vec<Column> {
    let standard =
        ["_ResourceId", "_SubscriptionId", "TenantId", "Type", "_IsBillable"].map(|name| column(name, "string"));
    columns(list).into_iter().chain(standard).chain([column("_BilledSize", "real")]).collect()
}

/// The same, where `source` has the columns of this stream.
pub(super) fn ask_with_source(
    test: &str,
    stream: &str,
    queries: &BTreeMap<String, String>,
) -> Option<BTreeMap<String, Answer>> {
    if lacks(test, false, &["node"]) {
        return None;
    }
    let package = tool(test, "node_modules/@kusto/language-service-next")?;
    let table = |list: &str| {
        let mut table = columns(list);
        // Every table of a workspace has these columns.
        table.extend(
            ["_ResourceId", "_SubscriptionId", "TenantId", "Type", "_IsBillable"].map(|name| column(name, "string")),
        );
        table.push(column("_BilledSize", "real"));
        table
    };
    let heartbeat = [column("TimeGenerated", "datetime"), column("Computer", "string"), column("Category", "string")];
    let operation = ["Category", "Operation", "Level", "Detail"].map(|name| column(name, "string"));
    let operation: Vec<_> = [column("TimeGenerated", "datetime")].into_iter().chain(operation).collect();
    let errors = ["InputStreamId", "OperationName", "Message", "_ResourceId"].map(|name| column(name, "string"));
    let errors: Vec<_> = [column("TimeGenerated", "datetime")].into_iter().chain(errors).collect();
    let mut tables = json!({});
    for kind in &KINDS {
        tables[kind.table] = json!(table(kind.list));
    }
    tables["process_CL"] = json!(table("oms"));
    for (function, _, columns) in SAVED {
        tables[function] = json!(azures_columns(columns));
    }
    tables["Heartbeat"] = json!(heartbeat);
    tables["_LogOperation"] = json!(operation);
    tables["DCRLogErrors"] = json!(errors);
    tables["source"] = json!(columns(stream));
    let input = json!({"tables": tables, "queries": queries}).to_string();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/ama/kql.js");
    let (success, output, errors) = feed(command("node", &[script]).arg(package), &input);
    assert!(success && errors.is_empty(), "{errors}");
    Some(serde_json::from_str(&output).unwrap_or_else(|error| panic!("{error}: {output}")))
}

/// The queries that people and Azure run, each with the name of its file.
fn queries() -> BTreeMap<String, String> {
    let alerts = ["alert.kql", "alert-host.kql", "alert-exec.kql"];
    let mut queries: BTreeMap<_, _> = alerts.map(|name| (name.to_owned(), file(name))).into();
    queries.extend(SAVED.map(|(_, name, _)| (name.to_owned(), file(name))));
    // A blank line separates queries, as in the editor of Log Analytics.
    let text = file("queries.kql");
    queries.extend(text.split("\n\n").enumerate().map(|(n, text)| (format!("queries.kql {n}"), text.to_owned())));
    for page in ["README.md", "TABLES.md", "NO-ROWS.md", "CHANGE-TRACKING.md"] {
        let blocks = blocks(page, "kusto").into_iter();
        queries.extend(blocks.enumerate().map(|(n, text)| (format!("{page} {n}"), text)));
    }
    let workbook: Value = serde_json::from_str(&file("workbook.json")).unwrap();
    for item in workbook["items"].as_array().unwrap() {
        let parameters = item["content"]["parameters"].as_array().into_iter().flatten();
        for part in parameters.chain([&item["content"]]) {
            if let Some(query) = part["query"].as_str() {
                // The page replaces its parameters with the chosen machines, or with * for all, and with the program.
                let query = query.replace("{Computer}", "'*', 'web-1'").replace("{Program}", "cron");
                let name = part["name"].as_str().or(item["name"].as_str()).unwrap();
                assert!(queries.insert(format!("workbook.json {name}"), query).is_none(), "two {name}");
            }
        }
    }
    queries
}

/// The transforms, each with its stream and its table.
fn transforms() -> Vec<[String; 3]> {
    let of_kind = KINDS.iter().map(|kind| [kind.transform(), kind.stream(), kind.list.to_owned()]);
    let of_layout = |layout: String| [format!("transform-{layout}.kql"), KINDS[0].stream(), layout.clone()];
    of_kind.chain(["ps".to_owned(), "oms".to_owned()].map(of_layout)).collect()
}

#[test]
fn every_query_fits_the_table() {
    let queries = queries();
    let Some(answers) = ask("every_query_fits_the_table", &queries) else { return };
    assert_eq!(answers.len(), queries.len());
    for (name, answer) in answers {
        assert!(answer.problems.is_empty(), "{name}: {:?}", answer.problems);
        assert!(!answer.operators.is_empty() && !answer.columns.is_empty(), "{name}: {answer:?}");
    }
}

#[test]
fn the_transforms_yield_the_tables() {
    for [name, stream, list] in transforms() {
        let text = file(&name);
        assert!(text.len() <= 15_360, "longer than a rule takes");
        let queries = BTreeMap::from([(name.clone(), text)]);
        let Some(answers) = ask_with_source("the_transforms_yield_the_tables", &stream, &queries) else { return };
        let answer = &answers[&name];
        assert!(answer.problems.is_empty(), "{name}: {:?}", answer.problems);
        assert_eq!(foreign(answer), Vec::<&str>::new(), "{name}");
        let mut yielded = answer.columns.clone();
        // Kusto calls the type bool. Tables and streams call it boolean.
        yielded.iter_mut().filter(|column| column.r#type == "bool").for_each(|column| column.r#type = "boolean".into());
        let mut table = columns(&list);
        yielded.sort();
        table.sort();
        assert_eq!(yielded, table, "{name}");
    }
}

/// The queries that were published with the table `process_CL`, which its users have in alerts and dashboards.
#[test]
fn the_queries_of_the_old_table_fit() {
    let published = [
        "process_CL",
        "process_CL\n| summarize count() by bin(TimeGenerated, 1m), Computer",
        "process_CL\n| summarize count() by bin(TimeGenerated, 1m), Computer, command_s",
        "process_CL\n| where command_s contains \"myapp\"
| summarize AggregatedValue=count() by bin(TimeGenerated, 1m), Computer, command_s",
    ];
    let queries = published.iter().enumerate().map(|(n, text)| (n.to_string(), (*text).to_owned())).collect();
    let Some(answers) = ask("the_queries_of_the_old_table_fit", &queries) else { return };
    for (n, answer) in answers {
        assert!(answer.problems.is_empty() && !answer.columns.is_empty(), "{}: {answer:?}", queries[&n]);
    }
}

/// What a transform uses although Azure Monitor would refuse it.
pub(super) fn foreign(answer: &Answer) -> Vec<&str> {
    let operators = answer.operators.iter().filter(|name| !OPERATORS.contains(&name.as_str()));
    let functions = answer.functions.iter().filter(|name| !FUNCTIONS.contains(&name.as_str()));
    operators.chain(functions).map(String::as_str).collect()
}

/// The check finds mistakes.
#[test]
fn a_wrong_query_is_found() {
    let wrong = [
        ("a column that is not there", "ProcessMonitor_CL | where snapshot > ago(1h)"),
        ("a keyword unquoted", "ProcessMonitor_CL | summarize max(time)"),
        ("a table that is not there", "Processes_CL | take 1"),
        ("a type that does not fit", "ProcessMonitor_CL | extend x = round(command)"),
        ("a query cut short", "ProcessMonitor_CL | where pid =="),
    ];
    let refused = [
        ("many rows", "source | summarize max(pid) by user", "SummarizeOperator"),
        ("a function", "source | extend x = coalesce(user, tty)", "coalesce"),
    ];
    let mut queries = BTreeMap::from(wrong.map(|(name, text)| (name.to_owned(), text.to_owned())));
    queries.extend(refused.map(|(name, text, _)| (name.to_owned(), text.to_owned())));
    let Some(answers) = ask("a_wrong_query_is_found", &queries) else { return };
    for (name, text) in wrong {
        assert!(!answers[name].problems.is_empty(), "{name}: {text}");
    }
    for (name, text, what) in refused {
        assert!(answers[name].problems.is_empty(), "{text}: {:?}", answers[name].problems);
        assert!(foreign(&answers[name]).contains(&what), "{text}: {:?}", answers[name]);
    }
}

/// The page has a chart for each thing that it promises.
#[test]
fn the_workbook_has_its_charts() {
    let workbook: Value = serde_json::from_str(&file("workbook.json")).unwrap();
    let items = workbook["items"].as_array().unwrap();
    for (name, picture) in [
        ("instances", "timechart"),
        ("processes", "timechart"),
        ("cpu", "areachart"),
        ("memory", "areachart"),
        ("gone", "barchart"),
    ] {
        let item = items.iter().find(|item| item["name"] == name).expect(name);
        assert_eq!(item["content"]["visualization"], picture, "{name}");
        // A query uses either the time chosen on the page, or one of its own.
        let chosen = item["content"]["timeContextFromParameter"] == "TimeRange";
        assert!(chosen != item["content"]["timeContext"]["durationMs"].is_u64(), "{name}");
    }
    let parameters = items.iter().find_map(|item| item["content"]["parameters"].as_array()).unwrap();
    let names: Vec<_> = parameters.iter().map(|parameter| parameter["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["TimeRange", "Computer", "Program"]);
    assert_eq!(workbook["fallbackResourceIds"].as_array().map(Vec::len), Some(1));
}
