//! An image as the daemon loads it: a tar file with one layer, its configuration and a manifest.
//!
//! Times and owners are fixed: the same binary makes the same bytes.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, Write};
use std::path::Path;

use deploy_core::digest;
use futures_util::{Stream, StreamExt, stream};
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio_util::bytes::Bytes;
use tokio_util::io::ReaderStream;

use super::rootfs::{self, Needed, RootFsError, io};
use super::{ImageSpec, Labels};

/// When all in an image was made, so that it is the same tomorrow.
const MADE: &str = "1970-01-01T00:00:00Z";

/// How much of the layer is handed on at a time.
const PART: usize = 1 << 20;

/// An archive: what stands before its layer, the layer in a file without a name, and what follows.
#[derive(Debug)]
pub(super) struct Packed {
    head: Vec<u8>,
    layer: File,
    tail: Vec<u8>,
}

impl Packed {
    /// Its bytes, for the daemon.
    pub(super) fn stream(self) -> impl Stream<Item = io::Result<Bytes>> + Send {
        let layer = ReaderStream::with_capacity(tokio::fs::File::from_std(self.layer), PART);
        let one = |bytes: Vec<u8>| stream::iter([Ok(Bytes::from(bytes))]);
        one(self.head).chain(layer).chain(one(self.tail))
    }
}

/// Makes the archive.
pub(super) fn pack(
    spec: &ImageSpec,
    architecture: &str,
    labels: Labels,
) -> Result<Packed, RootFsError> {
    let program = fs::read(&spec.binary).map_err(io(&spec.binary))?;
    let found = digest::sha256(&program);
    if found != spec.sha256 {
        let (path, expected) = (spec.binary.clone(), spec.sha256.clone());
        return Err(RootFsError::Changed { path, expected, found });
    }
    let needed = rootfs::needed(&spec.binary, &program, architecture)?;
    let temporary = || tempfile::tempfile().map_err(io(&std::env::temp_dir()));
    let here = std::env::temp_dir();
    let written = io(&here);
    let (mut layer, digest) = layer(spec, &program, &needed, temporary()?)?;
    let config = json!({
        "architecture": if architecture == "aarch64" { "arm64" } else { "amd64" },
        "os": "linux",
        "created": MADE,
        "config": {
            "User": format!("{0}:{0}", spec.user),
            "Entrypoint": ["/bin/velociraptor"],
            "Labels": labels,
            "StopSignal": "SIGTERM",
        },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{digest}")] },
    })
    .to_string();
    let config_name = format!("{}.json", digest::sha256(&config));
    let manifest =
        json!([{ "Config": config_name, "RepoTags": [spec.tag], "Layers": ["layer.tar"] }]);
    let whole = || -> io::Result<Packed> {
        let size = layer.seek(io::SeekFrom::End(0))?;
        layer.rewind()?;
        let mut archive = tar::Builder::new(Vec::new());
        archive.append_data(&mut header(config.len(), 0o644), config_name, config.as_bytes())?;
        let mut entry = header(0, 0o644);
        entry.set_path("layer.tar")?;
        entry.set_size(size);
        entry.set_cksum();
        // A builder that is asked for its bytes ends the archive, and this is not its end. The layer is
        // an archive itself, so it fills its last block.
        let head = [archive.get_ref().as_slice(), entry.as_bytes()].concat();
        let manifest = manifest.to_string();
        let mut archive = tar::Builder::new(Vec::new());
        let mut entry = header(manifest.len(), 0o644);
        archive.append_data(&mut entry, "manifest.json", manifest.as_bytes())?;
        Ok(Packed { head, layer, tail: archive.into_inner()? })
    };
    whole().map_err(written)
}

/// The file system, and the SHA-256 of its bytes.
fn layer(
    spec: &ImageSpec,
    program: &[u8],
    needed: &[Needed],
    file: File,
) -> Result<(File, String), RootFsError> {
    let here = std::env::temp_dir();
    let written = io(&here);
    let mut files: Vec<(String, Vec<u8>)> =
        vec![(String::from("bin/velociraptor"), program.into())];
    for library in needed {
        let bytes = fs::read(&library.from).map_err(io(&library.from))?;
        files.push((library.to.trim_start_matches('/').to_owned(), bytes));
    }
    let whole = || -> io::Result<(File, String)> {
        let file = BufWriter::with_capacity(PART, file);
        let mut archive = tar::Builder::new(Hashed { file, hash: Sha256::new() });
        let mut folders: Vec<String> = Vec::new();
        let own = spec.folders.iter().map(|own| own.trim_matches('/'));
        // Each folder before what is in it: one that is not named would be for root alone.
        for name in files.iter().map(|(name, _)| name.as_str()).chain(own.clone()) {
            for parent in Path::new(name).ancestors().skip(1).collect::<Vec<_>>().iter().rev() {
                let parent = parent.to_string_lossy().into_owned();
                if !parent.is_empty() && !folders.contains(&parent) {
                    let mut open = folder(0o755, 0);
                    archive.append_data(&mut open, format!("{parent}/"), io::empty())?;
                    folders.push(parent);
                }
            }
        }
        for (name, bytes) in &files {
            archive.append_data(&mut header(bytes.len(), 0o755), name, bytes.as_slice())?;
        }
        archive.append_data(&mut folder(0o1777, 0), "tmp/", io::empty())?;
        for own in own {
            let mut closed = folder(0o700, spec.user.into());
            archive.append_data(&mut closed, format!("{own}/"), io::empty())?;
        }
        let Hashed { file, hash } = archive.into_inner()?;
        Ok((file.into_inner()?, digest::hex(&hash.finalize())))
    };
    whole().map_err(written)
}

