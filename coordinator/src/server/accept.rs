//! The accept loop: one TCP port for HTTP/1.1, HTTP/2 and gRPC, with or without TLS.
//!
//! `axum::serve` sets no timer, so that a client that never sends its headers holds a connection for
//! ever, and it does not bound a drain. This loop does both, and caps the connections.

use axum::Router;
use axum::extract::Request;
use axum::http::Response;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

/// What a connection may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Connections at once; more wait in the kernel's queue.
    pub(crate) connections: usize,
    /// From accepting a connection to its first request's headers, and between the first byte and the
    /// last of any request's headers.
    pub(crate) headers: Duration,
    /// HTTP/2 streams at once on one connection.
    pub(crate) streams: u32,
    /// How long a drain may take before connections are dropped.
    pub(crate) drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            headers: Duration::from_secs(15),
            streams: 256,
            drain: Duration::from_secs(10),
        }
    }
}

/// Serves `router` until `stop`, then lets open requests end for at most `limits.drain`.
pub(crate) async fn run(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    limits: Limits,
    stop: CancellationToken,
) {
    let permits = Arc::new(Semaphore::new(limits.connections));
    let connections = TaskTracker::new();
    let abandon = CancellationToken::new();
    loop {
        let permit = tokio::select! {
            () = stop.cancelled() => break,
            permit = Arc::clone(&permits).acquire_owned() => permit,
        };
        let stream = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _peer)) => stream,
                Err(cause) => {
                    // Out of file descriptors, or a connection reset before it was accepted.
                    tracing::warn!(%cause, "failed to accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        let (tls, router, stop, abandon) =
            (tls.clone(), router.clone(), stop.clone(), abandon.clone());
        connections.spawn(async move {
            tokio::select! {
                () = abandon.cancelled() => {}
                () = connection(stream, tls, router, limits, stop) => {}
            }
            drop(permit);
        });
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(limits.drain, connections.wait())
        .await
        .is_err()
    {
        tracing::warn!(
            open = connections.len(),
            "dropped the connections that did not end in time"
        );
        abandon.cancel();
        connections.wait().await;
    }
}

/// One connection from its first byte to its last.
async fn connection(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    router: Router,
    limits: Limits,
    stop: CancellationToken,
) {
    // Small answers must not wait for acknowledgements.
    if let Err(cause) = stream.set_nodelay(true) {
        tracing::debug!(%cause, "failed to set TCP_NODELAY");
    }
    match tls {
        None => talk(stream, router, limits, stop).await,
        Some(acceptor) => {
            match tokio::time::timeout(limits.headers, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => talk(stream, router, limits, stop).await,
                Ok(Err(cause)) => tracing::debug!(%cause, "TLS handshake failed"),
                Err(_) => tracing::debug!("TLS handshake took too long"),
            }
        }
    }
}

/// Speaks HTTP on an open stream.
async fn talk<S>(stream: S, router: Router, limits: Limits, stop: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let spoke = Arc::new(AtomicBool::new(false));
    let heard = Arc::clone(&spoke);
    let service = router
        .map_request(move |request: Request<hyper::body::Incoming>| {
            heard.store(true, Ordering::Relaxed);
            request.map(axum::body::Body::new)
        })
        .map_response(|response: Response<axum::body::Body>| response);
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.headers);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(Duration::from_secs(20)))
        .keep_alive_timeout(Duration::from_secs(10))
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(32 * 1024);
    let conversation =
        builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    let mut conversation = std::pin::pin!(conversation);
    // Until the version is known hyper has no timer: a silent client is dropped here.
    let silence = tokio::time::sleep(limits.headers);
    let mut silence = std::pin::pin!(silence);
    let mut watching = true;
    let mut stopping = false;
    loop {
        tokio::select! {
            outcome = conversation.as_mut() => {
                if let Err(cause) = outcome {
                    tracing::debug!(%cause, "connection ended with an error");
                }
                return;
            }
            () = silence.as_mut(), if watching => {
                watching = false;
                if !spoke.load(Ordering::Relaxed) {
                    tracing::debug!("dropped a connection that sent no request");
                    return;
                }
            }
            () = stop.cancelled(), if !stopping => {
                stopping = true;
                conversation.as_mut().graceful_shutdown();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Limits, run};
    use axum::Router;
    use axum::routing::get;
    use std::net::SocketAddr;
    use std::time::{Duration, Instant};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::task::JoinHandle;
    use tokio_util::sync::CancellationToken;

    const LIMITS: Limits = Limits {
        connections: 2,
        headers: Duration::from_millis(300),
        streams: 8,
        drain: Duration::from_millis(300),
    };

    async fn served() -> (SocketAddr, CancellationToken, JoinHandle<()>) {
        let router = Router::new()
            .route("/", get(async || "here"))
            .route("/never", get(std::future::pending::<()>));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let stop = CancellationToken::new();
        let serving = tokio::spawn(run(listener, None, router, LIMITS, stop.clone()));
        (address, stop, serving)
    }

    async fn say(address: SocketAddr, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        stream.write_all(text.as_bytes()).await.expect("said");
        stream
    }

    /// All that is answered until the connection is closed; a reset is a close.
    async fn hear(mut stream: TcpStream) -> String {
        let mut answer = Vec::new();
        let _ = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer))
            .await
            .expect("the connection is closed");
        String::from_utf8(answer).expect("text")
    }

    #[tokio::test]
    async fn a_client_that_does_not_finish_its_headers_is_dropped() {
        let (address, _stop, _serving) = served().await;
        for start in [
            "",
            "G",
            "PRI * HTTP/2.0",
            "GET / HTTP/1.1\r\nhost: x\r\nslow: ",
        ] {
            let answer = hear(say(address, start).await).await;
            assert!(!answer.contains("here"), "{start:?}: {answer}");
        }
        // And nobody else notices.
        let answer = hear(
            say(
                address,
                "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
            )
            .await,
        )
        .await;
        assert!(answer.ends_with("here"), "{answer}");
    }

    #[tokio::test]
    async fn connections_beyond_the_cap_wait_their_turn() {
        let (address, _stop, _serving) = served().await;
        let held = [say(address, "").await, say(address, "").await];
        let started = Instant::now();
        let answer = hear(
            say(
                address,
                "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
            )
            .await,
        )
        .await;
        assert!(answer.ends_with("here"), "{answer}");
        assert!(
            started.elapsed() >= LIMITS.headers / 2,
            "it waited until a silent one was dropped"
        );
        drop(held);
    }

    #[tokio::test]
    async fn a_drain_is_bounded_although_a_request_never_ends() {
        let (address, stop, serving) = served().await;
        let stuck = say(address, "GET /never HTTP/1.1\r\nhost: x\r\n\r\n").await;
        let answer = hear(
            say(
                address,
                "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
            )
            .await,
        )
        .await;
        assert!(answer.ends_with("here"), "{answer}");
        stop.cancel();
        tokio::time::timeout(Duration::from_secs(10), serving)
            .await
            .expect("the drain ends")
            .expect("without a panic");
        assert_eq!(hear(stuck).await, "");
    }
}
