//! TLS from files, and what does not start.

use crate::database::Database;
use crate::support::{Server, provider};
use bitfront_coordinator::auth::{self, Scope};
use bitfront_coordinator::config::Tls;
use bitfront_coordinator::{Config, ServeError, serve};
use bitfront_proto::v1::{RegisterRequest, WorkKind, worker_client::WorkerClient};
use reqwest::{Certificate, Client, Method};
use std::path::Path;
use tonic::transport::{Certificate as Authority, Channel, ClientTlsConfig};
use uuid::Uuid;

/// A certificate for `localhost` and 127.0.0.1 in files, and its PEM.
fn certificate(folder: &Path) -> (Tls, String) {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
    let tls = Tls {
        certificate: folder.join("cert.pem"),
        key: folder.join("key.pem"),
    };
    std::fs::write(&tls.certificate, made.cert.pem()).expect("written");
    std::fs::write(&tls.key, made.signing_key.serialize_pem()).expect("written");
    (tls, made.cert.pem())
}

#[tokio::test]
async fn rest_and_grpc_share_a_port_behind_tls() {
    let folder = tempfile::tempdir().expect("a folder");
    let (tls, pem) = certificate(folder.path());
    let server = Server::with(|config| {
        config.tls = Some(tls);
        config.tokens_required = true;
    })
    .await;
    assert!(server.url.starts_with("https://"));
    let store = &server.running().state().store;
    let (_, user) = auth::create(store, "u", Scope::User, None)
        .await
        .expect("a token");
    let (_, worker) = auth::create(store, "w", Scope::Worker, None)
        .await
        .expect("a token");

    let root = Certificate::from_pem(pem.as_bytes()).expect("PEM");
    let client = Client::builder()
        .tls_certs_only([root])
        .build()
        .expect("a client");
    let request = client.request(Method::GET, format!("{}/api/v1/searches", server.url));
    let answer = request
        .bearer_auth(user.reveal())
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), 200);
    // A client that does not know the certificate, and one that speaks no TLS.
    assert!(
        server
            .request(Method::GET, "/healthz")
            .send()
            .await
            .is_err()
    );
    let plain = server.url.replace("https://", "http://");
    assert!(
        Client::new()
            .get(format!("{plain}/healthz"))
            .send()
            .await
            .is_err()
    );

    let trust = ClientTlsConfig::new()
        .ca_certificate(Authority::from_pem(&pem))
        .domain_name("localhost");
    let channel = Channel::from_shared(server.url.clone())
        .expect("a URL")
        .tls_config(trust)
        .expect("TLS");
    let mut grpc = WorkerClient::new(channel.connect().await.expect("a connection"));
    let mut request = tonic::Request::new(RegisterRequest {
        worker_id: Uuid::now_v7().to_string(),
        name: "node".to_owned(),
        slots: 1,
        kinds: vec![WorkKind::Trial as i32],
        ..RegisterRequest::default()
    });
    let bearer = format!("Bearer {}", worker.reveal())
        .parse()
        .expect("a header");
    request.metadata_mut().insert("authorization", bearer);
    grpc.register(request).await.expect("registered");
}

#[tokio::test]
async fn off_loopback_it_does_not_start_without_tls_and_tokens() {
    provider();
    // The address is refused before anything else is looked at: the database does not exist.
    for (bind, tls, tokens) in [
        ("0.0.0.0:0", false, false),
        ("0.0.0.0:0", false, true),
        ("[::]:0", true, false),
        ("10.1.2.3:0", false, false),
    ] {
        let mut config = Config::new(
            bind.parse().expect("an address"),
            "postgres://nobody@127.0.0.1:1/none",
            "/nonexistent",
        );
        config.tokens_required = tokens;
        config.tls = tls.then(|| Tls {
            certificate: "/nonexistent/c".into(),
            key: "/nonexistent/k".into(),
        });
        let Err(refusal) = serve(config).await else {
            panic!("it started on {bind}");
        };
        assert!(
            matches!(refusal, ServeError::Insecure(_)),
            "{bind}: {refusal}"
        );
    }
}

#[tokio::test]
async fn off_loopback_it_starts_with_both() {
    let folder = tempfile::tempdir().expect("a folder");
    let (tls, _) = certificate(folder.path());
    let mut server = Server::with(|config| {
        config.bind = "0.0.0.0:0".parse().expect("an address");
        config.tls = Some(tls);
        config.tokens_required = true;
    })
    .await;
    server.stop().await;
}

#[tokio::test]
async fn a_missing_file_and_a_taken_port_are_named() {
    provider();
    let database = Database::create().await;
    let folder = tempfile::tempdir().expect("a folder");
    let config = |bind: &str| {
        Config::new(
            bind.parse().expect("an address"),
            &database.url,
            folder.path(),
        )
    };
    let mut no_key = config("127.0.0.1:0");
    no_key.tls = Some(Tls {
        certificate: folder.path().join("none.pem"),
        key: folder.path().join("none.key"),
    });
    let refusal = serve(no_key).await.err().expect("no certificate");
    assert!(refusal.to_string().contains("none.pem"), "{refusal}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let refusal = serve(config(&address)).await.err().expect("taken");
    assert!(refusal.to_string().contains(&address), "{refusal}");
}
