//! The label of a client in a list of sessions.

/// The largest number of characters. The longest `User-Agent` of common browsers has about 160.
const MAX_CHARACTERS: usize = 200;

/// The label of a client: its `User-Agent`, cut to 200 printable ASCII characters. Empty for a client
/// that sends none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserAgent(String);

impl UserAgent {
    /// Cuts the value of a header to a label. Ignores what is not printable ASCII.
    #[must_use]
    pub fn from_header(value: Option<&str>) -> Self {
        let printable = value.unwrap_or_default().trim().chars().filter(|c| matches!(c, ' '..='~'));
        Self(printable.take(MAX_CHARACTERS).collect())
    }

    /// Returns the label.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_cut_to_printable_ascii() {
        let label = |value| UserAgent::from_header(Some(value)).as_str().to_owned();
        assert_eq!(label(" Mozilla/5.0 (iPhone)\t"), "Mozilla/5.0 (iPhone)");
        assert_eq!(label("a\u{0}b\nc\u{202e}d é"), "abcd ");
        assert_eq!(label(&"x".repeat(10_000)), "x".repeat(200));
        assert_eq!(UserAgent::from_header(None).as_str(), "");
    }
}
