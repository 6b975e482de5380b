//! `cargo xtask codegen`: writes every generated file, or checks that each is current.
//!
//! A generator returns the files it is responsible for as data. Comparing and writing are done
//! here, once, so that `--check` and the writing run cannot differ.

mod proto;

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use anyhow::{Context, bail};

use crate::workspace;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Write nothing; fail when a generated file is missing or differs
    #[arg(long)]
    pub(crate) check: bool,
}

/// A generated file: its place relative to the workspace root, and the text it must have.
#[derive(Debug)]
struct Generated {
    path: PathBuf,
    text: String,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let files = proto::generate()?;
    let root = workspace::root();
    let mut stale = Vec::new();
    for Generated { path, text } in &files {
        let full = root.join(path);
        let current = match fs::read_to_string(&full) {
            Ok(current) => Some(current),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
        };
        if current.as_deref() == Some(text) {
            continue;
        }
        if options.check {
            let state = if current.is_some() { "is out of date" } else { "is missing" };
            stale.push(format!("{} {state}", path.display()));
            continue;
        }
        if let Some(folder) = full.parent() {
            fs::create_dir_all(folder)
                .with_context(|| format!("creating the folder of {}", path.display()))?;
        }
        fs::write(&full, text).with_context(|| format!("writing {}", path.display()))?;
        println!("wrote {}", path.display());
    }
    if !stale.is_empty() {
        bail!("{}\nrun `cargo xtask codegen` and commit the result", stale.join("\n"));
    }
    println!("{} generated files are current", files.len());
    Ok(())
}
