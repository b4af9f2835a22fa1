// What queries make of rows. Reads {"tables": {name: {"columns": [{name, type}], "rows": [{column: value}]}}, "queries": [text]} on
// standard input, and prints the rows of each result. argv[2] is the folder of the npm package, whose parser and binder read the
// texts. The package runs nothing, so the operators on tables are here, and those on values in scalars.js, as Kusto's
// documentation describes them.
'use strict';
const fs = require('fs');
const { KustoCode, Syntax, globals } = require('./kusto.js');

const input = JSON.parse(fs.readFileSync(0, 'utf8'));
const columns = Object.fromEntries(Object.entries(input.tables).map(([name, table]) => [name, table.columns]));
const database = globals(columns);

// What a query names: tables are lists, and functions have a body.
const scope = {};
const { kind, each, value } = require('./scalars.js')({ Syntax }, scope);

// The name and the value of an expression that an operator lists.
const pair = (part, row) =>
  kind(part) === 'SimpleNamedExpression' ? [part.Name.SimpleName, value(part.Expression, row)] : [part.SimpleName, value(part, row)];
// All of them see the row as it was before.
const named = (expressions, row) => Object.fromEntries(each(expressions).map((part) => pair(part, row)));

const highest = (values) => values.reduce((a, b) => (b !== null && (a === null || b > a) ? b : a), null);
// An aggregate of the rows of a group: the columns that it makes.
function aggregate(part, rows) {
  const call = kind(part) === 'SimpleNamedExpression' ? part.Expression : part;
  const parts = each(call.ArgumentList.Expressions);
  const values = () => rows.map((row) => value(parts[0], row));
  const of = {
    count: () => rows.length,
    dcount: () => new Set(values()).size,
    max: () => highest(values()),
    make_set: () => [...new Set(values())],
  };
  if (call.Name.SimpleName === 'arg_max') {
    const most = highest(values());
    if (kind(parts[1]) !== 'StarExpression') throw new Error('arg_max of all columns only');
    return rows.find((row) => value(parts[0], row) === most);
  }
  if (!of[call.Name.SimpleName]) throw new Error(`no aggregate ${call.Name.SimpleName}`);
  return { [part.Name.SimpleName]: of[call.Name.SimpleName]() };
}

const operators = {
  ExtendOperator: (rows, { Expressions }) => rows.map((row) => ({ ...row, ...named(Expressions, row) })),
  ProjectOperator: (rows, { Expressions }) => rows.map((row) => named(Expressions, row)),
  // The columns of the whole result say what is left.
  ProjectAwayOperator: (rows) => rows,
  FilterOperator: (rows, { Condition }) => rows.filter((row) => value(Condition, row)),
  SummarizeOperator: (rows, { Aggregates, ByClause }) => {
    const groups = new Map();
    for (const row of rows) {
      const by = named(ByClause.Expressions, row);
      const key = JSON.stringify(by);
      groups.set(key, groups.get(key) ?? { by, rows: [] });
      groups.get(key).rows.push(row);
    }
    return [...groups.values()].map(({ by, rows }) => Object.assign({}, ...each(Aggregates).map((one) => aggregate(one, rows)), by));
  },
  JoinOperator: (rows, { Parameters, Expression, ConditionClause }) => {
    const isOuter = Parameters.getItem(0).Expression.toString().trim() === 'leftouter';
    const keys = each(ConditionClause.Expressions).map((key) => key.SimpleName);
    const others = run(Expression);
    const matches = (row) => others.filter((other) => keys.every((key) => other[key] === row[key]));
    return rows.flatMap((row) => {
      const found = matches(row);
      return found.length || !isOuter ? found.map((other) => ({ ...other, ...row })) : [row];
    });
  },
  SortOperator: (rows, { Expressions }) => {
    const orders = each(Expressions).map((one) => [one.Expression, /asc/.test(one.Ordering.toString()) ? 1 : -1]);
    const compare = (a, b) => (a === b ? 0 : a === null || a < b ? -1 : 1);
    const order = (a, b) => orders.map(([by, sign]) => sign * compare(value(by, a), value(by, b))).find((found) => found) ?? 0;
    return [...rows].sort(order);
  },
};

function run(node) {
  const name = kind(node);
  if (name === 'NameReference') return scope[node.SimpleName];
  if (name === 'ParenthesizedExpression') return run(node.Expression);
  if (name === 'UnionOperator') return each(node.Expressions).flatMap(run);
  if (name !== 'PipeExpression') throw new Error(`no query ${name}`);
  if (!operators[kind(node.Operator)]) throw new Error(`no operator ${kind(node.Operator)}`);
  return operators[kind(node.Operator)](run(node.Expression), node.Operator);
}

function answer(text) {
  const code = KustoCode.ParseAndAnalyze(text, database);
  if (code.GetDiagnostics().Count) throw new Error(code.GetDiagnostics().getItem(0).Message);
  Object.keys(scope).forEach((name) => delete scope[name]);
  Object.entries(input.tables).forEach(([name, table]) => (scope[name] = table.rows));
  let result;
  for (const statement of each(code.Syntax.Statements)) {
    if (kind(statement) !== 'LetStatement') {
      result = run(statement.Expression);
      continue;
    }
    const { Name, Expression } = statement;
    if (kind(Expression) === 'FunctionDeclaration') {
      const parameters = each(Expression.Parameters.Parameters).map((one) => one.NameAndType.Name.SimpleName);
      scope[Name.SimpleName] = { parameters, body: Expression.Body.Expression };
    } else {
      scope[Name.SimpleName] = Expression.IsLiteral ? value(Expression, {}) : run(Expression);
    }
  }
  const names = Array.from({ length: code.ResultType.Columns.Count }, (_, i) => code.ResultType.Columns.getItem(i).Name);
  return result.map((row) => Object.fromEntries(names.map((name) => [name, row[name] ?? null])));
}
console.log(JSON.stringify(input.queries.map(answer)));
