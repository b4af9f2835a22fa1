//! What the records of a run look like: which values, under which keys, in which order. A run creates its layout once.
//! A record then only reads its subject.

use super::change::{self, Change, of_host};
use super::kind::Kind;
use super::schema::{Column, Role, Schema};
use super::value::Value;
use crate::host::Host;

/// The position of a value in a record.
#[derive(Clone, Debug)]
pub struct Key {
    /// The objects around it, the outermost first. None, unless the schema nests.
    pub objects: Vec<Name>,
    /// Its name in the innermost object.
    pub name: Name,
    /// All of these names, joined by dots: its column in a table.
    pub column: String,
    /// Its position among the fields that are truncated first, if it is one of them.
    pub(super) cut_first: Option<usize>,
}

impl Key {
    pub(super) fn new(objects: &[&str], name: &str, cut_first: Option<usize>) -> Self {
        let column = [objects, &[name]].concat().join(".");
        Key { objects: objects.iter().copied().map(Name::new).collect(), name: Name::new(name), column, cut_first }
    }

    /// How many of its objects are also the first of `others`.
    pub fn common(&self, others: &[Name]) -> usize {
        self.objects.iter().zip(others).take_while(|(ours, theirs)| ours == theirs).count()
    }
}

/// A name in a record. It consists of letters, digits, `_`, `-`, `.` and `@`, so no encoding has to escape it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    quoted: String,
}

impl Name {
    fn new(name: &str) -> Self {
        Name { quoted: format!(",\"{name}\":") }
    }

    /// The name in quotes, with a comma before and a colon after it, as in JSON. It is created once, because every
    /// record has it.
    pub fn quoted(&self) -> &str {
        &self.quoted
    }

    /// The name itself.
    pub fn text(&self) -> &str {
        &self.quoted[2..self.quoted.len() - 2]
    }
}

/// The layout of every record of a run.
pub struct Layout<R: 'static> {
    columns: Vec<Column<R>>,
    rows: Rows,
}

/// What a layout is apart from the type of its subjects: the fields, then what is the same in every record, then the mark of
/// a truncated record.
struct Rows(Vec<(Key, Content)>);

/// What a key has as its value.
enum Content {
    /// The column at this position.
    Column(usize),
    /// What the schema requires in every record.
    Constant(&'static str),
    /// The value of a label, of any length.
    Label(String),
    /// Whether the record was truncated.
    CutMark,
}

impl<R> Layout<R> {
    /// Records with these columns of a schema, in this order, and with constant labels at the end. Columns of one
    /// object come together, at the position of the first.
    ///
    /// # Errors
    /// A sentence for the user, if a label would be a second value for a key.
    pub fn new(
        kind: &Kind<R>,
        columns: Vec<Column<R>>,
        schema: Schema,
        labels: &[(String, String)],
    ) -> Result<Self, String> {
        Self::build(kind, columns, schema, labels, false)
    }

    /// The same for records that also tell what has changed, in our own schema.
    ///
    /// # Errors
    /// Likewise.
    pub fn of_changes(kind: &Kind<R>, columns: Vec<Column<R>>, labels: &[(String, String)]) -> Result<Self, String> {
        Self::build(kind, columns, Schema::Procline, labels, true)
    }

    fn build(
        kind: &Kind<R>,
        columns: Vec<Column<R>>,
        schema: Schema,
        labels: &[(String, String)],
        has_changes: bool,
    ) -> Result<Self, String> {
        let first = |column: &Column<R>| kind.truncation.first.iter().position(|name| *name == column.field.name);
        let mut names: Vec<_> = columns.iter().map(|column| (column.name(), first(column))).collect();
        if has_changes {
            names.extend(change::FIELDS.map(|(name, _, _)| (name, None)));
        }
        Ok(Layout { columns, rows: Rows::new(&names, kind.truncation.mark, schema, labels)? })
    }

    /// The names of all columns that a record may have, in their order. `is_limited` tells whether lines have a maximum
    /// length.
    pub fn columns(&self, is_limited: bool) -> Vec<String> {
        let has_long = self.columns.iter().any(Column::is_long);
        self.rows.columns(is_limited, has_long)
    }

    /// What must be read for its fields.
    pub fn needs(&self) -> u32 {
        self.columns.iter().fold(0, |all, column| all | column.needs())
    }

