//! A server with real TLS and scripted answers, which remembers what it was asked.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};
use rustls::server::WebPkiClientVerifier;
use rustls::{HandshakeKind, RootCertStore, ServerConfig, SupportedProtocolVersion, version};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::{TcpConnectInfo, TlsConnectInfo};
use tonic::{Request, Response, Status};
use velociraptor_api::generated::api_server::{Api, ApiServer};
use velociraptor_api::generated::{
    HealthCheckRequest, HealthCheckResponse, Hunt, HuntEstimateRequest, HuntMutation, HuntStats,
    StartFlowResponse, VfsFileBuffer, VqlCollectorArgs, VqlRequest, VqlResponse,
};
use velociraptor_api::{ApiConfig, IdentityKind, Server};

use crate::pki::{Ca, Leaf, SERVER, Says};

/// How the server presents itself.
pub(crate) struct Tls {
    pub(crate) leaf: Leaf,
    /// Whose client certificates it takes; `None` asks for none.
    pub(crate) clients: Option<CertificateDer<'static>>,
    pub(crate) versions: Vec<&'static SupportedProtocolVersion>,
    pub(crate) provider: rustls::crypto::CryptoProvider,
}

impl Tls {
    /// As a good server does.
    pub(crate) fn good(ca: &Ca) -> Self {
        Self::with(ca, ca.issue(&Says::new(SERVER)))
    }

    /// With another certificate.
    pub(crate) fn with(ca: &Ca, leaf: Leaf) -> Self {
        Self {
            leaf,
            clients: Some(ca.certificate.der().clone()),
            versions: vec![&version::TLS13],
            provider: nist_only(),
        }
    }

    pub(crate) fn config(self) -> ServerConfig {
        let provider = Arc::new(self.provider);
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&self.versions)
            .unwrap();
        let builder = match self.clients {
            None => builder.with_no_client_auth(),
            Some(ca) => {
                let mut roots = RootCertStore::empty();
                roots.add(ca).unwrap();
                let roots = Arc::new(roots);
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(roots, provider).build().unwrap();
                builder.with_client_cert_verifier(verifier)
            }
        };
        let chain = vec![CertificateDer::from_pem_slice(self.leaf.pem.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(self.leaf.key.as_bytes()).unwrap();
        let mut config = builder.with_single_cert(chain, key).unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        config
    }
}

/// The curves that the real server takes.
fn nist_only() -> rustls::crypto::CryptoProvider {
    use rustls::crypto::aws_lc_rs;
    let mut provider = aws_lc_rs::default_provider();
    provider.kx_groups = vec![aws_lc_rs::kx_group::SECP384R1, aws_lc_rs::kx_group::SECP256R1];
    provider
}

/// One query that came in.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) user: String,
    pub(crate) name: String,
    pub(crate) args: VqlCollectorArgs,
    /// How many of this name came before.
    pub(crate) earlier: usize,
}

/// What is answered.
pub(crate) enum Reply {
    /// No stream at all.
    Refuse(Status),
    /// These messages, and then the end.
    Say(Vec<VqlResponse>),
    /// These messages, and then nothing, until the caller goes away.
    Hang(Vec<VqlResponse>),
    /// These messages, and then the connection breaks.
    Die(Vec<VqlResponse>),
    /// These messages once the gate is opened.
    Gated(Vec<VqlResponse>),
    /// Messages without end, made one by one.
    Endless(fn(u64) -> VqlResponse),
}

type Script = Box<dyn Fn(&Asked) -> Reply + Send + Sync>;
type Unary<Q, A> = Mutex<Box<dyn Fn(&Q, &str) -> Result<A, Status> + Send + Sync>>;

/// What the server does and what it saw.
pub(crate) struct State {
    scripts: Mutex<HashMap<&'static str, Script>>,
    asked: Mutex<Vec<Asked>>,
    policies: Mutex<HashMap<&'static str, Result<serde_json::Value, Status>>>,
    pub(crate) file: Unary<VfsFileBuffer, VfsFileBuffer>,
    pub(crate) hunt: Unary<HuntMutation, ()>,
    pub(crate) unary_calls: AtomicUsize,
    running: AtomicUsize,
    pub(crate) most_running: AtomicUsize,
    pub(crate) messages_sent: AtomicUsize,
    pub(crate) connections: AtomicUsize,
    pub(crate) handshakes: Mutex<Vec<HandshakeKind>>,
    pub(crate) gate: CancellationToken,
    kill: Mutex<CancellationToken>,
}

