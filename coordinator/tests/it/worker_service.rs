//! The worker service over a real connection.

use bitfront_coordinator::{grpc, ids::WorkerId};
use bitfront_proto::v1::{
    ArtifactRef, CompleteRequest, EpochMeasurement, FailRequest, GetArtifactRequest,
    HeartbeatRequest, LeaseAnswer, LeaseRequest, Progress, PutArtifactRequest, RegisterRequest,
    ReleaseRequest, UnitAnswer, UnitRef, WorkKind, lease::Work, put_artifact_request::Part,
    worker_client::WorkerClient,
};
use tonic::{Code, Request, transport::Channel};
use uuid::Uuid;

use crate::support::{TestStore, Wanted, scores};

struct Served {
    test: TestStore,
    client: WorkerClient<Channel>,
    worker: String,
}

async fn serve(tokens_required: bool) -> Served {
    let mut test = TestStore::new().await;
    let mut config = (*test.state.config).clone();
    config.tokens_required = tokens_required;
    test.state.config = config.into();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = grpc::router(test.state.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let endpoint = Channel::from_shared(format!("http://{address}")).unwrap();
    let client = WorkerClient::new(endpoint.connect().await.unwrap());
    Served {
        test,
        client,
        worker: WorkerId::new().to_string(),
    }
}

impl Served {
    fn registration(&self) -> RegisterRequest {
        RegisterRequest {
            worker_id: self.worker.clone(),
            name: "bench-1".to_owned(),
            host: "here".to_owned(),
            version: "0.1.0".to_owned(),
            slots: 2,
            kinds: vec![WorkKind::Trial.into(), WorkKind::Synthesis.into()],
            tools: [("yosys".to_owned(), "0.23".to_owned())].into(),
            cpu_level: "avx2".to_owned(),
            engines: vec!["yosys".to_owned()],
            engine_version: 1,
        }
    }

    fn ask(&self, capacity: u32) -> LeaseRequest {
        LeaseRequest {
            worker_id: self.worker.clone(),
            request_id: Uuid::now_v7().to_string(),
            capacity,
            kinds: vec![WorkKind::Trial.into()],
            wait_ms: 0,
        }
    }

    async fn put(&mut self, kind: &str, bytes: &[u8]) -> Result<ArtifactRef, tonic::Status> {
        let digest = bitfront_coordinator::artifacts::Digest::of(bytes).to_string();
        let header = ArtifactRef {
            kind: kind.to_owned(),
            digest,
            bytes: bytes.len() as u64,
        };
        let mut parts = vec![PutArtifactRequest {
            part: Some(Part::Header(header.clone())),
        }];
        parts.extend(bytes.chunks(256 << 10).map(|chunk| PutArtifactRequest {
            part: Some(Part::Chunk(chunk.to_vec())),
        }));
        self.client.put_artifact(tokio_stream::iter(parts)).await?;
        Ok(header)
    }
}

#[tokio::test]
async fn a_trial_goes_its_whole_way() {
    let mut served = serve(false).await;
    let registered = served
        .client
        .register(served.registration())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(registered.lease_ttl_ms, 600_000);
    assert_eq!(registered.heartbeat_interval_ms, 200_000);
    served
        .test
        .submit(Wanted {
            trials: 1,
            ..Wanted::default()
        })
        .await;

    let leases = served
        .client
        .lease(served.ask(2))
        .await
        .unwrap()
        .into_inner()
        .leases;
    assert_eq!(leases.len(), 1);
    let unit = leases[0].unit.clone().unwrap();
    assert_eq!((unit.kind(), unit.attempt), (WorkKind::Trial, 1));
    let Some(Work::Trial(work)) = leases[0].work.clone() else {
        panic!("a trial")
    };
    assert_eq!((work.number, work.dataset_file.as_str()), (0, "jets.csv"));
    let search: bitfront_search::Search = serde_json::from_str(&work.search_json).unwrap();
    let candidate: bitfront_network::Candidate =
        serde_json::from_str(&work.candidate_json).unwrap();
    let digest = candidate.digest();
    assert_eq!(
        work.seed,
        bitfront_search::trial_seed(search.seed, &digest, 0)
    );

    let mut chunks = served
        .client
        .get_artifact(GetArtifactRequest {
            digest: work.dataset_digest,
        })
        .await
        .unwrap()
        .into_inner();
    let mut bytes = Vec::new();
    while let Some(part) = chunks.message().await.unwrap() {
        bytes.extend(part.chunk);
    }
    assert_eq!(bytes, b"x,y\n1,a\n2,b\n");

    let epoch = |epoch| EpochMeasurement {
        epoch,
        train_loss: 1.0,
        validation_loss: 1.1,
        validation_accuracy: 0.4,
        learning_rate: 0.003,
    };
    let progress = Progress {
        unit: Some(unit.clone()),
        epochs: vec![epoch(1)],
        log_tail: "epoch 1\n".to_owned(),
    };
    let answer = served
        .client
        .heartbeat(HeartbeatRequest {
            worker_id: served.worker.clone(),
            units: vec![progress],
            draining: false,
        })
        .await
        .unwrap()
        .into_inner();
    assert!(!answer.stop);
    assert_eq!(answer.units[0].answer(), LeaseAnswer::Extended);

    let weights = served.put("weights", &vec![7; 700_000]).await.unwrap();
    let report = CompleteRequest {
        worker_id: served.worker.clone(),
        unit: Some(unit.clone()),
        result_json: scores(&serde_json::json!(1)).to_string(),
        artifacts: vec![weights],
        epochs: vec![epoch(2)],
        log_tail: "done\n".to_owned(),
    };
    served.client.complete(report.clone()).await.unwrap();
    served.client.complete(report.clone()).await.unwrap();
    assert_eq!(
        served.test.count("select count(*) from measurements").await,
        2
    );
    assert_eq!(
        served
            .test
            .count("select count(*) from attempts where log_tail = E'epoch 1\\ndone\\n'")
            .await,
        1
    );
    assert_eq!(
        served
            .test
            .count("select count(*) from searches where state = 'finished'")
            .await,
        1
    );

    let late = CompleteRequest {
        result_json: scores(&serde_json::json!(2)).to_string(),
        ..report
    };
    let status = served.client.complete(late).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert_eq!(
        status.metadata().get("bitfront-code").unwrap(),
        "lease-lost"
    );
}

#[tokio::test]
async fn heartbeats_tell_what_became_of_each_lease() {
    let mut served = serve(false).await;
    served.client.register(served.registration()).await.unwrap();
    let search = served.test.submit(Wanted::default()).await;
    let leases = served
        .client
        .lease(served.ask(3))
        .await
        .unwrap()
        .into_inner()
        .leases;
    let units: Vec<UnitRef> = leases
        .into_iter()
        .map(|lease| lease.unit.unwrap())
        .collect();
    let failed = FailRequest {
        worker_id: served.worker.clone(),
        unit: Some(units[0].clone()),
        code: "diverged".to_owned(),
        message: "the loss is not finite".to_owned(),
        retryable: false,
        artifacts: Vec::new(),
        log_tail: String::new(),
    };
    served.client.fail(failed).await.unwrap();
    let store = served.test.store();
    store
        .cancel_unit(search, units[1].id.parse().unwrap())
        .await
        .unwrap();
    store
        .stop_worker(served.worker.parse().unwrap())
        .await
        .unwrap();
    let progress = units
        .iter()
        .map(|unit| Progress {
            unit: Some(unit.clone()),
            ..Progress::default()
        })
        .collect();
    let answer = served
        .client
        .heartbeat(HeartbeatRequest {
            worker_id: served.worker.clone(),
            units: progress,
            draining: true,
        })
        .await
        .unwrap()
        .into_inner();
    let answers: Vec<_> = answer.units.iter().map(UnitAnswer::answer).collect();
    assert_eq!(
        answers,
        [
            LeaseAnswer::Lost,
            LeaseAnswer::Cancel,
            LeaseAnswer::Extended
        ]
    );
    assert!(answer.stop);
    let release = ReleaseRequest {
        worker_id: served.worker.clone(),
        units: units.clone(),
    };
    served.client.release(release).await.unwrap();
    let mut states = Vec::new();
    for unit in &units {
        states.push(served.test.unit(unit.id.parse().unwrap()).await.state);
    }
    assert_eq!(states, ["failed", "cancelled", "queued"]);
    assert_eq!(
        served
            .test
            .count("select count(*) from workers where draining")
            .await,
        1
    );
}

#[tokio::test]
async fn messages_that_make_no_sense_name_their_fault() {
    let mut served = serve(false).await;
    let unnamed = RegisterRequest {
        name: String::new(),
        ..served.registration()
    };
    let status = served.client.register(unnamed).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(
        status.message().starts_with("name: "),
        "{}",
        status.message()
    );
    let beyond = RegisterRequest {
        engine_version: u32::MAX,
        ..served.registration()
    };
    let status = served.client.register(beyond).await.unwrap_err();
    assert!(
        status
            .message()
            .contains("engine_version: 4294967295, accepted are 0 to"),
        "{}",
        status.message()
    );
    let idle = RegisterRequest {
        kinds: Vec::new(),
        ..served.registration()
    };
    assert_eq!(
        served.client.register(idle).await.unwrap_err().code(),
        Code::InvalidArgument
    );

    let status = served.client.lease(served.ask(1)).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound, "it has not registered");
    served.client.register(served.registration()).await.unwrap();
    for ask in [
        served.ask(0),
        served.ask(65),
        LeaseRequest {
            request_id: "one".to_owned(),
            ..served.ask(1)
        },
        LeaseRequest {
            kinds: vec![9],
            ..served.ask(1)
        },
    ] {
        assert_eq!(
            served.client.lease(ask).await.unwrap_err().code(),
            Code::InvalidArgument
        );
    }
    let report = CompleteRequest {
        worker_id: served.worker.clone(),
        unit: Some(UnitRef {
            kind: WorkKind::Trial.into(),
            id: Uuid::now_v7().to_string(),
            attempt: 1,
        }),
        result_json: "{".to_owned(),
        ..CompleteRequest::default()
    };
    assert_eq!(
        served
            .client
            .complete(report.clone())
            .await
            .unwrap_err()
            .code(),
        Code::InvalidArgument
    );
    let unknown = CompleteRequest {
        result_json: "{}".to_owned(),
        ..report
    };
    assert_eq!(
        served.client.complete(unknown).await.unwrap_err().code(),
        Code::FailedPrecondition
    );
}

