//! A bare gRPC client for the lab: no more than the protocol.

use std::time::{Duration, Instant};

use lab::{Lab, LabOptions, Role};
use serde::Deserialize;
use serde_json::Value;
use tonic::Code;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Identity};
use velociraptor_api::generated as proto;
use velociraptor_api::generated::api_client::ApiClient;

#[derive(Deserialize)]
struct ApiFile {
    ca_certificate: String,
    client_cert: String,
    client_private_key: String,
    api_connection_string: String,
}

/// A lab whose simulated work takes next to no time.
pub(crate) fn fast_lab() -> Lab {
    Lab::start(LabOptions::default().speed(200.0)).unwrap()
}

/// A connection under one identity.
pub(crate) struct Console {
    client: ApiClient<Channel>,
}

/// What a call was answered with.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) rows: Vec<Value>,
    pub(crate) columns: Vec<String>,
    pub(crate) parts: Vec<proto::VqlResponse>,
    pub(crate) log: Vec<String>,
    pub(crate) status: Option<(Code, String)>,
}

impl Answer {
    /// Log lines that are not noise.
    pub(crate) fn complaints(&self) -> Vec<&str> {
        self.log
            .iter()
            .map(|line| line.trim_end_matches('\n'))
            .filter(|line| *line != "Starting query execution." && !line.starts_with("Time "))
            .collect()
    }

    /// The only row's only value.
    pub(crate) fn value(&self) -> &Value {
        assert_eq!(self.rows.len(), 1, "{self:?}");
        self.rows[0].as_object().unwrap().values().next().unwrap()
    }
}

impl Console {
    pub(crate) async fn connect(lab: &Lab, role: Role) -> Self {
        let file: ApiFile = serde_saphyr::from_str(lab.api_config(role).expose()).unwrap();
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(file.ca_certificate))
            .identity(Identity::from_pem(file.client_cert, file.client_private_key))
            .domain_name("VelociraptorServer");
        let channel = Channel::from_shared(format!("https://{}", file.api_connection_string))
            .unwrap()
            .tls_config(tls)
            .unwrap()
            .connect()
            .await
            .unwrap();
        Self { client: ApiClient::new(channel).max_decoding_message_size(64 << 20) }
    }

    pub(crate) fn client(&self) -> ApiClient<Channel> {
        self.client.clone()
    }

    /// Runs a query with an environment.
    pub(crate) async fn ask(&self, vql: &str, env: &[(&str, &str)]) -> Answer {
        self.call(args(vql, env)).await
    }

    /// Makes a call and reads its answer to the end.
    pub(crate) async fn call(&self, args: proto::VqlCollectorArgs) -> Answer {
        let mut answer = Answer::default();
        let mut stream = match self.client.clone().query(args).await {
            Ok(stream) => stream.into_inner(),
            Err(status) => {
                answer.status = Some((status.code(), status.message().to_owned()));
                return answer;
            }
        };
        loop {
            match stream.message().await {
                Ok(Some(message)) if !message.log.is_empty() => answer.log.push(message.log),
                Ok(Some(message)) => {
                    let rows: Vec<Value> = serde_json::from_str(&message.response).unwrap();
                    answer.rows.extend(rows);
                    if answer.columns.is_empty() {
                        answer.columns.clone_from(&message.columns);
                    }
                    answer.parts.push(message);
                }
                Ok(None) => return answer,
                Err(status) => {
                    answer.status = Some((status.code(), status.message().to_owned()));
                    return answer;
                }
            }
        }
    }

    /// Repeats a query until its answer satisfies a condition.
    pub(crate) async fn wait(
        &self,
        vql: &str,
        env: &[(&str, &str)],
        done: impl Fn(&Answer) -> bool,
    ) -> Answer {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let answer = self.ask(vql, env).await;
            if done(&answer) {
                return answer;
            }
            assert!(Instant::now() < deadline, "still waiting; last seen: {answer:?}");
            tokio::task::yield_now().await;
        }
    }

    /// The id of the client of that host name.
    pub(crate) async fn client_id(&self, host: &str) -> String {
        let vql = "SELECT client_id FROM clients(search=S)";
        let answer = self.ask(vql, &[("S", &format!("host:{host}"))]).await;
        answer.value().as_str().unwrap().to_owned()
    }

    /// Collects an artifact and waits for the end of the flow, whose id it gives.
    pub(crate) async fn collect(&self, client: &str, artifact: &str, spec: &str) -> String {
        let vql = "LET R <= collect_client(client_id=C, artifacts=A, spec=parse_json(data=S)) \
                   SELECT R.flow_id AS F FROM scope()";
        let answer = self.ask(vql, &[("C", client), ("A", artifact), ("S", spec)]).await;
        let flow = answer.value().as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned();
        let vql = "SELECT state FROM flows(client_id=C, flow_id=F)";
        self.wait(vql, &[("C", client), ("F", &flow)], |answer| {
            matches!(answer.value().as_str(), Some("FINISHED" | "ERROR"))
        })
        .await;
        flow
    }
}

/// The arguments of a call with parts of a hundred rows.
pub(crate) fn args(vql: &str, env: &[(&str, &str)]) -> proto::VqlCollectorArgs {
    proto::VqlCollectorArgs {
        query: vec![proto::VqlRequest { vql: vql.to_owned(), name: String::from("test") }],
        env: env
            .iter()
            .map(|(key, value)| proto::VqlEnv { key: (*key).into(), value: (*value).into() })
            .collect(),
        max_row: 100,
        ..Default::default()
    }
}
