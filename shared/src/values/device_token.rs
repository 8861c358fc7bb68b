//! Device tokens, as clients send them.

use deserr::{Deserr, IntoValue, Value, ValuePointerRef};
use secrecy::SecretString;

use super::field::{FieldErrors, read};

/// A device token that is not verified yet; `None` for anything but text. Wiped on drop.
///
/// A client without a valid one is a stranger, which is not an error.
#[derive(Debug, Default)]
pub struct DeviceToken(pub Option<SecretString>);

impl Deserr<FieldErrors> for DeviceToken {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        location: ValuePointerRef<'_>,
    ) -> Result<Self, FieldErrors> {
        match value {
            Value::String(_) | Value::Sequence(_) => read(value, location, |text| Ok(Self(Some(text.into())))),
            _ => Ok(Self(None)),
        }
    }
}
