//! Flows: single collections on single clients, listed, looked at and cancelled.