/// Hashes what is written.
struct Hashed {
    file: BufWriter<File>,
    hash: Sha256,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn header(size: usize, mode: u32) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(size as u64);
    header.set_mode(mode);
    header.set_mtime(0);
    header
}

fn folder(mode: u32, user: u64) -> tar::Header {
    let mut header = header(0, mode);
    header.set_entry_type(tar::EntryType::Directory);
    header.set_uid(user);
    header.set_gid(user);
    header
}

/// One file in a tar archive, for putting it into a volume.
pub(crate) fn single(name: &str, bytes: &[u8], mode: u32, user: u32) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut entry = header(bytes.len(), mode);
    entry.set_uid(user.into());
    entry.set_gid(user.into());
    archive.append_data(&mut entry, name, bytes)?;
    archive.into_inner()
}

/// The first file of a tar archive.
pub(crate) fn first(archive: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let mut archive = tar::Archive::new(archive);
    for entry in archive.entries()? {
        let mut entry = entry?;
        if entry.header().entry_type().is_file() {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            return Ok(Some(bytes));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d31_d32_the_same_binary_makes_the_same_image_that_starts_it() {
        let binary = std::env::current_exe().unwrap();
        let sha256 = digest::sha256(fs::read(&binary).unwrap());
        let spec = ImageSpec {
            tag: String::from("megaraptor/test:1"),
            binary,
            sha256,
            user: 1000,
            folders: vec![String::from("/datastore")],
        };
        let packed = || {
            let mut packed = pack(&spec, std::env::consts::ARCH, Labels::new()).unwrap();
            let mut bytes = packed.head;
            packed.layer.read_to_end(&mut bytes).unwrap();
            bytes.extend(packed.tail);
            bytes
        };
        let one = packed();
        assert!(one == packed(), "two images of one binary differ");
        let mut archive = tar::Archive::new(one.as_slice());
        let names: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|entry| entry.unwrap().path().unwrap().to_string_lossy().into_owned())
            .collect();
        assert_eq!(&names[1..], ["layer.tar", "manifest.json"]);
        let mut archive = tar::Archive::new(one.as_slice());
        let config = archive.entries().unwrap().next().unwrap().unwrap();
        let config: serde_json::Value = serde_json::from_reader(config).unwrap();
        // The program is what starts, whatever the arguments of a container are.
        assert_eq!(config["config"]["Entrypoint"], json!(["/bin/velociraptor"]));
        assert!(config["config"]["Cmd"].is_null(), "{config}");
        assert_eq!(config["config"]["User"], "1000:1000");
        let changed = ImageSpec { sha256: "0".repeat(64), ..spec.clone() };
        let refused = pack(&changed, std::env::consts::ARCH, Labels::new()).unwrap_err();
        assert!(matches!(refused, RootFsError::Changed { .. }), "{refused}");
    }

    #[tokio::test]
    async fn what_is_sent_is_the_archive_in_order() {
        let mut layer = tempfile::tempfile().unwrap();
        let bytes: Vec<u8> = (0..PART + 7).map(|at| u8::try_from(at % 251).unwrap()).collect();
        layer.write_all(&bytes).unwrap();
        layer.rewind().unwrap();
        let packed = Packed { head: b"head".to_vec(), layer, tail: b"tail".to_vec() };
        let parts: Vec<_> = packed.stream().map(Result::unwrap).collect().await;
        assert!(parts.concat() == [b"head", &bytes[..], b"tail"].concat(), "{} parts", parts.len());
    }

    #[test]
    fn a_single_file_is_read_back() {
        let archive = single("server.config.yaml", b"secret", 0o600, 1000).unwrap();
        assert_eq!(first(&archive).unwrap().unwrap(), b"secret");
        assert_eq!(first(&[0; 1024]).unwrap(), None);
    }
}
