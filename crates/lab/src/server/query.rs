//! `Query`: rows in parts and log lines between them, in the order of the real server.
//!
//! The evaluator runs on a thread of its own. A task packs its rows into parts by number and by
//! time; when the client goes away, it stops the evaluator.

use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use velociraptor_api::generated as proto;

use crate::eval::{Event, Host, Run, Session, Stop, Text, environment, run_program};
use crate::value::{Dict, Value, write_json};
use crate::world::World;

/// What the evaluator's thread sends.
enum Item {
    Log(String),
    Begin { text: usize, statement: u64 },
    Row { columns: Vec<String>, json: String },
    End,
}

/// The answer. Dropping it stops the query.
pub(crate) struct Stream {
    receive: ReceiverStream<Result<proto::VqlResponse, Status>>,
    stop: Arc<Stop>,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl tokio_stream::Stream for Stream {
    type Item = Result<proto::VqlResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.receive).poll_next(cx)
    }
}

/// Starts a call.
///
/// # Errors
/// A call without a query.
pub(super) fn start(
    world: Arc<World>,
    session: Session,
    args: proto::VqlCollectorArgs,
) -> Result<Stream, Status> {
    if args.query.is_empty() {
        return Err(Status::unknown("Query should be specified."));
    }
    let limit = (args.timeout > 0).then(|| Duration::from_secs(args.timeout));
    let stop = Arc::new(Stop::after(limit));
    let (items, receive_items) = mpsc::channel(256);
    let (send, receive) = mpsc::channel(16);
    let packer = Packer {
        texts: args.query.clone(),
        max_row: usize::try_from(args.max_row).unwrap_or(usize::MAX),
        max_wait: Duration::from_secs(if args.max_wait == 0 { 10 } else { args.max_wait }),
        send,
    };
    let task_stop = Arc::clone(&stop);
    tokio::spawn(async move {
        if packer.pack(receive_items).await.is_err() {
            task_stop.cancel();
        }
    });
    let run_stop = Arc::clone(&stop);
    tokio::task::spawn_blocking(move || evaluate(&world, session, &args, run_stop, &items));
    Ok(Stream { receive: ReceiverStream::new(receive), stop })
}

/// Evaluates the texts of a call, on the current thread.
fn evaluate(
    world: &Arc<World>,
    session: Session,
    args: &proto::VqlCollectorArgs,
    stop: Arc<Stop>,
    items: &mpsc::Sender<Item>,
) {
    let log = {
        let items = items.clone();
        // Nobody listens any more: then there is nobody to tell.
        move |line: String| drop(items.blocking_send(Item::Log(line)))
    };
    let run = Run::new(Arc::clone(world), session, Host::Server, Arc::clone(&stop), log);
    run.log("Starting query execution.");
    let env = args.env.iter().map(|env| (env.key.clone(), Value::str(&env.value)));
    let frame = environment(env);
    for (index, request) in args.query.iter().enumerate() {
        let text = match Text::parse(&request.vql) {
            Ok(text) => text,
            Err(error) => {
                run.log(format!("VQL Error: {error}."));
                break;
            }
        };
        run_program(&run, &frame, &text, &mut |event| {
            let item = match event {
                Event::Begin(statement) => Item::Begin { text: index, statement },
                // A row that was being computed when the time was up is not sent.
                Event::Row(_) if stop.is_set() => return ControlFlow::Break(()),
                Event::Row(row) => item(&row),
                Event::End => Item::End,
            };
            match items.blocking_send(item) {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            }
        });
    }
    if stop.timed_out() {
        let seconds = stop.elapsed().as_secs_f64();
        run.log(format!("collect: <red>Timeout Error:</> Collection timed out after {seconds}s"));
    }
}

fn item(row: &Dict) -> Item {
    let mut json = String::new();
    write_json(&mut json, &Value::dict(row.clone()));
    Item::Row { columns: row.keys().map(ToString::to_string).collect(), json }
}

/// Makes messages of what the evaluator sends.
struct Packer {
    texts: Vec<proto::VqlRequest>,
    max_row: usize,
    max_wait: Duration,
    send: mpsc::Sender<Result<proto::VqlResponse, Status>>,
}

/// The statement whose rows are being packed.
struct Open {
    text: usize,
    statement: u64,
    part: u64,
    begun: Timestamp,
    columns: Vec<String>,
    rows: usize,
    json: String,
}

/// The client has gone away.
struct Gone;

impl Packer {
    async fn pack(&self, mut items: mpsc::Receiver<Item>) -> Result<(), Gone> {
        let mut open: Option<Open> = None;
        let mut deadline = tokio::time::Instant::now() + self.max_wait;
        loop {
            let item = tokio::select! {
                item = items.recv() => item,
                () = tokio::time::sleep_until(deadline), if open.is_some() => {
                    deadline = tokio::time::Instant::now() + self.max_wait;
                    if let Some(open) = open.as_mut().filter(|open| open.rows > 0) {
                        self.ship(open).await?;
                    }
                    continue;
                }
                () = self.send.closed() => return Err(Gone),
            };
            match item {
                None => return Ok(()),
                Some(Item::Log(line)) => self.log(line).await?,
                Some(Item::Begin { text, statement }) => {
                    deadline = tokio::time::Instant::now() + self.max_wait;
                    open = Some(Open {
                        text,
                        statement,
                        part: 0,
                        begun: Timestamp::now(),
                        columns: Vec::new(),
                        rows: 0,
                        json: String::new(),
                    });
                }
                Some(Item::Row { columns, json }) => {
                    let Some(open) = &mut open else { continue };
                    if open.rows >= self.max_row {
                        self.ship(open).await?;
                        deadline = tokio::time::Instant::now() + self.max_wait;
                    }
                    if open.rows == 0 {
                        open.columns = columns;
                    } else {
                        open.json.push_str(",\n ");
                    }
                    open.json.push_str(&json);
                    open.rows += 1;
                }
                // The last part is always sent, even when it is empty.
                Some(Item::End) => {
                    if let Some(mut open) = open.take() {
                        self.ship(&mut open).await?;
                    }
                }
            }
        }
    }

    async fn ship(&self, open: &mut Open) -> Result<(), Gone> {
        let response = format!("[{}]", std::mem::take(&mut open.json));
        let now = Timestamp::now();
        let query = self.texts.get(open.text).cloned().unwrap_or_default();
        self.log(format!(
            "Time {}: {}: Sending response part {} {} ({} rows).",
            now.duration_since(open.begun).as_secs(),
            query.name,
            open.part,
            crate::eval::bytes_text(response.len() as u64),
            open.rows
        ))
        .await?;
        let message = proto::VqlResponse {
            response,
            columns: std::mem::take(&mut open.columns),
            query: Some(query),
            timestamp: micros(now),
            query_id: open.statement,
            part: open.part,
            log: String::new(),
        };
        open.part += 1;
        open.rows = 0;
        self.send.send(Ok(message)).await.map_err(|_| Gone)
    }

    async fn log(&self, line: String) -> Result<(), Gone> {
        let message = proto::VqlResponse {
            timestamp: micros(Timestamp::now()),
            log: format!("{line}\n"),
            ..Default::default()
        };
        self.send.send(Ok(message)).await.map_err(|_| Gone)
    }
}

fn micros(time: Timestamp) -> u64 {
    u64::try_from(time.as_microsecond()).unwrap_or(0)
}
