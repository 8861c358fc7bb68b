//! The schemas of the values, for the OpenAPI document. Compiled with the feature `openapi` only.
//!
//! A schema is what a client can check by itself. Parsing decides: a phone number, for one, must also exist.

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{KnownFormat, Object, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::{PartialSchema, ToSchema};

use super::{
    AppHash, AuthCode, DeviceToken, Email, Name, Nickname, Password, PasswordAttempt, Phone, Purpose, RefreshToken,
    SmsSessionId,
};

/// Implements the schema of values, each a string.
macro_rules! string_schemas {
    ($($value:ty: $schema:expr,)*) => {
        $(
            impl PartialSchema for $value {
                fn schema() -> RefOr<Schema> {
                    let build: fn(ObjectBuilder) -> ObjectBuilder = $schema;
                    RefOr::T(Schema::Object(build(Object::builder().schema_type(Type::String)).build()))
                }
            }

            impl ToSchema for $value {}
        )*
    };
}

string_schemas! {
    AppHash: |schema| {
        schema
            .description(Some("The hash of the Android app that reads the code"))
            .pattern(Some("^[A-Za-z0-9+/]{11}$"))
            .examples(["FA+9qCX9VSu"])
    },
    AuthCode: |schema| {
        schema.description(Some("The code of the SMS: six or eight digits")).pattern(Some(r"^\s*([0-9]{6}|[0-9]{8})\s*$")).examples(["12345678"])
    },
    DeviceToken: |schema| schema.description(Some("The device token of an earlier response")).examples(["eyJ…"]),
    Email: |schema| {
        schema
            .description(Some("An email address of at most 254 bytes"))
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Email)))
            .max_length(Some(254))
            .examples(["minji@example.com"])
    },
    Name: |schema| {
        schema.description(Some("1 to 50 characters, at least one of them visible")).min_length(Some(1)).examples(["Kim Minji"])
    },
    Nickname: |schema| {
        schema.description(Some("1 to 30 characters, at least one of them visible")).min_length(Some(1)).examples(["minji"])
    },
    Password: |schema| {
        schema
            .description(Some("At least 8 characters, 5 of them different, and at most 72 bytes in UTF-8; not a common one"))
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Password)))
            .min_length(Some(8))
            .max_length(Some(72))
            .examples(["correct horse battery"])
    },
    PasswordAttempt: |schema| {
        schema
            .description(Some("The password"))
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Password)))
            .min_length(Some(1))
            .examples(["correct horse battery"])
    },
    Phone: |schema| {
        schema
            .description(Some("A mobile phone number, in any usual spelling, with or without the country code"))
            .examples(["+821012345678", "010-1234-5678"])
    },
    Purpose: |schema| {
        schema.description(Some("The purpose of the SMS session")).enum_values(Some(Purpose::ALL.map(Purpose::as_str)))
    },
    RefreshToken: |schema| schema.description(Some("A refresh token")).min_length(Some(1)).examples(["eyJ…"]),
    SmsSessionId: |schema| {
        schema
            .description(Some("The id of the SMS session"))
            .min_length(Some(1))
            .max_length(Some(128))
            .examples(["q8Xh0rJb2zT5n1Lk7VfYcA"])
    },
}
