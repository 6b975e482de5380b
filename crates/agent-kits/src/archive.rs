//! Archives whose bytes follow from what is in them.

use std::io::{self, Write};

use flate2::{Compression, GzBuilder};
use tar::{Builder, EntryType, Header};

/// Something in an archive.
pub(crate) struct Entry<'a> {
    pub(crate) path: String,
    pub(crate) mode: u32,
    /// Nothing where it is a folder.
    pub(crate) content: Option<&'a [u8]>,
}

impl<'a> Entry<'a> {
    pub(crate) fn file(path: impl Into<String>, mode: u32, content: &'a [u8]) -> Self {
        Self { path: path.into(), mode, content: Some(content) }
    }

    pub(crate) fn folder(path: impl Into<String>, mode: u32) -> Self {
        Self { path: path.into(), mode, content: None }
    }
}

/// Writes them as a compressed archive: in the order given, of the administrator, of one time.
pub(crate) fn pack<W: Write>(entries: &[Entry<'_>], time: u64, to: W) -> io::Result<W> {
    let packed = GzBuilder::new().mtime(0).write(to, Compression::default());
    let mut archive = Builder::new(packed);
    for Entry { path, mode, content } in entries {
        let mut header = Header::new_ustar();
        header.set_mode(*mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_username("root")?;
        header.set_groupname("root")?;
        header.set_mtime(time);
        let content = content.unwrap_or_else(|| {
            header.set_entry_type(EntryType::Directory);
            &[]
        });
        header.set_size(content.len() as u64);
        archive.append_data(&mut header, path, content)?;
    }
    archive.into_inner()?.finish()
}
