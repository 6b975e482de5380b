//! Rust messages, client and server of Velociraptor's API, from `proto/velociraptor.proto`.
//!
//! The file is compiled in process: nobody needs `protoc`, and a user's build does not generate
//! anything.

use std::fs;
use std::process::Command;

use anyhow::{Context, bail, ensure};

use super::Generated;
use crate::workspace;

const SOURCE_FOLDER: &str = "proto";
const SOURCE: &str = "velociraptor.proto";
const OUTPUT: &str = "crates/velociraptor-api/src/generated/proto.rs";

pub(super) fn generate() -> anyhow::Result<Vec<Generated>> {
    let root = workspace::root();
    let descriptors = protox::compile([SOURCE], [root.join(SOURCE_FOLDER)])
        .with_context(|| format!("compiling {SOURCE_FOLDER}/{SOURCE}"))?;
    let folder = tempfile::tempdir().context("creating a folder for the generated code")?;
    tonic_prost_build::configure()
        .build_client(true)
        .build_server(true)
        .out_dir(folder.path())
        .compile_fds(descriptors)
        .context("generating Rust code")?;

    // The generator names its output after the proto package.
    let output = folder.path().join("proto.rs");
    let code = fs::read_to_string(&output).context("reading the generated code")?;
    let text = format!(
        "//! Messages, client and server of Velociraptor's API.\n//!\n\
         //! Generated from `{SOURCE_FOLDER}/{SOURCE}` by `cargo xtask codegen`; do not edit.\n\n{code}"
    );
    fs::write(&output, text).context("writing the generated code")?;
    let status = Command::new("rustfmt")
        .arg("--config-path")
        .arg(root.join("rustfmt.toml"))
        .arg(&output)
        .status()
        .context("starting rustfmt")?;
    ensure!(status.success(), "rustfmt ended with {status}");
    let text = fs::read_to_string(&output).context("reading the formatted code")?;
    if !text.contains("pub mod api_client") || !text.contains("pub mod api_server") {
        bail!("the generated code lacks the client or the server of the service");
    }
    Ok(vec![Generated { path: OUTPUT.into(), text }])
}
