//! The second copy: that it is made, and that its failure is told and stops nothing.

use std::io::Read as _;
use std::net::{TcpListener, UdpSocket};

use super::*;

fn with_copy(folder: &TempDir, copy: Copy) -> Audit {
    Audit::open(&Options { copy: Some(copy), ..options(folder) }).unwrap()
}

#[tokio::test]
async fn a_file_gets_every_line_from_the_start_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("copy.jsonl");
    let audit = with_copy(&folder, Copy::File(path.clone()));
    call(&audit, "1").await;
    audit.close().await.unwrap();
    drop(audit);
    let log = fs::read_to_string(log(&folder)).unwrap();
    let copy = fs::read_to_string(path).unwrap();
    assert!(log.ends_with(&copy) && copy.contains("\"kind\":\"start\""), "{copy}");
    let told = assert_sound(&folder).copy.unwrap();
    assert_eq!(told.state, "begins");
    assert_eq!(last_copy(&folder.path().join("audit")).unwrap(), Some(told));
}

#[tokio::test]
async fn a_syslog_server_gets_lines_over_udp_and_tcp() {
    let folder = tempfile::tempdir().unwrap();
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let audit = with_copy(&folder, Copy::SyslogUdp(server.local_addr().unwrap().to_string()));
    let mut long = intent("1");
    long.arguments = json!({"text": "x ".repeat(20_000)});
    drop(audit.begin(long).await.unwrap());
    let mut datagram = vec![0; 70_000];
    // What began with the process comes first.
    let text = loop {
        let length = server.recv(&mut datagram).unwrap();
        let text = std::str::from_utf8(&datagram[..length]).unwrap();
        if text.contains("\"kind\":\"intent\"") {
            break text;
        }
    };
    assert!(text.starts_with("<133>1 - - megaraptor "), "{text}");
    let line: serde_json::Value = serde_json::from_str(&text[text.find('{').unwrap()..]).unwrap();
    assert!(text.len() < 8200 && line["shortened"].is_u64() && line["hash"].is_string(), "{text}");
    drop(audit);

    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let audit = with_copy(&folder, Copy::SyslogTcp(server.local_addr().unwrap().to_string()));
    call(&audit, "2").await;
    let (mut stream, _) = server.accept().unwrap();
    drop(audit);
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (length, rest) = text.split_once(' ').unwrap();
    let length: usize = length.parse().unwrap();
    assert!(rest[..length].ends_with("\"}") && rest.contains("\"kind\":\"start\""), "{text}");
    assert!(rest.contains("\"call\":\"2\""), "{text}");
    assert_sound(&folder);
}

#[tokio::test]
async fn a_copy_that_fails_is_told_and_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let gone = folder.path().join("gone/copy.jsonl");
    let audit = with_copy(&folder, Copy::File(gone.clone()));
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    let mut calls = 0;
    let failing = loop {
        call(&audit, &calls.to_string()).await;
        calls += 1;
        if let Some(why) = audit.copy_state().unwrap().failing {
            break why;
        }
        assert!(std::time::Instant::now() < deadline, "{:?}", audit.copy_state());
    };
    assert!(!failing.is_empty());
    call(&audit, "last").await;
    audit.close().await.unwrap();
    let state = audit.copy_state().unwrap();
    assert!(state.lost > 0 && state.sent == 0, "{state:?}");
    let log = fs::read_to_string(log(&folder)).unwrap();
    assert!(log.contains("\"kind\":\"copy\"") && log.contains("\"state\":\"failed: "), "{log}");
    let report = assert_sound(&folder);
    assert_eq!(report.calls, calls + 1);
    assert!(report.copy.unwrap().state.starts_with("failed: "));
}

#[test]
fn places_are_read_as_settings_name_them() {
    let good = |text| Copy::parse(text).unwrap();
    assert_eq!(good("file:/mnt/a.jsonl"), Copy::File("/mnt/a.jsonl".into()));
    assert_eq!(good("syslog:udp:siem:514"), Copy::SyslogUdp("siem:514".into()));
    assert_eq!(good("syslog:tcp:[::1]:6514"), Copy::SyslogTcp("[::1]:6514".into()));
    #[cfg(unix)]
    assert_eq!(good("syslog:/dev/log"), Copy::SyslogUnix("/dev/log".into()));
    for bad in ["", "siem:514", "file:a", "syslog:udp:siem", "syslog:tcp::1", "syslog:udp:a:0"] {
        let error = Copy::parse(bad).unwrap_err();
        assert!(error.contains(bad) && error.contains("syslog:udp:HOST:PORT"), "{error}");
    }
}
