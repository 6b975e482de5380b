//! Hunts: collections that run on many clients.
