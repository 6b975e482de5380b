//! The Secret Service of a Linux desktop, through the command `secret-tool` of libsecret.
//!
//! A program of its own spares this one a D-Bus library that a machine without a desktop would
//! carry for nothing. The key goes to it by standard input and comes back by standard output; its
//! arguments hold the name of the key only. Where the command or the session's bus is not there,
//! that is known without starting anything.

use std::env;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use secret::Secret;

use super::{Keyring, KeyringError, SERVICE};

/// How long the service may take: it may ask the person at the desktop to open the keyring.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often it is looked whether the command has ended.
const LOOK: Duration = Duration::from_millis(5);

#[derive(Debug)]
pub(super) struct SecretTool {
    command: Result<PathBuf, &'static str>,
    patience: Duration,
}

impl SecretTool {
    /// As the variables of this session have it.
    pub(super) fn of_the_session() -> Self {
        let named = |name| env::var_os(name).filter(|value| !value.is_empty());
        let bus = named("DBUS_SESSION_BUS_ADDRESS").is_some()
            || named("XDG_RUNTIME_DIR")
                .is_some_and(|folder| PathBuf::from(folder).join("bus").exists());
        Self { command: find(bus, named("PATH")), patience: PATIENCE }
    }

    fn run(&self, arguments: &[&str], input: &str) -> Result<Output, KeyringError> {
        let command = self.command.as_ref().map_err(|why| KeyringError::Absent((*why).into()))?;
        let failed = |error: io::Error| {
            KeyringError::Failed(format!("{} cannot be run: {error}", command.display()))
        };
        let mut child = Command::new(command)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let done = talk(&mut child, input, self.patience);
        if !matches!(done, Ok(Some(_))) {
            // It may have ended in between, and then there is nothing to end.
            let _ = child.kill();
            let _ = child.wait();
        }
        done.map_err(failed)?.ok_or_else(|| {
            KeyringError::Locked(format!(
                "the Secret Service did not answer within {} s; it may wait for somebody to open it",
                self.patience.as_secs()
            ))
        })
    }
}

/// What the command said.
struct Output {
    success: bool,
    text: Secret<Vec<u8>>,
    complaint: String,
}

fn find(bus: bool, path: Option<OsString>) -> Result<PathBuf, &'static str> {
    if !bus {
        return Err("this session has no D-Bus, so no Secret Service");
    }
    let path = path.unwrap_or_default();
    env::split_paths(&path)
        .map(|folder| folder.join("secret-tool"))
        .find(|command| command.is_absolute() && command.is_file())
        .ok_or("the command secret-tool (package libsecret-tools) is not installed")
}

/// Gives the input, and waits for the end. `None` when the time is over.
fn talk(child: &mut Child, input: &str, patience: Duration) -> io::Result<Option<Output>> {
    let deadline = Instant::now() + patience;
    if let Some(mut to) = child.stdin.take() {
        match to.write_all(input.as_bytes()) {
            // It ended without reading: its exit code says why.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            written => written?,
        }
    }
    let (text, complaint) = (read(child.stdout.take()), read(child.stderr.take()));
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        thread::sleep(LOOK);
    };
    let rest = || deadline.saturating_duration_since(Instant::now());
    let (Ok(text), Ok(complaint)) = (text.recv_timeout(rest()), complaint.recv_timeout(rest()))
    else {
        return Ok(None);
    };
    let complaint = String::from_utf8_lossy(complaint.expose()).trim().to_owned();
    Ok(Some(Output { success: status.success(), text, complaint }))
}

/// Reads to the end on a thread of its own, so that a pipe that stays open holds nobody.
fn read(from: Option<impl Read + Send + 'static>) -> mpsc::Receiver<Secret<Vec<u8>>> {
    let (send, receive) = mpsc::sync_channel(1);
    thread::spawn(move || {
        // Room from the start: a buffer that grows leaves copies behind.
        let mut text = Vec::with_capacity(4096);
        if let Some(from) = from {
            // What breaks off is judged by the exit code.
            let _ = from.take(4096).read_to_end(&mut text);
        }
        let _ = send.send(Secret::new(text));
    });
    receive
}

