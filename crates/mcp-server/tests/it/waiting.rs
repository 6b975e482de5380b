//! Whether a call waited: not by the clock, but by what woke it.
//!
//! Between two steps a call sleeps until somebody wakes it. Its server's answers come from the
//! tasks of the connection, so those wake it from within a task; the record of calls is written by a
//! thread of its own. A timer that fires wakes it from the runtime itself, on its one thread and
//! outside of every task: then it has waited for time to pass.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::ThreadId;
use std::time::Duration;

use mcp_server::tool_error::Code;
use serde_json::json;
use velociraptor_api::flows::{self, WaitEnd};
use velociraptor_api::{ClientId, FlowId, OrgId, Session};

use crate::direct::Direct;

/// Longer than any test may take.
const LONG: u64 = 600;

/// Passes a wake on, and notes the ones that no task gave.
struct Watch {
    inner: Waker,
    runtime: ThreadId,
    polling: AtomicBool,
    timer: AtomicBool,
}

impl Wake for Watch {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // What a call gives itself while it runs is no timer either.
        let own = self.polling.load(Ordering::SeqCst);
        let here = std::thread::current().id() == self.runtime;
        if !own && here && tokio::task::try_id().is_none() {
            self.timer.store(true, Ordering::SeqCst);
        }
        self.inner.wake_by_ref();
    }
}

/// Runs `call` on the runtime of a test, which has one thread. `None` where a timer woke it: it is
/// given up there and then.
async fn without_waiting<T>(call: impl Future<Output = T>) -> Option<T> {
    let mut call = pin!(call);
    let mut watch: Option<Arc<Watch>> = None;
    std::future::poll_fn(move |cx| {
        let watch = watch.get_or_insert_with(|| {
            let (polling, timer) = (AtomicBool::new(false), AtomicBool::new(false));
            let runtime = std::thread::current().id();
            Arc::new(Watch { inner: cx.waker().clone(), runtime, polling, timer })
        });
        if watch.timer.load(Ordering::SeqCst) {
            return Poll::Ready(None);
        }
        watch.polling.store(true, Ordering::SeqCst);
        let waker = Waker::from(Arc::clone(watch));
        let polled = call.as_mut().poll(&mut Context::from_waker(&waker));
        watch.polling.store(false, Ordering::SeqCst);
        polled.map(Some)
    })
    .await
}

#[tokio::test]
async fn a_timer_is_told_from_an_answer() {
    let lab = Direct::start();
    // Answers of a server, many and in several queries.
    let asked = without_waiting(lab.data("list_clients", json!({}))).await;
    assert!(asked.expect("no timer")["total"].as_u64() > Some(0));
    // The shortest of waits, alone and beside other work.
    assert!(without_waiting(tokio::time::sleep(Duration::from_millis(1))).await.is_none());
    let both = async {
        tokio::join!(
            lab.data("list_clients", json!({})),
            tokio::time::sleep(Duration::from_millis(1))
        )
    };
    assert!(without_waiting(both).await.is_none());
    // A client that is there takes its time, and is waited for.
    let slow = "Custom.Lab.Slow";
    let wanted = json!({"clients": ["FIN-WS07"], "artifacts": [slow],
                        "parameters": {slow: {"Seconds": "100000"}}, "wait": LONG});
    assert!(without_waiting(lab.data("collect_artifact", wanted)).await.is_none());
}

#[tokio::test]
async fn an_offline_client_is_answered_without_any_waiting() {
    let lab = Direct::start();
    let mut wanted = json!({"clients": ["LAPTOP-19"], "artifacts": ["Windows.System.Pslist"],
                            "wait": LONG});
    let refused = without_waiting(lab.call("collect_artifact", wanted.clone())).await;
    let error = refused.expect("it waited").expect_err("nobody said how long it may wait");
    assert_eq!(error.code, Code::Offline);
    let both = json!({"clients": ["LAPTOP-19", "SRV-BK01"],
                      "artifacts": ["Windows.System.Pslist"]});
    let error = lab.error("collect_artifact", both).await;
    assert!(error.message.contains(", and so are SRV-BK01: nothing was started"), "{error}");
    wanted["queue_hours"] = json!(2);
    let done = without_waiting(lab.data("collect_artifact", wanted)).await;
    let done = done.expect("it waited for a client that is not there");
    assert_eq!(
        (&done["state"], &done["outcomes"][0]["state"]),
        (&json!("offline"), &json!("offline"))
    );

    // The facade's own wait finds out by itself that nobody is there.
    let client = done["outcomes"][0]["client_id"].as_str().expect("an id");
    let flow = done["outcomes"][0]["flow_id"].as_str().expect("a flow");
    let client = ClientId::parse(client).expect("a client id");
    let flow = FlowId::parse(flow).expect("a flow id");
    let (org, cancel) = (OrgId::root(), tokio_util::sync::CancellationToken::new());
    let session = Session::new(lab.server(), &org, &cancel);
    let patience = Duration::from_secs(LONG);
    let waited = without_waiting(flows::wait(&session, &client, &flow, patience, |_| {})).await;
    let waited = waited.expect("it waited for a client that is not there").expect("a flow");
    assert_eq!(waited.end, WaitEnd::Offline);
}

#[tokio::test]
async fn d07_an_offline_client_is_refused_isolation_without_any_waiting() {
    let lab = Direct::start();
    for (queue, code) in [(json!(null), Some(Code::Offline)), (json!(2), None)] {
        let isolate =
            json!({"client": "LAPTOP-19", "action": "isolate", "queue_hours": queue, "wait": LONG});
        let done = without_waiting(lab.call("quarantine_client", isolate)).await;
        let done = done.expect("it waited for a client that is not there");
        assert_eq!(done.err().map(|error| error.code), code);
    }
}
