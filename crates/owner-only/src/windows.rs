//! Windows: an access list of its own, given when the file is made.
#![expect(unsafe_code, reason = "the standard library takes no security descriptor")]

use std::fs::{File, OpenOptions};
use std::io;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::path::Path;
use std::ptr::null_mut;

use windows_sys::Win32::Foundation::{
    ERROR_SUCCESS, GENERIC_READ, GENERIC_WRITE, INVALID_HANDLE_VALUE, LocalFree,
};
use windows_sys::Win32::Security::Authorization::{
    ConvertSecurityDescriptorToStringSecurityDescriptorW, ConvertSidToStringSidW,
    ConvertStringSecurityDescriptorToSecurityDescriptorW, GetNamedSecurityInfoW, GetSecurityInfo,
    SDDL_REVISION_1, SE_FILE_OBJECT,
};
use windows_sys::Win32::Security::{
    DACL_SECURITY_INFORMATION, GetTokenInformation, OWNER_SECURITY_INFORMATION,
    PSECURITY_DESCRIPTOR, SECURITY_ATTRIBUTES, TOKEN_QUERY, TOKEN_USER, TokenUser,
};
use windows_sys::Win32::Storage::FileSystem::{
    CREATE_NEW, CreateDirectoryW, CreateFileW, FILE_ATTRIBUTE_NORMAL, FILE_FLAG_OPEN_REPARSE_POINT,
    FILE_SHARE_DELETE, FILE_SHARE_READ, FILE_SHARE_WRITE,
};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

use crate::{Exposed, sddl};

/// What of a descriptor is looked at.
const LOOKED_AT: u32 = OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION;

