//! What any transport must keep to.

use std::time::{Duration, Instant};

use secret::Secret;

use crate::digest::sha256;
use crate::transport::{
    Command, Content, FileKind, HostFacts, NewFile, Rights, Stat, Transport, TransportError,
    free_disk,
};

/// How long a host may take to end what was ended.
const SOON: Duration = Duration::from_secs(10);

/// Texts that are something else to a shell.
const ODD: [&str; 12] = [
    "",
    " ",
    "two words",
    "it's",
    "say \"so\"",
    "$HOME $(id) `id`",
    "a;b&c|d>e<f",
    "*?[a]{b,c}~",
    "back\\slash\\n",
    "line\nbreak\ttab",
    "--option",
    "grüße 世界",
];

/// Tests a transport to a Linux host. `folder` is a folder there that nobody else uses and in which
/// the transport's user may do what it wants; nothing is left in it.
///
/// # Panics
///
/// Where the contract is broken.
pub async fn transport(host: &dyn Transport, folder: &str) {
    let rights = owner(host, folder).await;
    arguments_and_input_arrive(host).await;
    ends_are_told(host).await;
    nothing_runs_on(host, folder).await;
    files_are_whole(host, folder, rights).await;
    what_cannot_be_put_leaves_nothing(host, folder, rights).await;
    links_are_not_followed(host, folder, rights).await;
    folders_are_removed(host, folder, rights).await;
    facts_are_told(host, folder).await;
    assert_eq!(listed(host, folder).await, "", "nothing is left in {folder}");
}

async fn owner(host: &dyn Transport, folder: &str) -> Rights {
    let stat = host.stat(folder).await.expect("stat").expect("the folder is there");
    assert_eq!(stat.kind, FileKind::Folder, "{folder}");
    Rights { mode: 0o640, ..stat.rights }
}

async fn say(host: &dyn Transport, program: &str, arguments: &[&str]) -> String {
    let ended = host.run(&Command::new(program, arguments)).await;
    let ended = ended.unwrap_or_else(|error| panic!("{program}: {error}"));
    assert_eq!(ended.code, 0, "{program} {arguments:?}: {}", ended.err);
    ended.text()
}

async fn listed(host: &dyn Transport, folder: &str) -> String {
    say(host, "ls", &["-A", "--", folder]).await
}

async fn arguments_and_input_arrive(host: &dyn Transport) {
    let mut arguments = vec!["%s\\0"];
    arguments.extend(ODD);
    let wanted: String = ODD.iter().flat_map(|text| [text, "\0"]).collect();
    assert_eq!(say(host, "printf", &arguments).await, wanted, "arguments arrive as they are");
    // More than any pipe holds, both ways at a time, and all bytes there are.
    let bytes: Vec<u8> = (0..400_000_u32).map(|n| (n % 251 + n / 251 % 5) as u8).collect();
    let bytes = Secret::new(bytes);
    let echo = host.run(&Command::new("cat", &[]).input(&bytes)).await.expect("cat");
    assert!(echo.out.expose() == bytes.expose(), "standard input arrives as it is");
    let deaf = host.run(&Command::new("true", &[]).input(&bytes)).await.expect("true");
    assert_eq!(deaf.code, 0, "whoever reads no input does not fail by it");
    let none = say(host, "cat", &[]).await;
    assert_eq!(none, "", "without input there is none");
    assert_eq!(say(host, "pwd", &[]).await, "/\n", "programs run in /");
    assert_eq!(say(host, "printenv", &["LC_ALL"]).await, "C\n", "and in the language C");
}

