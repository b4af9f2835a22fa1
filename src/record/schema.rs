//! A field, and its name and conversion in each other schema. A field without an equivalent in a schema has no name
//! there.

use clap::ValueEnum;

use super::value::{Type, Value};
use crate::host::Host;

/// The convention for names, units and nesting. The variants are the values of `--schema`, and their comments are its
/// help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Schema {
    /// procline's own
    Procline,
    /// The OMS agent's script over `ps aux`: all text, as ps prints it
    Oms,
    /// The Elastic Common Schema and Metricbeat: nested, bytes, ratios
    Ecs,
    /// OpenTelemetry's semantic conventions: nested, bytes, ratios
    Otel,
    /// The seven keys of procmon, which logs the programs that start
    Procmon,
}

impl Schema {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Schema::Procline => "procline",
            Schema::Oms => "oms",
            Schema::Ecs => "ecs",
            Schema::Otel => "otel",
            Schema::Procmon => "procmon",
        }
    }

    /// Whether the parts of a dotted name are nested objects. Labels are then in an object of their own.
    pub fn nests(self) -> bool {
        matches!(self, Schema::Ecs | Schema::Otel)
    }

    /// The names and values that the schema requires in every record.
    pub fn constants(self) -> &'static [(&'static str, &'static str)] {
        match self {
            // The oldest version that has all the names used.
            Schema::Ecs => &[("ecs.version", "8.17.0")],
            _ => &[],
        }
    }
}

/// One row of a kind's table. Everything about a field is here, once.
pub struct Field<R: 'static> {
    /// The key. It is a legal column of a Log Analytics table.
    pub name: &'static str,
    /// The JSON type, the same in every record.
    pub kind: Type,
    /// The unit of a number; empty for none.
    pub unit: &'static str,
    /// One sentence of meaning, for `procline fields` and the README.
    pub doc: &'static str,
    /// What must be read for the field, as bits. The kind defines their meaning.
    pub needs: u32,
    /// The field's value in one record.
    pub get: for<'a> fn(&'a R, &'a Host) -> Value<'a>,
    /// Its names in other schemas.
    pub aliases: Aliases<R>,
    /// What it is when records are compared with earlier ones.
    pub role: Role<R>,
}

/// What a field is when the records of a snapshot are compared with earlier ones.
#[derive(Debug)]
pub enum Role<R: 'static> {
    /// Nothing: it may change by itself.
    None,
    /// A part of what tells which record is the same as an earlier one.
    Key,
    /// A change of it is a change of the record, unless this says that its value could not be found out.
    Compared(Option<fn(&R) -> bool>),
}

impl<R> Clone for Role<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Role<R> {}

/// A field in another schema.
pub struct Alias<R: 'static> {
    /// Its name. In a schema that nests, dots separate the levels.
    pub name: &'static str,
    /// How its value is converted.
    pub conversion: Conversion<R>,
}

/// How a field is converted for another schema. What is `None` is the same as in our own schema.
pub struct Conversion<R: 'static> {
    /// The JSON type.
    pub kind: Option<Type>,
    /// The unit of a number.
    pub unit: Option<&'static str>,
    /// The meaning.
    pub doc: Option<&'static str>,
    /// What must be read.
    pub needs: Option<u32>,
    /// The value there, from our own value.
    pub convert: for<'a> fn(Value<'a>, &'a R, &'a Host) -> Value<'a>,
}

impl<R> Conversion<R> {
    /// No conversion.
    pub const SAME: Self = Conversion { kind: None, unit: None, doc: None, needs: None, convert: |value, _, _| value };

    /// A number as text. A float has one decimal.
    pub const TEXT: Self = Conversion {
        kind: Some(Type::Token),
        convert: |value, _, _| match value {
            Value::Int(number) => Value::Str(number.to_string().into()),
            Value::Float(number) => Value::Str(format!("{number:.1}").into()),
            value => value,
        },
        ..Self::SAME
    };

    /// KiB to bytes.
    pub const BYTES: Self = Conversion {
        unit: Some("bytes"),
        convert: |value, _, _| match value {
            Value::Int(kib) => Value::Int(kib.saturating_mul(1024)),
            value => value,
        },
        ..Self::SAME
    };

    /// Percent to a ratio.
    pub const RATIO: Self = Conversion {
        unit: Some("1"),
        convert: |value, _, _| match value {
            Value::Float(percent) => Value::Float(ratio(percent)),
            value => value,
        },
        ..Self::SAME
    };

    /// Seconds to whole milliseconds.
    pub const MILLISECONDS: Self = Conversion {
        kind: Some(Type::Int),
        unit: Some("ms"),
        convert: |value, _, _| match value {
            Value::Float(seconds) => Value::Int((seconds * 1000.0).round() as i64),
            value => value,
        },
        ..Self::SAME
    };

