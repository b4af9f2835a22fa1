//! Selects fields of a kind's table: for `--fields LIST`, and the one numeric field for `--by`.

use super::kind::{Kind, Lists};
use super::schema::{Column, Field, Schema};
use super::value::Type;

/// The fields that `list` requests, in its order. Without a list, the fields of `default`.
///
/// `list` has names of fields, names of the kind's lists, and `all`, separated by commas. `+name` appends a field and
/// `-name` removes one. A list that begins with either starts from `default`. A repeated name counts once, at its first
/// position. Names are our own in every schema. The lists and `all` omit fields without an equivalent in the schema.
///
/// # Errors
/// A sentence for the user, if the kind does not know the schema, if a name is unknown or has no equivalent in the
/// schema, or if no field is left.
pub fn select<R>(kind: &Kind<R>, schema: Schema, list: Option<&str>) -> Result<Vec<Column<R>>, String> {
    kind.check(schema)?;
    let columns: Vec<_> = kind.fields.iter().map(|field| Column::of(field, schema)).collect();
    let table = Table {
        kind: kind.name,
        mark: kind.truncation.mark,
        lists: kind.lists,
        fields: kind.fields.iter().map(|field| field.name).collect(),
        has_equivalent: columns.iter().map(Option::is_some).collect(),
    };
    let places = table.select(schema, list.unwrap_or("default"))?;
    Ok(places.into_iter().filter_map(|place| columns[place]).collect())
}

/// The names of a kind's fields, whatever the type of its subjects.
struct Table {
    kind: &'static str,
    mark: &'static str,
    lists: &'static Lists,
    fields: Vec<&'static str>,
    /// Whether each field has a name in the schema.
    has_equivalent: Vec<bool>,
}

impl Table {
    /// The positions of the fields.
    fn select(&self, schema: Schema, list: &str) -> Result<Vec<usize>, String> {
        let mut selected: Vec<usize> = Vec::new();
        let mut without_equivalent: Vec<&str> = Vec::new();
        let changes_default = list.starts_with(['+', '-']);
        for item in changes_default.then_some("default").into_iter().chain(list.split(',')) {
            let item = item.trim();
            let (removes, word) = match item.strip_prefix('-') {
                Some(word) => (true, word),
                None => (false, item.strip_prefix('+').unwrap_or(item)),
            };
            for field in self.named(word)? {
                if !self.has_equivalent[field] {
                    if self.fields[field] == word && !without_equivalent.contains(&word) {
                        without_equivalent.push(word);
                    }
                    continue;
                }
                let place = selected.iter().position(|other| *other == field);
                match (removes, place) {
                    (true, Some(place)) => {
                        selected.remove(place);
                    }
                    (false, None) => selected.push(field),
                    _ => {}
                }
            }
        }
        if !without_equivalent.is_empty() {
            let (names, schema, kind) = (without_equivalent.join(","), schema.name(), self.kind);
            return Err(format!(
                "--fields {names}: no equivalent in schema {schema}; `procline fields {kind} --schema {schema}` lists what it has"
            ));
        }
        if selected.is_empty() {
            return Err(format!("--fields {list:?} leaves no field: name at least one"));
        }
        Ok(selected)
    }

    /// The positions of the fields that one word of the list names.
    fn named(&self, word: &str) -> Result<Vec<usize>, String> {
        let of_name = |name: &str| self.fields.iter().position(|field| *field == name);
        let found: Vec<_> = match self.lists.iter().find(|(list, _)| *list == word) {
            Some((_, names)) => names.iter().filter_map(|name| of_name(name)).collect(),
            None if word == "all" => (0..self.fields.len()).collect(),
            None => of_name(word).into_iter().collect(),
        };
        if found.is_empty() { Err(self.unknown(word)) } else { Ok(found) }
    }

    fn unknown(&self, word: &str) -> String {
        let kind = self.kind;
        if word.is_empty() {
            return format!("--fields has an empty name in its list; `procline fields {kind}` lists all names");
        }
        if word == self.mark {
            return format!("--fields {word}: remove it; it is added to every record that was cut");
        }
        let lists = self.lists.iter().map(|(list, _)| *list);
        let near = did_you_mean(word, self.fields.iter().copied().chain(lists).chain(["all"]));
        format!("unknown field '{word}' in --fields; {near}`procline fields {kind}` lists them all")
    }
}

/// The fields that `--by` can name.
pub fn numeric<R>(kind: &Kind<R>) -> impl Iterator<Item = &'static Field<R>> {
    kind.fields.iter().filter(|field| matches!(field.kind, Type::Int | Type::Float))
}

/// The field that `--by` names.
///
/// # Errors
/// A sentence for the user, if the name is unknown or the field is not numeric.
pub fn by<R>(kind: &Kind<R>, name: &str) -> Result<&'static Field<R>, String> {
    if let Some(field) = numeric(kind).find(|field| field.name == name) {
        return Ok(field);
    }
    if kind.fields.iter().all(|field| field.name != name) {
        let near = did_you_mean(name, numeric(kind).map(|field| field.name));
        return Err(format!("unknown field '{name}' in --by; {near}`procline fields {}` lists them all", kind.name));
    }
    // Fields with a unit are amounts, which are better examples than ids.
    let amounts: Vec<_> = numeric(kind).filter(|field| !field.unit.is_empty()).map(|field| field.name).collect();
    let such_as = match amounts[..] {
        [one, two, three, ..] => format!(", such as {one}, {two} or {three}"),
        _ => String::new(),
    };
    Err(format!("--by {name}: expected a numeric field{such_as}; `procline fields {}` lists them", kind.name))
}

