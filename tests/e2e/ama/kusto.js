// Kusto's parser and binder, from the npm package in the folder argv[2]. Its two files define their names on the global object.
'use strict';
const path = require('path');

const folder = process.argv[2];
require(path.join(folder, 'bridge.min.js'));
require(path.join(folder, 'Kusto.Language.Bridge.min.js'));
const { GlobalState, Symbols } = Kusto.Language;

const scalar = (name) => {
  const type = Symbols.ScalarTypes.GetSymbol(name === 'boolean' ? 'bool' : name);
  if (!type) throw new Error(`no type ${name}`);
  return type;
};
// A database of these tables: {table: [{name, type}]}.
const globals = (tables) => {
  const symbols = Object.entries(tables).map(
    ([name, columns]) => new Symbols.TableSymbol.$ctor4(name, columns.map((c) => new Symbols.ColumnSymbol(c.name, scalar(c.type))))
  );
  return GlobalState.Default.WithDatabase(new Symbols.DatabaseSymbol.ctor('logs', symbols));
};

module.exports = { ...Kusto.Language, globals };
