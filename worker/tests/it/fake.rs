//! A coordinator in the test's own process: a queue, artifacts in memory, and a record of every call.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bitfront_proto::v1::lease::Work;
use bitfront_proto::v1::put_artifact_request::Part;
use bitfront_proto::v1::worker_server::{Worker, WorkerServer};
use bitfront_proto::v1::*;
use sha2::{Digest, Sha256};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Identity, ServerTlsConfig};
use tonic::{Request, Response, Status, Streaming};

/// One accepted call that matters to the tests.
#[derive(Clone, Debug)]
pub(crate) enum Call {
    Register(RegisterRequest),
    Heartbeat(HeartbeatRequest),
    Complete(CompleteRequest),
    Fail(FailRequest),
    Release(ReleaseRequest),
}

/// What the fake knows and does; tests change it while the worker runs.
pub(crate) struct State {
    pub(crate) calls: Vec<Call>,
    pub(crate) artifacts: HashMap<String, Vec<u8>>,
    pub(crate) queue: VecDeque<(UnitRef, Work)>,
    /// Heartbeat answers by unit id; extended where there is none.
    pub(crate) answers: HashMap<String, LeaseAnswer>,
    /// Every call answers Unavailable.
    pub(crate) unavailable: bool,
    /// Calls refused while unavailable.
    pub(crate) refused: usize,
    /// The next heartbeat answers stop.
    pub(crate) stop: bool,
    pub(crate) lease_ttl: Duration,
    /// Leases given, by request id.
    given: BTreeMap<String, Vec<Lease>>,
}

/// The fake and its server.
pub(crate) struct Fake {
    shared: Shared,
    changes: watch::Receiver<u64>,
    address: SocketAddr,
    tls: Option<Identity>,
    server: Option<Runtime>,
}

#[derive(Clone)]
struct Shared {
    state: Arc<Mutex<State>>,
    changed: Arc<watch::Sender<u64>>,
}

impl Shared {
    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.state.lock().unwrap());
        self.changed.send_modify(|version| *version += 1);
        result
    }

    /// A call of the worker's: refused while unavailable.
    fn answer<T>(&self, change: impl FnOnce(&mut State) -> T) -> Result<T, Status> {
        self.with(|state| {
            if state.unavailable {
                state.refused += 1;
                return Err(Status::unavailable("down"));
            }
            Ok(change(state))
        })
    }
}

impl Fake {
    pub(crate) fn start() -> Self {
        Self::start_with(None)
    }

    /// A coordinator that speaks TLS only.
    pub(crate) fn start_with(tls: Option<Identity>) -> Self {
        let (changed, changes) = watch::channel(0);
        let shared = Shared {
            state: Arc::new(Mutex::new(State {
                calls: Vec::new(),
                artifacts: HashMap::new(),
                queue: VecDeque::new(),
                answers: HashMap::new(),
                unavailable: false,
                refused: 0,
                stop: false,
                lease_ttl: Duration::from_secs(15),
                given: BTreeMap::new(),
            })),
            changed: Arc::new(changed),
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = Some(serve(&shared, listener, tls.clone()));
        Self {
            shared,
            changes,
            address,
            tls,
            server,
        }
    }

    pub(crate) fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Changes or reads the state.
    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        self.shared.with(change)
    }

    /// Ends the server as a killed process would, connections and all.
    pub(crate) fn kill(&mut self) {
        if let Some(server) = self.server.take() {
            // On a thread of its own, since a runtime may not end within another, and joined: a server that is
            // still ending could answer a last call.
            let ended =
                std::thread::spawn(move || server.shutdown_timeout(Duration::from_secs(10)));
            ended.join().expect("the server ends");
        }
    }