pub(crate) fn create_folder(path: &Path) -> io::Result<()> {
    let (path, descriptor) = (wide(path)?, Descriptor::owner_only("OICI")?);
    let attributes = descriptor.attributes();
    // SAFETY: the path ends with a zero; path, attributes and descriptor outlive the call.
    match unsafe { CreateDirectoryW(path.as_ptr(), &attributes) } {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

pub(crate) fn create(path: &Path) -> io::Result<File> {
    let (path, descriptor) = (wide(path)?, Descriptor::owner_only("")?);
    let attributes = descriptor.attributes();
    // SAFETY: the path ends with a zero; path, attributes and descriptor outlive the call.
    let handle = unsafe {
        CreateFileW(
            path.as_ptr(),
            GENERIC_READ | GENERIC_WRITE,
            // As the standard library shares: a file that is open may be renamed.
            FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
            &attributes,
            CREATE_NEW,
            FILE_ATTRIBUTE_NORMAL,
            null_mut(),
        )
    };
    if handle == INVALID_HANDLE_VALUE {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the handle was made by the call above and is nobody else's.
    Ok(unsafe { File::from_raw_handle(handle) })
}

pub(crate) fn open(path: &Path, write: bool) -> io::Result<File> {
    let flags = FILE_FLAG_OPEN_REPARSE_POINT;
    OpenOptions::new().read(true).write(write).custom_flags(flags).open(path)
}

pub(crate) fn check(file: &File) -> io::Result<Option<Exposed>> {
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut descriptor = null_mut();
    // SAFETY: the handle is open; the descriptor is allocated by the call, the rest is not asked for.
    let code = unsafe {
        GetSecurityInfo(
            file.as_raw_handle(),
            SE_FILE_OBJECT,
            LOOKED_AT,
            null_mut(),
            null_mut(),
            null_mut(),
            null_mut(),
            &mut descriptor,
        )
    };
    look(code, descriptor)
}

pub(crate) fn check_folder(path: &Path) -> io::Result<Option<Exposed>> {
    if !std::fs::metadata(path)?.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    let path = wide(path)?;
    let mut descriptor = null_mut();
    // SAFETY: the path ends with a zero; the descriptor is allocated by the call.
    let code = unsafe {
        GetNamedSecurityInfoW(
            path.as_ptr(),
            SE_FILE_OBJECT,
            LOOKED_AT,
            null_mut(),
            null_mut(),
            null_mut(),
            null_mut(),
            &mut descriptor,
        )
    };
    look(code, descriptor)
}

fn look(code: u32, descriptor: PSECURITY_DESCRIPTOR) -> io::Result<Option<Exposed>> {
    if code != ERROR_SUCCESS {
        return Err(io::Error::from_raw_os_error(code.cast_signed()));
    }
    let found = Descriptor(descriptor).text()?;
    // The system spells some accounts as two letters: ours is spelled by the same hand.
    let spelled = Descriptor::owner_only("")?.text()?;
    let own = sddl::owner(&spelled).unwrap_or_default();
    Ok(sddl::stranger(&found, own).map(|found| Exposed {
        found,
        next: "remove that entry in its security properties, after a look at who can have read it"
            .to_owned(),
    }))
}

/// A security descriptor in memory of the system.
struct Descriptor(PSECURITY_DESCRIPTOR);

impl Descriptor {
    /// Full access for this process's user and for the system, and nothing taken over from the
    /// folder above.
    fn owner_only(inherited_as: &str) -> io::Result<Self> {
        let user = user()?;
        let text = format!("O:{user}D:P(A;{inherited_as};FA;;;{user})(A;{inherited_as};FA;;;SY)\0");
        let text: Vec<u16> = text.encode_utf16().collect();
        let mut descriptor = null_mut();
        // SAFETY: the text ends with a zero; the descriptor is allocated by the call.
        let done = unsafe {
            ConvertStringSecurityDescriptorToSecurityDescriptorW(
                text.as_ptr(),
                SDDL_REVISION_1,
                &mut descriptor,
                null_mut(),
            )
        };
        if done == 0 { Err(io::Error::last_os_error()) } else { Ok(Self(descriptor)) }
    }

    fn attributes(&self) -> SECURITY_ATTRIBUTES {
        SECURITY_ATTRIBUTES {
            nLength: size_of::<SECURITY_ATTRIBUTES>() as u32,
            lpSecurityDescriptor: self.0,
            bInheritHandle: 0,
        }
    }

    fn text(&self) -> io::Result<String> {
        let mut text = null_mut();
        // SAFETY: the descriptor is valid until it is dropped; the text is allocated by the call.
        let done = unsafe {
            ConvertSecurityDescriptorToStringSecurityDescriptorW(
                self.0,
                SDDL_REVISION_1,
                LOOKED_AT,
                &mut text,
                null_mut(),
            )
        };
        if done == 0 { Err(io::Error::last_os_error()) } else { Ok(taken(text)) }
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        // SAFETY: the descriptor was allocated by the system for us, with LocalAlloc.
        unsafe { LocalFree(self.0) };
    }
}

/// The user of this process, as `S-1-5-…`.
fn user() -> io::Result<String> {
    let mut token = null_mut();
    // SAFETY: the handle of the process needs no closing; the token is written by the call.
    if unsafe { OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &mut token) } == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the token was opened by the call above and is nobody else's.
    let token = unsafe { OwnedHandle::from_raw_handle(token) };
    let mut length = 0;
    // SAFETY: with no buffer only the length is written. The call fails by design.
    unsafe { GetTokenInformation(token.as_raw_handle(), TokenUser, null_mut(), 0, &mut length) };
    // Words of 8 bytes, since what is written there holds a pointer.
    let mut buffer = vec![0_u64; (length as usize).div_ceil(8).max(1)];
    // SAFETY: the buffer is as long as is said.
    let done = unsafe {
        GetTokenInformation(
            token.as_raw_handle(),
            TokenUser,
            buffer.as_mut_ptr().cast(),
            length,
            &mut length,
        )
    };
    if done == 0 {
        return Err(io::Error::last_os_error());
    }
    let mut text = null_mut();
    // SAFETY: the call above put a TOKEN_USER into the buffer, whose id lies in the same buffer.
    let done = unsafe {
        let user = &*buffer.as_ptr().cast::<TOKEN_USER>();
        ConvertSidToStringSidW(user.User.Sid, &mut text)
    };
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(taken(text)) }
}

/// Copies a text of the system and gives its memory back.
fn taken(text: *mut u16) -> String {
    // SAFETY: the text was allocated by the system for us, with LocalAlloc, and ends with a zero.
    unsafe {
        let length = (0..).take_while(|at| *text.add(*at) != 0).count();
        let copy = String::from_utf16_lossy(std::slice::from_raw_parts(text, length));
        LocalFree(text.cast());
        copy
    }
}

fn wide(path: &Path) -> io::Result<Vec<u16>> {
    let mut wide: Vec<u16> = path.as_os_str().encode_wide().collect();
    if wide.contains(&0) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path holds a zero"));
    }
    wide.push(0);
    Ok(wide)
}
