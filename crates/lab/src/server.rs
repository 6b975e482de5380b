//! The gRPC server: the connection, who is asking, and the methods.

mod files;
mod hunts;
mod query;
mod tls;

use std::sync::Arc;

use prost::Message as _;
use tonic::{Request, Response, Status};
use velociraptor_api::generated as proto;

use crate::eval::Session;
use crate::world::accounts::{Account, Permission};
use crate::world::{ROOT, World};

pub(crate) use tls::{Peer, Tls, serve};

/// What the server takes in one message.
const REQUEST_LIMIT: usize = 4 * 1024 * 1024;

/// The service.
pub(crate) struct Service {
    pub(crate) world: Arc<World>,
}

#[tonic::async_trait]
impl proto::api_server::Api for Service {
    type QueryStream = query::Stream;

    async fn query(
        &self,
        request: Request<proto::VqlCollectorArgs>,
    ) -> Result<Response<Self::QueryStream>, Status> {
        let size = request.get_ref().encoded_len();
        if size > REQUEST_LIMIT {
            return Err(Status::resource_exhausted(format!(
                "grpc: received message larger than max ({size} vs. {REQUEST_LIMIT})"
            )));
        }
        let session = self.session(&request, &request.get_ref().org_id, Status::unknown)?;
        if !session.account.may(Permission::AnyQuery) {
            return Err(Status::permission_denied(format!(
                "Permission denied: User {} requires permission ANY_QUERY to run queries",
                session.user
            )));
        }
        query::start(Arc::clone(&self.world), session, request.into_inner()).map(Response::new)
    }

    async fn vfs_get_buffer(
        &self,
        request: Request<proto::VfsFileBuffer>,
    ) -> Result<Response<proto::VfsFileBuffer>, Status> {
        let session = self.session(&request, &request.get_ref().org_id, Status::not_found)?;
        files::read(&self.world, &session, &request.into_inner()).map(Response::new)
    }

    /// Answers whoever has a certificate, whether or not a user belongs to it.
    async fn check(
        &self,
        _: Request<proto::HealthCheckRequest>,
    ) -> Result<Response<proto::HealthCheckResponse>, Status> {
        let status = proto::health_check_response::ServingStatus::Serving;
        Ok(Response::new(proto::HealthCheckResponse { status: status.into() }))
    }

    async fn create_hunt(
        &self,
        request: Request<proto::Hunt>,
    ) -> Result<Response<proto::StartFlowResponse>, Status> {
        let session = self.session(&request, ROOT, Status::not_found)?;
        hunts::create(&self.world, &session, request.into_inner()).map(Response::new)
    }

    async fn modify_hunt(
        &self,
        request: Request<proto::HuntMutation>,
    ) -> Result<Response<()>, Status> {
        let session = self.session(&request, ROOT, Status::not_found)?;
        hunts::modify(&self.world, &session, &request.into_inner()).map(Response::new)
    }

    async fn estimate_hunt(
        &self,
        request: Request<proto::HuntEstimateRequest>,
    ) -> Result<Response<proto::HuntStats>, Status> {
        let session = self.session(&request, ROOT, Status::not_found)?;
        hunts::estimate(&self.world, &session, request.into_inner()).map(Response::new)
    }
}

impl Service {
    /// Who asks, in the org that the request names.
    fn session<T>(
        &self,
        request: &Request<T>,
        org: &str,
        no_user: fn(String) -> Status,
    ) -> Result<Session, Status> {
        let peer = request.extensions().get::<Peer>();
        let user = peer.map(|peer| peer.user.clone()).unwrap_or_default();
        let org = if org.is_empty() { ROOT } else { org };
        let state = self.world.lock();
        if !state.orgs.contains_key(org) {
            return Err(Status::unknown("Org not found"));
        }
        let Some(orgs) = state.users.get(&user) else {
            return Err(no_user(format!("User not found: {user}")));
        };
        let account = orgs.get(org).cloned().unwrap_or_else(Account::default);
        Ok(Session { user, org: org.to_owned(), account })
    }
}
