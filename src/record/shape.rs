//! What the records of a run look like: which values, under which keys, in which order. Made once, so that a record is
//! no more than its values.

use std::borrow::Cow;

use super::schema::{Column, Schema};
use super::{Record, Truncation, Value};
use crate::host::Host;

/// Where a value stands in a record.
#[derive(Clone, Debug)]
pub struct Key {
    /// The keys on the way to it: one, unless the schema nests.
    pub(super) path: Vec<String>,
    /// The same as one, parted by dots: its column in a table.
    pub(super) column: String,
    /// Where it stands among the fields that are cut first, if it is one.
    pub(super) cut_first: Option<usize>,
}

impl Key {
    pub(super) fn new(path: Vec<String>, cut_first: Option<usize>) -> Self {
        Key { column: path.join("."), path, cut_first }
    }

    /// The keys on the way to the value, parted by dots: its column in a table.
    pub fn column(&self) -> &str {
        &self.column
    }

    /// How many levels it has in common with another.
    fn common(&self, other: &Key) -> usize {
        self.path.iter().zip(&other.path).take_while(|(ours, theirs)| ours == theirs).count()
    }
}

/// The form of every record of a run.
pub struct Shape<R: 'static> {
    fields: Vec<(Key, Column<R>)>,
    /// After the fields, the same in every record.
    constants: Vec<(Key, String)>,
    has_labels: bool,
    cut_mark: Key,
}

impl<R> Shape<R> {
    /// Records with these columns of a schema, in this order but that what is of one object stands together, and with
    /// constant labels at their end.
    ///
    /// # Errors
    /// A sentence for the user, if a label would be a key that the records have already.
    pub fn new(
        columns: &[Column<R>],
        schema: Schema,
        labels: &[(String, String)],
        truncation: &Truncation,
    ) -> Result<Self, String> {
        let path = |name: &str| match schema.nests() {
            true => name.split('.').map(String::from).collect(),
            false => vec![name.to_owned()],
        };
        let mut fields: Vec<(Key, Column<R>)> = Vec::with_capacity(columns.len());
        for column in columns {
            let cut_first = truncation.first.iter().position(|name| *name == column.field.name);
            let key = Key::new(path(column.name()), cut_first);
            // After the last that shares most of its way with it, which is in the same object.
            let like = fields.iter().map(|(other, _)| key.common(other)).max().unwrap_or(0);
            let after = fields.iter().rposition(|(other, _)| like == key.common(other)).map_or(0, |place| place + 1);
            fields.insert(after, (key, *column));
        }
        let constants =
            schema.constants().iter().map(|(name, value)| (Key::new(path(name), None), (*value).to_owned()));
        let of_label = |label: &String| match schema.nests() {
            // A label's own dots part nothing: those who read this schema know no objects in labels.
            true => vec!["labels".to_owned(), label.clone()],
            false => vec![label.clone()],
        };
        let (constants, cut_mark) = (constants.collect(), Key::new(path(truncation.mark), None));
        let mut shape = Shape { fields, constants, has_labels: !labels.is_empty(), cut_mark };
        for (place, (label, value)) in labels.iter().enumerate() {
            if labels[..place].iter().any(|(other, _)| other == label) {
                return Err(format!("--label {label} is given twice; a record has each key once"));
            }
            let key = Key::new(of_label(label), None);
            if shape.keys().any(|other| other.column == key.column) {
                return Err(format!("--label {label}: every record has a field of that name; choose another"));
            }
            shape.constants.push((key, value.clone()));
        }
        Ok(shape)
    }

    fn keys(&self) -> impl Iterator<Item = &Key> {
        let fields = self.fields.iter().map(|(key, _)| key);
        fields.chain(self.constants.iter().map(|(key, _)| key)).chain([&self.cut_mark])
    }

    /// The names of all columns that a record may have, in their order. With `is_limited`, its line may be too long.
    pub fn columns(&self, is_limited: bool) -> Vec<String> {
        let keys = self.fields.iter().map(|(key, _)| key).chain(self.constants.iter().map(|(key, _)| key));
        let mark = self.may_be_cut(is_limited).then_some(&self.cut_mark);
        keys.chain(mark).map(|key| key.column.clone()).collect()
    }

    /// What is cut first may be cut when it is read; any other text only where its line is limited.
    fn may_be_cut(&self, is_limited: bool) -> bool {
        let has_text = self.has_labels || self.fields.iter().any(|(_, column)| column.is_long());
        let cut_when_read = self.fields.iter().any(|(key, _)| key.cut_first.is_some());
        cut_when_read || is_limited && has_text
    }

