//! A fake DynamoDB, SNS and Secrets Manager, and the environment of a function that uses them.

use std::collections::HashMap;
use std::path::PathBuf;

use shared::error::BoxError;

use crate::init::{Init, access};
use crate::services::{Behavior, Received, Respond, Service, Tls};

/// The environment variables of a process.
pub(crate) type Environment = HashMap<&'static str, String>;

/// A table.
pub(crate) struct Table {
    /// The environment variable that contains the name.
    variable: &'static str,
    pub(crate) name: &'static str,
    /// The attributes of the primary key: the partition key, and the sort key if the table has one.
    pub(crate) key: &'static [&'static str],
}

pub(crate) const USERS: Table = Table { variable: "USERS_TABLE", name: "Users", key: &["pk"] };
pub(crate) const SMS_SESSIONS: Table = Table { variable: "SMS_SESSIONS_TABLE", name: "SmsSessions", key: &["pk"] };
pub(crate) const SESSIONS: Table = Table { variable: "SESSIONS_TABLE", name: "Sessions", key: &["pk", "sk"] };
pub(crate) const LIMITS: Table = Table { variable: "LIMITS_TABLE", name: "Limits", key: &["pk"] };
pub(crate) const PUBLIC_KEYS: Table = Table { variable: "PUBLIC_KEYS_TABLE", name: "PublicKeys", key: &["pk"] };
/// Every table.
pub(crate) const TABLES: [Table; 5] = [USERS, SMS_SESSIONS, SESSIONS, LIMITS, PUBLIC_KEYS];

/// The secret with the private keys.
pub(crate) const PRIVATE_KEYS_SECRET: &str = "private";
pub(crate) const ISSUER: &str = "https://accounts.example.com";

/// The services that the functions use.
pub(crate) struct FakeAws {
    dynamodb: Service,
    sns: Service,
    secrets_manager: Service,
    pub(crate) behavior: Behavior,
    /// A folder for files, deleted with the services.
    pub(crate) folder: tempfile::TempDir,
}

/// The counts of what each service received.
pub(crate) struct AllReceived {
    pub(crate) dynamodb: Received,
    pub(crate) sns: Received,
    pub(crate) secrets_manager: Received,
}

impl FakeAws {
    /// Starts the services.
    pub(crate) fn start(
        behavior: Behavior,
        dynamodb: Box<Respond>,
        sns: Box<Respond>,
        secrets_manager: Box<Respond>,
    ) -> Result<Self, BoxError> {
        let tls = Tls::generate()?;
        let aws = Self {
            dynamodb: Service::start(&tls, behavior, dynamodb)?,
            sns: Service::start(&tls, behavior, sns)?,
            secrets_manager: Service::start(&tls, behavior, secrets_manager)?,
            behavior,
            folder: tempfile::tempdir()?,
        };
        tls.write_authority(&aws.authority())?;
        Ok(aws)
    }

    /// Returns what the services received since the previous call.
    pub(crate) fn take_received(&self) -> AllReceived {
        AllReceived {
            dynamodb: self.dynamodb.take_received(),
            sns: self.sns.take_received(),
            secrets_manager: self.secrets_manager.take_received(),
        }
    }

    /// Returns the environment of a function, as the template and Lambda set it.
    pub(crate) fn environment(&self, function: &str) -> Environment {
        let access = access(function);
        let mut environment = HashMap::from([
            ("AWS_REGION", "ap-northeast-2".to_owned()),
            ("AWS_DEFAULT_REGION", "ap-northeast-2".to_owned()),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            ("AWS_SESSION_TOKEN", "test".to_owned()),
            ("AWS_ENDPOINT_URL_DYNAMODB", self.dynamodb.url.clone()),
            ("AWS_ENDPOINT_URL_SNS", self.sns.url.clone()),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", self.secrets_manager.url.clone()),
            ("AWS_CA_BUNDLE", self.authority().display().to_string()),
            // Prevents timeouts, however slow the machine is.
            ("TIMEOUT_FACTOR", "100".to_owned()),
            ("TOKEN_ISSUER", ISSUER.to_owned()),
        ]);
        environment.extend(TABLES.map(|table| (table.variable, table.name.to_owned())));
        if Init::new(access).secrets_manager.is_some() {
            environment.insert("PRIVATE_KEYS_SECRET", PRIVATE_KEYS_SECRET.to_owned());
        }
        if access.sms {
            environment.insert("SERVICE_NAME", "Ably".to_owned());
        }
        if access.phone_metadata {
            environment.insert("DEFAULT_REGION", "KR".to_owned());
        }
        environment
    }

    /// Returns the file with the authority's certificate.
    fn authority(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }
}

impl AllReceived {
    /// Returns the number of new connections.
    pub(crate) fn connections(&self) -> usize {
        self.dynamodb.connections + self.sns.connections + self.secrets_manager.connections
    }
}
