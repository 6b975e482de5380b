//! Lines of the query engine: syntax, symbols, arguments of lambdas, the time limit.

use super::denial;
use crate::error::QueryErrorKind as Kind;

/// Accompanies every query.
pub(super) fn is_noise(text: &str) -> bool {
    let progress = |text: &str| {
        let (_, what) = text.strip_prefix("Time ")?.split_once(": ")?;
        let said = what.contains("Sending response part ") || what.ends_with("Waiting for rows.");
        said.then_some(())
    };
    text.is_empty() || text == "Starting query execution." || progress(text).is_some()
}

/// Failures of the engine that carry no level word.
pub(super) fn bare(text: &str) -> Option<Kind> {
    if let Some(rest) = text.strip_prefix("VQL Error: ") {
        return Some(parse(rest));
    }
    if let Some((_, after)) = text.split_once("Timeout Error:</> Collection timed out after ") {
        return Some(Kind::Timeout { seconds: go_seconds(after) });
    }
    if text.starts_with("Compile regexp: ") || text.starts_with("Unable to compile regex ") {
        return Some(Kind::BadArgument { detail: text.to_owned() });
    }
    if let Some(name) = text.strip_prefix("Artifact ").and_then(|t| t.strip_suffix(" not found")) {
        return Some(symbol(name, text, None));
    }
    // An artifact that is called as a plugin, and that may not run or does not compile.
    if let Some((_, why)) =
        text.strip_prefix("Artifact ").and_then(|rest| rest.split_once(" invalid: "))
    {
        let detail = first_line(text);
        return Some(match denial::in_line(why) {
            Some(permission) => Kind::Denied { permission, detail },
            None => Kind::Failed { detail },
        });
    }
    if text.starts_with("Unknown parameter ") && text.contains(" provided to artifact ") {
        return Some(Kind::BadArgument { detail: text.to_owned() });
    }
    if let Some(rest) = text.strip_prefix("VQL ")
        && let Some((head, _)) = rest.split_once("() is not implemented for this architecture")
    {
        let name = head.rsplit(' ').next().unwrap_or(head);
        let (what, hint) = text.split_once(". ").unwrap_or((text, ""));
        return Some(symbol(name, what, Some(hint)));
    }
    if text.starts_with("Source ") && text.contains(" not found in artifact ") {
        return Some(Kind::NotFound { detail: text.to_owned() });
    }
    if text.starts_with("Parameter ") && text.ends_with(" should be a string") {
        return Some(Kind::BadArgument { detail: text.to_owned() });
    }
    // Without a time zone the server says so and goes on in UTC; whatever else it was unable to
    // do is missing from the rows.
    let broken = (text.starts_with("Unable to ") && !text.ends_with(", using UTC"))
        || text.starts_with("PANIC ")
        || text.contains(" exceeded memory limits. ")
        || text.ends_with("Command can only run on the server")
        || text.contains(" only supports monitoring event artifacts");
    broken.then(|| Kind::Failed { detail: first_line(text) })
}

/// Failures of the engine after the word `ERROR:`.
pub(super) fn with_level(text: &str) -> Option<Kind> {
    if text.starts_with("PANIC") {
        return Some(Kind::Failed { detail: first_line(text) });
    }
    if text.starts_with("Extra unrecognized arg ")
        || text.starts_with("Missing arg ")
        || text.starts_with("Incorrect number of parameters in Lambda")
        || text.starts_with("Unable to parse ")
    {
        return Some(Kind::BadArgument { detail: text.to_owned() });
    }
    // While resolving a.b Symbol a not found. …
    let missing = match text.strip_prefix("While resolving ") {
        Some(rest) => rest.split_once(' ').map_or(rest, |(_, missing)| missing),
        None => text,
    };
    let name = ["Symbol ", "Plugin "]
        .iter()
        .find_map(|word| missing.strip_prefix(word)?.split_whitespace().next())?;
    if let Some((what, rest)) = missing.split_once(" not found.") {
        // The name of a column can have blanks, and then stands between backticks.
        let name = what.strip_prefix("Symbol ").unwrap_or(name).trim_matches('`');
        let hint = rest.trim();
        let hint = (!hint.starts_with("Current Scope")).then_some(hint);
        return Some(symbol(name, &format!("{what} not found"), hint));
    }
    let misused = [
        " is not a function but it is being called.",
        " is a function but it is not being called.",
        " is not callable as a plugin",
    ];
    misused.iter().any(|how| missing.contains(how)).then(|| symbol(name, missing, None))
}

fn symbol(name: &str, what: &str, hint: Option<&str>) -> Kind {
    let hint = hint.map(str::trim).filter(|hint| !hint.is_empty()).map(str::to_owned);
    let detail = what.trim_end_matches('.').to_owned();
    Kind::UnknownSymbol { symbol: name.to_owned(), detail, hint }
}

/// `L:C: unexpected token …`, or after a quotation of the text `… : L:C: invalid token 'X'`.
fn parse(text: &str) -> Kind {
    let (place, detail) = match placed(text) {
        Some((place, detail)) => (Some(place), detail),
        // The quotation may hold anything, also something like a place: the last one counts.
        None => text
            .rsplit_once(": invalid token ")
            .and_then(|(before, _)| {
                let start = before.rfind(' ')? + 1;
                placed(text.get(start..)?)
            })
            .map_or((None, text), |(place, detail)| (Some(place), detail)),
    };
    Kind::Parse { place, detail: detail.trim_end_matches('.').to_owned() }
}

fn placed(text: &str) -> Option<((u32, u32), &str)> {
    let (line, rest) = text.split_once(':')?;
    let (column, detail) = rest.split_once(": ")?;
    Some(((line.parse().ok()?, column.parse().ok()?), detail))
}

/// Whole seconds of a duration as Go writes it, such as `1m30.000594711s`.
fn go_seconds(text: &str) -> u64 {
    let mut total = 0;
    let mut number = String::new();
    for c in text.trim().chars() {
        let unit = match c {
            '0'..='9' | '.' => {
                number.push(c);
                continue;
            }
            'h' => 3600,
            'm' => 60,
            _ => 1,
        };
        let whole = number.split('.').next().and_then(|whole| whole.parse::<u64>().ok());
        total += whole.unwrap_or_default() * unit;
        number.clear();
    }
    total
}

/// A panic comes with a stack trace.
pub(super) fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}
