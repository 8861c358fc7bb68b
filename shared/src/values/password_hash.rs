//! The bcrypt hashes of passwords.

use std::ops::RangeInclusive;

use super::field::{Field, InvalidField};
use crate::secret::Masked;

/// The costs of a hash. OWASP requires at least 10; at 16, a hash takes seconds.
pub const COSTS: RangeInclusive<i64> = 10..=16;

/// A bcrypt hash in its usual form, `$2b$12$…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasswordHash(Masked<String>);

impl PasswordHash {
    /// Returns the stored text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0.0
    }

    /// Returns the hash in stored text. Text that is not a hash matches no password.
    #[must_use]
    pub fn from_stored(hash: String) -> Self {
        Self(Masked(hash))
    }
}

impl Field for PasswordHash {
    /// Parses a hash that another program created, as it is: `$2a$`, `$2b$` and `$2y$` are names of the same algorithm.
    ///
    /// Accepts exactly those that [`PasswordAttempt::matches`](super::PasswordAttempt::matches) can compare, at a cost
    /// that the functions can bear.
    fn parse(text: &str) -> Result<Self, InvalidField> {
        let is_known = ["$2a$", "$2b$", "$2y$"].iter().any(|version| text.starts_with(version));
        let parts = text.parse::<bcrypt::HashParts>().ok().filter(|_| is_known);
        let parts = parts.ok_or(InvalidField(
            "must be a bcrypt hash: $2a$, $2b$ or $2y$, the cost, $, 53 characters, the 22nd of them ., O, e or u",
        ))?;
        if !COSTS.contains(&parts.get_cost().into()) {
            return Err(InvalidField("must have a cost from 10 to 16"));
        }
        Ok(Self::from_stored(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::PasswordAttempt;

    /// The salt and the hash of "correct horse battery" at cost 10, which libxcrypt created.
    const REST: &str = "abcdefghijklmnopqrstuuCj7fyLDJytXL.TfOiOeiv0fQvSOK1/2";

    fn parse(text: &str) -> Result<PasswordHash, &'static str> {
        PasswordHash::parse(text).map_err(|invalid| invalid.0)
    }

    #[test]
    fn hashes_of_other_programs_match_their_passwords() {
        for version in ["2a", "2b", "2y"] {
            let hash = parse(&format!("${version}$10${REST}")).unwrap();
            let matches = |password: &str| PasswordAttempt::parse(password).unwrap().matches(Some(&hash), 12);
            assert!(matches("correct horse battery"), "{version}");
            assert!(!matches("wrong horse battery"), "{version}");
        }
    }

    #[test]
    fn other_hashes_are_rejected() {
        let hash =
            "must be a bcrypt hash: $2a$, $2b$ or $2y$, the cost, $, 53 characters, the 22nd of them ., O, e or u";
        for text in [
            "",
            "correct horse battery",
            "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2g",
            // The version of hashes with a bug in non-ASCII passwords.
            &format!("$2x$10${REST}"),
            &format!("$2$10${REST}"),
            &format!("$2b$10${REST}."),
            &format!("$2b$10${}", &REST[..52]),
            &format!("$2b$1x${REST}"),
            &format!("$2b$10${}", REST.replace('.', "=")),
            // The last character of a salt has two bits: the others must be zero.
            &format!("$2b$10${}", REST.replacen("uu", "uv", 1)),
        ] {
            assert_eq!(parse(text), Err(hash), "{text}");
        }
    }

    #[test]
    fn costs_that_are_too_low_or_too_high_are_rejected() {
        for cost in ["04", "09", "17", "31", "+9"] {
            assert_eq!(parse(&format!("$2y${cost}${REST}")), Err("must have a cost from 10 to 16"), "{cost}");
        }
        assert!(parse(&format!("$2y$16${REST}")).is_ok());
    }
}
