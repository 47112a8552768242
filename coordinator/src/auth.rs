//! Who may do what: bearer tokens, their two scopes, and the table of what every operation needs.
//!
//! The rules this module keeps (promise P7): a token is 256 random bits of which only the SHA-256 is
//! stored; a token of scope `user` cannot lease work and one of scope `worker` cannot submit or read;
//! an operation without a row in [`table::ROWS`] is refused.

pub mod guard;
pub mod table;

use crate::artifacts::Digest;
use crate::error::{Error, Kind, Result};
use crate::ids::TokenId;
use crate::state::State;
use crate::store::Store;
pub use crate::store::tokens::TokenRow;
use std::fmt::Write as _;
use std::time::Duration;

/// What a token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Submit, steer and read searches.
    User,
    /// Lease and report work.
    Worker,
}

impl Scope {
    /// Its name: `user` or `worker`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Worker => "worker",
        }
    }

    /// Reads a name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::User, Self::Worker]
            .into_iter()
            .find(|scope| scope.name() == name)
    }
}

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The token's name, or `local` where no tokens are required.
    pub name: String,
    /// The token; `None` where no tokens are required.
    pub token: Option<TokenId>,
}

impl Principal {
    /// Whoever reaches a coordinator on loopback that requires no tokens.
    pub fn local() -> Self {
        Self {
            name: "local".to_owned(),
            token: None,
        }
    }
}

/// A token's text, shown once. `Debug` does not show it.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// The text to hand over.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Who calls with this `Authorization` header, if `scope` is theirs. Where no tokens are required,
/// everybody is [`Principal::local`].
///
/// # Errors
/// As [`check`].
pub async fn authorize(state: &State, header: Option<&str>, scope: Scope) -> Result<Principal> {
    if state.config.tokens_required {
        check(&state.store, header, scope).await
    } else {
        Ok(Principal::local())
    }
}

/// Who calls with this `Authorization` header, if the token's scope is `scope`.
///
/// # Errors
/// `unauthenticated` without a token and with one that is unknown, expired or revoked; `forbidden`
/// with one of the other scope.
pub async fn check(store: &Store, header: Option<&str>, scope: Scope) -> Result<Principal> {
    let refused = |message: &str| Error::new(Kind::Unauthenticated, "unauthenticated", message);
    let header = header.ok_or_else(|| {
        refused("the call has no token: send the header `Authorization: Bearer bf_...`")
    })?;
    let token = bearer(header)
        .ok_or_else(|| refused("the Authorization header is not of the form `Bearer bf_...`"))?;
    // Found by an index over digests: the time it takes says nothing about the secret.
    let live = store
        .find_token(digest(token).as_str())
        .await?
        .ok_or_else(|| refused("the token is unknown, expired or revoked"))?;
    if live.scope != scope.name() {
        return Err(Error::new(
            Kind::Forbidden,
            "forbidden",
            format!(
                "the token has scope {}, this needs scope {}",
                live.scope,
                scope.name()
            ),
        ));
    }
    Ok(Principal {
        name: live.name,
        token: Some(TokenId(live.id)),
    })
}

/// Makes a token; the secret is not stored and cannot be shown again.
///
/// # Errors
/// The name is empty or longer than 128 characters, there is no entropy, or the database does not
/// answer.
pub async fn create(
    store: &Store,
    name: &str,
    scope: Scope,
    lifetime: Option<Duration>,
) -> Result<(TokenId, Secret)> {
    if name.is_empty() || name.chars().count() > 128 {
        return Err(Error::invalid(
            "invalid-request",
            "a token's name has 1 to 128 characters",
        ));
    }
    let mut bits = [0_u8; 32];
    rustls::crypto::ring::default_provider()
        .secure_random
        .fill(&mut bits)
        .map_err(|_| Error::internal("the operating system gave no random bytes"))?;
    let secret = Secret(format!("bf_{}", hex(&bits)));
    let id = TokenId::new();
    store
        .create_token(id, name, scope.name(), digest(&secret.0).as_str(), lifetime)
        .await?;
    Ok((id, secret))
}

/// Every token, newest first, revoked ones too.
///
/// # Errors
/// The database does not answer.
pub async fn list(store: &Store) -> Result<Vec<TokenRow>> {
    store.list_tokens().await
}

/// Revokes a token from the next call on and returns its name.
///
/// # Errors
/// There is no such token, or the database does not answer.
pub async fn revoke(store: &Store, id: TokenId) -> Result<String> {
    store
        .revoke_token(id)
        .await?
        .ok_or_else(|| Error::not_found(format_args!("token {id}")))
}

/// The token in an `Authorization` header.
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    let token = token.trim();
    let whole = scheme.eq_ignore_ascii_case("bearer")
        && token.len() == 67
        && token.starts_with("bf_")
        && token[3..].bytes().all(|b| b.is_ascii_hexdigit());
    whole.then_some(token)
}

/// What is stored of a token.
fn digest(token: &str) -> Digest {
    Digest::of(token.as_bytes())
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::bearer;

    #[test]
    fn only_whole_tokens_are_looked_up() {
        let token = format!("bf_{}", "0a".repeat(32));
        assert_eq!(bearer(&format!("Bearer {token}")), Some(token.as_str()));
        assert_eq!(bearer(&format!("bearer {token}")), Some(token.as_str()));
        for header in [
            "",
            "Bearer",
            "Bearer ",
            "Basic bf_00",
            "Bearer bf_short",
            &token,
            &format!("Bearer {}é", &token[..66]),
            &format!("Bearer {}", token.replace("bf_", "xx_")),
        ] {
            assert_eq!(bearer(header), None, "{header:?}");
        }
    }
}
