//! The guarantees of the store on DynamoDB Local, with several clients, as functions have.

use std::sync::Arc;

use serde_json::{Value as Json, json};
use shared::store::{
    Accounts as _, Administration as _, CallerError, Sessions as _, SmsSessions as _, StoreError, UserKey, Users as _,
};
use shared::values::{Claims, Email, Field as _, Purpose, SmsSessionId};

use crate::guarantees::{FullStore, NOW, TestStore, caller, guarantees, logged_in, next, phone, verified};
use crate::proxy::{Fault, observing_proxy};
use crate::services::{Tables, call, pause_sms, url};
use crate::simulation;

guarantees!(crate::store::open);

async fn open() -> TestStore {
    let tables = Tables::create();
    let connections = (0..8).map(|_| Arc::new(tables.store()) as Arc<dyn FullStore>).collect();
    TestStore { connections, pause: Box::new(move |is_paused| pause_sms(&tables, is_paused)), _folder: None }
}

#[tokio::test]
async fn attackers_win_no_more_than_the_limits_allow() {
    simulation::run(Tables::create().store(), &simulation::Size::SMALL, simulation::Day::Attack).await;
}

#[tokio::test]
async fn an_unknown_purpose_is_an_error() {
    let tables = Tables::create();
    let key = SmsSessionId::random().key();
    let put = json!({
        "TableName": tables.sms_sessions,
        "Item": {
            "pk": { "S": format!("SESSION#{}", key.as_str()) }, "phone": { "S": "+821012345678" },
            "purpose": { "S": "anything" }, "is_verified": { "BOOL": true }, "expires_at": { "N": (NOW + 600).to_string() },
        },
    });
    call(&url("DYNAMODB_LOCAL_URL"), "DynamoDB_20120810.PutItem", &put);
    let error = tables.store().verified_phone(&key, Purpose::Signup, NOW).await.unwrap_err();
    assert!(matches!(error, StoreError::Failed(_)) && error.to_string().contains("purpose"), "{error}");
}

#[tokio::test]
async fn an_account_whose_number_moves_between_two_reads_is_not_found() {
    let tables = Tables::create();
    let session = logged_in(&tables.store()).await;
    let move_number = json!({
        "TableName": tables.users, "Key": { "pk": { "S": format!("USER#{}", session.user_id) } },
        "UpdateExpression": "SET phone = :phone", "ExpressionAttributeValues": { ":phone": { "S": "+821087654321" } },
    });
    let store = tables.store_at(&observing_proxy(move |operation, nth, _| {
        if (operation, nth) == ("GetItem", 2) {
            call(&url("DYNAMODB_LOCAL_URL"), "DynamoDB_20120810.UpdateItem", &move_number);
        }
        Fault::None
    }));
    assert!(store.account(&phone(1)).await.unwrap().is_none());
}

#[tokio::test]
async fn an_account_whose_stored_email_is_no_longer_accepted_can_be_deleted() {
    let tables = Tables::create();
    let store = tables.store();
    let session = logged_in(&store).await;
    // The first letter is Cyrillic, the others are Latin.
    let email = "\u{43c}inji@example.com";
    assert!(Email::parse(email).is_err());
    let update = json!({
        "TableName": tables.users, "Key": { "pk": { "S": format!("USER#{}", session.user_id) } },
        "UpdateExpression": "SET email = :email", "ExpressionAttributeValues": { ":email": { "S": email } },
    });
    call(&url("DYNAMODB_LOCAL_URL"), "DynamoDB_20120810.UpdateItem", &update);
    let link = json!({
        "TableName": tables.users,
        "Item": { "pk": { "S": format!("EMAIL#{email}") }, "user_id": { "S": session.user_id.to_string() } },
    });
    call(&url("DYNAMODB_LOCAL_URL"), "DynamoDB_20120810.PutItem", &link);
    store.delete_account(&caller(&session), NOW).await.unwrap();
    assert!(matches!(store.profile(&caller(&session), NOW).await, Err(CallerError::UserNotFound)));
}