/// A question that offers the nearest names. Empty if none is near.
fn did_you_mean<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> String {
    /// A Jaro-Winkler similarity. clap uses the same limit for options.
    const ALIKE: f64 = 0.7;
    let lower = word.to_lowercase();
    let mut near: Vec<(f64, &str)> = names
        .map(|name| (strsim::jaro_winkler(&lower, &name.to_lowercase()), name))
        .filter(|(likeness, _)| *likeness > ALIKE)
        .collect();
    if near.is_empty() {
        return String::new();
    }
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    near.truncate(3);
    let names: Vec<_> = near.iter().map(|(_, name)| format!("'{name}'")).collect();
    format!("did you mean {}? ", names.join(" or "))
}

#[cfg(test)]
mod tests {
    use super::super::Value;
    use super::super::kind::Truncation;
    use super::super::schema::Conversion;
    use super::*;

    const fn field(name: &'static str) -> Field<()> {
        Field::new(name, Type::Int, "", 0, "", |(), _| Value::Absent)
    }

    static TABLE: [Field<()>; 4] =
        [field("pid").ecs("process.pid", Conversion::SAME), field("cpu"), field("command"), field("extra")];

    const KIND: Kind<()> = Kind {
        name: "test",
        fields: &TABLE,
        lists: &[("default", &["pid", "cpu", "command"]), ("few", &["extra", "pid"])],
        schemas: &[Schema::Procline, Schema::Ecs, Schema::Otel],
        truncation: Truncation { first: &["command"], mark: "command_truncated", doc: "" },
    };

    fn names(list: Option<&str>) -> Result<Vec<&'static str>, String> {
        let selected = select(&KIND, Schema::Procline, list)?;
        Ok(selected.iter().map(Column::name).collect())
    }

    #[test]
    fn lists() {
        for (list, expected) in [
            ("default", "pid cpu command"),
            ("all", "pid cpu command extra"),
            ("few", "extra pid"),
            ("few,cpu", "extra pid cpu"),
            ("command,pid", "command pid"),
            ("pid,pid", "pid"),
            (" pid , cpu ", "pid cpu"),
            ("+extra", "pid cpu command extra"),
            ("-cpu", "pid command"),
            ("-cpu,+extra", "pid command extra"),
            ("+extra,-pid", "cpu command extra"),
            ("extra,default", "extra pid cpu command"),
            ("all,-default", "extra"),
            ("pid,-cpu", "pid"),
            ("-cpu,+cpu", "pid command cpu"),
        ] {
            assert_eq!(names(Some(list)).unwrap().join(" "), expected, "{list}");
        }
        assert_eq!(names(None).unwrap().join(" "), "pid cpu command");
    }

    #[test]
    fn an_unknown_name_is_an_error_that_names_near_ones() {
        let error = names(Some("pid,comand")).unwrap_err();
        assert!(error.contains("'comand'") && error.contains("did you mean 'command'"), "{error}");
        let error = names(Some("-PID")).unwrap_err();
        assert!(error.contains("did you mean 'pid'"), "{error}");
        let error = names(Some("zzz")).unwrap_err();
        assert!(!error.contains("did you mean") && error.contains("procline fields"), "{error}");
        assert!(names(Some("pid,command_truncated")).unwrap_err().contains("remove it"));
        for list in ["", "pid,,cpu", "+", "-", "--pid", "pid cpu"] {
            assert!(names(Some(list)).is_err(), "{list:?}");
        }
    }

    #[test]
    fn of_another_schema_only_what_it_has() {
        for list in [None, Some("all"), Some("pid"), Some("few,-default,+pid")] {
            let selected = select(&KIND, Schema::Ecs, list).map(|columns| columns.iter().map(Column::name).collect());
            assert_eq!(selected, Ok(vec!["process.pid"]), "{list:?}");
        }
        for (list, names) in
            [("cpu", "cpu"), ("pid,extra", "extra"), ("-cpu", "cpu"), ("cpu,all,+pid,-extra,cpu", "cpu,extra")]
        {
            let error = select(&KIND, Schema::Ecs, Some(list)).err().unwrap();
            let start =
                format!("--fields {names}: no equivalent in schema ecs; `procline fields test --schema ecs` lists");
            assert!(error.starts_with(&start), "{error}");
        }
        assert!(select(&KIND, Schema::Otel, None).is_err());
        let error = select(&KIND, Schema::Oms, None).err().unwrap();
        assert_eq!(error, "--schema oms: not for test records; expected one of procline, ecs, otel");
    }

    #[test]
    fn one_numeric_field() {
        static TABLE: [Field<()>; 5] = [
            Field { kind: Type::String, ..field("user") },
            field("pid"),
            Field { unit: "%", kind: Type::Float, ..field("cpu") },
            Field { unit: "KiB", ..field("vsz") },
            Field { unit: "KiB", ..field("rss") },
        ];
        let found = |name| by(&Kind { fields: &TABLE, ..KIND }, name).map(|field| field.name);
        assert_eq!([found("pid"), found("cpu")], [Ok("pid"), Ok("cpu")]);
        for (name, error) in [
            ("user", "--by user: expected a numeric field, such as cpu, vsz or rss; `procline fields test` lists them"),
            ("rs", "unknown field 'rs' in --by; did you mean 'rss'? `procline fields test` lists them all"),
            ("usr", "unknown field 'usr' in --by; `procline fields test` lists them all"),
        ] {
            assert_eq!(found(name), Err(error.to_owned()), "{name}");
        }
        assert_eq!(
            by(&Kind { fields: &TABLE[..1], ..KIND }, "user").err().unwrap(),
            "--by user: expected a numeric field; `procline fields test` lists them"
        );
    }

    #[test]
    fn a_list_that_leaves_nothing_is_an_error() {
        assert!(names(Some("pid,-pid")).unwrap_err().contains("leaves no field"));
    }
}
