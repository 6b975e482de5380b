//! Client of the gRPC API of a Velociraptor server.
//!
//! Everything goes through the one streaming call that upstream promises to others, `Query`, with
//! every value bound. A server is known under up to three identities; a call uses the weakest
//! that may make it. Failures arrive as log lines of a stream that ends well: they are turned into
//! typed errors here, and success is read back, never assumed.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use tokio_util::sync::CancellationToken;
//! use velociraptor_api::{ApiConfig, Call, IdentityKind, Limits, OrgId, Server};
//!
//! let config = ApiConfig::load("api.config.yaml".as_ref())?;
//! let server = Server::open("acme", [(Some(IdentityKind::Reader), config)])?;
//! let (org, cancel) = (OrgId::root(), CancellationToken::new());
//! let call = Call { org: &org, limits: Limits::READ, cancel: &cancel };
//! let query = vql_builder::Query::constant("hosts", "SELECT os_info.hostname FROM clients()");
//! let rows = server.run_as(&server.identities()[0], &query, &call, true).await?;
//! # Ok(()) }
//! ```

pub mod artifacts;
pub mod catalogue;
pub mod census;
pub mod clients;
pub mod collections;
pub mod config;
mod connection;
pub mod error;
pub mod failure;
mod fault;
mod files;
pub mod flow_results;
pub mod flows;
#[allow(clippy::all, unreachable_pub, unused_qualifications, reason = "generated code")]
#[path = "generated/proto.rs"]
pub mod generated;
pub mod help;
mod hunt_calls;
pub mod hunt_results;
pub mod hunts;
mod identity;
pub mod ids;
pub mod labels;
mod limits;
pub mod near;
mod os;
mod permission;
pub mod quarantine;
pub mod queries;
pub mod results;
mod row;
mod server;
pub mod server_info;
mod session;
mod stream;
pub mod time;
pub mod uploads;
pub mod users;
pub mod whole;

pub use catalogue::CatalogueQuery;
pub use config::{ApiConfig, ConfigError, ConfigErrorKind};
pub use connection::{Connection, tls_provider};
pub use error::{HandshakeReason, QueryError, QueryErrorKind, TlsReason, TlsRefusal};
pub use fault::Fault;
pub use files::{FetchedFile, FileError, FileReader};
pub use identity::{Identity, IdentityKind, Profile};
pub use ids::{ClientId, FlowId, HuntId, IdError, OrgId};
pub use limits::{Cut, Limits};
pub use os::Os;
pub use permission::{Permission, Permissions};
pub use server::{Call, Rows, Server};
pub use session::Session;
pub use stream::{Batch, QueryStream, Row};
