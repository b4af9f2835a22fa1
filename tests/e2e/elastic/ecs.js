// Prints what the Elastic Common Schema says of the fields of standard input, a list of names: their types, their other types
// (multi-fields), and how long their values may be. A field that it does not have is missing. ecs.js NODE_MODULES
const { EcsFlat } = require(`${process.argv[2]}/@elastic/ecs`);
const names = JSON.parse(require("fs").readFileSync(0, "utf8"));
const known = names.filter((name) => EcsFlat[name]);
const answer = (name) => {
  const { type, multi_fields: others = [], ignore_above: longest = null } = EcsFlat[name];
  return { type, others: others.map((other) => [other.name, other.type]), longest };
};
console.log(JSON.stringify(Object.fromEntries(known.map((name) => [name, answer(name)]))));
