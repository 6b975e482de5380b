//! The rows of a hunt, and for which clients they say anything.
