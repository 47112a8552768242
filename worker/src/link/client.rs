//! The channel to the coordinator: TLS, bearer token, a deadline on every call, and which failures
//! are worth a retry.
//!
//! The rule this module keeps: only "nobody answered" is retried (`Unavailable`, `DeadlineExceeded`,
//! and connections that broke under a call); an answer, even a bad one, is final.

use std::future::Future;
use std::time::Duration;

use bitfront_proto::v1::worker_client::WorkerClient;
use bitfront_proto::v1::{
    CompleteRequest, FailRequest, HeartbeatRequest, HeartbeatResponse, LeaseRequest, LeaseResponse,
    RegisterRequest, RegisterResponse, ReleaseRequest, UnitRef,
};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Status};
use tracing::debug;

use super::Backoff;
use crate::{Config, WorkerError};

/// Largest message read, bytes: leases carry a search each.
const LARGEST_MESSAGE: usize = 16 << 20;

/// Deadline of a call that the coordinator answers at once.
const SHORT: Duration = Duration::from_secs(10);

/// The generated client with the token attached.
pub(crate) type Client = WorkerClient<InterceptedService<Channel, Bearer>>;

/// A channel that connects when first used and again whenever it broke.
#[derive(Clone)]
pub(crate) struct Link {
    client: Client,
}

/// Adds the bearer token to every call.
#[derive(Clone)]
pub(crate) struct Bearer(Option<MetadataValue<Ascii>>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(value) = &self.0 {
            request
                .metadata_mut()
                .insert("authorization", value.clone());
        }
        Ok(request)
    }
}

impl Link {
    /// Prepares the channel; nothing is sent yet.
    pub(crate) fn new(config: &Config) -> Result<Self, WorkerError> {
        let fault = |field, value: &str, accepted| WorkerError::Config {
            field,
            value: format!("{value:?}"),
            accepted,
        };
        let bad_url = || fault("url", &config.url, "http://host:port or https://host:port");
        let mut endpoint = Endpoint::from_shared(config.url.clone())
            .map_err(|_| bad_url())?
            .user_agent(concat!("bitfront-worker/", env!("CARGO_PKG_VERSION")))
            .map_err(|_| bad_url())?
            .connect_timeout(Duration::from_secs(5))
            .tcp_nodelay(true)
            .http2_keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(10))
            .keep_alive_while_idle(true);
        let host = endpoint.uri().host().unwrap_or_default().to_owned();
        match endpoint.uri().scheme_str() {
            Some("https") => {
                let Some(path) = &config.ca else {
                    return Err(fault("ca", "", "a PEM file, with an https url"));
                };
                let pem = std::fs::read(path).map_err(|source| WorkerError::Io {
                    path: path.display().to_string(),
                    source,
                })?;
                let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem));
                endpoint = endpoint.tls_config(tls).map_err(|_| {
                    fault(
                        "ca",
                        &path.display().to_string(),
                        "a PEM file with at least one certificate",
                    )
                })?;
            }
            Some("http") if config.token.is_some() && !is_loopback(&host) => {
                return Err(fault(
                    "url",
                    &config.url,
                    "https when a token is sent to another machine",
                ));
            }
            Some("http") => {}
            _ => return Err(bad_url()),
        }
        let bearer = config
            .token
            .as_ref()
            .map(|token| MetadataValue::try_from(format!("Bearer {token}")))
            .transpose()
            .map_err(|_| WorkerError::Config {
                field: "token",
                value: "[hidden]".into(),
                accepted: "printable ASCII without spaces",
            })?;
        Ok(Self {
            client: WorkerClient::with_interceptor(endpoint.connect_lazy(), Bearer(bearer))
                .max_decoding_message_size(LARGEST_MESSAGE),
        })
    }

    /// The client, for calls that stream.
    pub(super) fn client(&self) -> Client {
        self.client.clone()
    }

    /// Announces this process.
    pub(crate) async fn register(
        &self,
        request: RegisterRequest,
    ) -> Result<RegisterResponse, Status> {
        within(SHORT, self.client().register(request)).await
    }

    /// Asks for work and waits for it as long as the request says.
    pub(crate) async fn lease(&self, request: LeaseRequest) -> Result<LeaseResponse, Status> {
        let wait = Duration::from_millis(request.wait_ms.into());
        within(wait + SHORT, self.client().lease(request)).await
    }

    /// Renews leases, once: the caller decides when to try again.
    pub(crate) async fn heartbeat(
        &self,
        request: HeartbeatRequest,
        deadline: Duration,
    ) -> Result<HeartbeatResponse, Status> {
        within(deadline.min(SHORT), self.client().heartbeat(request)).await
    }

    /// Ends an attempt with its result.
    pub(crate) async fn complete(&self, request: CompleteRequest) -> Result<(), Status> {
        within(SHORT, self.client().complete(request))
            .await
            .map(drop)
    }

    /// Ends an attempt with an error.
    pub(crate) async fn fail(&self, request: FailRequest) -> Result<(), Status> {
        within(SHORT, self.client().fail(request)).await.map(drop)
    }

    /// Hands units of work back.
    pub(crate) async fn release(&self, worker_id: &str, units: Vec<UnitRef>) -> Result<(), Status> {
        let request = ReleaseRequest {
            worker_id: worker_id.to_owned(),
            units,
        };
        within(SHORT, self.client().release(request))
            .await
            .map(drop)
    }
}

