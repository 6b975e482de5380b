//! Values that must not be printed.
//!
//! [`Secret`] wraps key material, passwords and tokens. It has no `Display`, cannot be serialised
//! (a tool answer that contains one does not compile), prints a fixed mask under `Debug`, and is
//! wiped when it is dropped. It is opened by [`Secret::expose`] only, so that every place that
//! reads a secret is found by searching for one word.

use std::fmt;

use zeroize::Zeroize;

/// What `Debug` shows in place of a secret.
pub const MASK: &str = "[secret]";

/// A value that is neither printed nor serialised, and is wiped on drop.
#[derive(Clone)]
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Takes a value into custody.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// Opens the secret. Keep the borrow as short as the call that needs it.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_the_mask_and_not_the_value() {
        let secret = Secret::new(String::from("hunter2"));
        assert_eq!(format!("{secret:?}"), MASK);
        assert_eq!(format!("{:?}", Some(&secret)), format!("Some({MASK})"));
        assert_eq!(secret.expose(), "hunter2");
    }
}
