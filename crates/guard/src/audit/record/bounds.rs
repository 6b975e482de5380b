//! What of a call goes into its line: secrets masked, long values cut and said to be.

use serde_json::{Value, json};

use super::super::line::ascii_hostile;
use super::super::line::event::{ClientName, Decision, Intent};
use crate::digest::Digest;
use crate::outlet;

/// The arguments, or the VQL text, in bytes of JSON. Both together stay far under a line's bound.
const LONG: usize = 64 * 1024;

/// What is kept of a value that is longer, in bytes before they are escaped.
const KEPT: usize = 8 * 1024;

/// A name, an id.
const NAME: usize = 512;

/// Masks secrets and cuts what is too long for a line.
pub(super) fn fit(mut intent: Intent) -> Intent {
    outlet::mask_json(&mut intent.arguments);
    let json = ascii_hostile(intent.arguments.to_string());
    if json.len() > LONG {
        intent.arguments = json!({
            "cut": {
                "bytes": json.len(),
                "sha256": Digest::of_bytes(json.as_bytes()),
                "begins": start(&json, KEPT),
            }
        });
    }
    intent.vql = intent.vql.map(|vql| {
        let vql = outlet::mask_text(&vql).into_owned();
        let escaped = ascii_hostile(Value::from(vql.as_str()).to_string()).len();
        if escaped <= LONG {
            return vql;
        }
        let sha256 = Digest::of_bytes(vql.as_bytes());
        format!("{} [cut: {} bytes, sha256 {sha256}]", start(&vql, KEPT), vql.len())
    });
    for name in [&mut intent.call, &mut intent.tool, &mut intent.who.transport] {
        shorten(name);
    }
    for name in [&mut intent.server, &mut intent.org, &mut intent.identity, &mut intent.who.subject]
    {
        name.iter_mut().for_each(shorten);
    }
    if let Some(ClientName { name, version }) = &mut intent.who.client {
        shorten(name);
        shorten(version);
    }
    if let Decision::Refused { why, .. } | Decision::Undecided { why } = &mut intent.decision {
        shorten(why);
    }
    intent
}

fn shorten(name: &mut String) {
    if name.len() > NAME {
        *name = format!("{} [cut: {} bytes]", start(name, NAME), name.len());
    }
}

fn start(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}