async fn ends_are_told(host: &dyn Transport) {
    let script = "echo out; echo err >&2; exit 7";
    let ended = host.run(&Command::new("sh", &["-c", script])).await.expect("sh");
    assert_eq!((ended.code, ended.text().as_str(), ended.err.as_str()), (7, "out\n", "err\n"));
    let ended = host.run(&Command::new("sh", &["-c", "kill -9 $$"])).await.expect("sh");
    assert_eq!(ended.code, 137, "128 and the signal's number");
    let missing = "no-such-program-anywhere";
    match host.run(&Command::new(missing, &[])).await {
        Err(TransportError::NoProgram { program, .. }) => assert_eq!(program, missing),
        other => panic!("a program that is not there: {other:?}"),
    }
    match host.run(&Command::new("yes", &[]).most(100_000)).await {
        Err(TransportError::TooMuch { most, .. }) => assert_eq!(most, 100_000),
        other => panic!("a program that writes without end: {other:?}"),
    }
}

/// Neither what ran too long nor what it started goes on.
async fn nothing_runs_on(host: &dyn Transport, folder: &str) {
    let note = format!("{folder}/running");
    let script = r#"sleep 1000 & echo $! > "$1"; echo $$ >> "$1"; wait"#;
    let arguments = ["-c", script, "sh", &note];
    let begun = Instant::now();
    let command = Command::new("sh", &arguments).within(Duration::from_secs(1));
    match host.run(&command).await {
        Err(TransportError::Late { seconds: 1, .. }) => {}
        other => panic!("a program that runs too long: {other:?}"),
    }
    assert!(begun.elapsed() < SOON, "it took {:?} to be given up", begun.elapsed());
    let read = host.read(&note, 100).await.expect("read").expect("it began");
    for process in String::from_utf8_lossy(read.expose()).split_whitespace() {
        while runs(host, process).await {
            assert!(begun.elapsed() < SOON, "process {process} runs on");
        }
    }
    host.remove(&note).await.expect("remove");
}

/// Whether it runs: one that ended and was not asked for is no process any more.
async fn runs(host: &dyn Transport, process: &str) -> bool {
    let status = host.read(&format!("/proc/{process}/status"), 100_000).await.expect("read");
    status.is_some_and(|status| !String::from_utf8_lossy(status.expose()).contains("State:\tZ"))
}

async fn put(host: &dyn Transport, path: &str, bytes: &[u8], rights: Rights) {
    let bytes = Secret::new(bytes.to_vec());
    let file = NewFile { path, content: Content::Bytes(&bytes), rights };
    host.put(&file).await.unwrap_or_else(|error| panic!("{path}: {error}"));
}

async fn files_are_whole(host: &dyn Transport, folder: &str, rights: Rights) {
    let path = format!("{folder}/it's a file");
    assert_eq!(host.stat(&path).await.expect("stat"), None);
    assert!(host.read(&path, 10).await.expect("read").is_none());
    assert_eq!(host.sha256(&path).await.expect("sha256"), None);
    for (bytes, mode) in [(&b"one"[..], 0o600), (&[0, 255, 10, 13][..], 0o755), (&[], 0o444)] {
        let rights = Rights { mode, ..rights };
        put(host, &path, bytes, rights).await;
        let stat = host.stat(&path).await.expect("stat");
        let wanted = Stat { kind: FileKind::File, rights, size: bytes.len() as u64 };
        assert_eq!(stat, Some(wanted), "after it was put");
        let read = host.read(&path, 10).await.expect("read").expect("a file");
        assert_eq!(read.expose(), bytes, "what was put is read");
        assert_eq!(host.sha256(&path).await.expect("sha256"), Some(sha256(bytes)));
    }
    put(host, &path, &[7; 11], rights).await;
    match host.read(&path, 10).await {
        Err(TransportError::TooMuch { most: 10, .. }) => {}
        other => panic!("eleven bytes where ten were asked for: {other:?}"),
    }
    host.remove(&path).await.expect("remove");
    host.remove(&path).await.expect("twice is once");
    assert_eq!(host.stat(&path).await.expect("stat"), None, "after it was removed");
}