    /// What has to be read for its fields.
    pub fn needs(&self) -> u32 {
        self.fields.iter().fold(0, |all, (_, column)| all | column.needs())
    }

    /// The record of one `subject`: the values that are known of its fields, and the labels.
    pub fn record<'a>(&'a self, subject: &'a R, host: &'a Host) -> Record<'a> {
        // One spare place, for the mark that a cut record gets.
        let mut rows = Vec::with_capacity(self.fields.len() + self.constants.len() + 1);
        for (key, column) in &self.fields {
            match column.value(subject, host) {
                Value::Absent => {}
                // JSON has no such number, and a key of null is no better than none.
                Value::Float(number) if !number.is_finite() => {}
                value => rows.push((key, value)),
            }
        }
        rows.extend(self.constants.iter().map(|(key, value)| (key, Value::Str(Cow::Borrowed(value)))));
        Record { rows, cut_mark: &self.cut_mark }
    }
}

#[cfg(test)]
mod tests {
    use super::super::schema::{Aliases, Form};
    use super::super::{Field, Type};
    use super::*;

    const fn field(name: &'static str, other: &'static str, known: bool) -> Field<()> {
        let get: for<'a> fn(&'a (), &'a Host) -> Value<'a> =
            if known { |(), _| Value::Int(1) } else { |(), _| Value::Absent };
        let field = Field { name, kind: Type::Int, unit: "", doc: "", needs: 0, get, aliases: Aliases::NONE };
        field.otel(other, Form::SAME)
    }

    const TRUNCATION: Truncation = Truncation { first: &[], mark: "cut", doc: "" };

    static TABLE: [Field<()>; 6] = [
        field("a", "x.a", true),
        field("b", "top", true),
        field("c", "x.y.c", true),
        field("d", "other.d", false),
        field("e", "x.y.e", false),
        field("f", "x.f", true),
    ];

    fn shape(schema: Schema, labels: &[(&str, &str)]) -> Result<Shape<()>, String> {
        let columns: Vec<_> = TABLE.iter().filter_map(|field| Column::of(field, schema)).collect();
        let labels: Vec<_> = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Shape::new(&columns, schema, &labels, &TRUNCATION)
    }

    fn json(shape: &Shape<()>) -> String {
        serde_json::to_string(&shape.record(&(), &Host::default())).unwrap()
    }

    #[test]
    fn our_own_is_flat_whatever_dots_a_label_has() {
        let shape = shape(Schema::Procline, &[("k8s.pod", "p"), ("k8s.node", "n")]).unwrap();
        assert_eq!(json(&shape), r#"{"a":1,"b":1,"c":1,"f":1,"k8s.pod":"p","k8s.node":"n"}"#);
        assert_eq!(shape.columns(false), ["a", "b", "c", "d", "e", "f", "k8s.pod", "k8s.node"]);
    }

    #[test]
    fn what_is_of_one_object_stands_together_and_an_empty_one_is_left_out() {
        let shape = shape(Schema::Otel, &[("k8s.pod", "p"), ("site", "s")]).unwrap();
        assert_eq!(json(&shape), r#"{"x":{"a":1,"y":{"c":1},"f":1},"top":1,"labels":{"k8s.pod":"p","site":"s"}}"#);
        let columns = ["x.a", "x.y.c", "x.y.e", "x.f", "top", "other.d", "labels.k8s.pod", "labels.site"];
        assert_eq!(shape.columns(false), columns);
        // A label is text; the fields of this table are numbers.
        assert_eq!(shape.columns(true), [&columns[..], &[TRUNCATION.mark]].concat());
        assert!(!self::shape(Schema::Otel, &[]).unwrap().columns(true).contains(&TRUNCATION.mark.to_owned()));
    }

    #[test]
    fn no_key_stands_twice() {
        for (schema, label) in [(Schema::Procline, "a"), (Schema::Procline, TRUNCATION.mark)] {
            assert!(shape(schema, &[(label, "")]).err().unwrap().contains("field of that name"));
        }
        assert!(shape(Schema::Otel, &[("top", ""), (TRUNCATION.mark, "")]).is_ok());
        assert!(shape(Schema::Otel, &[("one", ""), ("one", "")]).err().unwrap().contains("twice"));
    }
}
