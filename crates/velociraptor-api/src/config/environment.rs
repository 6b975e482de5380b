//! Values of the environment: PEM text, or the path of a file.

use super::ConfigErrorKind;

/// Takes a variable that holds PEM text or the path of a file with it.
pub(super) fn pem_or_file(variable: &'static str, value: &str) -> Result<String, ConfigErrorKind> {
    if value.trim().is_empty() {
        return Err(ConfigErrorKind::Unset { variable });
    }
    if value.trim_start().starts_with("-----BEGIN") {
        return Ok(value.to_owned());
    }
    std::fs::read_to_string(value).map_err(|source| {
        let shown = path_or_mask(value);
        match source.kind() {
            // A value that is too long for a path was not meant as one.
            std::io::ErrorKind::NotFound | std::io::ErrorKind::InvalidFilename => {
                ConfigErrorKind::NoSuchPath { variable, shown }
            }
            _ => ConfigErrorKind::UnreadablePath { variable, shown, source },
        }
    })
}

/// The value of a variable, where it can only be a path. A key whose PEM frame is missing is
/// base64, which has no dot and, for any kind of key, begins with `M`.
fn path_or_mask(value: &str) -> String {
    let path = value.len() <= 255
        && !value.contains('\n')
        && (value.contains('.') || value.starts_with(['/', '~']) || value.contains('\\'));
    if path {
        value.to_owned()
    } else {
        format!("{} characters, not shown because they may be a key", value.chars().count())
    }
}
