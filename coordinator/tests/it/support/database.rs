//! A database of a test's own, dropped with it.

use std::str::FromStr as _;

use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, postgres::PgConnectOptions,
};
use uuid::Uuid;

/// A fresh database on the test server.
pub(crate) struct Database {
    name: String,
    server: String,
    pub(crate) url: String,
}

impl Database {
    pub(crate) async fn create() -> Self {
        let server = std::env::var("BITFRONT_TEST_DATABASE_URL").expect(
            "BITFRONT_TEST_DATABASE_URL names a Postgres where databases may be created: run the tests with scripts/with-postgres",
        );
        let name = format!("bitfront_test_{}", Uuid::now_v7().simple());
        run(
            &server,
            &format!("create database {name} template template0"),
        )
        .await;
        let url = PgConnectOptions::from_str(&server)
            .expect("a Postgres URL")
            .database(&name)
            .to_url_lossy()
            .to_string();
        Self { name, server, url }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (server, statement) = (
            self.server.clone(),
            format!("drop database if exists {} with (force)", self.name),
        );
        // Outside the test's own runtime, which may be gone or busy.
        let dropped = std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime")
                .block_on(run(&server, &statement));
        });
        let _ = dropped.join();
    }
}

async fn run(server: &str, statement: &str) {
    let mut connection = PgConnectOptions::from_str(server)
        .expect("a Postgres URL")
        .connect()
        .await
        .expect("the test server answers");
    connection
        .execute(AssertSqlSafe(statement.to_owned()))
        .await
        .unwrap_or_else(|error| panic!("{statement}: {error}"));
    connection.close().await.expect("the connection closes");
}
