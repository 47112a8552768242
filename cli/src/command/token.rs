//! `bitfront token`: tokens are made where the database is, never over the network.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use bitfront_coordinator::auth::{self, Scope};
use bitfront_coordinator::store::Store;
use serde_json::json;

use crate::args::{Global, Token, TokenAction, TokenScope};
use crate::exit::{Context, Exit, Failure, Outcome};
use crate::view;

pub(super) async fn run(global: &Global, options: &Token) -> Outcome {
    let Some(url) = &options.database_url else {
        return Err(Failure::usage(
            "tokens are kept in the database: name it with --database-url or BITFRONT_DATABASE_URL",
        ));
    };
    let store = Store::connect(url, 2).await.map_err(|error| {
        Failure::new(
            Exit::Unreachable,
            format!("failed to open the database: {error}"),
        )
    })?;
    store.migrate().await.failed_to("apply the migrations")?;
    match &options.action {
        TokenAction::Create {
            scope,
            name,
            lifetime,
            output,
        } => {
            let scope = match scope {
                TokenScope::User => Scope::User,
                TokenScope::Worker => Scope::Worker,
            };
            // Made before the token, so that a token is never lost to a folder that does not exist.
            let file = output.as_ref().map(|path| {
                std::fs::OpenOptions::new()
                    .write(true)
                    .create_new(true)
                    .mode(0o600)
                    .open(path)
                    .map_err(|error| {
                        Failure::usage(format!(
                            "failed to make --output {}: {error}",
                            path.display()
                        ))
                    })
            });
            let file = file.transpose()?;
            let (id, secret) = auth::create(&store, name, scope, *lifetime)
                .await
                .failed_to("make a token")?;
            match (file, global.json) {
                (Some(mut file), json) => {
                    writeln!(file, "{}", secret.reveal()).failed_to("write the token")?;
                    if json {
                        view::json(&json!({ "id": id, "scope": scope.name(), "name": name }));
                    }
                }
                (None, true) => {
                    view::json(
                        &json!({ "id": id, "scope": scope.name(), "name": name, "token": secret.reveal() }),
                    );
                }
                (None, false) => view::line(secret.reveal()),
            }
            if !global.quiet {
                eprintln!("token {id} made; its text is not shown again");
            }
        }
        TokenAction::Ls => {
            let tokens = serde_json::to_value(auth::list(&store).await.failed_to("list tokens")?)
                .failed_to("list tokens")?;
            if global.json {
                view::json(&tokens);
            } else {
                view::print(&view::tokens(tokens.as_array().map_or(&[], Vec::as_slice)));
            }
        }
        TokenAction::Revoke { id } => {
            let name = auth::revoke(&store, (*id).into()).await.map_err(|error| {
                Failure::new(
                    Exit::NotFound,
                    format!("failed to revoke the token: {error}"),
                )
            })?;
            view::line(&format!("revoked {name}"));
        }
    }
    Ok(Exit::Ok)
}
