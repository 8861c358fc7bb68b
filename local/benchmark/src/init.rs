//! What each function must do in init: the connections that it opens, with one request on each.

/// The requests that a function makes in init.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Init {
    /// Reads of DynamoDB.
    pub(crate) reads: usize,
    /// Requests to SNS.
    pub(crate) sms: usize,
    /// Reads of Secrets Manager.
    pub(crate) secrets: usize,
}

impl Init {
    /// Returns what `function` must do.
    pub(crate) fn of(function: &str) -> Self {
        let has_table = !matches!(function, "hello" | "jwks" | "openid-configuration" | "rotate-keys");
        let has_keys =
            matches!(function, "signup" | "login" | "profile" | "token-refresh" | "logout" | "jwks" | "rotate-keys");
        Self {
            // It reads while it writes, on two connections.
            reads: if function == "sms-auth-verify" { 2 } else { has_table.into() },
            sms: (function == "sms-auth-send").into(),
            secrets: has_keys.into(),
        }
    }

    /// Returns how many connections it opens.
    pub(crate) fn connections(self) -> usize {
        self.reads + self.sms + self.secrets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_service_has_its_connections() {
        for (function, connections) in [
            ("hello", 0),
            ("openid-configuration", 0),
            ("jwks", 1),
            ("password", 1),
            ("profile", 2),
            ("sms-auth-verify", 2),
        ] {
            assert_eq!(Init::of(function).connections(), connections, "{function}");
        }
    }
}
