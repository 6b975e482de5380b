//! Access lists of Windows in their text form: who may reach a file.

/// Names in an access list whose reach is no exposure: whoever acts for the system or as an
/// administrator reaches every file anyway.
const ALWAYS: [&str; 2] = ["SY", "BA"];

/// Who but the owner, the system and administrators may reach what has this descriptor, such as
/// `O:S-1-5-21-7D:P(A;;FA;;;S-1-5-21-7)(A;;FA;;;SY)`; `None` where nobody may.
///
/// `own` is how the owner is spelled in it. What cannot be read counts as open.
pub(crate) fn stranger(descriptor: &str, own: &str) -> Option<String> {
    let known = |name: &str| name == own || ALWAYS.contains(&name);
    let owner = part(descriptor, "O:").unwrap_or_default();
    if !known(owner) {
        return Some(format!("its owner is {owner:?}"));
    }
    let Some(list) = part(descriptor, "D:") else {
        return Some("it has no access list, so everybody may reach it".to_owned());
    };
    let Some((flags, entries)) = list.split_once('(') else {
        // A list without entries lets nobody in; the lack of one lets in everybody.
        return list
            .contains("NO_ACCESS_CONTROL")
            .then(|| "it has no access list, so everybody may reach it".to_owned());
    };
    if flags.contains("NO_ACCESS_CONTROL") {
        return Some("it has no access list, so everybody may reach it".to_owned());
    }
    let Some(entries) = entries.strip_suffix(')') else {
        return Some(format!("its access list cannot be read: {list:?}"));
    };
    entries.split(")(").find_map(|entry| {
        let fields: Vec<_> = entry.split(';').collect();
        match fields.as_slice() {
            // An entry that denies takes something away from somebody.
            ["D" | "OD" | "XD", ..] => None,
            ["A", _, _, _, _, name] if known(name) => None,
            ["A", _, rights, _, _, name] => Some(format!("{name} has the rights {rights}")),
            _ => Some(format!("its access list has an entry that is not known: {entry:?}")),
        }
    })
}

/// How the owner is spelled in a descriptor.
pub(crate) fn owner(descriptor: &str) -> Option<&str> {
    part(descriptor, "O:")
}

/// One part of a descriptor. The parts are owner, group, list and audit list, in this order.
fn part<'a>(descriptor: &'a str, label: &str) -> Option<&'a str> {
    let start = descriptor.find(label)? + label.len();
    let rest = &descriptor[start..];
    let end = ["G:", "D:", "S:"].iter().filter_map(|next| rest.find(next)).min();
    Some(&rest[..end.unwrap_or(rest.len())])
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "S-1-5-21-1-2-3-1001";

    fn look(text: &str) -> Option<String> {
        stranger(&text.replace("ME", OWN), OWN)
    }

    #[test]
    fn the_owner_the_system_and_administrators_are_no_strangers() {
        for fine in [
            "O:MEG:S-1-5-21-1-2-3-513D:P(A;;FA;;;ME)(A;;FA;;;SY)",
            "O:MED:P(A;OICI;FA;;;ME)(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)",
            "O:BAG:SYD:PAI(A;ID;FA;;;ME)",
            "O:MED:P(D;;FA;;;WD)(A;;FA;;;ME)",
            "O:MED:P(A;;FA;;;ME)S:(AU;SA;FA;;;WD)",
            "O:MED:P",
        ] {
            assert_eq!(look(fine), None, "{fine}");
        }
        assert_eq!(owner("O:LAG:SYD:P(A;;FA;;;LA)"), Some("LA"));
    }

    #[test]
    fn whoever_else_is_named_is_a_stranger() {
        for (exposed, who) in [
            ("O:MED:P(A;;FA;;;ME)(A;;FR;;;WD)", "WD has the rights FR"),
            ("O:MED:AI(A;ID;FA;;;ME)(A;ID;0x1200a9;;;BU)", "BU has the rights 0x1200a9"),
            ("O:MED:P(A;;FA;;;S-1-5-21-1-2-3-10011)", "S-1-5-21-1-2-3-10011"),
            ("O:S-1-5-21-9D:P(A;;FA;;;ME)", "its owner is"),
            ("D:P(A;;FA;;;ME)", "its owner is"),
            ("O:ME", "everybody"),
            ("O:MED:NO_ACCESS_CONTROL", "everybody"),
            ("O:MED:P(XA;;FA;;;ME;(WIN://x))", "not known"),
            ("O:MED:P(A;;FA;;;ME", "cannot be read"),
        ] {
            let found = look(exposed).unwrap_or_default();
            assert!(found.contains(who), "{exposed}: {found}");
        }
    }
}