async fn what_cannot_be_put_leaves_nothing(host: &dyn Transport, folder: &str, rights: Rights) {
    let bytes = Secret::new(b"x".to_vec());
    let path = format!("{folder}/no/such/folder");
    let file = NewFile { path: &path, content: Content::Bytes(&bytes), rights };
    let error = host.put(&file).await.expect_err("there is no such folder").to_string();
    assert!(error.contains(folder), "{error}");
    // A file of this machine that changed since it was proved.
    let here = tempfile::NamedTempFile::new().expect("a file here");
    std::fs::write(here.path(), b"changed").expect("a file here");
    let path = format!("{folder}/changed");
    let (proved, changed) = (sha256(b"proved"), sha256(b"changed"));
    let content = Content::File { path: here.path(), sha256: &proved };
    match host.put(&NewFile { path: &path, content, rights }).await {
        Err(TransportError::Differs { expected, found, .. }) => {
            assert_eq!((expected, found), (proved.clone(), changed.clone()));
        }
        other => panic!("a file that changed: {other:?}"),
    }
    assert_eq!(listed(host, folder).await, "", "nothing of either is left");
    let content = Content::File { path: here.path(), sha256: &changed };
    host.put(&NewFile { path: &path, content, rights }).await.expect("put");
    assert_eq!(host.sha256(&path).await.expect("sha256"), Some(changed));
    host.remove(&path).await.expect("remove");
}

async fn links_are_not_followed(host: &dyn Transport, folder: &str, rights: Rights) {
    let (target, link) = (format!("{folder}/target"), format!("{folder}/link"));
    put(host, &target, b"theirs", rights).await;
    say(host, "ln", &["-s", &target, &link]).await;
    let stat = host.stat(&link).await.expect("stat").expect("a link");
    assert_eq!(stat.kind, FileKind::Other, "of the link itself");
    host.read(&link, 10).await.expect_err("a link is not read");
    host.sha256(&link).await.expect_err("nor is what it leads to");
    put(host, &link, b"ours", rights).await;
    let read = host.read(&target, 10).await.expect("read").expect("a file");
    assert_eq!(read.expose(), b"theirs", "the link was replaced, not followed");
    host.remove(&link).await.expect("remove");
    say(host, "ln", &["-s", &target, &link]).await;
    host.remove(&link).await.expect("remove");
    assert!(host.stat(&target).await.expect("stat").is_some(), "what it led to stays");
    host.remove(&target).await.expect("remove");
}

async fn folders_are_removed(host: &dyn Transport, folder: &str, rights: Rights) {
    let (tree, outside) = (format!("{folder}/tree"), format!("{folder}/outside"));
    let inner = format!("{tree}/a/b");
    say(host, "mkdir", &["-p", "--", &inner, &outside]).await;
    put(host, &format!("{inner}/file"), b"x", rights).await;
    put(host, &format!("{outside}/file"), b"x", rights).await;
    say(host, "ln", &["-s", &outside, &format!("{tree}/link")]).await;
    host.remove(&tree).await.expect("remove");
    assert_eq!(listed(host, folder).await, "outside\n", "all of it is gone");
    assert_eq!(listed(host, &outside).await, "file\n", "what a link led to stays");
    host.remove(&outside).await.expect("remove");
}

async fn facts_are_told(host: &dyn Transport, folder: &str) {
    assert!(!host.host().is_empty(), "it says which host it reaches");
    let facts = HostFacts::of_linux(host).await.expect("facts");
    assert_eq!(facts.kernel, "Linux");
    assert_eq!(format!("{}\n", facts.architecture), say(host, "uname", &["-m"]).await);
    assert!(facts.memory > 1 << 20 && facts.processors > 0 && !facts.name.is_empty(), "{facts:?}");
    let here = free_disk(host, folder).await.expect("free disk");
    let below = free_disk(host, &format!("{folder}/not/there/yet")).await.expect("free disk");
    assert!(here > 0 && below > 0, "{here} {below}");
}
