// What a transform makes of lines. Reads {"stream": [{name, type}], "transform": text, "rows": [{column: value}]} on
// standard input, and prints the rows of the table. argv[2] is the folder of the npm package, whose parser and binder
// read the text. The package runs nothing, so the operators and functions are here as Kusto's documentation describes
// them. A row is a map, and a missing value is null.
'use strict';
const fs = require('fs');
const { KustoCode, Syntax, globals } = require('./kusto.js');

const input = JSON.parse(fs.readFileSync(0, 'utf8'));
const code = KustoCode.ParseAndAnalyze(input.transform, globals({ source: input.stream }));
if (code.GetDiagnostics().Count) throw new Error(code.GetDiagnostics().getItem(0).Message);

const kind = (node) => System.Enum.toString(Syntax.SyntaxKind, node.Kind);
const each = (list) => Array.from({ length: list.Count }, (_, i) => list.getItem(i).Element$1);
const isWhole = (node) => ['int', 'long'].includes(node.ResultType.Name);
const text = (value) => (value === null ? '' : String(value));
const number = (value) => (value === null || value === '' ? null : Number(value));

// Arithmetic and comparison with null yield null, which counts as false.
const operators = {
  AddExpression: (a, b) => a + b,
  SubtractExpression: (a, b) => a - b,
  MultiplyExpression: (a, b) => a * b,
  // Between two whole numbers, the quotient is a whole number.
  DivideExpression: (a, b, whole) => (whole ? Math.trunc(a / b) : a / b),
  ModuloExpression: (a, b) => a % b,
  GreaterThanExpression: (a, b) => a > b,
  GreaterThanOrEqualExpression: (a, b) => a >= b,
  NotEqualExpression: (a, b) => a !== b,
};
const functions = {
  // It takes bytes, not units of UTF-16. The texts here are ASCII.
  substring: (value, start, length) => value.substring(start, length === undefined ? undefined : start + length),
  strcat: (...values) => values.map(text).join(''),
  tostring: text,
  tolong: (value) => (number(value) === null ? null : Math.trunc(number(value))),
  toint: (value) => (number(value) === null ? null : Math.trunc(number(value))),
  round: (value) => (value === null ? null : Math.round(value)),
  // A Date has three digits of a second, and a datetime of Kusto has seven.
  todatetime: (value) => {
    if (Number.isNaN(Date.parse(value))) return null;
    const [, digits] = /\.(\d{4,7})Z$/.exec(value) ?? [];
    const time = new Date(value).toISOString();
    return digits ? time.replace(/\d{3}Z$/, `${digits}Z`) : time;
  },
  isnull: (value) => value === null,
  isempty: (value) => value === null || value === '',
};
// These do not evaluate all of their arguments.
const choices = {
  iif: ([condition, yes, no], row) => value(value(condition, row) ? yes : no, row),
  case: (parts, row) => {
    const place = parts.findIndex((part, n) => n % 2 === 0 && n < parts.length - 1 && value(part, row));
    return value(parts[place < 0 ? parts.length - 1 : place + 1], row);
  },
};

function value(node, row) {
  const name = kind(node);
  if (node.IsLiteral) return typeof node.LiteralValue === 'string' ? node.LiteralValue : Number(String(node.LiteralValue));
  if (name === 'NameReference') {
    // A string is never null.
    const found = row[node.SimpleName];
    return found === undefined || found === null ? (node.ResultType.Name === 'string' ? '' : null) : found;
  }
  if (name === 'ParenthesizedExpression') return value(node.Expression, row);
  if (name === 'FunctionCallExpression') {
    const parts = each(node.ArgumentList.Expressions);
    const chosen = choices[node.Name.SimpleName];
    if (chosen) return chosen(parts, row);
    const call = functions[node.Name.SimpleName];
    if (!call) throw new Error(`no function ${node.Name.SimpleName}`);
    return call(...parts.map((part) => value(part, row)));
  }
  if (!operators[name]) throw new Error(`no operator ${name}`);
  const [left, right] = [value(node.Left, row), value(node.Right, row)];
  if (left === null || right === null) return null;
  return operators[name](left, right, isWhole(node.Left) && isWhole(node.Right));
}

// The columns that an operator names. All of them see the row as it was before.
function named(expressions, row) {
  const pair = (part) =>
    kind(part) === 'SimpleNamedExpression'
      ? [part.Name.SimpleName, value(part.Expression, row)]
      : [part.SimpleName, value(part, row)];
  return Object.fromEntries(each(expressions).map(pair));
}

function run(node, row) {
  if (kind(node) === 'NameReference') return row;
  const before = run(node.Expression, row);
  // The columns of the whole result say what is left.
  if (kind(node.Operator) === 'ProjectAwayOperator') return before;
  const after = named(node.Operator.Expressions, before);
  return kind(node.Operator) === 'ProjectOperator' ? after : { ...before, ...after };
}

const query = code.Syntax.Statements.getItem(0).Element$1.Expression;
const names = code.ResultType.Columns;
const table = input.rows.map((row) => {
  const made = run(query, row);
  return Object.fromEntries(Array.from({ length: names.Count }, (_, i) => [names.getItem(i).Name, made[names.getItem(i).Name] ?? null]));
});
console.log(JSON.stringify(table));
