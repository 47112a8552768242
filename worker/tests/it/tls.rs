//! Workers over TLS.

use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;
use tonic::transport::Identity;

use crate::fake::Fake;
use crate::fixture::{Running, queue_trial};

/// A self-signed certificate of 127.0.0.1: its identity, and its PEM file.
fn certificate(folder: &TempDir, name: &str) -> (Identity, PathBuf) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, made.cert.pem()).unwrap();
    let identity = Identity::from_pem(made.cert.pem(), made.signing_key.serialize_pem());
    (identity, path)
}

#[tokio::test]
async fn a_worker_trusts_the_authority_it_was_given() {
    let folder = tempfile::tempdir().unwrap();
    let (identity, pem) = certificate(&folder, "server.pem");
    let fake = Fake::start_with(Some(identity));
    let worker = Running::start(&fake, |config| {
        config.ca = Some(pem);
        config.token = Some("bf_test".into());
    });
    let unit = queue_trial(&fake, 2);
    fake.completed(&unit).await;
    worker.drained().await;
}

#[tokio::test]
async fn a_worker_trusts_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let (identity, _) = certificate(&folder, "server.pem");
    let (_, other) = certificate(&folder, "other.pem");
    let fake = Fake::start_with(Some(identity));
    let worker = Running::start(&fake, |config| {
        config.ca = Some(other);
        config.max_idle = Some(Duration::from_millis(500));
    });
    worker.ended().await.unwrap();
    assert_eq!(fake.registrations(), 0);
}