impl Keyring for SecretTool {
    fn name(&self) -> &'static str {
        "Secret Service"
    }

    fn read(&self, account: &str) -> Result<Option<Secret<String>>, KeyringError> {
        let output = self.run(&["lookup", "service", SERVICE, "account", account], "")?;
        if output.success {
            let text = std::str::from_utf8(output.text.expose()).map_err(|_| {
                KeyringError::Failed("it holds something else under this name".to_owned())
            })?;
            return Ok(Some(Secret::new(text.trim_end().to_owned())));
        }
        // It fails in silence where nothing is kept.
        if output.complaint.is_empty() { Ok(None) } else { Err(told(output.complaint)) }
    }

    fn write(&self, account: &str, text: &Secret<String>) -> Result<(), KeyringError> {
        let label = format!("Megaraptor credential store {account}");
        let arguments = ["store", "--label", &label, "service", SERVICE, "account", account];
        let output = self.run(&arguments, text.expose())?;
        if output.success { Ok(()) } else { Err(told(output.complaint)) }
    }

    fn remove(&self, account: &str) -> Result<(), KeyringError> {
        let output = self.run(&["clear", "service", SERVICE, "account", account], "")?;
        // It fails in silence where nothing is kept.
        if output.success || output.complaint.is_empty() {
            Ok(())
        } else {
            Err(told(output.complaint))
        }
    }
}

fn told(complaint: String) -> KeyringError {
    let first = complaint.lines().next().unwrap_or("it failed without a word").to_owned();
    if complaint.contains("locked") || complaint.contains("dismissed") {
        KeyringError::Locked(first)
    } else if complaint.contains("ServiceUnknown")
        || complaint.contains("was not provided by any .service files")
        || complaint.contains("Cannot autolaunch")
        || complaint.contains("Could not connect")
    {
        KeyringError::Absent(first)
    } else {
        KeyringError::Failed(first)
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    /// A command in the place of `secret-tool`, which keeps what it is given in files beside it.
    const DOUBLE: &str = r#"#!/bin/sh
folder=$(dirname "$0")
verb=$1
for last; do :; done
case "$verb" in
store) cat > "$folder/kept-$last" ;;
lookup) cat "$folder/kept-$last" 2>/dev/null ;;
clear) rm "$folder/kept-$last" 2>/dev/null ;;
esac
"#;

    fn tool(folder: &std::path::Path, script: &str) -> SecretTool {
        use std::os::unix::fs::PermissionsExt;
        let path = folder.join("secret-tool");
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
        let command = find(true, Some(folder.into()));
        assert_eq!(command.as_deref(), Ok(&*path));
        SecretTool { command, patience: Duration::from_secs(20) }
    }

    #[test]
    fn what_is_kept_is_read_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let tool = tool(folder.path(), DOUBLE);
        assert!(tool.read("a").unwrap().is_none());
        tool.write("a", &Secret::new("AGE-SECRET-KEY".to_owned())).unwrap();
        assert_eq!(tool.read("a").unwrap().unwrap().expose(), "AGE-SECRET-KEY");
        assert!(tool.read("b").unwrap().is_none());
        tool.remove("a").unwrap();
        tool.remove("a").unwrap();
        assert!(tool.read("a").unwrap().is_none());
    }

    #[test]
    fn what_is_not_there_is_said_without_starting_anything() {
        let folder = tempfile::tempdir().unwrap();
        for (bus, word) in [(false, "D-Bus"), (true, "libsecret-tools")] {
            let command = find(bus, Some(folder.path().into()));
            let tool = SecretTool { command, patience: Duration::ZERO };
            let Err(KeyringError::Absent(why)) = tool.read("a") else { panic!("{bus}") };
            assert!(why.contains(word), "{why}");
        }
    }

    #[test]
    fn complaints_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        for (complaint, wanted) in [
            (
                "secret-tool: The name org.freedesktop.secrets was not provided by any .service files",
                "Absent",
            ),
            ("secret-tool: Cannot create an item in a locked collection", "Locked"),
            ("secret-tool: something else", "Failed"),
        ] {
            let script = format!("#!/bin/sh\necho '{complaint}' >&2\nexit 1\n");
            let error = tool(folder.path(), &script).read("a").unwrap_err();
            assert!(format!("{error:?}").starts_with(wanted), "{error:?}");
        }
    }

    #[test]
    fn one_that_never_answers_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        let mut tool = tool(folder.path(), "#!/bin/sh\nexec sleep 600\n");
        tool.patience = Duration::from_millis(200);
        let error = tool.read("a").unwrap_err();
        assert!(matches!(error, KeyringError::Locked(_)), "{error:?}");
    }
}
