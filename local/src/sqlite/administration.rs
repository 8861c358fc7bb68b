//! The steps of an operator: tables `users`, `sessions`, `limits` and `sms_of_day`.

use async_trait::async_trait;
use rusqlite::{OptionalExtension as _, Row};
use shared::limits::day;
use shared::store::{
    Administration, Counts, ImportOutcome, Page, PageKey, SmsOfDay, StoreError, Subject, User, UserKey,
};
use shared::values::{Claims, Email, Name, Nickname, PasswordHash, UserId};

use super::limits::IN_A_ROW;
use super::row::{claims, phone, user_id};
use super::users::is_taken;
use super::{SqliteStore, limits, stored};

/// The users of a page.
const PAGE: u32 = 500;

#[async_trait]
impl Administration for SqliteStore {
    async fn user(&self, key: &UserKey) -> Result<Option<User>, StoreError> {
        let (column, value) = match key {
            UserKey::Id(id) => ("user_id", id.to_string()),
            UserKey::Email(email) => ("email_key", email.normalized().to_owned()),
            UserKey::Phone(phone) => ("phone", phone.e164().to_owned()),
        };
        let query = format!("SELECT * FROM users WHERE {column} = ?");
        self.atomically(|db| db.query_row(&query, [value], user).optional())
    }

    async fn users(&self, after: Option<&PageKey>) -> Result<Page, StoreError> {
        let after = after.map_or("", |key| key.0.as_str());
        self.atomically(|db| {
            let mut query = db.prepare("SELECT * FROM users WHERE user_id > ? ORDER BY user_id LIMIT ?")?;
            let users = query.query_map((after, PAGE), user)?.collect::<rusqlite::Result<Vec<_>>>()?;
            let is_last = u32::try_from(users.len()).is_ok_and(|length| length < PAGE);
            let next = users.last().filter(|_| !is_last).map(|user| PageKey(user.id.to_string()));
            Ok(Page { users, next })
        })
    }

    async fn import_user(&self, user: &User) -> Result<ImportOutcome, StoreError> {
        self.atomically(|db| {
            let (id, email, phone) = (user.id.to_string(), user.email.normalized(), user.phone.e164());
            let query = "SELECT EXISTS (SELECT 1 FROM users WHERE user_id = ? AND email_key = ? AND phone = ?)";
            if db.query_row(query, (&id, email, phone), |row| row.get(0))? {
                return Ok(ImportOutcome::AlreadyImported);
            }
            let is_id_taken = is_taken(db, "user_id", &id)?;
            let has_other = |column: &str, value: &str| {
                let query = format!("SELECT EXISTS (SELECT 1 FROM users WHERE {column} = ? AND user_id <> ?)");
                db.query_row(&query, [value, id.as_str()], |row| row.get(0))
            };
            let (is_email_taken, is_phone_taken) = (has_other("email_key", email)?, has_other("phone", phone)?);
            if is_id_taken || is_email_taken || is_phone_taken {
                return Ok(ImportOutcome::Taken { id: is_id_taken, email: is_email_taken, phone: is_phone_taken });
            }
            db.execute(
                "INSERT INTO users VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    id,
                    user.name.as_str(),
                    user.nickname.as_str(),
                    user.email.as_str(),
                    email,
                    phone,
                    user.password_hash.as_str(),
                    user.created_at,
                    user.updated_at,
                    user.password_reset_at,
                    user.token_version,
                    user.is_disabled,
                    user.claims.to_json(),
                ),
            )?;
            Ok(ImportOutcome::Created)
        })
    }

    async fn set_claims(&self, id: UserId, before: &Claims, claims: &Claims, now: i64) -> Result<bool, StoreError> {
        self.atomically(|db| {
            let update = "UPDATE users SET claims = ?, updated_at = ? WHERE user_id = ? AND claims = ?";
            Ok(db.execute(update, (claims.to_json(), now, id.to_string(), before.to_json()))? == 1)
        })
    }

    async fn end_sessions(&self, id: UserId, now: i64) -> Result<bool, StoreError> {
        self.atomically(|db| {
            let update = "UPDATE users SET token_version = token_version + 1, updated_at = ? WHERE user_id = ?";
            let updated = db.execute(update, (now, id.to_string()))?;
            let delete = "DELETE FROM sessions WHERE user_id = ?1
                 AND token_version < (SELECT token_version FROM users WHERE user_id = ?1)";
            db.execute(delete, [id.to_string()])?;
            Ok(updated == 1)
        })
    }

    async fn delete_user(&self, id: UserId) -> Result<bool, StoreError> {
        self.atomically(|db| {
            if db.execute("DELETE FROM users WHERE user_id = ?", [id.to_string()])? == 0 {
                return Ok(false);
            }
            db.execute("DELETE FROM sessions WHERE user_id = ?", [id.to_string()])?;
            limits::clear(db, &Subject::passwords_of_account(id))?;
            limits::clear(db, &Subject::sms_to_account(id))?;
            Ok(true)
        })
    }

    async fn set_sms_paused(&self, is_paused: bool) -> Result<(), StoreError> {
        self.atomically(|db| {
            let set = "INSERT INTO sms_of_day VALUES (1, 0, 0, ?1) ON CONFLICT (id) DO UPDATE SET is_paused = ?1";
            db.execute(set, [is_paused]).map(|_| ())
        })
    }

    async fn sms_of_day(&self, now: i64) -> Result<SmsOfDay, StoreError> {
        let total = self.atomically(limits::total)?;
        // A clock that is late counts on the later day.
        Ok(SmsOfDay { count: if total.day < day(now) { 0 } else { total.count }, is_paused: total.is_paused })
    }

    async fn counts(&self, subject: &Subject, now: i64) -> Result<Counts, StoreError> {
        self.atomically(|db| {
            let query = "SELECT name, number FROM limits
                 WHERE subject = ? AND (expires_at IS NULL OR expires_at > ?) ORDER BY name";
            let (mut query, mut counts) = (db.prepare(query)?, Counts::default());
            let mut rows = query.query((subject.as_str(), now))?;
            while let Some(row) = rows.next()? {
                let name: String = row.get("name")?;
                if name == IN_A_ROW {
                    counts.in_a_row = row.get("number")?;
                } else {
                    counts.idle_at.push((name, row.get("number")?));
                }
            }
            Ok(counts)
        })
    }
}

fn user(row: &Row<'_>) -> rusqlite::Result<User> {
    let text = |column: &str| row.get::<_, String>(column);
    Ok(User {
        id: user_id(row)?,
        email: stored(Email::from_stored(&text("email")?))?,
        phone: phone(row)?,
        name: Name::from_stored(text("name")?),
        nickname: Nickname::from_stored(text("nickname")?),
        password_hash: PasswordHash::from_stored(text("password_hash")?),
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
        password_reset_at: row.get("password_reset_at")?,
        token_version: row.get("token_version")?,
        is_disabled: row.get("is_disabled")?,
        claims: claims(row)?,
    })
}
