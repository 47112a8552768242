//! The worker service over gRPC: reads messages, asks for the token, calls the store, writes messages.
//!
//! The rules this module keeps: every call names a worker scope token where tokens are required; what a message says is
//! checked before anything is done; errors are projected from the crate's one error type by `problem`, with the stable
//! code in the trailer `bitfront-code`.

mod convert;
mod transfer;
mod units;

use bitfront_proto::v1::{
    CompleteRequest, CompleteResponse, FailRequest, FailResponse, GetArtifactRequest,
    HeartbeatRequest, HeartbeatResponse, LeaseRequest, LeaseResponse, PutArtifactRequest,
    PutArtifactResponse, RegisterRequest, RegisterResponse, ReleaseRequest, ReleaseResponse,
    worker_server::{Worker, WorkerServer},
};
use tonic::{Request, Response, Status, Streaming};

use crate::{
    auth::{self, Scope},
    error::{Error, Result},
    problem::Problem,
    state::State,
};

/// Largest message read: a chunk of an artifact, a result, a heartbeat with log tails.
const LARGEST_MESSAGE: usize = 16 << 20;

/// The worker service of one coordinator.
#[derive(Clone)]
pub struct WorkerService {
    state: State,
}

/// The tonic server of the worker service, with its message limits.
pub fn service(state: State) -> WorkerServer<WorkerService> {
    WorkerServer::new(WorkerService { state })
        .max_decoding_message_size(LARGEST_MESSAGE)
        .max_encoding_message_size(16 << 20)
}

/// The routes of the worker service, to be merged with those of REST on the same port.
pub fn router(state: State) -> axum::Router {
    tonic::service::Routes::new(service(state))
        .prepare()
        .into_axum_router()
}

fn status(error: Error) -> Status {
    Status::from(Problem::from(error))
}

impl WorkerService {
    /// Lets a call through whose token is of scope `worker`.
    async fn admit<T>(&self, request: Request<T>) -> Result<T, Status> {
        let header = request
            .metadata()
            .get("authorization")
            .map(|value| value.to_str());
        let header = header.transpose().map_err(|_| {
            status(Error::new(
                crate::error::Kind::Unauthenticated,
                "unauthenticated",
                "the authorization metadata is not text",
            ))
        })?;
        auth::authorize(&self.state, header, Scope::Worker)
            .await
            .map_err(status)?;
        Ok(request.into_inner())
    }
}

#[tonic::async_trait]
impl Worker for WorkerService {
    async fn register(
        &self,
        request: Request<RegisterRequest>,
    ) -> Result<Response<RegisterResponse>, Status> {
        let message = self.admit(request).await?;
        units::register(&self.state, message)
            .await
            .map(Response::new)
            .map_err(status)
    }

    async fn lease(
        &self,
        request: Request<LeaseRequest>,
    ) -> Result<Response<LeaseResponse>, Status> {
        let message = self.admit(request).await?;
        units::lease(&self.state, message)
            .await
            .map(Response::new)
            .map_err(status)
    }

    async fn heartbeat(
        &self,
        request: Request<HeartbeatRequest>,
    ) -> Result<Response<HeartbeatResponse>, Status> {
        let message = self.admit(request).await?;
        units::heartbeat(&self.state, message)
            .await
            .map(Response::new)
            .map_err(status)
    }

    async fn complete(
        &self,
        request: Request<CompleteRequest>,
    ) -> Result<Response<CompleteResponse>, Status> {
        let message = self.admit(request).await?;
        units::complete(&self.state, message)
            .await
            .map(Response::new)
            .map_err(status)
    }

    async fn fail(&self, request: Request<FailRequest>) -> Result<Response<FailResponse>, Status> {
        let message = self.admit(request).await?;
        units::fail(&self.state, message)
            .await
            .map(Response::new)
            .map_err(status)
    }

    async fn release(
        &self,
        request: Request<ReleaseRequest>,
    ) -> Result<Response<ReleaseResponse>, Status> {
        let message = self.admit(request).await?;
        units::release(&self.state, message)
            .await
            .map(Response::new)
            .map_err(status)
    }

    async fn put_artifact(
        &self,
        request: Request<Streaming<PutArtifactRequest>>,
    ) -> Result<Response<PutArtifactResponse>, Status> {
        let stream = self.admit(request).await?;
        transfer::put(&self.state, stream).await.map(Response::new)
    }

    type GetArtifactStream = transfer::Chunks;

    async fn get_artifact(
        &self,
        request: Request<GetArtifactRequest>,
    ) -> Result<Response<Self::GetArtifactStream>, Status> {
        let message = self.admit(request).await?;
        transfer::get(&self.state, &message.digest)
            .await
            .map(Response::new)
            .map_err(status)
    }
}