#[tokio::test]
async fn uploads_are_held_to_their_header() {
    let mut served = serve(false).await;
    let header = |digest: &str, bytes| PutArtifactRequest {
        part: Some(Part::Header(ArtifactRef {
            kind: "log".to_owned(),
            digest: digest.to_owned(),
            bytes,
        })),
    };
    let chunk = |bytes: &[u8]| PutArtifactRequest {
        part: Some(Part::Chunk(bytes.to_vec())),
    };
    let zeros = "0".repeat(64);
    for (parts, code) in [
        (vec![header(&zeros, 3), chunk(b"abc")], Code::DataLoss),
        (
            vec![header(&zeros, 2), chunk(b"abc")],
            Code::ResourceExhausted,
        ),
        (vec![header(&zeros, 2 << 20)], Code::ResourceExhausted),
        (vec![chunk(b"abc")], Code::InvalidArgument),
        (
            vec![header("../../etc/passwd", 3), chunk(b"abc")],
            Code::InvalidArgument,
        ),
        (
            vec![header(&zeros, 1 << 20), chunk(&vec![0; 300 << 10])],
            Code::InvalidArgument,
        ),
    ] {
        let status = served
            .client
            .put_artifact(tokio_stream::iter(parts))
            .await
            .unwrap_err();
        assert_eq!(status.code(), code, "{}", status.message());
    }
    assert_eq!(served.test.count("select count(*) from artifacts").await, 0);
    let missing = served
        .client
        .get_artifact(GetArtifactRequest { digest: zeros })
        .await
        .unwrap_err();
    assert_eq!(missing.code(), Code::NotFound);
}

