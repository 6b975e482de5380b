//! The baseline of the benchmarks: a bare gRPC client that sends the same query and reads the
//! same messages, with nothing of this crate but the generated messages.
//!
//! A program driven over standard input, one command a line, one JSON object a line back:
//!
//! ```text
//! bare API_FILE
//! > latency COUNT MAX_ROW QUERY…    each call's microseconds, one after the other
//! > together COUNT MAX_ROW QUERY…   microseconds for all calls at once
//! > drain MAX_ROW QUERY…            microseconds, bytes and rows of one stream
//! ```
#![expect(clippy::print_stdout, reason = "the answers are the program's purpose")]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run says so by ending")]

use std::io::BufRead;
use std::time::Instant;

use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use velociraptor_api::generated::api_client::ApiClient;
use velociraptor_api::generated::{VqlCollectorArgs, VqlRequest};

type Client = ApiClient<Channel>;

fn main() {
    // `cargo bench` and `cargo test` start every bench target; only the driver gives an API file.
    let Some(file) = std::env::args().nth(1).filter(|argument| !argument.starts_with("--")) else {
        return;
    };
    velociraptor_api::tls_provider().install_default().unwrap();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let client = connect(&file).await;
        for line in std::io::stdin().lock().lines() {
            println!("{}", answer(&client, &line.unwrap()).await);
        }
    });
}

async fn connect(file: &str) -> Client {
    let value: serde_json::Value =
        serde_saphyr::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let text = |key: &str| value[key].as_str().unwrap().to_owned();
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(text("ca_certificate")))
        .identity(Identity::from_pem(text("client_cert"), text("client_private_key")))
        .domain_name("VelociraptorServer");
    let channel = Endpoint::from_shared(format!("https://{}", text("api_connection_string")))
        .unwrap()
        .tls_config(tls)
        .unwrap()
        .connect()
        .await
        .unwrap();
    ApiClient::new(channel).max_decoding_message_size(256 << 20)
}

async fn answer(client: &Client, line: &str) -> serde_json::Value {
    let (command, rest) = line.split_once(' ').unwrap();
    match command {
        "latency" => {
            let (count, max_row, query) = three(rest);
            let mut each = Vec::new();
            for _ in 0..count {
                let start = Instant::now();
                drain(client, max_row, query).await;
                each.push(micros(start));
            }
            serde_json::json!({ "micros": each })
        }
        "together" => {
            let (count, max_row, query) = three(rest);
            let start = Instant::now();
            let calls = (0..count).map(|_| drain(client, max_row, query));
            let done = futures_util::future::join_all(calls).await;
            serde_json::json!({ "micros": micros(start), "answered": done.len() })
        }
        "drain" => {
            let (max_row, query) = rest.split_once(' ').unwrap();
            let start = Instant::now();
            let (bytes, rows) = drain(client, max_row.parse().unwrap(), query).await;
            serde_json::json!({ "micros": micros(start), "bytes": bytes, "rows": rows })
        }
        other => serde_json::json!({ "error": format!("unknown command {other}") }),
    }
}

fn three(rest: &str) -> (usize, u64, &str) {
    let mut parts = rest.splitn(3, ' ');
    let mut next = || parts.next().unwrap();
    (next().parse().unwrap(), next().parse().unwrap(), next())
}

fn micros(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_micros()).unwrap()
}

/// Reads a stream to its end: bytes of row text, and rows as the server's own log counts them.
async fn drain(client: &Client, max_row: u64, query: &str) -> (u64, u64) {
    let request = VqlCollectorArgs {
        query: vec![VqlRequest { vql: query.to_owned(), name: String::from("bench") }],
        max_row,
        max_wait: 1,
        timeout: 300,
        ..VqlCollectorArgs::default()
    };
    let mut stream = client.clone().query(request).await.unwrap().into_inner();
    let (mut bytes, mut rows) = (0, 0);
    while let Some(message) = stream.message().await.unwrap() {
        bytes += message.response.len() as u64;
        rows += message
            .log
            .rsplit_once('(')
            .and_then(|(_, end)| end.split_once(" rows)")?.0.parse::<u64>().ok())
            .unwrap_or_default();
    }
    (bytes, rows)
}
