//! Bearer tokens: rows that hold the SHA-256 of a secret, never the secret.

use crate::error::Result;
use crate::ids::TokenId;
use crate::store::Store;
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::time::Duration;
use uuid::Uuid;

/// A token as lists show it.
#[derive(Clone, Debug, Serialize)]
pub struct TokenRow {
    /// Names it for `revoke`.
    pub id: Uuid,
    /// What it is for, in its maker's words.
    pub name: String,
    /// `user` or `worker`.
    pub scope: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it ends by itself, if it does.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was used last, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// A token that may be used now.
#[derive(Clone, Debug)]
pub(crate) struct LiveToken {
    /// Its id.
    pub(crate) id: Uuid,
    /// Its name.
    pub(crate) name: String,
    /// `user` or `worker`.
    pub(crate) scope: String,
}

impl Store {
    /// Keeps a new token's digest.
    ///
    /// # Errors
    /// The database does not answer.
    pub(crate) async fn create_token(
        &self,
        id: TokenId,
        name: &str,
        scope: &str,
        digest: &str,
        lifetime: Option<Duration>,
    ) -> Result<()> {
        sqlx::query_file!(
            "src/store/sql/token/create.sql",
            id.get(),
            name,
            scope,
            digest,
            lifetime.map(|lifetime| lifetime.as_secs_f64()),
        )
        .fetch_one(self.pool())
        .await?;
        Ok(())
    }

    /// The live token with this digest.
    ///
    /// # Errors
    /// The database does not answer.
    pub(crate) async fn find_token(&self, digest: &str) -> Result<Option<LiveToken>> {
        Ok(
            sqlx::query_file_as!(LiveToken, "src/store/sql/token/find.sql", digest)
                .fetch_optional(self.pool())
                .await?,
        )
    }

    /// Every token, newest first.
    ///
    /// # Errors
    /// The database does not answer.
    pub(crate) async fn list_tokens(&self) -> Result<Vec<TokenRow>> {
        Ok(
            sqlx::query_file_as!(TokenRow, "src/store/sql/token/list.sql")
                .fetch_all(self.pool())
                .await?,
        )
    }

    /// Revokes a token; `None` if there is none with this id.
    ///
    /// # Errors
    /// The database does not answer.
    pub(crate) async fn revoke_token(&self, id: TokenId) -> Result<Option<String>> {
        Ok(
            sqlx::query_file_scalar!("src/store/sql/token/revoke.sql", id.get())
                .fetch_optional(self.pool())
                .await?,
        )
    }
}
