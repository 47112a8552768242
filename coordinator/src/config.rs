//! What a coordinator is told when it starts.

use bitfront_hardware::device::Devices;
use std::{net::SocketAddr, path::PathBuf, time::Duration};

/// Where a certificate and its key are read from (PEM).
#[derive(Clone, Debug)]
pub struct Tls {
    /// Certificate chain, the server's own first.
    pub certificate: PathBuf,
    /// Private key.
    pub key: PathBuf,
}

/// Settings of one coordinator process. [`Config::new`] gives the defaults.
#[derive(Clone)]
pub struct Config {
    /// Address of the one port that serves REST and gRPC.
    pub bind: SocketAddr,
    /// Postgres URL. It may hold a password: never log it.
    pub database_url: String,
    /// Folder of the content-addressed artifacts. Several coordinators share one folder.
    pub data_dir: PathBuf,
    /// TLS, required off loopback (promise P7).
    pub tls: Option<Tls>,
    /// Whether calls need a bearer token, required off loopback (promise P7).
    pub tokens_required: bool,
    /// How long a lease lasts without a heartbeat. Workers send one every third of it.
    pub lease_ttl: Duration,
    /// Largest artifact a worker may upload, in bytes.
    pub artifact_limit: u64,
    /// Largest data set a user may upload, in bytes.
    pub dataset_limit: u64,
    /// Largest model a user may upload, in bytes.
    pub model_limit: u64,
    /// Connections to Postgres at most.
    pub database_connections: u32,
    /// Devices that search files may name.
    pub devices: Devices,
}

impl Config {
    /// The defaults: loopback without TLS or tokens, leases of 15 s, artifacts up to 64 MiB, data sets up to 1 GiB,
    /// models up to 64 MiB, 12 connections, the devices that come with the program.
    pub fn new(
        bind: SocketAddr,
        database_url: impl Into<String>,
        data_dir: impl Into<PathBuf>,
    ) -> Self {
        Self {
            bind,
            database_url: database_url.into(),
            data_dir: data_dir.into(),
            tls: None,
            tokens_required: false,
            lease_ttl: Duration::from_secs(15),
            artifact_limit: 64 << 20,
            dataset_limit: 1 << 30,
            model_limit: 64 << 20,
            database_connections: 12,
            devices: Devices::known().clone(),
        }
    }
}

impl std::fmt::Debug for Config {
    /// Leaves the database URL out: it may hold a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("bind", &self.bind)
            .field("data_dir", &self.data_dir)
            .field("tls", &self.tls.is_some())
            .field("tokens_required", &self.tokens_required)
            .field("lease_ttl", &self.lease_ttl)
            .field("artifact_limit", &self.artifact_limit)
            .field("dataset_limit", &self.dataset_limit)
            .field("model_limit", &self.model_limit)
            .field("database_connections", &self.database_connections)
            .finish_non_exhaustive()
    }
}