/// Runs a call under a deadline of the worker's own clock.
pub(super) async fn within<T>(
    deadline: Duration,
    call: impl Future<Output = Result<tonic::Response<T>, Status>>,
) -> Result<T, Status> {
    match tokio::time::timeout(deadline, call).await {
        Ok(answer) => answer.map(tonic::Response::into_inner),
        Err(_) => Err(Status::deadline_exceeded(format!(
            "no answer within {} ms",
            deadline.as_millis()
        ))),
    }
}

/// Whether a failed call may be repeated: nobody answered it.
pub(crate) fn is_passing(status: &Status) -> bool {
    match status.code() {
        Code::Unavailable | Code::DeadlineExceeded => true,
        // A connection that broke under the call has no status of the coordinator's: the transport
        // makes one up with one of these codes and its own words.
        Code::Cancelled | Code::Unknown | Code::Internal => {
            std::error::Error::source(status).is_some()
                || status.message().starts_with("h2 protocol error")
                || status.message().starts_with("transport error")
                || status.message().starts_with("operation was canceled")
        }
        _ => false,
    }
}

/// Repeats a call until it is answered. Bound it from outside, with a deadline or a stop.
pub(crate) async fn retry<T, F>(
    name: &'static str,
    mut call: impl FnMut() -> F,
) -> Result<T, Status>
where
    F: Future<Output = Result<T, Status>>,
{
    let mut backoff = Backoff::new();
    loop {
        match call().await {
            Err(status) if is_passing(&status) => {
                let wait = backoff.next();
                debug!(call = name, code = ?status.code(), message = status.message(), wait_ms = wait.as_millis() as u64, "no answer, trying again");
                tokio::time::sleep(wait).await;
            }
            answered => return answered,
        }
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost"
        || bare
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_silence_is_retried() {
        for code in [Code::Unavailable, Code::DeadlineExceeded] {
            assert!(is_passing(&Status::new(code, "")));
        }
        assert!(is_passing(&Status::internal("h2 protocol error: broken")));
        for code in [
            Code::FailedPrecondition,
            Code::Aborted,
            Code::NotFound,
            Code::Internal,
            Code::Unauthenticated,
            Code::InvalidArgument,
            Code::ResourceExhausted,
        ] {
            assert!(!is_passing(&Status::new(code, "said no")), "{code:?}");
        }
    }

    #[tokio::test]
    async fn addresses_are_checked_before_anything_is_sent() {
        let error = |url: &str, token: Option<&str>| {
            let mut config = Config::new(url, "/tmp");
            config.token = token.map(str::to_owned);
            Link::new(&config).err().map(|e| e.to_string())
        };
        assert_eq!(error("http://127.0.0.1:9", Some("t")), None);
        assert_eq!(error("http://[::1]:9", Some("t")), None);
        assert_eq!(error("http://example.org:9", None), None);
        assert!(
            error("http://example.org:9", Some("t"))
                .unwrap()
                .contains("https")
        );
        assert!(error("https://example.org:9", None).unwrap().contains("ca"));
        assert!(error("ftp://example.org", None).unwrap().contains("url"));
        let bad_token = error("http://127.0.0.1:9", Some("a\nb")).unwrap();
        assert!(bad_token.contains("[hidden]") && !bad_token.contains('\n'));
    }
}
