//! The rows and the uploads of a flow.