    /// Calls `write` with the record of one `subject`: the known values of its fields, and the labels.
    pub fn record<T>(&self, subject: &R, host: &Host, write: impl FnOnce(&mut Record<'_>) -> T) -> T {
        let value = |place: usize| self.columns[place].value(subject, host);
        write(&mut Record { rows: &self.rows, columns: &value, is_cut: false, shortened: Vec::new() })
    }

    /// The same with a change. The layout must be one [`of_changes`](Self::of_changes).
    pub fn changed<'a, T>(
        &'a self,
        subject: &'a R,
        host: &'a Host,
        change: &Change<'a>,
        write: impl FnOnce(&mut Record<'_>) -> T,
    ) -> T {
        self.with_change(&|column| column.value(subject, host), change, write)
    }

    /// The same for a subject that is gone. `key` tells the values of its key.
    pub fn removed<'a, T>(
        &'a self,
        key: &dyn Fn(&'static str) -> Value<'a>,
        host: &'a Host,
        change: &Change<'a>,
        write: impl FnOnce(&mut Record<'_>) -> T,
    ) -> T {
        let value = |column: &Column<R>| match column.field.role {
            Role::Key => key(column.field.name),
            _ => of_host(column.field.name, host),
        };
        self.with_change(&value, change, write)
    }

    fn with_change<'a, T>(
        &'a self,
        value: &dyn Fn(&'a Column<R>) -> Value<'a>,
        change: &Change<'a>,
        write: impl FnOnce(&mut Record<'_>) -> T,
    ) -> T {
        let more = change.values();
        let value = |place: usize| match self.columns.get(place) {
            Some(column) => value(column),
            None => more.get(place - self.columns.len()).cloned().unwrap_or(Value::Absent),
        };
        write(&mut Record { rows: &self.rows, columns: &value, is_cut: false, shortened: Vec::new() })
    }
}

impl Rows {
    /// The names of the columns come with their positions among the fields that are truncated first.
    fn new(
        columns: &[(&str, Option<usize>)],
        mark: &str,
        schema: Schema,
        labels: &[(String, String)],
    ) -> Result<Self, String> {
        let key = |name: &str, cut_first| {
            let mut objects: Vec<&str> = if schema.nests() { name.split('.').collect() } else { vec![name] };
            let name = objects.pop().unwrap_or(name);
            Key::new(&objects, name, cut_first)
        };
        let mut rows: Vec<(Key, Content)> = Vec::with_capacity(columns.len());
        for (column, (name, cut_first)) in columns.iter().enumerate() {
            let key = key(name, *cut_first);
            // Insert it after the last row that shares the most objects with it.
            let like = rows.iter().map(|(other, _)| key.common(&other.objects)).max().unwrap_or(0);
            let after = rows.iter().rposition(|(other, _)| like == key.common(&other.objects));
            rows.insert(after.map_or(0, |place| place + 1), (key, Content::Column(column)));
        }
        rows.extend(schema.constants().iter().map(|(name, value)| (key(name, None), Content::Constant(value))));
        let mark = (key(mark, None), Content::CutMark);
        // The dots of a label do not nest: readers of a schema that nests expect no objects among the labels.
        let above_labels: &[&str] = if schema.nests() { &["labels"] } else { &[] };
        for (place, (label, value)) in labels.iter().enumerate() {
            if labels[..place].iter().any(|(other, _)| other == label) {
                return Err(format!("--label {label} is given twice; a record has each key once"));
            }
            let key = Key::new(above_labels, label, None);
            if rows.iter().chain([&mark]).any(|(other, _)| other.column == key.column) {
                return Err(format!("--label {label}: every record has a field of that name; choose another"));
            }
            rows.push((key, Content::Label(value.clone())));
        }
        rows.push(mark);
        Ok(Rows(rows))
    }

    /// A field that is truncated first may be truncated when it is read. Any other text is truncated only if lines are
    /// limited.
    fn columns(&self, is_limited: bool, has_long: bool) -> Vec<String> {
        let is_long = |content: &Content| has_long || matches!(content, Content::Label(_));
        let may_be_cut = self.0.iter().any(|(key, content)| key.cut_first.is_some() || is_limited && is_long(content));
        let rows = self.0.iter().filter(|(_, content)| may_be_cut || !matches!(content, Content::CutMark));
        rows.map(|(key, _)| key.column.clone()).collect()
    }
}

/// One record: keys and values, in the order in which they are written. Values of one object come together. A value is
/// computed when it is written, because nearly every record is written exactly once. No kind of record has code of its own
/// for that: the program would be larger, and hardly faster.
pub struct Record<'a> {
    rows: &'a Rows,
    /// The values of the columns.
    columns: &'a dyn Fn(usize) -> Value<'a>,
    /// Whether it has the mark of a truncated record.
    pub(super) is_cut: bool,
    /// What replaces the values that were truncated, with their positions.
    pub(super) shortened: Vec<(usize, Value<'a>)>,
}

impl<'a> Record<'a> {
    /// The keys and the known values.
    pub fn rows(&self) -> impl Iterator<Item = (&'a Key, Value<'a>)> {
        self.places().map(|(_, key, value)| (key, value))
    }

    /// Calls `write` with each of [`rows`](Self::rows) until it fails. This moves no value, which is faster.
    ///
    /// # Errors
    /// That of `write`.
    pub fn each<E>(&self, mut write: impl FnMut(&'a Key, &Value<'a>) -> Result<(), E>) -> Result<(), E> {
        for (place, (key, content)) in self.rows.0.iter().enumerate() {
            let value = self.value(place, content);
            if is_known(&value) {
                write(key, &value)?;
            }
        }
        Ok(())
    }

    /// The same, with their positions in the layout.
    pub(super) fn places(&self) -> impl Iterator<Item = (usize, &'a Key, Value<'a>)> {
        let rows = self.rows.0.iter().enumerate();
        let values = rows.map(|(place, (key, content))| (place, key, self.value(place, content)));
        values.filter(|(_, _, value)| is_known(value))
    }

    // Otherwise it would be one more call for each value.
    #[inline(always)]
    fn value(&self, place: usize, content: &'a Content) -> Value<'a> {
        if let Some((_, value)) = self.shortened.iter().find(|(other, _)| *other == place) {
            return value.clone();
        }
        match content {
            Content::Column(column) => (self.columns)(*column),
            Content::Constant(text) => Value::Str((*text).into()),
            Content::Label(text) => Value::Str(text.as_str().into()),
            Content::CutMark if self.is_cut => Value::Bool(true),
            Content::CutMark => Value::Absent,
        }
    }

    /// The keys that the record may have.
    pub(super) fn keys(&self) -> impl Iterator<Item = &'a Key> {
        self.rows.0.iter().map(|(key, _)| key)
    }
}

/// Whether a value can be written. JSON has only finite numbers, and a key is omitted rather than null.
fn is_known(value: &Value<'_>) -> bool {
    match value {
        Value::Absent => false,
        Value::Float(number) => number.is_finite(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::super::schema::Conversion;
    use super::super::{Field, Truncation, Type};
    use super::*;

    const fn field(name: &'static str, other: &'static str, known: bool) -> Field<()> {
        let get: for<'a> fn(&'a (), &'a Host) -> Value<'a> =
            if known { |(), _| Value::Int(1) } else { |(), _| Value::Absent };
        let field = Field::new(name, Type::Int, "", 0, "", get);
        field.otel(other, Conversion::SAME)
    }

    const KIND: Kind<()> = Kind {
        name: "test",
        fields: &TABLE,
        lists: &[],
        schemas: &[Schema::Procline, Schema::Otel],
        truncation: Truncation { first: &[], mark: "cut", doc: "" },
    };

    static TABLE: [Field<()>; 6] = [
        field("a", "x.a", true),
        field("b", "top", true),
        field("c", "x.y.c", true),
        field("d", "other.d", false),
        field("e", "x.y.e", false),
        field("f", "x.f", true),
    ];

    fn layout(schema: Schema, labels: &[(&str, &str)]) -> Result<Layout<()>, String> {
        let columns: Vec<_> = TABLE.iter().filter_map(|field| Column::of(field, schema)).collect();
        let labels: Vec<_> = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Layout::new(&KIND, columns, schema, &labels)
    }

    /// The columns of the known values.
    fn known(layout: &Layout<()>) -> Vec<String> {
        layout.record(&(), &Host::default(), |record| record.rows().map(|(key, _)| key.column.clone()).collect())
    }

    #[test]
    fn our_own_is_flat_whatever_dots_a_label_has() {
        let layout = layout(Schema::Procline, &[("k8s.pod", "p"), ("k8s.node", "n")]).unwrap();
        assert_eq!(known(&layout), ["a", "b", "c", "f", "k8s.pod", "k8s.node"]);
        assert_eq!(layout.columns(false), ["a", "b", "c", "d", "e", "f", "k8s.pod", "k8s.node"]);
    }

    #[test]
    fn what_is_of_one_object_stands_together_and_an_empty_one_is_left_out() {
        let layout = layout(Schema::Otel, &[("k8s.pod", "p"), ("site", "s")]).unwrap();
        assert_eq!(known(&layout), ["x.a", "x.y.c", "x.f", "top", "labels.k8s.pod", "labels.site"]);
        let columns = ["x.a", "x.y.c", "x.y.e", "x.f", "top", "other.d", "labels.k8s.pod", "labels.site"];
        assert_eq!(layout.columns(false), columns);
        // A label is text. The fields of this table are numbers.
        assert_eq!(layout.columns(true), [&columns[..], &[KIND.truncation.mark]].concat());
        assert!(!self::layout(Schema::Otel, &[]).unwrap().columns(true).contains(&KIND.truncation.mark.to_owned()));
    }

    #[test]
    fn no_key_stands_twice() {
        for (schema, label) in [(Schema::Procline, "a"), (Schema::Procline, KIND.truncation.mark)] {
            assert!(layout(schema, &[(label, "")]).err().unwrap().contains("field of that name"));
        }
        assert!(layout(Schema::Otel, &[("top", ""), (KIND.truncation.mark, "")]).is_ok());
        assert!(layout(Schema::Otel, &[("one", ""), ("one", "")]).err().unwrap().contains("twice"));
    }
}
