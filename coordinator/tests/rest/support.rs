//! A coordinator that serves on a free port, on a database of its own.

use crate::database::Database;
use bitfront_coordinator::{Config, Running, serve};
use bitfront_search::file::{DatasetInfo, read};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use sqlx::Executor as _;
use std::sync::Once;

/// The fixture's search.
pub(crate) const SEARCH: &str = "01900000-0000-7000-8000-000000000003";
/// The fixture's synthesis job.
pub(crate) const JOB: &str = "01900000-0000-7000-8000-000000000200";

/// Id of the fixture's trial.
pub(crate) fn trial(number: u32) -> String {
    format!("01900000-0000-7000-8000-0000000001{number:02}")
}

/// A served coordinator. Dropping it drops its database.
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) client: Client,
    pub(crate) pool: sqlx::PgPool,
    running: Option<Running>,
    pub(crate) folder: tempfile::TempDir,
    _database: Database,
}

/// The fixture's search, resolved; it begins as the rows have it.
fn resolved() -> Value {
    let file = serde_json::json!({
        "apiVersion": "v1", "kind": "Search", "name": "fixture", "dataset": "jets_small",
        "description": "<script>alert(2)</script>", "labels": {"team": "l1t"},
        "model": {"mlp": [16, 8, 5]}, "objectives": ["accuracy", "lut_estimate"],
        "device": {"part": "xc7a35t"}, "budget": {"trials": 20},
    });
    let dataset = DatasetInfo {
        inputs: 16,
        classes: 5,
        digest: "d".repeat(64),
        ..DatasetInfo::default()
    };
    let search = read(&file, Some(&dataset)).expect("a search file without faults");
    serde_json::to_value(search).expect("JSON")
}

/// The one TLS provider of this process.
pub(crate) fn provider() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// With the fixture's rows.
    pub(crate) async fn with_rows() -> Self {
        let server = Self::start().await;
        server
            .pool
            .execute(include_str!("fixture.sql"))
            .await
            .expect("the fixture fits the schema");
        sqlx::query("update searches set resolved = $1")
            .bind(resolved())
            .execute(&server.pool)
            .await
            .expect("its search, resolved");
        server
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        provider();
        let database = Database::create().await;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let bind = "127.0.0.1:0".parse().expect("an address");
        let mut config = Config::new(bind, &database.url, folder.path().join("data"));
        config.database_connections = 4;
        change(&mut config);
        let running = serve(config).await.expect("the coordinator starts");
        let pool = sqlx::postgres::PgPoolOptions::new()
            .max_connections(2)
            .connect(&database.url)
            .await
            .expect("the test's own connections");
        Self {
            url: running.url().to_owned(),
            client: Client::new(),
            pool,
            running: Some(running),
            folder,
            _database: database,
        }
    }

    pub(crate) fn running(&self) -> &Running {
        self.running.as_ref().expect("it was not stopped")
    }

    pub(crate) async fn stop(&mut self) {
        let running = self.running.take().expect("it was not stopped");
        running.shutdown().await;
    }

    /// A request below the server's address.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path)
            .send()
            .await
            .expect("an answer")
    }

    /// The JSON that `path` under `/api/v1` answers.
    pub(crate) async fn read(&self, path: &str) -> Value {
        let response = self.get(&format!("/api/v1{path}")).await;
        let status = response.status();
        let text = response.text().await.expect("a body");
        assert_eq!(status, StatusCode::OK, "{path}: {text}");
        serde_json::from_str(&text).expect("JSON")
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Response {
        self.request(Method::POST, &format!("/api/v1{path}"))
            .json(body)
            .send()
            .await
            .expect("an answer")
    }
}

/// The problem in an answer, its request id checked and taken out.
pub(crate) async fn problem(response: Response) -> Value {
    assert_eq!(
        response.headers()["content-type"],
        "application/problem+json"
    );
    let id = response.headers()["x-request-id"]
        .to_str()
        .expect("text")
        .to_owned();
    let status = response.status().as_u16();
    let mut body: Value = response.json().await.expect("JSON");
    assert_eq!(body["status"], status);
    assert_eq!(body["request_id"], id.as_str());
    assert!(!id.is_empty());
    body.as_object_mut()
        .expect("an object")
        .remove("request_id");
    body
}

/// What lies in the data folder, apart from folders.
pub(crate) fn kept(server: &Server) -> usize {
    let folders = std::fs::read_dir(server.folder.path().join("data")).expect("the data folder");
    folders
        .map(|folder| {
            std::fs::read_dir(folder.expect("an entry").path())
                .expect("a folder")
                .count()
        })
        .sum()
}
