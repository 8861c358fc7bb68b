//! The documents with which other services verify the tokens.

pub mod jwks;
pub mod openid_configuration;
