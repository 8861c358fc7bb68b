//! The commands about one user.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use serde_json::{Value as Json, json};
use shared::clock::{Clock, timestamp};
use shared::error::BoxError;
use shared::store::{User, UserKey};
use shared::values::claims::RESERVED;
use shared::values::{Claims, UserId};

use crate::audit::{Act, audited};
use crate::deployment::Deployment;
use crate::report::{Failure, Report};
use crate::{cli, key, record};

/// Shows a user. The hash of the password is never shown.
pub(crate) async fn find(key: &str, deployment: &Deployment) -> Result<Report, Failure> {
    let user = key::find(key, &*deployment.store, &deployment.config).await?;
    let mut document = record::to_json(&user);
    if let Some(document) = document.as_object_mut() {
        document.remove("password_hash");
    }
    Ok(Report::done(document, described(&user)))
}

fn described(user: &User) -> String {
    let times =
        [("created", user.created_at), ("changed", user.updated_at), ("password reset", user.password_reset_at)];
    let mut lines = vec![
        ("id", user.id.to_string()),
        ("name", user.name.as_str().to_owned()),
        ("nickname", user.nickname.as_str().to_owned()),
        ("email", user.email.as_str().to_owned()),
        ("phone number", user.phone.e164().to_owned()),
    ];
    lines.extend(times.map(|(name, time)| (name, timestamp(time))));
    lines.push(("disabled", if user.is_disabled { "yes" } else { "no" }.to_owned()));
    lines.push(("token version", user.token_version.to_string()));
    lines.push(("claims", json!(user.claims).to_string()));
    lines.iter().map(|(name, value)| format!("{name:<15} {value}")).collect::<Vec<_>>().join("\n")
}

/// Disables or enables a user.
pub(crate) async fn set_disabled(
    key: &str,
    is_disabled: bool,
    deployment: &Deployment,
    clock: &dyn Clock,
) -> Result<Report, Failure> {
    let id = key::find(key, &*deployment.store, &deployment.config).await?.id;
    let command = if is_disabled { "disable" } else { "enable" };
    act(deployment, clock, command, id, async {
        Ok(deployment.store.set_disabled(id, is_disabled, clock.now()).await?)
    })
    .await?;
    let state = if is_disabled { "disabled" } else { "enabled" };
    Ok(Report::done(json!({ "id": id.to_string(), "is_disabled": is_disabled }), format!("The user {id} is {state}.")))
}

/// Revokes all sessions of a user.
pub(crate) async fn end_sessions(key: &str, deployment: &Deployment, clock: &dyn Clock) -> Result<Report, Failure> {
    let id = key::find(key, &*deployment.store, &deployment.config).await?.id;
    let step = async { Ok(deployment.store.end_sessions(id, clock.now()).await?) };
    act(deployment, clock, "end-sessions", id, step).await?;
    let text = format!("All sessions of the user {id} are revoked.");
    Ok(Report::done(json!({ "id": id.to_string(), "are_sessions_revoked": true }), text))
}

/// Deletes a user, after a confirmation.
pub(crate) async fn delete(
    arguments: &cli::Delete,
    deployment: &Deployment,
    clock: &dyn Clock,
) -> Result<Report, Failure> {
    let user = key::find(&arguments.key, &*deployment.store, &deployment.config).await?;
    if !arguments.yes && !is_confirmed(&user)? {
        return Err(Failure::new("nothing was deleted"));
    }
    let id = user.id;
    act(deployment, clock, "delete", id, async { Ok(deployment.store.delete_user(id).await?) }).await?;
    let text = format!("The user {id} is deleted.");
    Ok(Report::done(json!({ "id": id.to_string(), "is_deleted": true }), text))
}

fn is_confirmed(user: &User) -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::usage("delete requires --yes without a terminal"));
    }
    let created = timestamp(user.created_at);
    write!(io::stderr(), "Delete the user {}, who signed up at {created}? Type yes: ", user.id)?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}

/// Shows or changes the claims of a user.
pub(crate) async fn claims(
    arguments: &cli::Claims,
    deployment: &Deployment,
    clock: &dyn Clock,
) -> Result<Report, Failure> {
    let user = key::find(&arguments.key, &*deployment.store, &deployment.config).await?;
    let is_change = arguments.clear || !arguments.set.is_empty() || !arguments.unset.is_empty();
    let claims = if is_change { changed(&user.claims, arguments)? } else { user.claims.clone() };
    if is_change {
        let step = async {
            if deployment.store.set_claims(user.id, &user.claims, &claims, clock.now()).await? {
                return Ok(true);
            }
            match deployment.store.user(&UserKey::Id(user.id)).await? {
                None => Ok(false),
                // The response to an earlier attempt was lost.
                Some(user) if user.claims == claims => Ok(true),
                Some(_) => Err("the claims of the user changed meanwhile: repeat the command".into()),
            }
        };
        act(deployment, clock, "claims", user.id, step).await?;
    }
    let claims = json!(claims);
    let text = match (&claims, is_change) {
        (Json::Object(claims), false) if claims.is_empty() => "The user has no claims.".to_owned(),
        (claims, false) => format!("{claims:#}"),
        (claims, true) => format!("The next login or refresh issues these claims:\n{claims:#}"),
    };
    Ok(Report::done(json!({ "id": user.id.to_string(), "claims": claims }), text))
}

/// Returns the claims after the changes.
fn changed(before: &Claims, arguments: &cli::Claims) -> Result<Claims, Failure> {
    let mut claims = match json!(before) {
        Json::Object(claims) if !arguments.clear => claims,
        _ => serde_json::Map::new(),
    };
    for name in &arguments.unset {
        claims.remove(name);
    }
    for pair in &arguments.set {
        let (name, value) =
            pair.split_once('=').ok_or_else(|| Failure::usage("a claim must be NAME=VALUE, as role=editor"))?;
        if RESERVED.iter().any(|names| names.contains(&name)) {
            return Err(Failure::usage(format!("the name {name} is reserved: give the claim another name")));
        }
        // `level=3` is a number and `role=editor` is text, without quotes that a shell removes.
        let value = serde_json::from_str(value).unwrap_or_else(|_| Json::from(value));
        claims.insert(name.to_owned(), value);
    }
    let invalid = |error: shared::values::InvalidField| Failure::usage(format!("the claims {}", error.0));
    Claims::parse(claims.into_iter().collect()).map_err(invalid)
}

/// Performs an act on a user, between its audit lines. `step` returns whether the user exists.
async fn act(
    deployment: &Deployment,
    clock: &dyn Clock,
    command: &'static str,
    id: UserId,
    step: impl Future<Output = Result<bool, BoxError>>,
) -> Result<(), Failure> {
    let act = Act { command, user_id: Some(id) };
    let is_found = audited(deployment, &|| clock.now_millis(), act, async |_| {
        let is_found = step.await?;
        Ok((if is_found { "done" } else { "not_found" }, is_found))
    })
    .await?;
    is_found.then_some(()).ok_or_else(|| Failure::new("the user was deleted meanwhile"))
}
