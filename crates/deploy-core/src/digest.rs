//! SHA-256 as it is written everywhere: in hexadecimal, lower case.

use sha2::{Digest as _, Sha256};

/// The SHA-256 of these bytes.
pub fn sha256(bytes: impl AsRef<[u8]>) -> String {
    hex(&Sha256::digest(bytes))
}

/// Bytes of a digest that is there already.
pub fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_written_as_others_write_it() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!((sha256(""), hex(&[0, 0x0a, 0xff])), (empty.to_owned(), String::from("000aff")));
    }
}
