//! The address of a client.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// The address of a client, as far as rate limits distinguish it: an IPv4 address, or the first 56 bits of an
/// IPv6 address, which one customer of a provider gets.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SourceIp(Option<IpAddr>);

impl SourceIp {
    /// Parses the address that API Gateway saw. All clients whose address is missing or is not one are counted
    /// together.
    #[must_use]
    pub fn parse(text: Option<&str>) -> Self {
        let address = text.and_then(|text| text.parse().ok()).map(|address: IpAddr| address.to_canonical());
        Self(address.map(|address| match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !(u128::MAX >> 56)).into(),
        }))
    }

    /// Returns the text that is stored.
    #[must_use]
    pub fn to_stored(self) -> String {
        self.0.map_or_else(|| "unknown".to_owned(), |address| address.to_string())
    }

    /// Returns the address in stored text.
    #[must_use]
    pub fn from_stored(text: &str) -> Self {
        Self::parse(Some(text))
    }
}

/// Personal data: shows nothing.
impl fmt::Debug for SourceIp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SourceIp(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(text: &str) -> String {
        SourceIp::parse(Some(text)).to_stored()
    }

    #[test]
    fn an_ipv6_address_is_its_first_56_bits() {
        assert_eq!(stored("203.0.113.7"), "203.0.113.7");
        assert_eq!(stored("2001:db8:1:2ff:3:4:5:6"), "2001:db8:1:200::");
        assert_eq!(stored("2001:db8:1:200::1"), stored("2001:db8:1:2ff::"));
        assert_ne!(stored("2001:db8:1:200::1"), stored("2001:db8:1:300::1"));
        assert_eq!(stored("::ffff:203.0.113.7"), "203.0.113.7");
    }

    #[test]
    fn clients_without_an_address_are_counted_together() {
        for text in ["", "unknown", "203.0.113.7:1234", "a"] {
            assert_eq!(stored(text), "unknown");
        }
        assert_eq!(SourceIp::parse(None).to_stored(), "unknown");
        for text in ["203.0.113.7", "2001:db8:1:200::", "unknown"] {
            assert_eq!(SourceIp::from_stored(text).to_stored(), text);
        }
    }
}
