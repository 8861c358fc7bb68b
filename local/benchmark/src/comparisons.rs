//! The rows that the functions are compared with: the same endpoints in Python and Node.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use shared::error::BoxError;

use crate::events::{PASSWORD, login, profile};
use crate::fixture::Fixture;
use crate::lambda::Lambda;
use crate::timing::Row;

const FASTAPI_LOGIN: &str = "FastAPI: login";
pub(crate) const FASTAPI_PROFILE: &str = "FastAPI: profile";
pub(crate) const NODE_PROFILE: &str = "Node: profile";

/// Returns the rows. They use the access token that the Python login returns.
pub(crate) fn rows(fixture: &Fixture, python: &Path, node_folder: &Path) -> Result<Vec<Row>, BoxError> {
    let fastapi = Path::new(env!("CARGO_MANIFEST_DIR")).join("rows/app.py");
    let row = |name, program: &Path, script: PathBuf, event: &Json| {
        let mut environment = fixture.aws.environment(name);
        environment.insert("JWT_SECRET", "a secret of at least thirty-two bytes".to_owned());
        environment.insert("NODE_EXTRA_CA_CERTS", environment["AWS_CA_BUNDLE"].clone());
        let events = vec![event.to_string().into_bytes()];
        let row = Row::new(name, name, program.to_owned(), environment, events, Some(200));
        Row { arguments: vec![script.display().to_string()], ..row }
    };
    let fastapi_login = row(FASTAPI_LOGIN, python, fastapi.clone(), &login("minji@example.com", PASSWORD));
    let (mut lambda, _) = Lambda::start(fastapi_login.command(), &fastapi_login.function)?;
    let invocation = lambda.invoke(fastapi_login.events.first().ok_or("no event")?)?;
    let response: Json = serde_json::from_slice(&invocation.body)?;
    let tokens: Json = serde_json::from_str(response["body"].as_str().unwrap_or_default())?;
    let access_token = tokens["access_token"].as_str().ok_or_else(|| format!("FastAPI returned {response}"))?;
    let event = profile(access_token);
    Ok(vec![
        Row { has_full_cpu: true, ..fastapi_login },
        row(FASTAPI_PROFILE, python, fastapi, &event),
        row(NODE_PROFILE, Path::new("node"), node_folder.join("app.mjs"), &event),
    ])
}
