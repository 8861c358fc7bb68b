//! A user as one line of a file: what `export` writes, and `import` reads.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Value as Json, json};
use shared::store::User;
use shared::values::{
    Claims, Email, Field, FieldError, InvalidField, Name, Nickname, PasswordHash, Phone, Region, UserId,
};

/// The longest line, in bytes.
pub(crate) const MAX_BYTES: usize = 64 * 1024;

/// The name of an error that belongs to no field.
const LINE: &str = "";

/// A user of a line.
pub(crate) struct Record {
    /// The user.
    pub(crate) user: User,
    /// Whether the line contains the id; otherwise it is a new one.
    pub(crate) has_id: bool,
}

/// Returns the user as a document.
pub(crate) fn to_json(user: &User) -> Json {
    json!({
        "id": user.id.to_string(),
        "email": user.email.as_str(),
        "phone": user.phone.e164(),
        "name": user.name.as_str(),
        "nickname": user.nickname.as_str(),
        "password_hash": user.password_hash.as_str(),
        "created_at": user.created_at,
        "updated_at": user.updated_at,
        "password_reset_at": user.password_reset_at,
        "token_version": user.token_version,
        "is_disabled": user.is_disabled,
        "claims": user.claims,
    })
}

/// Parses a line. National phone numbers belong to `region`.
///
/// # Errors
/// Every field that is invalid, missing, repeated or unknown.
pub(crate) fn parse(line: &[u8], region: Region, now_millis: i64) -> Result<Record, Vec<FieldError>> {
    let whole = |message| vec![FieldError::new(LINE, InvalidField(message))];
    if line.len() > MAX_BYTES {
        return Err(whole("must have at most 65536 bytes"));
    }
    let pairs: Pairs = serde_json::from_slice(line).map_err(|_| whole("must be a JSON object in UTF-8"))?;
    let mut fields = Fields::new(pairs);
    let id = fields.optional("id", text(|id| UserId::from_stored(id).ok_or(InvalidField("must be a UUID"))));
    let email = fields.required("email", text(Email::parse));
    let phone = fields.required("phone", text(|phone| Phone::parse(phone, region)));
    let name = fields.required("name", text(Name::parse));
    let nickname = fields.required("nickname", text(Nickname::parse));
    let password_hash = fields.required("password_hash", text(PasswordHash::parse));
    let now = now_millis.div_euclid(1000);
    let created_at = fields.optional("created_at", time(now)).unwrap_or(now);
    let updated_at = fields.optional("updated_at", time(now)).unwrap_or(created_at);
    let password_reset_at = fields.optional("password_reset_at", time(now)).unwrap_or(created_at);
    let token_version = fields.optional("token_version", token_version).unwrap_or_default();
    let is_disabled = fields.optional("is_disabled", flag).unwrap_or_default();
    let claims = fields.optional("claims", claims).unwrap_or_default();
    let errors = fields.into_errors();
    match (email, phone, name, nickname, password_hash) {
        (Some(email), Some(phone), Some(name), Some(nickname), Some(password_hash)) if errors.is_empty() => {
            // Ids sort by the time of the sign-up.
            let (has_id, id) = (id.is_some(), id.unwrap_or_else(|| UserId::new(created_at * 1000)));
            #[rustfmt::skip]
            let user = User {
                id, email, phone, name, nickname, password_hash, created_at, updated_at, password_reset_at,
                token_version, is_disabled, claims,
            };
            Ok(Record { user, has_id })
        }
        _ => Err(errors),
    }
}

fn text<T>(parse: impl FnOnce(&str) -> Result<T, InvalidField>) -> impl FnOnce(Json) -> Result<T, InvalidField> {
    |value| match value {
        Json::String(text) => parse(&text),
        _ => Err(InvalidField("must be a string")),
    }
}

fn time(now: i64) -> impl FnOnce(Json) -> Result<i64, InvalidField> {
    move |value| {
        let must = InvalidField("must be a Unix time in whole seconds, and not in the future");
        value.as_i64().filter(|time| (0..=now).contains(time)).ok_or(must)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "a parser of a value")]
fn token_version(value: Json) -> Result<u32, InvalidField> {
    // Far from the largest number, because each reset increments it.
    let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
    number.filter(|number| *number <= u32::MAX / 2).ok_or(InvalidField("must be a whole number from 0 to 2147483647"))
}

#[expect(clippy::needless_pass_by_value, reason = "a parser of a value")]
fn flag(value: Json) -> Result<bool, InvalidField> {
    value.as_bool().ok_or(InvalidField("must be true or false"))
}

fn claims(value: Json) -> Result<Claims, InvalidField> {
    match value {
        Json::Object(claims) => Claims::parse(claims.into_iter().collect()),
        _ => Err(InvalidField("must be an object")),
    }
}

/// The fields of a line, and the errors that were found.
struct Fields {
    values: BTreeMap<String, Json>,
    errors: Vec<FieldError>,
}

impl Fields {
    fn new(Pairs(pairs): Pairs) -> Self {
        let mut fields = Self { values: BTreeMap::new(), errors: Vec::new() };
        for (name, value) in pairs {
            match fields.values.entry(name) {
                Entry::Vacant(entry) => drop(entry.insert(value)),
                Entry::Occupied(entry) => {
                    let name = entry.key().clone();
                    fields.reject(&name, InvalidField("must not be repeated"));
                }
            }
        }
        fields
    }

    fn reject(&mut self, name: &str, invalid: InvalidField) {
        // An unknown name is text of the file: only its beginning is repeated.
        let name: String = name.chars().take(50).collect();
        self.errors.push(FieldError::new(&name, invalid));
    }

