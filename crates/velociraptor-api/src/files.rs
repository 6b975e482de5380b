//! Files of the server's file store: uploads of collections, and exports.
//!
//! A file is named by its components, exactly as `uploads()` or `create_flow_download()` give
//! them. It is read piece by piece and hashed on the way; nothing is kept in memory but one piece.

use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::error::{QueryError, QueryErrorKind};
use crate::generated::VfsFileBuffer;
use crate::identity::Identity;
use crate::limits::Limits;
use crate::permission::Permission;
use crate::server::{Call, Server};

/// Bytes that are asked for at a time. The server allocates as many.
const PIECE: u32 = 1 << 20;

/// How long one piece may take.
const PIECE_TIME: Duration = Duration::from_secs(60);

/// What errors call it.
const NAME: &str = "read_file";

/// A file that was read to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedFile {
    /// Its size. The holes of a sparse file are counted, and read as zeros.
    pub bytes: u64,
    /// SHA-256 of the bytes, lower-case hexadecimal.
    pub sha256: String,
    /// The user that read it.
    pub identity: String,
}

/// Why a file was not read to its end. What was written before is not the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The server gave no answer, or refused.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The file is larger than allowed.
    #[error("the file is larger than the {limit} bytes that are allowed")]
    TooLarge {
        /// The limit.
        limit: u64,
    },
    /// The bytes could not be written.
    #[error("cannot write the file: {0}")]
    Write(#[from] std::io::Error),
}

/// A file that is being read.
///
/// # Cancel safety
///
/// [`FileReader::next`] may be dropped and called again: it then asks for the same piece.
#[derive(Debug)]
pub struct FileReader<'a> {
    server: &'a Server,
    identity: &'a Identity,
    call: Call<'a>,
    components: Vec<String>,
    offset: u64,
    hash: Sha256,
    complete: bool,
}

impl Server {
    /// Begins to read a file of the call's org, under the weakest identity that holds
    /// READ_RESULTS there. Nothing of the file is asked for yet. Of the call's limits only the
    /// bytes count: each piece has a minute of its own.
    ///
    /// # Errors
    ///
    /// Where no identity may read; [`QueryErrorKind::BadArgument`] without components.
    pub async fn open_file<'a>(
        &'a self,
        components: &[String],
        call: &Call<'a>,
    ) -> Result<FileReader<'a>, QueryError> {
        if components.is_empty() {
            let detail = String::from("a file is named by at least one component");
            return Err(self.error(None, NAME, QueryErrorKind::BadArgument { detail }));
        }
        let needs = [Permission::ReadResults];
        let identity = self.identity_for(call.org, &needs, call.cancel).await?;
        Ok(FileReader {
            server: self,
            identity,
            call: Call { limits: call.limits.time(PIECE_TIME), ..call.clone() },
            components: components.to_vec(),
            offset: 0,
            hash: Sha256::new(),
            complete: false,
        })
    }

    /// Reads a whole file into a writer. `progress` is told the bytes so far after each piece.
    ///
    /// # Errors
    ///
    /// [`FileError`]; what was written until then is a part of the file at best.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves a part of the file in the writer.
    pub async fn fetch_file(
        &self,
        components: &[String],
        call: &Call<'_>,
        into: &mut (impl AsyncWrite + Unpin),
        mut progress: impl FnMut(u64),
    ) -> Result<FetchedFile, FileError> {
        let mut reader = self.open_file(components, call).await?;
        while let Some(piece) = reader.next().await? {
            into.write_all(&piece).await?;
            progress(reader.bytes());
        }
        into.flush().await?;
        Ok(reader.summary())
    }
}

impl FileReader<'_> {
    /// The next piece, or `None` at the end of the file. A piece whose connection breaks is
    /// asked for once more.
    ///
    /// # Errors
    ///
    /// [`FileError::TooLarge`] as soon as the file is known to be; what the server refuses.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, FileError> {
        if self.complete {
            return Ok(None);
        }
        let piece = match self.piece().await {
            Err(kind) if kind.is_transient() => self.piece().await,
            piece => piece,
        };
        let server = self.server;
        let piece = piece.map_err(|kind| server.refused(self.identity, NAME, kind, &self.call))?;
        // Only an empty piece is the end: one may be shorter than was asked for.
        if piece.is_empty() {
            self.complete = true;
            return Ok(None);
        }
        let limit = self.call.limits.bytes;
        self.offset += piece.len() as u64;
        if self.offset > limit {
            return Err(FileError::TooLarge { limit });
        }
        self.hash.update(&piece);
        Ok(Some(piece))
    }

    /// Bytes read so far.
    pub const fn bytes(&self) -> u64 {
        self.offset
    }

    /// The size and the hash of the file; `None` unless [`FileReader::next`] has reached its end.
    pub fn finish(self) -> Option<FetchedFile> {
        self.complete.then(|| self.summary())
    }

    fn summary(self) -> FetchedFile {
        FetchedFile {
            bytes: self.offset,
            sha256: self.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect(),
            identity: self.identity.user().to_owned(),
        }
    }

    async fn piece(&self) -> Result<Vec<u8>, QueryErrorKind> {
        let Call { org, limits: Limits { time, .. }, cancel } = self.call;
        // Each piece waits for its turn, so that a large file does not keep others waiting.
        let _slots = self.server.slots(&self.call).await?;
        let request = VfsFileBuffer {
            // The components alone name the file: with a client's id they would be taken as
            // relative to its folder, which is not how the server gives them.
            client_id: String::new(),
            offset: self.offset,
            length: PIECE,
            components: self.components.clone(),
            org_id: if org.is_root() { String::new() } else { org.to_string() },
            ..VfsFileBuffer::default()
        };
        let connection = self.identity.connection();
        let mut client = connection.client();
        let answer = connection.answer(org, time, cancel, client.vfs_get_buffer(request)).await?;
        Ok(answer.data)
    }
}
