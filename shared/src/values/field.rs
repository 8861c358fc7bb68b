//! Reading the fields of a request, all of them, so that every invalid one is reported.

use std::ops::ControlFlow;

use deserr::{DeserializeError, Deserr, ErrorKind, IntoValue, MergeWithError, Value, ValueKind, ValuePointerRef};
use serde::Serialize;

/// A value of one field of a request.
pub trait Field: Sized {
    /// Parses `text`, which the client sent.
    ///
    /// # Errors
    /// [`InvalidField`] with what the value must be.
    fn parse(text: &str) -> Result<Self, InvalidField>;
}

/// The reason why a field is rejected, for the client. Static, so that it cannot repeat what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidField(pub &'static str);

/// A field and the reason why it is rejected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// The field's name.
    pub field: String,
    /// The reason; never the value that was sent.
    pub message: &'static str,
}

impl FieldError {
    /// Rejects `field` with `reason`.
    #[must_use]
    pub fn new(field: &str, InvalidField(message): InvalidField) -> Self {
        Self { field: field.to_owned(), message }
    }
}

/// All invalid fields of a request: those that were sent, in their order, then the missing ones, then the one
/// that breaks a rule about several fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldErrors(pub Vec<FieldError>);

impl FieldErrors {
    fn at(location: ValuePointerRef<'_>, invalid: InvalidField) -> Self {
        Self(vec![FieldError::new(location.last_field().unwrap_or_default(), invalid)])
    }

    /// Adds `errors`, and continues with the next field.
    fn and(self_: Option<Self>, errors: Self) -> ControlFlow<Self, Self> {
        let mut all = self_.unwrap_or_default();
        all.0.extend(errors.0);
        ControlFlow::Continue(all)
    }
}

impl MergeWithError<Self> for FieldErrors {
    fn merge(self_: Option<Self>, other: Self, _: ValuePointerRef<'_>) -> ControlFlow<Self, Self> {
        Self::and(self_, other)
    }
}

impl DeserializeError for FieldErrors {
    fn error<V: IntoValue>(
        self_: Option<Self>,
        error: ErrorKind<'_, V>,
        location: ValuePointerRef<'_>,
    ) -> ControlFlow<Self, Self> {
        let errors = match error {
            ErrorKind::MissingField { field } => Self(vec![FieldError::new(field, InvalidField("is required"))]),
            // Only requests that reject unknown fields report one.
            ErrorKind::UnknownKey { key, .. } => {
                Self(vec![FieldError::new(key, InvalidField("is not a field of this request"))])
            }
            ErrorKind::IncorrectValueKind { actual: Value::Sequence(_), .. } => {
                Self::at(location, InvalidField("must not be repeated"))
            }
            ErrorKind::IncorrectValueKind { accepted, .. } if accepted.contains(&ValueKind::Boolean) => {
                Self::at(location, InvalidField("must be true or false"))
            }
            _ => Self::at(location, InvalidField("must be a string")),
        };
        Self::and(self_, errors)
    }
}

/// Reads the text of a field with `parse`.
pub(crate) fn read<V: IntoValue, T>(
    value: Value<V>,
    location: ValuePointerRef<'_>,
    parse: impl FnOnce(&str) -> Result<T, InvalidField>,
) -> Result<T, FieldErrors> {
    let parsed = match value {
        Value::String(text) => parse(&text),
        Value::Null => Err(InvalidField("is required")),
        // Only a repeated field is given as a sequence.
        Value::Sequence(_) => Err(InvalidField("must not be repeated")),
        _ => Err(InvalidField("must be a string")),
    };
    parsed.map_err(|invalid| FieldErrors::at(location, invalid))
}

/// Lets request structs, which derive `Deserr`, read a value with `parse`.
macro_rules! readable {
    ($value:ty, $parse:expr) => {
        impl deserr::Deserr<crate::values::field::FieldErrors> for $value {
            fn deserialize_from_value<V: deserr::IntoValue>(
                value: deserr::Value<V>,
                location: deserr::ValuePointerRef<'_>,
            ) -> Result<Self, crate::values::field::FieldErrors> {
                crate::values::field::read(value, location, $parse)
            }
        }
    };
}
pub(crate) use readable;

/// A field that a rule about several fields looks at, before it is known whether all of them are valid.
#[derive(Debug, Default)]
pub enum Lenient<T> {
    /// The field is missing or null.
    #[default]
    Missing,
    /// The field is invalid: its own error is reported elsewhere.
    Invalid,
    /// The field is valid.
    Valid(T),
}

impl<T> Lenient<T> {
    /// The value, if the field is valid.
    pub fn valid(&self) -> Option<&T> {
        match self {
            Self::Valid(value) => Some(value),
            Self::Missing | Self::Invalid => None,
        }
    }
}

impl<T: Deserr<FieldErrors>> Deserr<FieldErrors> for Lenient<T> {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        location: ValuePointerRef<'_>,
    ) -> Result<Self, FieldErrors> {
        Ok(match value {
            Value::Null => Self::Missing,
            value => T::deserialize_from_value(value, location).map_or(Self::Invalid, Self::Valid),
        })
    }
}