impl State {
    fn new() -> Self {
        Self {
            scripts: Mutex::default(),
            asked: Mutex::default(),
            policies: Mutex::default(),
            file: Mutex::new(Box::new(|_, _| Err(Status::not_found("open /srv/vr/x: no")))),
            hunt: Mutex::new(Box::new(|_, _| Ok(()))),
            unary_calls: AtomicUsize::new(0),
            running: AtomicUsize::new(0),
            most_running: AtomicUsize::new(0),
            messages_sent: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
            handshakes: Mutex::default(),
            gate: CancellationToken::new(),
            kill: Mutex::default(),
        }
    }

    /// Answers the queries of a name.
    pub(crate) fn on(
        &self,
        name: &'static str,
        script: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) {
        self.scripts.lock().unwrap().insert(name, Box::new(script));
    }

    /// What a user may do: the flags of its effective policy.
    pub(crate) fn grant(&self, user: &'static str, flags: &[&str]) {
        let policy = flags.iter().map(|flag| ((*flag).to_owned(), true.into())).collect();
        self.policies.lock().unwrap().insert(user, Ok(serde_json::Value::Object(policy)));
    }

    /// Refuses a user.
    pub(crate) fn refuse(&self, user: &'static str, status: Status) {
        self.policies.lock().unwrap().insert(user, Err(status));
    }

    /// The queries of a name so far.
    pub(crate) fn asked(&self, name: &str) -> Vec<Asked> {
        self.asked.lock().unwrap().iter().filter(|asked| asked.name == name).cloned().collect()
    }

    /// Breaks all connections; the port keeps listening.
    pub(crate) fn break_connections(&self) {
        std::mem::take(&mut *self.kill.lock().unwrap()).cancel();
    }

    pub(crate) fn running(&self) -> usize {
        self.running.load(Ordering::SeqCst)
    }

    fn reply(&self, asked: &Asked) -> Reply {
        if asked.name == "who_am_i" {
            return match self.policies.lock().unwrap().get(asked.user.as_str()) {
                None => Reply::Refuse(Status::unknown(format!("User not found: {}", asked.user))),
                Some(Err(status)) => Reply::Refuse(status.clone()),
                Some(Ok(policy)) => Reply::Say(vec![rows(&serde_json::json!([{
                    "User": asked.user, "Policy": policy, "Version": "0.77.2", "OrgName": "test"
                }]))]),
            };
        }
        let scripts = self.scripts.lock().unwrap();
        let script = scripts.get(asked.name.as_str());
        script
            .map_or_else(|| Reply::Say(vec![rows(&serde_json::json!([]))]), |script| script(asked))
    }
}

/// A message with rows.
pub(crate) fn rows(rows: &serde_json::Value) -> VqlResponse {
    let columns = rows[0].as_object().map(|row| row.keys().cloned().collect()).unwrap_or_default();
    VqlResponse { response: rows.to_string(), columns, ..VqlResponse::default() }
}

/// A message with rows as they stand on the wire.
pub(crate) fn raw(columns: &[&str], json: impl Into<String>) -> VqlResponse {
    let columns = columns.iter().map(|column| (*column).to_owned()).collect();
    VqlResponse { response: json.into(), columns, ..VqlResponse::default() }
}

/// A message with a log line.
pub(crate) fn log(line: &str) -> VqlResponse {
    VqlResponse { log: format!("{line}\n"), ..VqlResponse::default() }
}

/// A running server. It stops when it is dropped.
pub(crate) struct Fake {
    pub(crate) ca: Ca,
    pub(crate) state: Arc<State>,
    pub(crate) address: SocketAddr,
    stop: CancellationToken,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.stop.cancel();
        self.state.break_connections();
    }
}

impl Fake {
    pub(crate) async fn start() -> Self {
        let ca = Ca::new();
        let tls = Tls::good(&ca);
        Self::start_with(ca, tls).await
    }

