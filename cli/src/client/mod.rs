//! The REST client: one request, one answer or one [`Failure`] with the right exit code.

mod events;
mod find;
mod problem;
mod types;

use std::path::Path;
use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::args::Global;
use crate::exit::{Exit, Failure, Outcome};

pub(crate) use events::Events;
pub(crate) use types::{Front, Search, SearchDevice, Trial};

/// A coordinator to talk to.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    url: String,
    token: Option<String>,
}

impl Client {
    /// A client of the coordinator that the options name.
    pub(crate) fn new(global: &Global) -> Outcome<Self> {
        let token = token(global)?;
        let mut builder = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(10))
            .user_agent(concat!("bitfront/", env!("CARGO_PKG_VERSION")));
        if let Some(ca) = &global.ca {
            let pem = std::fs::read(ca).map_err(|error| {
                Failure::usage(format!("failed to read --ca {}: {error}", ca.display()))
            })?;
            let certificates = reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| {
                Failure::usage(format!("failed to read --ca {}: {error}", ca.display()))
            })?;
            builder = builder.tls_certs_only(certificates);
        }
        let http = builder
            .build()
            .map_err(|error| Failure::general(format!("failed to start a client: {error}")))?;
        Ok(Self {
            http,
            url: global.url.trim_end_matches('/').to_owned(),
            token,
        })
    }

    /// A client of a coordinator in this process.
    pub(crate) fn local(url: &str) -> Outcome<Self> {
        let global = Global {
            json: false,
            quiet: false,
            url: url.to_owned(),
            token_file: None,
            ca: None,
        };
        Self::new(&global)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    async fn send(&self, request: RequestBuilder) -> Outcome<Response> {
        let response = request
            .send()
            .await
            .map_err(|error| self.unreachable(&error))?;
        if response.status().is_success() {
            Ok(response)
        } else {
            Err(problem::failure(response).await)
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        if error.is_builder() {
            return Failure::usage(format!(
                "failed to use --url {}: {}",
                self.url,
                innermost(error)
            ));
        }
        Failure::new(
            Exit::Unreachable,
            format!(
                "failed to reach the coordinator at {}: {}",
                self.url,
                innermost(error)
            ),
        )
        .detail("start one with `bitfront up`, or name another with --url or BITFRONT_URL")
    }

    async fn read<T: DeserializeOwned>(&self, request: RequestBuilder) -> Outcome<T> {
        let body = self.send(request.timeout(Duration::from_mins(1))).await?;
        let bytes = body
            .bytes()
            .await
            .map_err(|error| self.unreachable(&error))?;
        serde_json::from_slice(&bytes).map_err(|error| {
            Failure::general(format!("failed to read the coordinator's answer: {error}"))
        })
    }

    /// GET with query parameters.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Outcome<T> {
        self.read(self.request(Method::GET, path).query(query))
            .await
    }

    /// GET as text.
    pub(crate) async fn text(&self, path: &str) -> Outcome<String> {
        let answer = self
            .send(
                self.request(Method::GET, path)
                    .timeout(Duration::from_mins(1)),
            )
            .await?;
        answer
            .text()
            .await
            .map_err(|error| self.unreachable(&error))
    }

    /// GET as bytes.
    pub(crate) async fn bytes(&self, path: &str) -> Outcome<Vec<u8>> {
        let answer = self
            .send(
                self.request(Method::GET, path)
                    .timeout(Duration::from_mins(5)),
            )
            .await?;
        let bytes = answer.bytes().await;
        Ok(bytes.map_err(|error| self.unreachable(&error))?.to_vec())
    }

    /// POST with a JSON body.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        body: &Value,
    ) -> Outcome<T> {
        self.read(self.request(Method::POST, path).query(query).json(body))
            .await
    }

    /// POST with a JSON body and an idempotency key, so that it can be repeated: a coordinator that is
    /// away for a moment is asked again.
    pub(crate) async fn post_once<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        body: &Value,
    ) -> Outcome<T> {
        let key = uuid::Uuid::now_v7().to_string();
        let mut tries = 0;
        loop {
            let request = self
                .request(Method::POST, path)
                .query(query)
                .header("idempotency-key", &key)
                .json(body);
            match self.read(request).await {
                Err(Failure {
                    exit: Exit::Unreachable,
                    ..
                }) if tries < 3 => {
                    tries += 1;
                    tokio::time::sleep(Duration::from_millis(200 << tries)).await;
                }
                answer => return answer,
            }
        }
    }

    /// Registers a file (a data set, a model) at `path`; the coordinator checks the digest and answers the same for the
    /// same bytes.
    pub(crate) async fn upload(
        &self,
        path: &str,
        file: &str,
        digest: &str,
        bytes: Vec<u8>,
    ) -> Outcome<Value> {
        let request = self
            .request(Method::POST, path)
            .query(&[("file", file)])
            .header("content-type", "application/octet-stream")
            .header("x-digest", digest)
            .body(bytes);
        let answer = self.send(request).await?;
        answer
            .json()
            .await
            .map_err(|error| self.unreachable(&error))
    }

    /// Every item of a paged list, `limit` at most.
    pub(crate) async fn pages(
        &self,
        path: &str,
        query: &[(&str, &str)],
        limit: usize,
    ) -> Outcome<Vec<Value>> {
        let mut found: Vec<Value> = Vec::new();
        let mut token: Option<String> = None;
        while found.len() < limit {
            let size = (limit - found.len()).min(500).to_string();
            let mut query = query.to_vec();
            query.push(("page_size", &size));
            if let Some(token) = &token {
                query.push(("page_token", token));
            }
            let mut page: Value = self.get(path, &query).await?;
            if let Some(Value::Array(rows)) = page.get_mut("items").map(Value::take) {
                found.extend(rows);
            }
            match page.get("next_page_token").and_then(Value::as_str) {
                Some(next) => token = Some(next.to_owned()),
                None => break,
            }
        }
        Ok(found)
    }
}

/// The token: `BITFRONT_TOKEN`, else the file; never an argument, which every user of the machine sees.
pub(crate) fn token(global: &Global) -> Outcome<Option<String>> {
    // A flag wins over a variable, and --token-file may come from either.
    let from_variable = std::env::var("BITFRONT_TOKEN")
        .ok()
        .filter(|token| !token.trim().is_empty());
    let text = match (&global.token_file, from_variable) {
        (Some(path), _) => read_token(path)?,
        (None, Some(token)) => token,
        (None, None) => return Ok(None),
    };
    Ok(Some(text.trim().to_owned()))
}

fn read_token(path: &Path) -> Outcome<String> {
    std::fs::read_to_string(path).map_err(|error| {
        Failure::new(
            Exit::Auth,
            format!("failed to read --token-file {}: {error}", path.display()),
        )
    })
}

/// The innermost cause, which is the one that says something.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
