//! Archives as they come, entry by entry, in bounded memory.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};
use tar::Archive;
use tokio::sync::mpsc;

/// How much is taken at a time.
const PIECE: usize = 64 * 1024;

/// What is in an archive: two that are the same have the same entries with the same content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Files, folders and links.
    pub entries: u64,
    /// Bytes of all files.
    pub content: u64,
    /// Of each entry its name, kind, owner, rights, time, size and content, in order.
    digest: [u8; 32],
}

/// A copy that was read back.
#[derive(Debug)]
pub(super) struct ReadBack {
    pub(super) listing: Listing,
    pub(super) size: u64,
    pub(super) sha256: String,
}

/// Bytes that another task sends.
pub(super) struct Flow {
    from: mpsc::Receiver<Vec<u8>>,
    piece: Vec<u8>,
    at: usize,
}

impl Flow {
    pub(super) const fn new(from: mpsc::Receiver<Vec<u8>>) -> Self {
        Self { from, piece: Vec::new(), at: 0 }
    }
}

impl Read for Flow {
    /// Blocks the thread until some come, or whoever sent them is gone.
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.at == self.piece.len() {
            match self.from.blocking_recv() {
                None => return Ok(0),
                Some(piece) => (self.piece, self.at) = (piece, 0),
            }
        }
        let left = &self.piece[self.at..];
        let count = left.len().min(into.len());
        into[..count].copy_from_slice(&left[..count]);
        self.at += count;
        Ok(count)
    }
}

/// What is in a tar.
pub(super) fn list(from: impl Read) -> io::Result<Listing> {
    let mut archive = Archive::new(from);
    let (mut entries, mut content, mut digest) = (0_u64, 0_u64, Sha256::new());
    for entry in archive.entries()? {
        let mut entry = entry?;
        let header = entry.header();
        let numbers = [
            u64::from(header.entry_type().as_byte()),
            u64::from(header.mode()?),
            header.uid()?,
            header.gid()?,
            header.mtime()?,
        ];
        let size = entry.size();
        // With its length, so that no two entries read as one.
        let mut add = |bytes: &[u8]| {
            digest.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_le_bytes());
            digest.update(bytes);
        };
        add(&entry.path_bytes());
        add(&entry.link_name_bytes().unwrap_or_default());
        for number in numbers.into_iter().chain([size]) {
            add(&number.to_le_bytes());
        }
        let mut inside = Sha256::new();
        let read = through(&mut entry, &mut inside)?;
        if read != size {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("an entry has {read} bytes of {size}"),
            ));
        }
        digest.update(inside.finalize());
        entries += 1;
        content = content.saturating_add(size);
    }
    // What stands behind the last entry is taken too, so that whoever sends it is not cut off.
    io::copy(&mut archive.into_inner(), &mut io::sink())?;
    Ok(Listing { entries, content, digest: digest.finalize().into() })
}

fn through(from: &mut impl Read, into: &mut Sha256) -> io::Result<u64> {
    let (mut piece, mut all) = (vec![0; PIECE], 0_u64);
    loop {
        match from.read(&mut piece)? {
            0 => return Ok(all),
            read => {
                into.update(&piece[..read]);
                all += u64::try_from(read).unwrap_or(u64::MAX);
            }
        }
    }
}

/// Writes what comes, compressed, and waits until the disk has it.
pub(super) fn write(mut from: impl Read, to: File) -> io::Result<()> {
    let to = BufWriter::with_capacity(PIECE, to);
    let mut packed = GzEncoder::new(to, Compression::fast());
    let mut piece = vec![0; PIECE];
    loop {
        match from.read(&mut piece)? {
            0 => break,
            read => packed.write_all(&piece[..read])?,
        }
    }
    let file = packed.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()
}

/// Reads a copy from its first byte to its last.
pub(super) fn read_back(path: &Path) -> io::Result<ReadBack> {
    let counted = Counted { from: File::open(path)?, digest: Sha256::new(), size: 0 };
    let mut packed = GzDecoder::new(BufReader::with_capacity(PIECE, counted));
    let listing = list(&mut packed)?;
    let mut rest = packed.into_inner();
    // Nothing stands behind what was packed.
    if io::copy(&mut rest, &mut io::sink())? != 0 {
        return Err(io::Error::other("there is something behind its end"));
    }
    let Counted { digest, size, .. } = rest.into_inner();
    let sha256 = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(ReadBack { listing, size, sha256 })
}

/// A file, and what its bytes come to.
struct Counted {
    from: File,
    digest: Sha256,
    size: u64,
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(into)?;
        self.digest.update(&into[..read]);
        self.size += u64::try_from(read).unwrap_or(u64::MAX);
        Ok(read)
    }
}

#[cfg(test)]
impl Listing {
    /// So many entries with so many bytes.
    pub(super) const fn of(entries: u64, content: u64) -> Self {
        Self { entries, content, digest: [0; 32] }
    }
}
