//! The record of calls and the approvals, as far as they can be looked at without changing them.

use std::path::{Path, PathBuf};

use guard::audit::{CopyTold, Flush};
use serde::Serialize;

use super::Global;
use crate::clock;
use crate::keeping::Keeping;
use crate::tool_error::ToolError;

/// What was found.
#[derive(Debug, Serialize)]
pub(super) struct RecordReport {
    folder: PathBuf,
    /// When the line before a read is put onto the disk.
    flush: &'static str,
    /// Where the second copy is to go.
    copy: Option<String>,
    /// What the record says last of a second copy, whatever is configured now.
    copy_told: Option<CopyTold>,
    /// This account may write approvals, and so may an assistant that has a shell under it.
    approves_itself: bool,
    pub(super) problems: Vec<String>,
}

pub(super) fn examine(global: &Global) -> Result<RecordReport, ToolError> {
    let home = global.home()?;
    let Keeping { flush, copy } = global.keeping()?;
    let folder = home.join("audit");
    let mut problems = Vec::new();
    let mut copy_told = None;
    if folder.join("head").exists() {
        match guard::audit::last_copy(&folder) {
            Ok(told) => copy_told = told,
            Err(error) => problems.push(format!("the record of calls cannot be read: {error}")),
        }
    }
    let copy = copy.map(|copy| copy.to_string());
    if let (Some(to), Some(told)) = (&copy, &copy_told)
        && *to == told.to
        && told.state.starts_with("failed")
    {
        problems.push(format!(
            "the copy of the record to {to} {} at {}",
            told.state,
            clock::to_second(told.time)
        ));
    }
    Ok(RecordReport {
        approves_itself: may_write(&home, "approvals"),
        folder,
        flush: match flush {
            Flush::Each => "each",
            Flush::Second => "second",
        },
        copy,
        copy_told,
        problems,
    })
}

pub(super) fn render(out: &mut String, report: &RecordReport) {
    use std::fmt::Write;
    let when = match report.flush {
        "each" => "each line is on the disk before its call runs",
        _ => "lines of reads are on the disk within a second, all others before the call runs",
    };
    let _ = writeln!(out, "record    {}; {when}", report.folder.display());
    let _ = match (&report.copy, &report.copy_told) {
        (None, _) => writeln!(out, "  copy      none: whoever can write there can replace it"),
        (Some(to), Some(told)) if *to == told.to => {
            writeln!(out, "  copy      {to}: {}, {}", told.state, clock::to_second(told.time))
        }
        (Some(to), _) => writeln!(out, "  copy      {to}: nothing was recorded with it yet"),
    };
    for problem in &report.problems {
        let _ = writeln!(out, "  ! {problem}");
    }
    if report.approves_itself {
        out.push_str(
            "approvals may be written by this account: an assistant with a shell under it can \
             approve for itself. To rule that out, run megaraptor serve --http under another \
             account, which alone has the API files and MEGARAPTOR_HOME, and approve there\n",
        );
    }
}

/// Whether this account may write into a folder of the state folder, or would make it.
#[cfg(unix)]
fn may_write(home: &Path, name: &str) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let me = rustix::process::geteuid().as_raw();
    let mut folder = Some(home.join(name));
    // Where it is not there yet, the next one above that is decides.
    while let Some(path) = folder {
        match std::fs::metadata(&path) {
            Ok(found) => return me == 0 || (found.uid() == me && found.mode() & 0o200 != 0),
            Err(_) => folder = path.parent().map(Path::to_owned),
        }
    }
    false
}

/// Rights are lists here, which are not looked at: the state folder is the account's own.
#[cfg(not(unix))]
fn may_write(_: &Path, _: &str) -> bool {
    true
}
