//! The requests that each function sends in init: one on each connection that it opens.

use functions::ENDPOINTS;
use functions::jobs::JOBS;
use shared::access::{Access, KeyAccess};

/// The request that opens the connection to DynamoDB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FirstRead {
    /// Loads the public keys.
    PublicKeys,
    /// Reads an item that does not exist.
    WarmUp,
}

/// The requests that a function sends in init, by service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Init {
    pub(crate) dynamodb: Option<FirstRead>,
    /// The operation of SNS.
    pub(crate) sns: Option<&'static str>,
    /// The operation of Secrets Manager.
    pub(crate) secrets_manager: Option<&'static str>,
}

impl Init {
    /// Derives the requests from an access.
    pub(crate) fn new(access: Access) -> Self {
        Self {
            dynamodb: match access.keys {
                KeyAccess::Verify => Some(FirstRead::PublicKeys),
                KeyAccess::Rotate => Some(FirstRead::WarmUp),
                KeyAccess::None | KeyAccess::Sign if access.tables.is_empty() => None,
                KeyAccess::None | KeyAccess::Sign => Some(FirstRead::WarmUp),
            },
            sns: access.sms.then_some("GetSMSAttributes"),
            secrets_manager: match access.keys {
                KeyAccess::None | KeyAccess::Verify => None,
                KeyAccess::Sign => Some("GetSecretValue"),
                KeyAccess::Rotate => Some("DescribeSecret"),
            },
        }
    }

    /// Returns the number of connections that init opens.
    pub(crate) fn connections(self) -> usize {
        let is_opened = [self.dynamodb.is_some(), self.sns.is_some(), self.secrets_manager.is_some()];
        is_opened.into_iter().filter(|&is_opened| is_opened).count()
    }

    /// Returns the read units that init consumes.
    ///
    /// The read of the public keys is consistent, and one unit reads 4 KB of them. A read of a missing item
    /// that need not be consistent consumes half a unit.
    pub(crate) fn read_units(self) -> f64 {
        match self.dynamodb {
            Some(FirstRead::PublicKeys) => 1.0,
            Some(FirstRead::WarmUp) => 0.5,
            None => 0.0,
        }
    }
}

/// Returns the access that a function declares, or [`Access::NONE`] if it is not a function of Ably.
pub(crate) fn access(function: &str) -> Access {
    declared_access(function).unwrap_or(Access::NONE)
}

/// Returns whether a function is one of Ably.
pub(crate) fn is_declared(function: &str) -> bool {
    declared_access(function).is_some()
}

fn declared_access(function: &str) -> Option<Access> {
    let endpoints = ENDPOINTS.iter().map(|endpoint| (endpoint.name, endpoint.access));
    let mut all = endpoints.chain(JOBS.iter().map(|job| (job.name, job.access)));
    all.find(|(name, _)| *name == function).map(|(_, access)| access)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn init_opens_the_connections_that_the_access_declares() {
        for (function, connections) in [
            ("hello", 0),
            ("openid-configuration", 0),
            ("jwks", 1),
            ("profile", 1),
            ("logout", 1),
            ("password", 3),
            ("login-code", 2),
            ("sms-auth-verify", 1),
            ("sms-auth-send", 2),
            ("login", 2),
            ("profile-update", 1),
            ("password-change", 2),
            ("phone-change", 3),
            ("email-change", 2),
            ("account-delete", 1),
            ("sessions", 1),
            ("session-revoke", 1),
            ("pause-sms", 1),
            ("rotate-keys", 2),
        ] {
            assert_eq!(Init::new(access(function)).connections(), connections, "{function}");
        }
    }

    #[test]
    fn only_functions_with_private_keys_call_secrets_manager() {
        for (function, operation) in [
            ("login", Some("GetSecretValue")),
            ("login-code", Some("GetSecretValue")),
            ("rotate-keys", Some("DescribeSecret")),
            ("profile", None),
            ("jwks", None),
        ] {
            assert_eq!(Init::new(access(function)).secrets_manager, operation, "{function}");
        }
    }

    #[test]
    fn loading_the_public_keys_consumes_a_read_unit_and_a_warm_up_half_of_one() {
        for (function, read_units) in
            [("openid-configuration", 0.0), ("jwks", 1.0), ("profile", 1.0), ("login", 0.5), ("rotate-keys", 0.5)]
        {
            let difference = Init::new(access(function)).read_units() - read_units;
            assert!(difference.abs() < f64::EPSILON, "{function}");
        }
    }
}
