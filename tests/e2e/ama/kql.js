// Reads {"tables": {table: [{name, type}]}, "queries": {name: text}} on standard input. Prints what Kusto's own parser
// and binder report about each query: {name: {problems, operators, functions, columns}}. argv[2] is the folder of the
// npm package.
'use strict';
const fs = require('fs');
const { KustoCode, Syntax, globals } = require('./kusto.js');

const input = JSON.parse(fs.readFileSync(0, 'utf8'));
const database = globals(input.tables);

const each = (list) => Array.from({ length: list.Count }, (_, i) => list.getItem(i));
const answers = {};
for (const [name, text] of Object.entries(input.queries)) {
  const code = KustoCode.ParseAndAnalyze(text, database);
  const operators = new Set();
  const functions = new Set();
  Syntax.SyntaxElement.WalkNodes(code.Syntax, (node) => {
    const kind = System.Enum.toString(Syntax.SyntaxKind, node.Kind);
    if (node instanceof Syntax.QueryOperator) operators.add(kind);
    if (node instanceof Syntax.FunctionCallExpression) functions.add(node.Name.SimpleName);
  });
  const columns = code.ResultType && code.ResultType.Columns ? each(code.ResultType.Columns) : [];
  answers[name] = {
    problems: each(code.GetDiagnostics()).map((d) => `${d.Severity}: ${d.Message} at ${text.slice(d.Start, d.Start + 30)}`),
    operators: [...operators],
    functions: [...functions],
    columns: columns.map((c) => ({ name: c.Name, type: c.Type.Name })),
  };
}
console.log(JSON.stringify(answers));
