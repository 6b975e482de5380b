//! What tests of this module share.

use std::sync::Arc;

use credstore::{Clock, CredentialStore, MemoryStore};

use super::{ServerOrder, Vault};

/// A store of secrets in memory, and steps' view of it.
pub(super) fn secrets() -> (Arc<MemoryStore>, Vault) {
    let store = Arc::new(MemoryStore::new(Clock::of_the_machine()));
    let vault = Vault::new(Arc::clone(&store) as Arc<dyn CredentialStore>);
    (store, vault)
}

/// A small server.
pub(super) fn order() -> ServerOrder {
    let place = |port: u16| format!("127.0.0.1:{port}").parse().unwrap();
    ServerOrder {
        profile: String::from("minimal"),
        agents_at: place(8000),
        gui_at: place(8889),
        api_at: place(8001),
        listen: [8000, 8889, 8001, 8003].map(|port| ([127, 0, 0, 1], port).into()),
        datastore: String::from("/data"),
        logs: None,
        gui_user: String::from("admin"),
        labels: Vec::new(),
    }
}
