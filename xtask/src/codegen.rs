//! `cargo xtask codegen`: writes every generated file, or checks that each is current.
//!
//! A generator returns the files it is responsible for as data. Comparing and writing are done
//! here, once, so that `--check` and the writing run cannot differ.

mod cli;
mod program;
mod proto;
mod tools;

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

type Generator = fn() -> anyhow::Result<Vec<Generated>>;

/// In this order, and each written before the next runs: the later ones ask the program, which is
/// built from what the first one writes.
const GENERATORS: &[Generator] = &[proto::generate, tools::reference, cli::generate, tools::readme];

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let (mut stale, mut count) = (Vec::new(), 0);
    for generate in GENERATORS {
        for file in generate()? {
            count += 1;
            stale.extend(settle(&file, options)?);
        }
    }
    if !stale.is_empty() {
        bail!("{}\nrun `cargo xtask codegen` and commit the result", stale.join("\n"));
    }
    println!("{count} generated files are current");
    Ok(())
}

/// Compares a file with what it must be. Writes it, or says what is wrong with it.
fn settle(file: &Generated, options: &Options) -> anyhow::Result<Option<String>> {
    let Generated { path, text } = file;
    let full = workspace::root().join(path);
    let current = match fs::read_to_string(&full) {
        Ok(current) => Some(current),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
    };
    if current.as_ref() == Some(text) {
        return Ok(None);
    }
    if options.check {
        let state = if current.is_some() { "is out of date" } else { "is missing" };
        return Ok(Some(format!("{} {state}", path.display())));
    }
    if let Some(folder) = full.parent() {
        fs::create_dir_all(folder)
            .with_context(|| format!("creating the folder of {}", path.display()))?;
    }
    fs::write(&full, text).with_context(|| format!("writing {}", path.display()))?;
    println!("wrote {}", path.display());
    Ok(None)
}
