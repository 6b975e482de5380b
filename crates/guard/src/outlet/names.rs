//! Names of members and of columns as they are shown: two that look the same once they are
//! filtered are kept apart.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::notes::Notes;
use super::place::Place;
use super::{Rule, filter};

/// Names the columns of rows as they are shown, in the list of columns and in the rows alike, so
/// that two which look the same once they are filtered are told apart everywhere.
pub fn name_columns(columns: &mut [String], rows: &mut [Map<String, Value>]) {
    if columns.iter().all(|name| changed(name, filter).is_none()) {
        return;
    }
    let shown = shown(columns.iter().map(String::as_str), filter);
    let names: HashMap<&str, &String> = columns.iter().map(String::as_str).zip(&shown).collect();
    for row in rows {
        let named = |(name, value): (String, Value)| match names.get(name.as_str()) {
            Some(shown) => ((*shown).clone(), value),
            None => (name, value),
        };
        *row = std::mem::take(row).into_iter().map(named).collect();
    }
    columns.clone_from_slice(&shown);
}

/// The names of an object's members as they are shown, in order. Of two that become the same, the
/// one that was changed carries a number.
pub(super) fn shown<'a>(names: impl Iterator<Item = &'a str> + Clone, rule: Rule) -> Vec<String> {
    let mut used: HashSet<String> =
        names.clone().filter(|name| changed(name, rule).is_none()).map(str::to_owned).collect();
    let shown = |name: &str| {
        let Some(new) = changed(name, rule) else { return name.to_owned() };
        let mut shown = new.clone();
        let mut count = 1;
        while !used.insert(shown.clone()) {
            count += 1;
            shown = format!("{new} ({count})");
        }
        shown
    };
    names.map(shown).collect()
}

/// What a name becomes, where it is shown otherwise than it is.
fn changed(name: &str, rule: Rule) -> Option<String> {
    match rule(name, &Place::NONE, &mut Notes::default()) {
        Cow::Owned(new) if new != name => Some(new),
        _ => None,
    }
}