    fn optional<T>(&mut self, name: &str, parse: impl FnOnce(Json) -> Result<T, InvalidField>) -> Option<T> {
        let value = self.values.remove(name).filter(|value| !value.is_null())?;
        parse(value).map_err(|invalid| self.reject(name, invalid)).ok()
    }

    fn required<T>(&mut self, name: &str, parse: impl FnOnce(Json) -> Result<T, InvalidField>) -> Option<T> {
        if self.values.get(name).is_none_or(Json::is_null) {
            self.values.remove(name);
            self.reject(name, InvalidField("is required"));
            return None;
        }
        self.optional(name, parse)
    }

    /// Returns the errors, those of fields that were not read included.
    fn into_errors(mut self) -> Vec<FieldError> {
        for name in std::mem::take(&mut self.values).into_keys() {
            self.reject(&name, InvalidField("is not a field of a user"));
        }
        self.errors
    }
}

/// The fields of an object in their order, repeated ones included.
struct Pairs(Vec<(String, Json)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PairsVisitor;
        impl<'de> Visitor<'de> for PairsVisitor {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(PairsVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;
    const HASH: &str = "$2y$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy";

    fn line(change: impl FnOnce(&mut serde_json::Map<String, Json>)) -> String {
        let mut user = json!({
            "email": "Minji@example.com", "phone": "010-1234-5678", "name": "Kim Minji", "nickname": "minji",
            "password_hash": HASH,
        });
        change(user.as_object_mut().unwrap());
        user.to_string()
    }

    fn errors(line: &str) -> Vec<(String, &'static str)> {
        let Err(errors) = parse(line.as_bytes(), Region::KR, NOW * 1000) else { panic!("{line} is accepted") };
        errors.into_iter().map(|error| (error.field, error.message)).collect()
    }

    #[test]
    fn an_exported_user_is_imported_as_it_is() {
        let text = line(|user| {
            user.insert("id".to_owned(), json!("01890000-0000-7000-8000-000000000000"));
            user.insert("created_at".to_owned(), json!(1_600_000_000));
            user.insert("updated_at".to_owned(), json!(1_700_000_000));
            user.insert("password_reset_at".to_owned(), json!(1_650_000_000));
            user.insert("token_version".to_owned(), json!(3));
            user.insert("is_disabled".to_owned(), json!(true));
            user.insert("claims".to_owned(), json!({ "role": "editor" }));
            user.insert("phone".to_owned(), json!("+821012345678"));
        });
        let record = parse(text.as_bytes(), Region::US, NOW * 1000).unwrap();
        assert!(record.has_id);
        assert_eq!(to_json(&record.user), serde_json::from_str::<Json>(&text).unwrap());
    }

    #[test]
    fn optional_fields_have_defaults() {
        let record = parse(line(|_| ()).as_bytes(), Region::KR, NOW * 1000).unwrap();
        assert!(!record.has_id);
        let user = to_json(&record.user);
        assert_eq!(user["phone"], "+821012345678");
        assert_eq!(user["password_hash"], HASH);
        for time in ["created_at", "updated_at", "password_reset_at"] {
            assert_eq!(user[time], NOW, "{time}");
        }
        assert_eq!((&user["token_version"], &user["is_disabled"]), (&json!(0), &json!(false)));
        assert_eq!(user["claims"], json!({}));
    }

    #[test]
    fn every_bad_field_of_a_line_is_reported() {
        let text = line(|user| {
            user.remove("name");
            user.insert("email".to_owned(), json!("not an email"));
            user.insert("phone".to_owned(), json!(5));
            user.insert("created_at".to_owned(), json!(NOW + 1));
            user.insert("is_disabled".to_owned(), json!("no"));
            user.insert("password".to_owned(), json!("a secret"));
        });
        let found = errors(&text);
        let fields: Vec<_> = found.iter().map(|(field, _)| field.as_str()).collect();
        assert_eq!(fields, ["email", "phone", "name", "created_at", "is_disabled", "password"]);
        assert!(!format!("{found:?}").contains("secret"));
    }

    #[test]
    fn hashes_that_cannot_be_compared_are_rejected() {
        let with = |hash: &str| line(|user| drop(user.insert("password_hash".to_owned(), json!(hash))));
        for hash in [HASH.replace("$2y$", "$2a$"), HASH.replace("$2y$", "$2b$"), HASH.replace("$10$", "$16$")] {
            assert!(parse(with(&hash).as_bytes(), Region::KR, NOW * 1000).is_ok(), "{hash}");
        }
        let cheap = HASH.replace("$10$", "$09$");
        for hash in ["plain text", &cheap, &HASH.replace("$10$", "$17$"), &HASH[..59], "$argon2id$v=19$m=1"] {
            assert_eq!(errors(&with(hash))[0].0, "password_hash", "{hash}");
        }
    }

    #[test]
    fn a_line_that_is_not_one_object_is_rejected() {
        for text in ["", "[]", "null", "{", "{}{}", "\u{feff}{}", "\"a\""] {
            assert_eq!(errors(text), [(String::new(), "must be a JSON object in UTF-8")], "{text}");
        }
        assert!(parse(b"{\"name\": \"\xff\"}", Region::KR, NOW).is_err());
        assert_eq!(errors(&" ".repeat(MAX_BYTES + 1))[0].1, "must have at most 65536 bytes");
        let repeated = line(|_| ()).replacen('{', "{\"name\": \"Lee\", ", 1);
        assert_eq!(errors(&repeated), [("name".to_owned(), "must not be repeated")]);
    }
}
