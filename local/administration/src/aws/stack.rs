//! The stack: its outputs name the tables, and its parameters are the settings.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_cloudformation::Client;
use shared::aws::{SdkConfig, TableNames, http_client};
use shared::config::{Config, ConfigError};
use shared::error::BoxError;

use super::Stack;
use super::call::called;

/// Returns the configuration of all clients, with the operator's credentials. A call takes some attempts and 20 s at
/// most.
pub(super) async fn sdk_config(stack: &Stack) -> Result<SdkConfig, BoxError> {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        .operation_attempt_timeout(Duration::from_secs(8))
        .operation_timeout(Duration::from_secs(20))
        .build();
    let http = http_client()?;
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http.clone())
        .retry_config(RetryConfig::standard().with_max_attempts(5))
        .timeout_config(timeouts);
    if let Some(region) = &stack.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(profile) = &stack.profile {
        loader = loader.profile_name(profile);
    }
    let sdk = loader.load().await;
    if sdk.region().is_none() {
        return Err("no region is known: give --region, or set AWS_REGION or one in the profile".into());
    }
    let Some(profile) = &stack.profile else { return Ok(sdk) };
    // Otherwise, credentials in the environment would have priority over the profile that the operator named.
    let provider = ProviderConfig::without_region().with_region(sdk.region().cloned()).with_http_client(http);
    let credentials = ProfileFileCredentialsProvider::builder().configure(&provider).profile_name(profile).build();
    Ok(sdk.into_builder().credentials_provider(SharedCredentialsProvider::new(credentials)).build())
}

/// A stack, as CloudFormation describes it.
pub(super) struct Described {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) status: String,
    parameters: BTreeMap<String, String>,
    outputs: BTreeMap<String, String>,
}

impl Described {
    pub(super) async fn load(sdk: &SdkConfig, name: &str) -> Result<Self, BoxError> {
        let described = Client::new(sdk).describe_stacks().stack_name(name).send().await;
        let region = sdk.region().map(Region::as_ref).unwrap_or_default();
        let described = called("cloudformation:DescribeStacks", described).map_err(|error| {
            // CloudFormation has no error of its own for a stack that does not exist.
            if error.is_invalid {
                format!("no stack {name} exists in {region}: check --stack, --region and --profile")
            } else {
                format!("{error}, for the stack {name} in {region}")
            }
        })?;
        let stack = described.stacks().first().ok_or("CloudFormation described no stack")?;
        let parameters = stack.parameters().iter().filter_map(|parameter| {
            Some((parameter.parameter_key()?.to_owned(), parameter.parameter_value()?.to_owned()))
        });
        let outputs = stack.outputs().iter();
        let outputs =
            outputs.filter_map(|output| Some((output.output_key()?.to_owned(), output.output_value()?.to_owned())));
        Ok(Self {
            id: stack.stack_id().unwrap_or(name).to_owned(),
            // The argument may be the ARN.
            name: stack.stack_name().unwrap_or(name).to_owned(),
            status: stack.stack_status().map(|status| status.as_str().to_owned()).unwrap_or_default(),
            parameters: parameters.collect(),
            outputs: outputs.collect(),
        })
    }

    /// Returns an output.
    pub(super) fn output(&self, name: &str) -> Result<String, BoxError> {
        let output = self.outputs.get(name).cloned();
        output.ok_or_else(|| format!("the stack has no output {name}: is it one of Ably?").into())
    }

    /// Returns a parameter; empty if the stack has none of this name.
    pub(super) fn parameter(&self, name: &str) -> &str {
        self.parameters.get(name).map_or("", String::as_str)
    }

    pub(super) fn tables(&self) -> Result<TableNames, BoxError> {
        Ok(TableNames {
            users: self.output("UsersTableName")?,
            sms_sessions: self.output("SmsSessionsTableName")?,
            sessions: self.output("SessionsTableName")?,
            limits: self.output("LimitsTableName")?,
            public_keys: self.output("PublicKeysTableName")?,
        })
    }

    /// Returns the settings of the stack.
    pub(super) fn config(&self) -> Result<Config, ConfigError> {
        Config::from_parameters(&|parameter| self.parameters.get(parameter).cloned())
    }
}