    /// Seconds, truncated to whole ones.
    pub const SECONDS: Self = Conversion {
        kind: Some(Type::Int),
        convert: |value, _, _| match value {
            Value::Float(seconds) => Value::Int(seconds as i64),
            value => value,
        },
        ..Self::SAME
    };
}

/// A percentage with one decimal as a ratio with three.
pub fn ratio(percent: f64) -> f64 {
    (percent * 10.0).round() / 1000.0
}

/// A field's names in other schemas.
pub struct Aliases<R: 'static> {
    /// In the schema of the program that a kind replaces. No kind replaces two.
    replaced: Option<Alias<R>>,
    ecs: Option<Alias<R>>,
    otel: Option<Alias<R>>,
}

impl<R> Aliases<R> {
    /// A field without an equivalent in any other schema.
    pub const NONE: Self = Aliases { replaced: None, ecs: None, otel: None };
}

impl<R> Field<R> {
    /// A field without an equivalent in other schemas. A table calls this by an alias for its own `Field<R>`: only then does
    /// the compiler know what the closure of a row takes.
    pub const fn new(
        name: &'static str,
        kind: Type,
        unit: &'static str,
        needs: u32,
        doc: &'static str,
        get: for<'a> fn(&'a R, &'a Host) -> Value<'a>,
    ) -> Self {
        Field { name, kind, unit, doc, needs, get, aliases: Aliases::NONE, role: Role::None }
    }

    /// The field as a part of the key of a record.
    pub const fn key(mut self) -> Self {
        self.role = Role::Key;
        self
    }

    /// The field, whose change is a change of the record.
    pub const fn compared(mut self) -> Self {
        self.role = Role::Compared(None);
        self
    }

    /// The same, unless its value could not be found out, or will be another soon: then the earlier one counts as its value.
    pub const fn compared_unless(mut self, is_unknown: fn(&R) -> bool) -> Self {
        self.role = Role::Compared(Some(is_unknown));
        self
    }

    /// The field with its name in [`Schema::Oms`].
    pub const fn oms(mut self, name: &'static str, conversion: Conversion<R>) -> Self {
        self.aliases.replaced = Some(Alias { name, conversion });
        self
    }

    /// The field with its name in [`Schema::Procmon`].
    pub const fn procmon(mut self, name: &'static str) -> Self {
        self.aliases.replaced = Some(Alias { name, conversion: Conversion::SAME });
        self
    }

    /// The field with its name in [`Schema::Ecs`].
    pub const fn ecs(mut self, name: &'static str, conversion: Conversion<R>) -> Self {
        self.aliases.ecs = Some(Alias { name, conversion });
        self
    }

    /// The field with its name in [`Schema::Otel`].
    pub const fn otel(mut self, name: &'static str, conversion: Conversion<R>) -> Self {
        self.aliases.otel = Some(Alias { name, conversion });
        self
    }
}

/// A field in one schema.
pub struct Column<R: 'static> {
    /// The field.
    pub field: &'static Field<R>,
    /// Its name and conversion there. None in our own schema.
    alias: Option<&'static Alias<R>>,
}

impl<R> Clone for Column<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Column<R> {}

impl<R> Column<R> {
    /// The column of `field` in `schema`. None if it has no equivalent there.
    pub fn of(field: &'static Field<R>, schema: Schema) -> Option<Self> {
        let aliases = &field.aliases;
        let alias = match schema {
            Schema::Procline => return Some(Column { field, alias: None }),
            Schema::Oms | Schema::Procmon => &aliases.replaced,
            Schema::Ecs => &aliases.ecs,
            Schema::Otel => &aliases.otel,
        };
        alias.as_ref().map(|alias| Column { field, alias: Some(alias) })
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.alias.map_or(self.field.name, |alias| alias.name)
    }

    /// Its JSON type.
    pub fn kind(&self) -> Type {
        self.alias.and_then(|alias| alias.conversion.kind).unwrap_or(self.field.kind)
    }

    /// Whether its text may be too long for a record.
    pub fn is_long(&self) -> bool {
        matches!(self.kind(), Type::String | Type::List)
    }

    /// Its unit.
    pub fn unit(&self) -> &'static str {
        self.alias.and_then(|alias| alias.conversion.unit).unwrap_or(self.field.unit)
    }

    /// Its meaning.
    pub fn doc(&self) -> &'static str {
        self.alias.and_then(|alias| alias.conversion.doc).unwrap_or(self.field.doc)
    }

    /// What must be read for it.
    pub fn needs(&self) -> u32 {
        self.alias.and_then(|alias| alias.conversion.needs).unwrap_or(self.field.needs)
    }

    /// Its value in one record.
    pub fn value<'a>(&self, subject: &'a R, host: &'a Host) -> Value<'a> {
        let value = (self.field.get)(subject, host);
        match self.alias {
            Some(alias) => (alias.conversion.convert)(value, subject, host),
            None => value,
        }
    }
}
