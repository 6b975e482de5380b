//! The second copy of the record, through the program.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::bare::Bare;

/// More than any call here takes, and less than a connection that nobody answers.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_copy_goes_to_a_syslog_server_and_its_failure_holds_nothing_up() {
    let server = TcpListener::bind("127.0.0.1:0").expect("a port");
    let to = format!("syslog:tcp:{}", server.local_addr().expect("its address"));
    let options = ["--lab", "--audit-copy", &to];
    let mut bare = Bare::serve(&options).await;
    let (stream, _) = server.accept().expect("it connects");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    bare.call("list_clients", json!({ "search": "fin" })).await;
    // Frames follow one another without a line feed; an outcome's hash ends one.
    let mut seen = String::new();
    let mut reader = BufReader::new(stream);
    while !seen.contains("\"kind\":\"outcome\"") {
        let mut piece = Vec::new();
        assert_ne!(reader.read_until(b'}', &mut piece).expect("a message in time"), 0, "{seen}");
        seen.push_str(&String::from_utf8_lossy(&piece));
    }
    for kind in ["start", "copy", "intent"] {
        assert!(seen.contains(&format!("\"kind\":\"{kind}\"")), "{kind}: {seen}");
    }
    let (code, told) = bare.beside(&["audit", "verify", "--lab"]).await;
    assert!(code == Some(0) && told.contains("copy begins: syslog tcp 127.0.0.1:"), "{told}");

    // Nobody is there any more.
    drop((reader, server));
    let deadline = Instant::now() + PATIENCE;
    loop {
        let begun = Instant::now();
        let answer = bare.call("list_clients", json!({})).await;
        assert_ne!(answer["isError"], true, "{answer}");
        assert!(begun.elapsed() < Duration::from_secs(5), "the copy holds calls up");
        let (code, told) = bare.beside(&["audit", "verify", "--lab"]).await;
        assert_eq!(code, Some(0), "{told}");
        if told.contains("copy failed: ") {
            break;
        }
        assert!(Instant::now() < deadline, "the failure is not told: {told}");
    }
    let (code, told) = bare.beside(&[&["doctor"], &options[..]].concat()).await;
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("! the copy of the record to syslog tcp"), "{told}");
}

#[tokio::test]
async fn a_place_that_is_none_is_refused_before_anything_is_served() {
    let bare = Bare::serve(&[]).await;
    let (code, _) = bare.beside(&["call", "list_clients", "--lab", "--audit-copy", "siem"]).await;
    assert_eq!(code, Some(2));
    let (code, _) = bare.beside(&["call", "list_clients", "--lab", "--audit-flush", "no"]).await;
    assert_eq!(code, Some(2));
    let (code, told) = bare.beside(&["doctor", "--lab", "--audit-flush", "each"]).await;
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("each line is on the disk before its call runs"), "{told}");
}

#[cfg(unix)]
#[tokio::test]
async fn doctor_says_that_this_account_may_approve_for_itself() {
    let bare = Bare::serve(&[]).await;
    let (code, told) = bare.beside(&["doctor", "--lab"]).await;
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("an assistant with a shell under it can approve for itself"), "{told}");
    assert!(told.contains("under another account"), "{told}");
}

/// The system lets no file grow, as a full disk does.
#[cfg(unix)]
#[tokio::test]
async fn where_no_file_grows_calls_stop_and_the_emergency_stop_does_not() {
    let script = "trap '' XFSZ; ulimit -f 256";
    let options = ["--lab", "--policy=collect=allow", "--policy=limits.calls_per_minute=100000"];
    let mut bare = Bare::serve_after(script, &options).await;
    let slow = "Custom.Lab.Slow";
    let wanted = json!({ "clients": ["FIN-WS07"], "artifacts": [slow], "wait": 0,
                         "parameters": { slow: { "Seconds": "100000" } } });
    let begun = bare.call("collect_artifact", wanted).await;
    assert_ne!(begun["isError"], true, "{begun}");
    let deadline = Instant::now() + 2 * PATIENCE;
    // Long lines first, then short ones, until not even those find room.
    for (tool, arguments) in
        [("vql_help", json!({ "topic": "x".repeat(4000) })), ("list_clients", json!({}))]
    {
        loop {
            let answer = bare.call(tool, arguments.clone()).await;
            if answer["structuredContent"]["error"]["code"] == "not_recorded" {
                break;
            }
            assert!(Instant::now() < deadline, "the file still grows: {answer}");
        }
    }
    let stop = bare.call("emergency_stop", json!({})).await;
    let text = stop["content"][0]["text"].as_str().expect("a text");
    assert!(text.contains("1 of 1 ended") && text.contains("not in the record"), "{text}");
    let (_, told) = bare.beside(&["audit", "verify", "--lab"]).await;
    assert!(told.starts_with("sound") && told.contains(" 2 emergency entries"), "{told}");
}
