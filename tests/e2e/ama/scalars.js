// The value of a scalar expression, for rows.js. Kusto's package runs nothing, so the operators and functions are here as Kusto's
// documentation describes them. A row is a map, and a missing value is null. A time is a text in the one form that sorts by time.
'use strict';

module.exports = ({ Syntax }, scope) => {
  const kind = (node) => System.Enum.toString(Syntax.SyntaxKind, node.Kind);
  const each = (list) => Array.from({ length: list.Count }, (_, i) => list.getItem(i).Element$1);
  const isWhole = (node) => ['int', 'long'].includes(node.ResultType.Name);
  const text = (value) => (value === null || value === undefined ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value));
  const number = (value) => (value === null || value === '' ? null : Number(value));
  const unless = (values, make) => (values.includes(null) ? null : make(...values));

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
    EqualExpression: (a, b) => a === b,
    NotEqualExpression: (a, b) => a !== b,
    // Of the operators on texts, those without _cs ignore the case.
    StartsWithExpression: (a, b) => a.toLowerCase().startsWith(b.toLowerCase()),
    MatchesRegexExpression: (a, b) => new RegExp(b, 'u').test(a),
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
    ago: (milliseconds) => new Date(Date.now() - milliseconds).toISOString(),
    isnull: (value) => value === null,
    isnotnull: (value) => value !== null,
    isempty: (value) => value === null || value === '',
    isnotempty: (value) => value !== null && value !== '',
    // The first that is neither null nor an empty text.
    coalesce: (...values) => values.find((value) => value !== null && value !== '') ?? values[values.length - 1],
    pack_array: (...values) => values,
    array_concat: (...lists) => unless(lists, () => lists.flat()),
    array_length: (list) => unless([list], () => list.length),
    set_has_element: (list, item) => unless([list], () => list.includes(item)),
    set_difference: (list, other) => unless([list], () => list.filter((item) => !other.includes(item))),
    set_intersect: (list, other) => unless([list], () => list.filter((item) => other.includes(item))),
    strcat_array: (list, between) => (list ?? []).join(between),
  };
  const choose = ([condition, yes, no], row) => value(value(condition, row) ? yes : no, row);
  // These do not evaluate all of their arguments.
  const choices = {
    iif: choose,
    iff: choose,
    case: (parts, row) => {
      const place = parts.findIndex((part, n) => n % 2 === 0 && n < parts.length - 1 && value(part, row));
      return value(parts[place < 0 ? parts.length - 1 : place + 1], row);
    },
  };

  function call(node, row) {
    const name = node.Name.SimpleName;
    const parts = each(node.ArgumentList.Expressions);
    if (choices[name]) return choices[name](parts, row);
    const values = parts.map((part) => value(part, row));
    const own = scope[name];
    // A function sees its parameters, and no columns.
    if (own) return value(own.body, Object.fromEntries(own.parameters.map((parameter, n) => [parameter, values[n]])));
    if (!functions[name]) throw new Error(`no function ${name}`);
    return functions[name](...values);
  }

  function literal(node) {
    if (kind(node) === 'TimespanLiteralExpression') {
      const [, count, unit] = /^(\d+)([dhms])$/.exec(node.toString().trim());
      return count * { d: 86400e3, h: 3600e3, m: 60e3, s: 1e3 }[unit];
    }
    return typeof node.LiteralValue === 'string' ? node.LiteralValue : Number(String(node.LiteralValue));
  }

  function value(node, row) {
    const name = kind(node);
    if (name === 'DynamicExpression') return JSON.parse(node.Expression.toString().replaceAll("'", '"'));
    if (name === 'FunctionCallExpression') return node.Name.SimpleName === 'long' ? null : call(node, row);
    if (node.IsLiteral) return node.toString().includes('(null)') ? null : literal(node);
    if (name === 'NameReference') {
      const found = row[node.SimpleName] ?? scope[node.SimpleName];
      // A string is never null.
      return found === undefined || found === null ? (node.ResultType.Name === 'string' ? '' : null) : found;
    }
    if (name === 'ParenthesizedExpression') return value(node.Expression, row);
    if (name === 'PathExpression') return (value(node.Expression, row) ?? {})[node.Selector.SimpleName] ?? null;
    if (name === 'ElementExpression') return (value(node.Expression, row) ?? {})[value(node.Selector.Expression, row)] ?? null;
    if (name === 'AndExpression') return value(node.Left, row) && value(node.Right, row);
    if (name === 'OrExpression') return value(node.Left, row) || value(node.Right, row);
    if (name === 'InExpression') return each(node.Right.Expressions).some((one) => value(one, row) === value(node.Left, row));
    if (!operators[name]) throw new Error(`no operator ${name}`);
    const [left, right] = [value(node.Left, row), value(node.Right, row)];
    if (left === null || right === null) return null;
    return operators[name](left, right, isWhole(node.Left) && isWhole(node.Right));
  }

  return { kind, each, value };
};