#[tokio::test]
async fn every_call_needs_a_worker_token_where_tokens_are_required() {
    use bitfront_coordinator::auth::{self, Scope};
    let mut served = serve(true).await;
    let worker_id = served.worker.clone();
    let mut client = served.client.clone();
    let mut codes = vec![
        client
            .register(served.registration())
            .await
            .unwrap_err()
            .code(),
        client.lease(served.ask(1)).await.unwrap_err().code(),
        client
            .heartbeat(HeartbeatRequest::default())
            .await
            .unwrap_err()
            .code(),
        client
            .complete(CompleteRequest::default())
            .await
            .unwrap_err()
            .code(),
        client
            .fail(FailRequest::default())
            .await
            .unwrap_err()
            .code(),
        client
            .release(ReleaseRequest {
                worker_id,
                units: Vec::new(),
            })
            .await
            .unwrap_err()
            .code(),
        client
            .get_artifact(GetArtifactRequest::default())
            .await
            .unwrap_err()
            .code(),
    ];
    codes.push(served.put("log", b"abc").await.unwrap_err().code());
    assert_eq!(codes, [Code::Unauthenticated; 8]);

    let with = |message, secret: &str| {
        let mut request = Request::new(message);
        request
            .metadata_mut()
            .insert("authorization", format!("Bearer {secret}").parse().unwrap());
        request
    };
    let store = served.test.store();
    let (_, user) = auth::create(store, "user", Scope::User, None)
        .await
        .unwrap();
    let (_, worker) = auth::create(store, "worker", Scope::Worker, None)
        .await
        .unwrap();
    let refused = client
        .register(with(served.registration(), user.reveal()))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    client
        .register(with(served.registration(), worker.reveal()))
        .await
        .unwrap();
}
