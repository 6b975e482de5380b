//! The calls, answered as the state says.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::{Stream, StreamExt, stream};
use tonic::{Request, Response, Status};
use velociraptor_api::generated::api_server::Api;
use velociraptor_api::generated::{
    HealthCheckRequest, HealthCheckResponse, Hunt, HuntEstimateRequest, HuntMutation, HuntStats,
    StartFlowResponse, VfsFileBuffer, VqlCollectorArgs, VqlRequest, VqlResponse,
};

use super::State;
use super::state::{Asked, Reply};

pub(super) struct Service {
    pub(super) state: Arc<State>,
}

/// Counts a running query for as long as its stream lives.
struct Running(Arc<State>);

impl Running {
    fn new(state: &Arc<State>) -> Self {
        let now = state.running.fetch_add(1, Ordering::SeqCst) + 1;
        state.most_running.fetch_max(now, Ordering::SeqCst);
        Self(Arc::clone(state))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The common name of the caller's certificate.
fn user<T>(request: &Request<T>) -> String {
    use x509_parser::prelude::{FromDer, X509Certificate};
    let Some(certificates) = request.peer_certs() else { return String::new() };
    let (_, parsed) = X509Certificate::from_der(&certificates[0]).unwrap();
    let name = parsed.subject().iter_common_name().next();
    name.and_then(|name| name.as_str().ok()).unwrap_or_default().to_owned()
}

type Answers = Pin<Box<dyn Stream<Item = Result<VqlResponse, Status>> + Send>>;

#[tonic::async_trait]
impl Api for Service {
    type QueryStream = Answers;

    async fn query(&self, request: Request<VqlCollectorArgs>) -> Result<Response<Answers>, Status> {
        let user = user(&request);
        let args = request.into_inner();
        let name = args.query.first().map(|query: &VqlRequest| query.name.clone());
        let name = name.unwrap_or_default();
        let earlier = self.state.asked(&name).len();
        let asked = Asked { user, name, args, earlier };
        self.state.asked.lock().unwrap().push(asked.clone());
        let running = Running::new(&self.state);
        let state = Arc::clone(&self.state);
        let said = |messages: Vec<VqlResponse>| stream::iter(messages.into_iter().map(Ok));
        let answers: Answers = match self.state.reply(&asked) {
            Reply::Refuse(status) => return Err(status),
            Reply::Say(messages) => Box::pin(said(messages)),
            Reply::Hang(messages) => Box::pin(said(messages).chain(stream::pending())),
            Reply::Die(messages) => {
                let killer = Arc::clone(&self.state);
                let die = stream::once(async move {
                    killer.break_connections();
                    std::future::pending().await
                });
                Box::pin(said(messages).chain(die))
            }
            Reply::Gated(messages) => {
                let gate = self.state.gate.clone();
                let open = async move {
                    gate.cancelled().await;
                    stream::iter(messages.into_iter().map(Ok))
                };
                Box::pin(stream::once(open).flatten())
            }
            Reply::Endless(make) => Box::pin(stream::iter(0_u64..).map(move |n| Ok(make(n)))),
        };
        let answers = answers.inspect(move |_| {
            state.messages_sent.fetch_add(1, Ordering::SeqCst);
            let _ = &running;
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn vfs_get_buffer(
        &self,
        request: Request<VfsFileBuffer>,
    ) -> Result<Response<VfsFileBuffer>, Status> {
        self.state.unary_calls.fetch_add(1, Ordering::SeqCst);
        let user = user(&request);
        let file = self.state.file.lock().unwrap();
        file(request.get_ref(), &user).map(Response::new)
    }

    async fn check(
        &self,
        _: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        Ok(Response::new(HealthCheckResponse { status: 1 }))
    }

    async fn create_hunt(
        &self,
        request: Request<Hunt>,
    ) -> Result<Response<StartFlowResponse>, Status> {
        self.state.unary_calls.fetch_add(1, Ordering::SeqCst);
        let user = user(&request);
        let hunt = self.state.hunt.lock().unwrap();
        hunt(request.get_ref(), &user)?;
        Ok(Response::new(StartFlowResponse { flow_id: String::from("H.TEST") }))
    }

    async fn modify_hunt(&self, _: Request<HuntMutation>) -> Result<Response<()>, Status> {
        Err(Status::unimplemented("hunts are changed by queries"))
    }

    async fn estimate_hunt(
        &self,
        _: Request<HuntEstimateRequest>,
    ) -> Result<Response<HuntStats>, Status> {
        Err(Status::unimplemented("clients are counted by queries"))
    }
}
