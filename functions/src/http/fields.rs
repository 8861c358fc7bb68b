//! The fields of a request, in the order in which they were sent, as `deserr` reads them.

use std::fmt;

use deserr::{IntoValue, Map, Sequence, Value, ValueKind};
use indexmap::IndexMap;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// The fields of a JSON object or of a query.
pub(super) struct Fields(IndexMap<String, FieldValue>);

/// The value of a field.
pub(super) enum FieldValue {
    Null,
    Flag(bool),
    Text(String),
    /// A number, an array or an object, which no field accepts.
    Other,
    /// The values of a field that was sent more than once. `shared` reads it as a sequence.
    Repeated,
}

impl Fields {
    fn add(&mut self, name: String, value: FieldValue) {
        self.0.entry(name).and_modify(|first| *first = FieldValue::Repeated).or_insert(value);
    }
}

impl FromIterator<(String, FieldValue)> for Fields {
    fn from_iter<I: IntoIterator<Item = (String, FieldValue)>>(fields: I) -> Self {
        let mut all = Self(IndexMap::new());
        for (name, value) in fields {
            all.add(name, value);
        }
        all
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldsVisitor;
        impl<'de> Visitor<'de> for FieldsVisitor {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Fields(IndexMap::new());
                while let Some((name, value)) = map.next_entry()? {
                    fields.add(name, value);
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(FieldsVisitor)
    }
}

impl<'de> Deserialize<'de> for FieldValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ValueVisitor;
        impl<'de> Visitor<'de> for ValueVisitor {
            type Value = FieldValue;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }

            fn visit_unit<E>(self) -> Result<FieldValue, E> {
                Ok(FieldValue::Null)
            }

            fn visit_bool<E>(self, flag: bool) -> Result<FieldValue, E> {
                Ok(FieldValue::Flag(flag))
            }

            fn visit_str<E>(self, text: &str) -> Result<FieldValue, E> {
                Ok(FieldValue::Text(text.to_owned()))
            }

            fn visit_string<E>(self, text: String) -> Result<FieldValue, E> {
                Ok(FieldValue::Text(text))
            }

            fn visit_u64<E>(self, _: u64) -> Result<FieldValue, E> {
                Ok(FieldValue::Other)
            }

            fn visit_i64<E>(self, _: i64) -> Result<FieldValue, E> {
                Ok(FieldValue::Other)
            }

            fn visit_f64<E>(self, _: f64) -> Result<FieldValue, E> {
                Ok(FieldValue::Other)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<FieldValue, A::Error> {
                while seq.next_element::<FieldValue>()?.is_some() {}
                Ok(FieldValue::Other)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<FieldValue, A::Error> {
                while map.next_entry::<String, FieldValue>()?.is_some() {}
                Ok(FieldValue::Other)
            }
        }
        deserializer.deserialize_any(ValueVisitor)
    }
}

impl IntoValue for FieldValue {
    type Sequence = Unread;
    type Map = Fields;

    fn kind(&self) -> ValueKind {
        match self {
            Self::Null => ValueKind::Null,
            Self::Flag(_) => ValueKind::Boolean,
            Self::Text(_) => ValueKind::String,
            Self::Other => ValueKind::Map,
            Self::Repeated => ValueKind::Sequence,
        }
    }

    fn into_value(self) -> Value<Self> {
        match self {
            Self::Null => Value::Null,
            Self::Flag(flag) => Value::Boolean(flag),
            Self::Text(text) => Value::String(text),
            Self::Other => Value::Map(Fields(IndexMap::new())),
            Self::Repeated => Value::Sequence(Unread),
        }
    }
}

impl Map for Fields {
    type Value = FieldValue;
    type Iter = indexmap::map::IntoIter<String, FieldValue>;

    fn len(&self) -> usize {
        self.0.len()
    }

    fn remove(&mut self, key: &str) -> Option<FieldValue> {
        self.0.shift_remove(key)
    }

    fn into_iter(self) -> Self::Iter {
        self.0.into_iter()
    }
}

/// The values of a repeated field, which no field accepts.
pub(super) struct Unread;

impl Sequence for Unread {
    type Value = FieldValue;
    type Iter = std::iter::Empty<FieldValue>;

    fn len(&self) -> usize {
        0
    }

    fn into_iter(self) -> Self::Iter {
        std::iter::empty()
    }
}
