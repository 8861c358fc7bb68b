//! The audit log on AWS: a stream of the stack's log group.

use async_trait::async_trait;
use aws_sdk_cloudwatchlogs::types::InputLogEvent;
use shared::aws::SdkConfig;
use shared::error::BoxError;
use shared::random;
use tokio::sync::OnceCell;

use super::call::called;
use crate::audit::AuditLog;
use crate::text::folder_of_date;

/// A stream of this command, `admin/2026/01/31/…`, which is created before its first line.
pub(super) struct LogStream {
    logs: aws_sdk_cloudwatchlogs::Client,
    sts: aws_sdk_sts::Client,
    group: String,
    stream: OnceCell<String>,
}

impl LogStream {
    pub(super) fn new(sdk: &SdkConfig, stack: &str) -> Self {
        Self {
            logs: aws_sdk_cloudwatchlogs::Client::new(sdk),
            sts: aws_sdk_sts::Client::new(sdk),
            group: format!("/aws/lambda/{stack}"),
            stream: OnceCell::new(),
        }
    }

    async fn create(&self, now_millis: i64) -> Result<String, BoxError> {
        let date = folder_of_date(now_millis.div_euclid(1000));
        let stream = format!("admin/{date}/{:016x}", u64::from_ne_bytes(random::bytes()));
        let create = self.logs.create_log_stream().log_group_name(&self.group).log_stream_name(&stream);
        called("logs:CreateLogStream", create.send().await)?;
        Ok(stream)
    }
}

#[async_trait]
impl AuditLog for LogStream {
    async fn who(&self) -> Result<String, BoxError> {
        let identity = called("sts:GetCallerIdentity", self.sts.get_caller_identity().send().await)?;
        Ok(identity.arn.ok_or("sts:GetCallerIdentity returned no ARN")?)
    }

    async fn append(&self, line: &str, now_millis: i64) -> Result<(), BoxError> {
        let stream = self.stream.get_or_try_init(|| self.create(now_millis)).await?;
        let event = InputLogEvent::builder().message(line).timestamp(now_millis).build()?;
        let put = self.logs.put_log_events().log_group_name(&self.group).log_stream_name(stream).log_events(event);
        let output = called("logs:PutLogEvents", put.send().await)?;
        match output.rejected_log_events_info() {
            None => Ok(()),
            Some(_) => Err("logs:PutLogEvents rejected the line: is the clock of this machine right?".into()),
        }
    }
}
