// Reads {"tables": {table: [{name, type}]}, "queries": {name: text}} on standard input. Prints what Kusto's own parser
// and binder report about each query: {name: {problems, operators, functions, columns}}. argv[2] is the folder of the
// npm package.
'use strict';
const fs = require('fs');
const path = require('path');

const folder = process.argv[2];
// Both files define their names on the global object.
require(path.join(folder, 'bridge.min.js'));
require(path.join(folder, 'Kusto.Language.Bridge.min.js'));
const { KustoCode, GlobalState, Symbols, Syntax } = Kusto.Language;

const input = JSON.parse(fs.readFileSync(0, 'utf8'));
const scalar = (name) => {
  const type = Symbols.ScalarTypes.GetSymbol(name === 'boolean' ? 'bool' : name);
  if (!type) throw new Error(`no type ${name}`);
  return type;
};
const tables = Object.entries(input.tables).map(
  ([name, columns]) => new Symbols.TableSymbol.$ctor4(name, columns.map((c) => new Symbols.ColumnSymbol(c.name, scalar(c.type))))
);
const database = new Symbols.DatabaseSymbol.ctor('logs', tables);
const globals = GlobalState.Default.WithDatabase(database);

const each = (list) => Array.from({ length: list.Count }, (_, i) => list.getItem(i));
const answers = {};
for (const [name, text] of Object.entries(input.queries)) {
  const code = KustoCode.ParseAndAnalyze(text, globals);
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
