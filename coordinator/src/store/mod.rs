//! The store: the only place with SQL. One statement a file under `sql/<thing>/<verb>.sql`, each with the rule it keeps.
//!
//! A concrete struct over one dialect, Postgres (promise P6). Only database time is ever compared.
//!
//! Two habits keep a known defect of sqlx 0.9 away (a future dropped inside `Pool::begin` puts a connection back in the
//! middle of a transaction): every step of the lease protocol that is hot is ONE autocommit statement, and what needs a
//! transaction runs in a spawned task that a client's disconnect cannot drop. Should one slip through, the server ends
//! it: every connection has a time-out for statements, locks and idle transactions.

pub(crate) mod front;
pub mod leases;
pub mod models;
pub mod outcomes;
pub mod read;
mod runs;
pub mod searches;
mod settle;
pub mod synthesis;
pub mod tokens;
pub mod trials;
pub mod workers;

use std::{str::FromStr, time::Duration};

use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::error::{Error, Result};

/// The migrations in `migrations/`, in the binary.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../migrations");

/// A pool of connections to the coordinator's database; cloning it is cheap.
#[derive(Clone, Debug)]
pub struct Store {
    pool: PgPool,
}

impl Store {
    /// Connects, with `connections` at most. Each connection ends a statement after 15 s, a wait for a lock after 10 s
    /// and an idle transaction after 5 s.
    ///
    /// # Errors
    /// The URL is not one of Postgres, or nothing answers within 10 s.
    pub async fn connect(url: &str, connections: u32) -> Result<Self> {
        let options = PgConnectOptions::from_str(url)
            .map_err(|error| {
                Error::invalid(
                    "invalid-request",
                    "the database URL is not a postgres:// URL",
                )
                .with_context(error)
            })?
            .application_name("bitfront")
            .options([
                ("statement_timeout", "15s"),
                ("lock_timeout", "10s"),
                ("idle_in_transaction_session_timeout", "5s"),
                // Statements are short: compiling one costs more than it could save.
                ("jit", "off"),
            ]);
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(Duration::from_secs(10))
            .connect_with(options)
            .await?;
        Ok(Self { pool })
    }

    /// Applies the migrations that are missing; several coordinators may do so at once (an advisory lock orders them).
    ///
    /// # Errors
    /// A migration fails, or the database is of a later version.
    pub async fn migrate(&self) -> Result<()> {
        // A migration may take longer than any statement of daily work: a connection of its own, without limits.
        let options = (*self.pool.connect_options()).clone().options([
            ("statement_timeout", "0"),
            ("lock_timeout", "0"),
            ("idle_in_transaction_session_timeout", "0"),
        ]);
        let mut connection = sqlx::ConnectOptions::connect(&options).await?;
        MIGRATIONS.run(&mut connection).await?;
        sqlx::Connection::close(connection).await?;
        Ok(())
    }

    /// The pool, for statements of this module's own children (`read`, `units`, ...).
    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Closes every connection; statements under way end first.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// It does not.
    pub async fn ping(&self) -> Result<()> {
        sqlx::query("select 1").execute(&self.pool).await?;
        Ok(())
    }
}
