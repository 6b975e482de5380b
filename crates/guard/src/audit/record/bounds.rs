//! What of a call goes into its line: secrets masked, long values cut and said to be.

use serde_json::{Value, json};

use super::super::decided::Decided;
use super::super::line::ascii_hostile;
use super::super::line::event::{ClientName, Decision, Intent, Who};
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
    fit_value(&mut intent.arguments);
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
    let Who { subject, account, .. } = &mut intent.who;
    for name in [&mut intent.server, &mut intent.org, &mut intent.identity, subject, account] {
        name.iter_mut().for_each(shorten);
    }
    intent.hosts.iter_mut().for_each(|host| shorten(&mut host.name));
    if let Some(ClientName { name, version }) = &mut intent.who.client {
        shorten(name);
        shorten(version);
    }
    if let Decision::Refused { why, .. } | Decision::Undecided { why } = &mut intent.decision {
        shorten(why);
    }
    intent
}

/// The same of what a person decides.
pub(in crate::audit) fn fit_decided(mut decided: Decided) -> Decided {
    fit_value(&mut decided.terms);
    for text in [&mut decided.reason, &mut decided.not_made].into_iter().flatten() {
        *text = outlet::mask_text(text).into_owned();
        shorten(text);
    }
    let asked = decided.asked_by.iter_mut();
    let asked = asked.flat_map(|caller| [&mut caller.subject, &mut caller.program]);
    let named = [&mut decided.tool, &mut decided.server, &mut decided.org];
    asked.chain(named.into_iter().flatten()).for_each(shorten);
    decided
}

fn fit_value(value: &mut Value) {
    outlet::mask_json(value);
    let json = ascii_hostile(value.to_string());
    if json.len() > LONG {
        *value = json!({
            "cut": {
                "bytes": json.len(),
                "sha256": Digest::of_bytes(json.as_bytes()),
                "begins": start(&json, KEPT),
            }
        });
    }
}

fn shorten(name: &mut String) {
    if name.len() > NAME {
        *name = format!("{} [cut: {} bytes]", start(name, NAME), name.len());
    }
}

fn start(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}
