//! The deployment that a command operates, and the interface to its backend.

use std::sync::Arc;

use async_trait::async_trait;
use shared::config::Config;
use shared::error::BoxError;
use shared::store::{Administration, Users};

use crate::audit::AuditLog;
use crate::finding::Finding;

/// The part of the database that the commands use.
pub trait AdministrationStore: Administration + Users {}

impl<T: Administration + Users> AdministrationStore for T {}

/// A deployment to which the command is connected.
pub struct Deployment {
    /// The name, by which an import recognizes it.
    pub name: String,
    /// The command line that names it, for hints: `./local/admin --stack ably`.
    pub command: String,
    /// The database.
    pub store: Arc<dyn AdministrationStore>,
    /// The settings.
    pub config: Config,
    /// The audit log.
    pub audit: Box<dyn AuditLog>,
    /// The users per second of an import that names no other rate; `None` for as many as possible.
    pub rate: Option<u32>,
}

/// A place where a deployment runs.
#[async_trait]
pub trait Backend: Send + Sync {
    /// Connects to the deployment.
    ///
    /// # Errors
    /// If the deployment does not exist, or cannot be used.
    async fn connect(&self) -> Result<Deployment, BoxError>;

    /// Checks the deployment at `now`. A check that fails is a finding too.
    async fn check(&self, now: i64) -> Vec<Finding>;
}
