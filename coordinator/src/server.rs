//! The server: one TCP port for REST over HTTP/1.1 and HTTP/2, for gRPC and for the page.
//!
//! The order of a start: refuse what is insecure, read TLS, open the store, bind, serve. The order of a
//! stop: not ready any more, long polls answer empty and event streams end, no new connections, open
//! requests end within a time limit, the store closes.

mod accept;
pub mod bind;
mod envelope;
pub mod tls;

use crate::config::Config;
use crate::error::Error;
use crate::state::State;
use crate::{grpc, page, reaper, rest, telemetry};
use axum::Router;
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Why a coordinator does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Off loopback without TLS or tokens.
    #[error(transparent)]
    Insecure(#[from] bind::Insecure),
    /// Certificate or key.
    #[error(transparent)]
    Tls(#[from] tls::TlsError),
    /// The database or the data folder.
    #[error(transparent)]
    Open(#[from] Error),
    /// The address is taken or does not exist.
    #[error("listen on {bind}: {source}")]
    Bind {
        /// The address.
        bind: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
}

/// A coordinator that serves. Dropping it leaves it running; [`Running::shutdown`] stops it.
pub struct Running {
    addr: SocketAddr,
    url: String,
    state: State,
    serving: JoinHandle<()>,
    background: JoinHandle<()>,
}

impl Running {
    /// The address that was bound: with port 0 in the settings, the port that was free.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `http://addr` or `https://addr`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What the handlers share.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Cancelling it starts the drain; [`Running::wait`] then returns when it is done.
    pub fn stop_token(&self) -> CancellationToken {
        self.state.shutdown.clone()
    }

    /// Waits until the server has stopped.
    pub async fn wait(self) {
        for task in [self.serving, self.background] {
            if let Err(cause) = task.await {
                tracing::error!(%cause, "a part of the server ended badly");
            }
        }
        self.state.store.close().await;
    }

    /// Drains and waits until the server has stopped.
    pub async fn shutdown(self) {
        self.state.shutdown.cancel();
        self.wait().await;
    }
}

/// Starts a coordinator.
///
/// # Errors
/// [`ServeError`] says what is wrong with the settings or their surroundings; nothing was left running.
pub async fn serve(config: Config) -> Result<Running, ServeError> {
    bind::refuse_insecure(&config)?;
    let tls = config
        .tls
        .as_ref()
        .map(|tls| tls::acceptor(&tls.certificate, &tls.key))
        .transpose()?;
    let bind = config.bind;
    let state = State::open(config, telemetry::metrics::install()).await?;
    let unavailable = |source| ServeError::Bind { bind, source };
    let listener = TcpListener::bind(bind).await.map_err(unavailable)?;
    let addr = listener.local_addr().map_err(unavailable)?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let url = format!("{scheme}://{addr}");
    let router = router(&state);
    let serving = tokio::spawn(accept::run(
        listener,
        tls,
        router,
        accept::Limits::default(),
        state.shutdown.clone(),
    ));
    let background = reaper::spawn_background(&state);
    tracing::info!("listening at {url}");
    Ok(Running {
        addr,
        url,
        state,
        serving,
        background,
    })
}

/// Everything that is served.
fn router(state: &State) -> Router {
    let (rest, _) = rest::router::build(state).split_for_parts();
    rest.merge(page::router())
        .merge(grpc::router(state.clone()))
        .fallback(page::fallback)
        .layer(axum::middleware::from_fn(envelope::envelope))
}
