//! The filter that each answer passes on the way out.
//!
//! Text from endpoints is written by an adversary: what may trick a reader is shown, not obeyed.

pub mod hostile;
