//! A stack on AWS, with the operator's own credentials.

mod audit;
mod call;
mod doctor;
mod stack;

use std::sync::Arc;

use async_trait::async_trait;
use shared::aws::DynamoDbStore;
use shared::error::BoxError;

use crate::deployment::{Backend, Deployment};
use crate::finding::Finding;

use audit::LogStream;
use stack::{Described, sdk_config};

/// The users per second of an import that names no other rate.
///
/// A transaction costs two write units for each of a user's three items of up to 1 KB: six in all. A new on-demand table
/// supports 4,000 a second. This rate uses 2,400, so that the users of the deployment keep the rest.
const USERS_PER_SECOND: u32 = 400;

/// A stack, as the arguments name it.
#[derive(Clone, Debug)]
pub struct Stack {
    /// The name of the stack.
    pub name: String,
    /// The profile of the credentials.
    pub profile: Option<String>,
    /// The region.
    pub region: Option<String>,
}

impl Stack {
    /// Returns the command line that names the stack.
    fn command(&self) -> String {
        let mut command = format!("./local/admin --stack {}", self.name);
        for (option, value) in [("--profile", &self.profile), ("--region", &self.region)] {
            if let Some(value) = value {
                command.push_str(&format!(" {option} {value}"));
            }
        }
        command
    }
}

#[async_trait]
impl Backend for Stack {
    async fn connect(&self) -> Result<Deployment, BoxError> {
        let sdk = sdk_config(self).await?;
        let stack = Described::load(&sdk, &self.name).await?;
        Ok(Deployment {
            store: Arc::new(DynamoDbStore::new(&sdk, stack.tables()?)),
            config: stack.config()?,
            audit: Box::new(LogStream::new(&sdk, &stack.name)),
            command: self.command(),
            rate: Some(USERS_PER_SECOND),
            name: stack.id,
        })
    }

    async fn check(&self, now: i64) -> Vec<Finding> {
        let loaded = async {
            let sdk = sdk_config(self).await?;
            let stack = Described::load(&sdk, &self.name).await?;
            Ok::<_, BoxError>((sdk, stack))
        };
        match loaded.await {
            Ok((sdk, stack)) => doctor::check(&sdk, &stack, &self.command(), now).await,
            Err(error) => {
                let action = "Check --stack, --region and --profile, and your credentials.";
                vec![Finding::problem("stack", format!("The stack cannot be read: {error}."), action)]
            }
        }
    }
}
