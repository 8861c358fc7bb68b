//! The requests that each function sends in init: one on each connection that it opens.

use functions::ENDPOINTS;
use functions::jobs::JOBS;
use shared::access::{Access, KeyAccess};

/// The numbers of requests that a function sends in init, by service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Init {
    pub(crate) dynamodb: usize,
    pub(crate) sns: usize,
    pub(crate) secrets_manager: usize,
}

impl Init {
    /// Derives the requests from an access.
    pub(crate) fn new(access: Access) -> Self {
        Self {
            dynamodb: if access.tables.is_empty() { 0 } else { access.connections },
            sns: access.sms.into(),
            secrets_manager: (access.keys != KeyAccess::None).into(),
        }
    }

    /// Returns the number of connections that init opens.
    pub(crate) fn connections(self) -> usize {
        self.dynamodb + self.sns + self.secrets_manager
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
            ("rotate-keys", 1),
            ("password", 1),
            ("profile", 2),
            ("sms-auth-send", 2),
            ("sms-auth-verify", 2),
        ] {
            assert_eq!(Init::new(access(function)).connections(), connections, "{function}");
        }
    }
}
