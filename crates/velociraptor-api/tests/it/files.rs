//! Files of the file store, read piece by piece.

use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use velociraptor_api::generated::VfsFileBuffer;
use velociraptor_api::{Call, FetchedFile, FileError, Limits, OrgId, QueryErrorKind, Server};

use crate::fake::{Fake, until};

/// A file that the server gives out in pieces of at most `piece` bytes.
fn serve(fake: &Fake, file: Vec<u8>, piece: usize) {
    *fake.state.file.lock().unwrap() = Box::new(move |asked: &VfsFileBuffer, _: &str| {
        assert_eq!((asked.client_id.as_str(), asked.length, asked.padding), ("", 1 << 20, None));
        assert_eq!(asked.components, ["clients", "C.1", "a/b 'c'\n"]);
        let from = usize::try_from(asked.offset).unwrap().min(file.len());
        let data = file[from..].iter().copied().take(piece).collect();
        Ok(VfsFileBuffer { data, ..VfsFileBuffer::default() })
    });
}

fn components() -> Vec<String> {
    ["clients", "C.1", "a/b 'c'\n"].map(str::to_owned).to_vec()
}

async fn fetch(
    server: &Server,
    limits: Limits,
    cancel: &CancellationToken,
) -> (Result<FetchedFile, FileError>, Vec<u8>, Vec<u64>) {
    let org = OrgId::root();
    let call = Call { org: &org, limits, cancel };
    let (mut file, mut progress) = (Vec::new(), Vec::new());
    let seen = |bytes| progress.push(bytes);
    let fetched = server.fetch_file(&components(), &call, &mut file, seen).await;
    (fetched, file, progress)
}

fn kind(fetched: Result<FetchedFile, FileError>) -> QueryErrorKind {
    match fetched.unwrap_err() {
        FileError::Query(error) => *error.kind,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_file_arrives_whole_with_its_hash() {
    let fake = Fake::start().await;
    let server = fake.server();
    let cancel = CancellationToken::new();
    for (size, piece) in [(0, 10), (2_500_000, 1 << 20), (10, 3)] {
        let sent: Vec<u8> = (0..size).map(|n: u32| n.to_le_bytes()[0] ^ 0x5a).collect();
        serve(&fake, sent.clone(), piece);
        let (fetched, file, progress) = fetch(&server, Limits::READ, &cancel).await;
        let fetched = fetched.unwrap();
        let sha256: String =
            Sha256::digest(&sent).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!((fetched.bytes, fetched.sha256), (sent.len() as u64, sha256));
        assert_eq!(fetched.identity, "admin");
        assert!(file == sent, "{size} bytes in pieces of {piece}");
        assert_eq!(progress.last().copied().unwrap_or_default(), sent.len() as u64);
        assert_eq!(progress.len(), sent.len().div_ceil(piece));
    }
}

#[tokio::test]
async fn a_file_beyond_the_limit_is_given_up_at_once() {
    let fake = Fake::start().await;
    serve(&fake, vec![7; 5000], 1000);
    let cancel = CancellationToken::new();
    let (fetched, file, _) = fetch(&fake.server(), Limits::READ.bytes(2999), &cancel).await;
    assert!(matches!(fetched, Err(FileError::TooLarge { limit: 2999 })), "{fetched:?}");
    assert_eq!(file.len(), 2000);
    assert_eq!(fake.state.unary_calls.load(Ordering::SeqCst), 3);
    let (fetched, ..) = fetch(&fake.server(), Limits::READ.bytes(5000), &cancel).await;
    assert_eq!(fetched.unwrap().bytes, 5000);
}

#[tokio::test]
async fn refusals_are_typed_and_hold_no_path() {
    let fake = Fake::start().await;
    let server = fake.server();
    let cancel = CancellationToken::new();
    let missing = || Status::not_found("open /srv/velociraptor/x: no such file or directory");
    for (status, check) in [
        (missing(), "the server has no such file"),
        (Status::permission_denied("User is not allowed to view the VFS."), "permission denied"),
        (Status::permission_denied("No access to filesystem path"), "permission denied"),
        (Status::not_found("User not found: admin"), "the server knows no user admin"),
        (Status::unknown("Org not found"), "the server has no org root"),
    ] {
        let answer = status.clone();
        *fake.state.file.lock().unwrap() = Box::new(move |_, _| Err(answer.clone()));
        let told = kind(fetch(&server, Limits::READ, &cancel).await.0).to_string();
        assert!(told.contains(check) && !told.contains("/srv"), "{status:?}: {told}");
    }
    let org = OrgId::root();
    let call = Call { org: &org, limits: Limits::READ, cancel: &cancel };
    let error = server.open_file(&[], &call).await.unwrap_err();
    assert!(matches!(*error.kind, QueryErrorKind::BadArgument { .. }), "{error:?}");
}

#[tokio::test]
async fn a_reader_that_stops_early_has_no_hash_to_show() {
    let fake = Fake::start().await;
    serve(&fake, vec![7; 5000], 1000);
    let server = fake.server();
    let (org, cancel) = (OrgId::root(), CancellationToken::new());
    let call = Call { org: &org, limits: Limits::READ, cancel: &cancel };
    let mut reader = server.open_file(&components(), &call).await.unwrap();
    assert_eq!(reader.next().await.unwrap().unwrap().len(), 1000);
    assert_eq!(reader.finish(), None);
}

#[tokio::test]
async fn a_piece_is_asked_for_again_where_the_connection_broke() {
    let fake = Fake::start().await;
    let server = fake.server();
    serve(&fake, vec![7; 5000], 1000);
    let (org, cancel) = (OrgId::root(), CancellationToken::new());
    let call = Call { org: &org, limits: Limits::READ, cancel: &cancel };
    let mut reader = server.open_file(&components(), &call).await.unwrap();
    let mut sizes = Vec::new();
    while let Some(piece) = reader.next().await.unwrap() {
        sizes.push(piece.len());
        fake.state.break_connections();
    }
    assert_eq!(sizes, [1000; 5]);
    assert_eq!(reader.finish().unwrap().bytes, 5000);
}

/// A disk that is full after the first piece, and a caller who has had enough by then.
struct Sink(Option<CancellationToken>, usize);

impl tokio::io::AsyncWrite for Sink {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.1 += 1;
        match &self.0 {
            Some(cancel) => cancel.cancel(),
            None if self.1 > 1 => return Poll::Ready(Err(std::io::ErrorKind::StorageFull.into())),
            None => {}
        }
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_full_disk_and_a_cancelled_caller_end_the_reading() {
    let fake = Fake::start().await;
    serve(&fake, vec![7; 5000], 1000);
    let server = fake.server();
    let (org, cancel) = (OrgId::root(), CancellationToken::new());
    let call = Call { org: &org, limits: Limits::READ, cancel: &cancel };
    let full = server.fetch_file(&components(), &call, &mut Sink(None, 0), |_| ()).await;
    let full = full.unwrap_err();
    assert!(
        matches!(&full, FileError::Write(error) if error.kind() == std::io::ErrorKind::StorageFull),
        "{full}"
    );

    let before = fake.state.unary_calls.load(Ordering::SeqCst);
    let mut sink = Sink(Some(cancel.clone()), 0);
    let fetched = server.fetch_file(&components(), &call, &mut sink, |_| ()).await;
    assert_eq!(kind(fetched), QueryErrorKind::Cancelled);
    assert_eq!(fake.state.unary_calls.load(Ordering::SeqCst), before + 1);
    until("no query is left", || fake.state.running(), |running| *running == 0).await;
}
