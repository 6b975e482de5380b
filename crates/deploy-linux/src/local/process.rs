//! Programs on this host.

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;

use deploy_core::evidence::Pipe;
use deploy_core::transport::{Command, Ended, TransportError};
use rustix::process::{Pid, Signal, kill_process_group};
use secret::Secret;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin};

use super::{HOST, failed};

/// Where programs are looked for, whatever the environment of this program says.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How much is read at a time.
const PIECE: usize = 16 * 1024;

/// A program with all that it started; ended when this is dropped before it ended by itself.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            // That there is none left is what was wanted.
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}

pub(super) async fn run(command: &Command<'_>) -> Result<Ended, TransportError> {
    led(command, None).await
}

/// The same, with what it writes sent on.
pub(super) async fn pour(command: &Command<'_>, into: &Pipe) -> Result<Ended, TransportError> {
    led(command, Some(into)).await
}

async fn led(command: &Command<'_>, into: Option<&Pipe>) -> Result<Ended, TransportError> {
    let mut child = start(command)?;
    let leader = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let mut group = Group(leader);
    match tokio::time::timeout(command.within, ended(&mut child, command, into)).await {
        Ok(Ok(done)) => {
            group.0 = None;
            Ok(done)
        }
        // What it started is ended with it.
        Ok(Err(error)) => Err(error),
        Err(_) => Err(TransportError::Late {
            program: command.program.to_owned(),
            seconds: command.within.as_secs(),
        }),
    }
}

fn start(command: &Command<'_>) -> Result<Child, TransportError> {
    let input = if command.input.is_some() { Stdio::piped() } else { Stdio::null() };
    let started = tokio::process::Command::new(command.program)
        .args(command.arguments)
        .env_clear()
        .env("PATH", PATH)
        .env("LC_ALL", "C")
        .current_dir("/")
        .process_group(0)
        .stdin(input)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    started.map_err(|error| {
        let program = command.program.to_owned();
        if error.kind() == io::ErrorKind::NotFound {
            return TransportError::NoProgram { host: HOST.to_owned(), program };
        }
        failed(&format!("starting {program}"), &error)
    })
}

async fn ended(
    child: &mut Child,
    command: &Command<'_>,
    into: Option<&Pipe>,
) -> Result<Ended, TransportError> {
    let doing = format!("running {}", command.program);
    let fail = |error: io::Error| failed(&doing, &error);
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let most = command.most;
    let bounded = |read: io::Result<Option<Secret<Vec<u8>>>>| {
        read.map_err(fail)?.ok_or_else(|| too_much(command))
    };
    // The first that fails ends it: who writes too much may never stop.
    let (out, err, ()) = tokio::try_join!(
        async {
            match into {
                None => bounded(all(stdout, most).await),
                Some(pipe) => sent_on(stdout, pipe, &doing).await.map(|()| Secret::new(Vec::new())),
            }
        },
        async { bounded(all(stderr, most).await) },
        async { feed(stdin, command.input).await.map_err(fail) },
    )?;
    if out.expose().len() + err.expose().len() > most {
        return Err(too_much(command));
    }
    let status = child.wait().await.map_err(fail)?;
    let code = status
        .code()
        .map_or_else(|| 128 + i64::from(status.signal().unwrap_or_default()), i64::from);
    let err = String::from_utf8_lossy(err.expose()).into_owned();
    Ok(Ended { code, out, err })
}

fn too_much(command: &Command<'_>) -> TransportError {
    let what = format!("the output of {}", command.program);
    TransportError::TooMuch { what, most: command.most }
}

/// All that it writes; nothing where that is too much.
async fn all(
    from: Option<impl AsyncRead + Unpin>,
    most: usize,
) -> io::Result<Option<Secret<Vec<u8>>>> {
    let Some(mut from) = from else { return Ok(Some(Secret::new(Vec::new()))) };
    let mut all = Vec::new();
    let mut piece = vec![0; PIECE];
    loop {
        match from.read(&mut piece).await? {
            0 => return Ok(Some(Secret::new(all))),
            read if all.len() + read > most => return Ok(None),
            read => all.extend_from_slice(&piece[..read]),
        }
    }
}

/// Sends on what it writes, piece by piece.
async fn sent_on(
    from: Option<impl AsyncRead + Unpin>,
    pipe: &Pipe,
    doing: &str,
) -> Result<(), TransportError> {
    let Some(mut from) = from else { return Ok(()) };
    let mut piece = vec![0; PIECE];
    loop {
        match from.read(&mut piece).await.map_err(|error| failed(doing, &error))? {
            0 => return Ok(()),
            read => {
                let sent = pipe.send(piece[..read].to_vec()).await;
                sent.map_err(|error| failed(doing, &error))?;
            }
        }
    }
}

async fn feed(to: Option<ChildStdin>, input: Option<&Secret<Vec<u8>>>) -> io::Result<()> {
    let (Some(mut to), Some(input)) = (to, input) else { return Ok(()) };
    match to.write_all(input.expose()).await {
        // It did not want to read it.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}