/// Removes an attribute of an item.
fn remove(table: &str, key: &Json, attribute: &str) {
    let remove = json!({
        "TableName": table, "Key": key, "UpdateExpression": "REMOVE #name",
        "ExpressionAttributeNames": { "#name": attribute },
    });
    call(&url("DYNAMODB_LOCAL_URL"), "DynamoDB_20120810.UpdateItem", &remove);
}

#[track_caller]
fn assert_invalid<T: std::fmt::Debug>(result: Result<T, impl Into<CallerError>>, attribute: &str) {
    let error = result.map_err(Into::into).unwrap_err().to_string();
    assert!(error.ends_with(&format!("an item's {attribute} is missing or invalid")), "{error}");
}

#[tokio::test]
async fn missing_attributes_of_sms_sessions_are_errors() {
    let tables = Tables::create();
    let store = tables.store();
    let key_without = async |nth: usize, attribute: &str| {
        let key = verified(&store, phone(nth), Purpose::Signup, NOW).await.key;
        remove(&tables.sms_sessions, &json!({ "pk": { "S": format!("SESSION#{}", key.as_str()) } }), attribute);
        key
    };
    for (nth, attribute) in
        ["attempts", "max_attempts", "sent_at", "expires_at", "purpose", "code_mac"].into_iter().enumerate()
    {
        let key = key_without(nth, attribute).await;
        assert_invalid(store.record_attempt(&key, 300, NOW).await, attribute);
    }
    for (nth, attribute) in ["is_verified", "expires_at"].into_iter().enumerate() {
        let key = key_without(10 + nth, attribute).await;
        assert_invalid(store.mark_verified(&key, NOW + 600, NOW).await, attribute);
    }
    for (nth, attribute) in ["sign_ups", "is_verified", "phone", "purpose"].into_iter().enumerate() {
        let key = key_without(20 + nth, attribute).await;
        assert_invalid(store.record_sign_up_attempt(&key, &phone(20 + nth), 5, NOW).await, attribute);
    }
}

#[tokio::test]
async fn missing_attributes_of_users_are_errors() {
    let tables = Tables::create();
    let store = tables.store();
    let session = logged_in(&store).await;
    let user = json!({ "pk": { "S": format!("USER#{}", session.user_id) } });
    let own = caller(&session);
    remove(&tables.users, &user, "claims");
    assert_invalid(store.refresh_session(&next(session, NOW), &Claims::NONE, NOW).await, "claims");
    assert_invalid(store.account(&phone(1)).await, "claims");
    assert_invalid(store.user(&UserKey::Id(session.user_id)).await, "claims");
    assert_invalid(store.users(None).await, "claims");
    for attribute in ["nickname", "password_hash", "email"] {
        remove(&tables.users, &user, attribute);
        match attribute {
            "nickname" => assert_invalid(store.profile(&own, NOW).await, attribute),
            "password_hash" => assert_invalid(store.own_credentials(&own, NOW).await, attribute),
            _ => assert_invalid(store.delete_account(&own, NOW).await, attribute),
        }
    }
    let key =
        json!({ "pk": { "S": format!("USER#{}", session.user_id) }, "sk": { "S": format!("SESSION#{}", session.id) } });
    for attribute in ["user_agent", "rotated_at", "created_at"] {
        remove(&tables.sessions, &key, attribute);
        assert_invalid(store.list_sessions(&own, NOW).await, attribute);
    }
    remove(&tables.users, &user, "token_version");
    assert_invalid(store.refresh_session(&next(session, NOW), &Claims::NONE, NOW).await, "token_version");
    assert_invalid(store.revoke_all_sessions(&session).await, "token_version");
    assert_invalid(store.profile(&caller(&session), NOW).await, "token_version");
    assert_invalid(store.account(&phone(1)).await, "token_version");
    remove(&tables.users, &user, "phone");
    assert_invalid(store.account(&phone(1)).await, "phone");
    remove(&tables.users, &user, "is_disabled");
    assert_invalid(store.profile(&caller(&session), NOW).await, "is_disabled");
}