    /// Serves again at the same address, as soon as it is free.
    pub(crate) async fn restart(&mut self) {
        let listener = loop {
            match TcpListener::bind(self.address) {
                Ok(listener) => break listener,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        self.server = Some(serve(&self.shared, listener, self.tls.clone()));
    }

    /// Stores bytes and gives their digest.
    pub(crate) fn store(&self, bytes: Vec<u8>) -> String {
        let digest = digest_of(&bytes);
        self.with(|state| state.artifacts.insert(digest.clone(), bytes));
        digest
    }

    /// Queues work under a new unit and gives the unit.
    pub(crate) fn queue(&self, kind: WorkKind, work: Work) -> UnitRef {
        let unit = UnitRef {
            kind: kind.into(),
            id: uuid::Uuid::now_v7().to_string(),
            attempt: 1,
        };
        self.with(|state| state.queue.push_back((unit.clone(), work)));
        unit
    }

    /// Waits until the state satisfies `found` and gives what it found.
    pub(crate) async fn wait<T>(&self, what: &str, found: impl Fn(&State) -> Option<T>) -> T {
        let mut changes = self.changes.clone();
        let waiting = async {
            loop {
                changes.borrow_and_update();
                if let Some(value) = found(&self.shared.state.lock().unwrap()) {
                    return value;
                }
                changes.changed().await.unwrap();
            }
        };
        let Ok(value) = tokio::time::timeout(Duration::from_mins(2), waiting).await else {
            let state = self.shared.state.lock().unwrap();
            panic!("waited too long for {what}; calls: {:#?}", state.calls)
        };
        value
    }

    pub(crate) async fn completed(&self, unit: &UnitRef) -> CompleteRequest {
        self.wait("complete", |state| {
            state.calls.iter().find_map(|call| match call {
                Call::Complete(request) if request.unit.as_ref() == Some(unit) => {
                    Some(request.clone())
                }
                Call::Fail(request) if request.unit.as_ref() == Some(unit) => {
                    panic!("failed: {} {}", request.code, request.message)
                }
                _ => None,
            })
        })
        .await
    }

    pub(crate) async fn failed(&self, unit: &UnitRef) -> FailRequest {
        self.wait("fail", |state| {
            state.calls.iter().find_map(|call| match call {
                Call::Fail(request) if request.unit.as_ref() == Some(unit) => Some(request.clone()),
                _ => None,
            })
        })
        .await
    }

    pub(crate) async fn released(&self, unit: &UnitRef) {
        self.wait("release", |state| {
            state
                .calls
                .iter()
                .any(|call| matches!(call, Call::Release(r) if r.units.contains(unit)))
                .then_some(())
        })
        .await;
    }

    /// Waits until a heartbeat has carried a curve point of the unit.
    pub(crate) async fn training(&self, unit: &UnitRef) {
        self.wait("a curve point", |state| {
            state.calls.iter().find_map(|call| match call {
                Call::Heartbeat(beat) => beat
                    .units
                    .iter()
                    .find(|p| p.unit.as_ref() == Some(unit) && !p.epochs.is_empty())
                    .map(|_| ()),
                _ => None,
            })
        })
        .await;
    }

    /// Number of reports (complete, fail, release) of a unit.
    pub(crate) fn reports(&self, unit: &UnitRef) -> usize {
        self.with(|state| {
            let of_unit = |call: &&Call| match call {
                Call::Complete(r) => r.unit.as_ref() == Some(unit),
                Call::Fail(r) => r.unit.as_ref() == Some(unit),
                Call::Release(r) => r.units.contains(unit),
                Call::Register(_) | Call::Heartbeat(_) => false,
            };
            state.calls.iter().filter(of_unit).count()
        })
    }

    pub(crate) fn registrations(&self) -> usize {
        self.with(|state| {
            let register = |call: &&Call| matches!(call, Call::Register(_));
            state.calls.iter().filter(register).count()
        })
    }
}

pub(crate) fn digest_of(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for byte in Sha256::digest(bytes) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Serves on a runtime of its own, with which all its connections end.
fn serve(shared: &Shared, listener: TcpListener, tls: Option<Identity>) -> Runtime {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    listener.set_nonblocking(true).unwrap();
    let service = WorkerServer::new(shared.clone());
    runtime.spawn(async move {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let mut server = tonic::transport::Server::builder();
        if let Some(identity) = tls {
            let tls = ServerTlsConfig::new().identity(identity);
            server = server.tls_config(tls).unwrap();
        }
        let _ = server
            .add_service(service)
            .serve_with_incoming(TcpListenerStream::new(listener))
            .await;
    });
    runtime
}

#[tonic::async_trait]
impl Worker for Shared {
    async fn register(
        &self,
        request: Request<RegisterRequest>,
    ) -> Result<Response<RegisterResponse>, Status> {
        let request = request.into_inner();
        self.answer(|state| {
            state.calls.push(Call::Register(request));
            Response::new(RegisterResponse {
                coordinator_version: "test".into(),
                lease_ttl_ms: state.lease_ttl.as_millis() as u32,
                heartbeat_interval_ms: state.lease_ttl.as_millis() as u32 / 100,
            })
        })
    }

    async fn lease(
        &self,
        request: Request<LeaseRequest>,
    ) -> Result<Response<LeaseResponse>, Status> {
        let request = request.into_inner();
        let mut changes = self.changed.subscribe();
        let wait = Duration::from_millis(request.wait_ms.into());
        let deadline = tokio::time::Instant::now() + wait;
        loop {
            changes.borrow_and_update();
            let leases = self.state.lock().unwrap().take(&request)?;
            if !leases.is_empty() {
                return Ok(Response::new(LeaseResponse { leases }));
            }
            tokio::select! {
                _ = changes.changed() => {}
                () = tokio::time::sleep_until(deadline) => {
                    return Ok(Response::new(LeaseResponse { leases }));
                }
            }
        }
    }

    async fn heartbeat(
        &self,
        request: Request<HeartbeatRequest>,
    ) -> Result<Response<HeartbeatResponse>, Status> {
        let request = request.into_inner();
        self.answer(|state| {
            let answers = request.units.iter().filter_map(|progress| {
                let unit = progress.unit.clone()?;
                let answer = state.answers.get(&unit.id).copied();
                Some(UnitAnswer {
                    answer: answer.unwrap_or(LeaseAnswer::Extended).into(),
                    unit: Some(unit),
                })
            });
            let response = HeartbeatResponse {
                units: answers.collect(),
                stop: state.stop,
            };
            state.calls.push(Call::Heartbeat(request));
            Response::new(response)
        })
    }

    async fn complete(
        &self,
        request: Request<CompleteRequest>,
    ) -> Result<Response<CompleteResponse>, Status> {
        let request = request.into_inner();
        self.answer(|state| {
            state.calls.push(Call::Complete(request));
            Response::new(CompleteResponse {})
        })
    }

    async fn fail(&self, request: Request<FailRequest>) -> Result<Response<FailResponse>, Status> {
        let request = request.into_inner();
        self.answer(|state| {
            state.calls.push(Call::Fail(request));
            Response::new(FailResponse {})
        })
    }

    async fn release(
        &self,
        request: Request<ReleaseRequest>,
    ) -> Result<Response<ReleaseResponse>, Status> {
        let request = request.into_inner();
        self.answer(|state| {
            state.calls.push(Call::Release(request));
            Response::new(ReleaseResponse {})
        })
    }

    async fn put_artifact(
        &self,
        request: Request<Streaming<PutArtifactRequest>>,
    ) -> Result<Response<PutArtifactResponse>, Status> {
        let mut stream = request.into_inner();
        let mut header = None;
        let mut bytes = Vec::new();
        while let Some(message) = stream.message().await? {
            match message.part {
                Some(Part::Header(first)) => header = Some(first),
                Some(Part::Chunk(chunk)) => bytes.extend(chunk),
                None => return Err(Status::invalid_argument("empty message")),
            }
        }
        let header = header.ok_or_else(|| Status::invalid_argument("no header"))?;
        if digest_of(&bytes) != header.digest || bytes.len() as u64 != header.bytes {
            return Err(Status::invalid_argument("digest or size differs"));
        }
        self.answer(|state| {
            state.artifacts.insert(header.digest, bytes);
            Response::new(PutArtifactResponse {})
        })
    }

    type GetArtifactStream =
        tokio_stream::Iter<std::vec::IntoIter<Result<GetArtifactResponse, Status>>>;

    async fn get_artifact(
        &self,
        request: Request<GetArtifactRequest>,
    ) -> Result<Response<Self::GetArtifactStream>, Status> {
        let digest = request.into_inner().digest;
        let bytes = self.answer(|state| state.artifacts.get(&digest).cloned())?;
        let bytes = bytes.ok_or_else(|| Status::not_found("no such artifact"))?;
        let chunks: Vec<_> = bytes
            .chunks(100_000)
            .map(|chunk| {
                Ok(GetArtifactResponse {
                    chunk: chunk.to_vec(),
                })
            })
            .collect();
        Ok(Response::new(tokio_stream::iter(chunks)))
    }
}

impl State {
    fn take(&mut self, request: &LeaseRequest) -> Result<Vec<Lease>, Status> {
        if self.unavailable {
            self.refused += 1;
            return Err(Status::unavailable("down"));
        }
        if let Some(given) = self.given.get(&request.request_id) {
            return Ok(given.clone());
        }
        let ttl_ms = self.lease_ttl.as_millis() as u32;
        let mut leases = Vec::new();
        let mut rest = VecDeque::new();
        for (unit, work) in self.queue.drain(..) {
            if leases.len() < request.capacity as usize && request.kinds.contains(&unit.kind) {
                leases.push(Lease {
                    unit: Some(unit),
                    ttl_ms,
                    work: Some(work),
                });
            } else {
                rest.push_back((unit, work));
            }
        }
        self.queue = rest;
        if !leases.is_empty() {
            self.given
                .insert(request.request_id.clone(), leases.clone());
        }
        Ok(leases)
    }
}
