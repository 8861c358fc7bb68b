//! The requests that each function makes in init: one on each connection that it opens.

use functions::ENDPOINTS;
use functions::jobs::JOBS;
use shared::access::{Access, KeyAccess};

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
    /// Returns the requests that follow from an access.
    pub(crate) fn of(access: Access) -> Self {
        Self {
            reads: if access.tables.is_empty() { 0 } else { access.connections },
            sms: access.sms.into(),
            secrets: (access.keys != KeyAccess::None).into(),
        }
    }

    /// Returns the number of connections.
    pub(crate) fn connections(self) -> usize {
        self.reads + self.sms + self.secrets
    }
}

/// Returns the access that a function declares; none for a program that is not a function of the product.
pub(crate) fn access(function: &str) -> Access {
    let endpoints = ENDPOINTS.iter().map(|endpoint| (endpoint.name, endpoint.access));
    let mut all = endpoints.chain(JOBS.iter().map(|job| (job.name, job.access)));
    all.find(|(name, _)| *name == function).map_or(Access::NONE, |(_, access)| access)
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
            ("rotate-keys", 1),
            ("password", 1),
            ("profile", 2),
            ("sms-auth-send", 2),
            ("sms-auth-verify", 2),
        ] {
            assert_eq!(Init::of(access(function)).connections(), connections, "{function}");
        }
    }
}