    pub(crate) async fn start_with(ca: Ca, tls: Tls) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State::new());
        let stop = CancellationToken::new();
        let acceptor = TlsAcceptor::from(Arc::new(tls.config()));
        let incoming = accept(listener, acceptor, Arc::clone(&state), stop.clone());
        let service = ApiServer::new(Service { state: Arc::clone(&state) })
            .max_encoding_message_size(usize::MAX)
            .max_decoding_message_size(4 << 20);
        let server = tonic::transport::Server::builder()
            .add_service(service)
            .serve_with_incoming(Box::pin(incoming));
        let until = stop.clone();
        tokio::spawn(async move { until.run_until_cancelled(server).await });
        Self { ca, state, address, stop }
    }

    /// A configuration for a user of this server.
    pub(crate) fn config(&self, user: &'static str) -> ApiConfig {
        self.ca.api_config(user, &self.address.to_string())
    }

    /// The server as a client sees it, with an administrator only.
    pub(crate) fn server(&self) -> Server {
        self.state.grant("admin", &["any_query", "read_results", "server_admin", "collect_client"]);
        Server::open("acme", [(Some(IdentityKind::Administrator), self.config("admin"))]).unwrap()
    }
}

fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    state: Arc<State>,
    stop: CancellationToken,
) -> impl Stream<Item = Result<Broken, std::io::Error>> {
    let handshakes = stream::unfold((listener, stop), |(listener, stop)| async move {
        let stream = stop.run_until_cancelled(listener.accept()).await?;
        Some((stream.unwrap().0, (listener, stop)))
    });
    handshakes.filter_map(move |stream| {
        let acceptor = acceptor.clone();
        let state = Arc::clone(&state);
        async move {
            state.connections.fetch_add(1, Ordering::SeqCst);
            let kill = state.kill.lock().unwrap().clone();
            let tls = acceptor.accept(stream).await.ok()?;
            let kind = tls.get_ref().1.handshake_kind().unwrap();
            state.handshakes.lock().unwrap().push(kind);
            Some(Ok(Broken { tls, killed: Box::pin(kill.cancelled_owned()), dead: false }))
        }
    })
}

/// A connection that can be cut.
struct Broken {
    tls: TlsStream<TcpStream>,
    killed: Pin<Box<tokio_util::sync::WaitForCancellationFutureOwned>>,
    dead: bool,
}

impl Broken {
    fn check(&mut self, cx: &mut Context<'_>) -> Result<(), std::io::Error> {
        self.dead = self.dead || self.killed.as_mut().poll(cx).is_ready();
        if self.dead { Err(std::io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }
}

impl tokio::io::AsyncRead for Broken {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.tls).poll_read(cx, buf)
    }
}

impl tokio::io::AsyncWrite for Broken {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.check(cx)?;
        Pin::new(&mut self.tls).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.tls).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.tls).poll_shutdown(cx)
    }
}

impl tonic::transport::server::Connected for Broken {
    type ConnectInfo = TlsConnectInfo<TcpConnectInfo>;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.tls.connect_info()
    }
}

struct Service {
    state: Arc<State>,
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

    async fn create_hunt(&self, _: Request<Hunt>) -> Result<Response<StartFlowResponse>, Status> {
        self.state.unary_calls.fetch_add(1, Ordering::SeqCst);
        Ok(Response::new(StartFlowResponse { flow_id: String::from("H.TEST") }))
    }

    async fn modify_hunt(&self, request: Request<HuntMutation>) -> Result<Response<()>, Status> {
        self.state.unary_calls.fetch_add(1, Ordering::SeqCst);
        let user = user(&request);
        let hunt = self.state.hunt.lock().unwrap();
        hunt(request.get_ref(), &user).map(Response::new)
    }

    async fn estimate_hunt(
        &self,
        _: Request<HuntEstimateRequest>,
    ) -> Result<Response<HuntStats>, Status> {
        self.state.unary_calls.fetch_add(1, Ordering::SeqCst);
        Ok(Response::new(HuntStats { total_clients_scheduled: 7, ..HuntStats::default() }))
    }
}

/// Waits until a condition holds, and says what was last seen where it never does.
pub(crate) async fn until<T: std::fmt::Debug>(
    what: &str,
    mut look: impl FnMut() -> T,
    mut holds: impl FnMut(&T) -> bool,
) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    loop {
        let seen = look();
        if holds(&seen) {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "{what}: last seen {seen:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
