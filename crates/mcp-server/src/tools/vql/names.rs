//! Names that no row of a source has.
//!
//! In WHERE, ORDER BY and GROUP BY the engine takes an unknown name for NULL, without a word: a
//! misspelt column keeps nothing, or everything. The columns of a source are known from its rows
//! alone, so a few of them are read, and the names are held against them.

use std::fmt::Write;

use velociraptor_api::near::near;
use velociraptor_api::{Call, Identity, Limits};
use vql_builder::ast::{
    ArgValue, Argument, ColumnValue, Expr, ExprKind, LetValue, Program, Select, Statement,
};
use vql_builder::{Query, RawVql};

use super::host;
use crate::context::ToolCx;
use crate::tool_error::ToolError;

/// Most rows of a source that are looked at: rows of one source may differ.
const ROWS: u64 = 20;

/// Most columns of a source that are named.
const SHOWN: usize = 40;

/// Most sources that are looked at.
const SOURCES: usize = 3;

/// How long each may take: it is only for a warning.
const TIME: std::time::Duration = std::time::Duration::from_secs(5);

/// What the engine itself binds (0.77.2). Names that begin with `_` or `$` are its own too.
const OF_THE_ENGINE: &[&str] = &["Artifact", "NULL", "config"];

/// A select whose names cannot be told from the text alone.
struct Doubt<'a> {
    select: &'a Select,
    /// The statements before it, which may define what its source uses.
    before: &'a [Statement],
    names: Vec<&'a str>,
}

/// A warning for each source of the text whose rows lack a name that the query goes by. `bound`
/// are the names of the caller's values, and `bind` binds them.
pub(super) async fn unknown(
    cx: &ToolCx<'_>,
    identity: &Identity,
    (text, program): (&str, &Program),
    bound: &[&str],
    bind: impl Fn(Query) -> Result<Query, ToolError>,
) -> Vec<String> {
    let mut warnings = Vec::new();
    for doubt in doubts(program, bound).into_iter().take(SOURCES) {
        let Some(probe) = probe(text, &doubt) else { continue };
        let query = bind(Query::raw("run_vql columns", RawVql::from_caller(probe.as_str())));
        let found = match query {
            Ok(query) => columns(cx, identity, &query).await,
            Err(error) => Err(error),
        };
        match found {
            Ok((0, _)) => {}
            Ok((rows, columns)) => warnings.extend(warning(text, &doubt, rows, &columns)),
            Err(error) => warnings.push(format!(
                "whether {} has the names {} could not be looked up: {error}",
                source(text, doubt.select),
                doubt.names.join(", ")
            )),
        }
    }
    warnings
}

/// What the columns are of the source from which a column of an unknown name is selected. `None`
/// where the name stands for no column, or the source gives no row to tell.
pub(super) async fn of_source(
    cx: &ToolCx<'_>,
    identity: &Identity,
    (text, program): (&str, &Program),
    symbol: &str,
    bind: impl Fn(Query) -> Result<Query, ToolError>,
) -> Option<String> {
    let doubt = selecting(program, symbol)?;
    let probe = probe(text, &doubt)?;
    let query = bind(Query::raw("run_vql columns", RawVql::from_caller(probe.as_str()))).ok()?;
    // It is for a word beside an error that is told in any case.
    let (_, columns) = columns(cx, identity, &query).await.ok()?;
    if columns.is_empty() || columns.iter().any(|column| column == symbol) {
        return None;
    }
    let meant = match near(symbol, columns.iter().map(String::as_str)).as_slice() {
        [] => String::new(),
        near => format!("did you mean {}? ", near.join(", ")),
    };
    let more = columns.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let shown: Vec<&str> = columns.iter().take(SHOWN).map(String::as_str).collect();
    let source = source(text, doubt.select);
    Some(format!("{meant}the columns of {source} are {}{more}", shown.join(", ")))
}

/// The first query that selects from a name, with or without something computed from it.
fn selecting<'a>(program: &'a Program, symbol: &str) -> Option<Doubt<'a>> {
    program.statements.iter().enumerate().find_map(|(index, statement)| {
        let select = match statement {
            Statement::Select(select) => select,
            Statement::Let(binding) => match &binding.value {
                LetValue::Select(select) if binding.parameters.is_none() => select,
                _ => return None,
            },
        };
        let mut names = Vec::new();
        for column in &select.columns {
            if let ColumnValue::Expr(expr) = &column.value {
                named(expr, &mut names);
            }
        }
        names.retain(|name| *name == symbol);
        let before = program.statements.get(..index).unwrap_or_default();
        (!names.is_empty()).then_some(Doubt { select, before, names })
    })
}

/// How many rows came, and the columns of all of them.
async fn columns(
    cx: &ToolCx<'_>,
    identity: &Identity,
    query: &Query,
) -> Result<(usize, Vec<String>), ToolError> {
    let limits = Limits::READ.rows(ROWS).bytes(1 << 20).keep_first().time(TIME);
    let call = Call { limits, ..cx.call() };
    let rows = cx.server.run_as(identity, query, &call, true).await?;
    Ok((rows.rows.len(), rows.columns))
}

fn warning(text: &str, doubt: &Doubt<'_>, rows: usize, columns: &[String]) -> Option<String> {
    let known = |name: &str| columns.iter().any(|column| column == name);
    let unknown: Vec<&str> = doubt.names.iter().copied().filter(|name| !known(name)).collect();
    if unknown.is_empty() {
        return None;
    }
    let meant = unknown
        .iter()
        .filter_map(|name| near(name, columns.iter().map(String::as_str)).into_iter().next())
        .collect::<Vec<_>>();
    let meant = if meant.is_empty() {
        format!("; its columns are {}", columns.join(", "))
    } else {
        format!("; did you mean {}?", meant.join(", "))
    };
    let looked = if rows as u64 == ROWS { format!("the first {rows}") } else { rows.to_string() };
    Some(format!(
        "{} is no column of {} ({looked} rows looked at), so it counts as NULL and what is \
         kept or left out by it says nothing{meant}",
        unknown.join(", "),
        source(text, doubt.select)
    ))
}

fn source<'a>(text: &'a str, select: &Select) -> &'a str {
    let whole = text.get(select.from.span.range()).unwrap_or_default();
    whole.split('(').next().unwrap_or(whole).trim()
}

/// The text that reads a few rows of the source with all their columns; `None` where it would
/// never end, or would not be VQL.
fn probe(text: &str, doubt: &Doubt<'_>) -> Option<String> {
    let mut probe = String::new();
    for statement in doubt.before {
        if let Statement::Let(binding) = statement {
            probe.push_str(text.get(binding.span.range())?);
            probe.push('\n');
        }
    }
    let source = text.get(doubt.select.from.span.range())?;
    let _ = write!(probe, "SELECT * FROM {source} LIMIT {ROWS}");
    let parse = vql_builder::parse(&probe);
    let program = parse.program().ok()?;
    (parse.errors().is_empty() && host::endless(&program).is_none()).then_some(probe)
}

/// The queries that are run as they stand, with the names that nothing in the text explains.
fn doubts<'a>(program: &'a Program, bound: &[&str]) -> Vec<Doubt<'a>> {
    let defined = program.definitions();
    let explained = |select: &Select, name: &str| {
        defined.contains(&name)
            || bound.contains(&name)
            || OF_THE_ENGINE.contains(&name)
            || name.starts_with(['_', '$'])
            || gives(select, name)
    };
    let mut doubts = Vec::new();
    // Stored queries that a query of the text reads from, with no row around them: elsewhere, as in
    // foreach(), their names may be those of another row.
    let mut read = Vec::new();
    for (index, statement) in program.statements.iter().enumerate().rev() {
        let select = match statement {
            Statement::Select(select) => select,
            Statement::Let(binding) => match &binding.value {
                LetValue::Select(select)
                    if binding.parameters.is_none()
                        && read.contains(&binding.name.name.as_str()) =>
                {
                    select
                }
                _ => continue,
            },
        };
        if let [stored] = select.from.path.as_slice() {
            read.push(stored.name.as_str());
        }
        let before = program.statements.get(..index).unwrap_or_default();
        let mut names = Vec::new();
        select.filter.iter().chain(&select.group_by).for_each(|expr| named(expr, &mut names));
        names.extend(select.order_by.as_ref().map(|order| order.column.name.as_str()));
        names.retain(|name| !explained(select, name));
        names.sort_unstable();
        names.dedup();
        if !names.is_empty() {
            doubts.push(Doubt { select, before, names });
        }
    }
    doubts
}

/// Whether the select itself computes a column of that name.
fn gives(select: &Select, name: &str) -> bool {
    select.columns.iter().any(|column| match (&column.alias, &column.value) {
        (Some(alias), _) => alias.name == name,
        // A column that is only taken over is one of the source, or is none.
        (None, ColumnValue::Expr(_) | ColumnValue::Select(_) | ColumnValue::Star) => false,
    })
}

/// The first parts of the names that an expression reads from its row.
fn named<'a>(expr: &'a Expr, out: &mut Vec<&'a str>) {
    match &expr.kind {
        ExprKind::Name(path) => out.extend(path.first().map(|part| part.name.as_str())),
        ExprKind::Call { arguments, .. } => arguments.iter().for_each(|a| in_argument(a, out)),
        ExprKind::Member { value, .. } => named(value, out),
        ExprKind::Index { value, index } => {
            named(value, out);
            named(index, out);
        }
        ExprKind::Slice { value, start, end } => {
            named(value, out);
            start.iter().chain(end).for_each(|bound| named(bound, out));
        }
        ExprKind::Negate(inner) | ExprKind::Not(inner) | ExprKind::Group(inner) => {
            named(inner, out);
        }
        ExprKind::Binary { left, right, .. } => {
            named(left, out);
            named(right, out);
        }
        ExprKind::Array(items) => items.iter().for_each(|item| named(item, out)),
        ExprKind::Null
        | ExprKind::Bool(_)
        | ExprKind::Int(_)
        | ExprKind::Float(_)
        | ExprKind::Str(_) => {}
    }
}

fn in_argument<'a>(argument: &'a Argument, out: &mut Vec<&'a str>) {
    match &argument.value {
        ArgValue::Expr(expr) => named(expr, out),
        ArgValue::Array(items) => items.iter().for_each(|item| named(item, out)),
        // It has rows of its own.
        ArgValue::Select(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_doubt(text: &str) -> Vec<(Vec<String>, Option<String>)> {
        let program = vql_builder::parse(text).program().unwrap();
        let found = doubts(&program, &["Wanted"]);
        found
            .iter()
            .map(|doubt| {
                (doubt.names.iter().map(ToString::to_string).collect(), probe(text, doubt))
            })
            .collect()
    }

    #[test]
    fn names_that_nothing_in_the_text_explains_are_in_doubt() {
        for (text, names) in [
            ("SELECT * FROM clients() WHERE os_info.system = Wanted", &["os_info"][..]),
            ("SELECT a AS b FROM clients() WHERE b = 1 AND _x AND config.y", &[]),
            ("SELECT a FROM clients() WHERE NOT a", &["a"]),
            ("SELECT * FROM clients() ORDER BY seen", &["seen"]),
            ("SELECT count() AS n FROM clients() GROUP BY lowcase(string=os)", &["os"]),
            ("LET f(x) = SELECT * FROM clients() WHERE x SELECT * FROM f(x=1)", &[]),
            ("SELECT * FROM clients() WHERE len(list={ SELECT * FROM scope() WHERE y })", &[]),
            ("SELECT 1 FROM scope()", &[]),
            ("LET q = SELECT * FROM a() WHERE b SELECT * FROM q", &["b"]),
            (
                "LET q = SELECT * FROM a() WHERE b SELECT * FROM foreach(row={ SELECT b FROM c() }, query=q)",
                &[],
            ),
        ] {
            let found = in_doubt(text);
            let found: Vec<&str> = found.iter().flat_map(|(n, _)| n).map(String::as_str).collect();
            assert_eq!(found, names, "{text}");
        }
    }

    #[test]
    fn the_query_that_selects_from_a_name_is_found() {
        for (text, found) in [
            ("SELECT os FROM clients()", true),
            ("SELECT upcase(string=os.name) AS N FROM clients()", true),
            ("LET q = SELECT os FROM clients() SELECT * FROM q", true),
            ("SELECT os() FROM clients()", false),
            ("SELECT { SELECT os FROM hunts() } FROM clients()", false),
        ] {
            let program = vql_builder::parse(text).program().unwrap();
            assert_eq!(selecting(&program, "os").is_some(), found, "{text}");
        }
    }

    #[test]
    fn a_probe_reads_the_source_alone_with_what_it_builds_on() {
        let text = "LET all = SELECT * FROM clients() SELECT x FROM all WHERE y LIMIT 2";
        let found = in_doubt(text);
        let probe = "LET all = SELECT * FROM clients()\nSELECT * FROM all LIMIT 20";
        assert_eq!(found[0].1.as_deref().map(str::trim), Some(probe));
        assert_eq!(in_doubt("SELECT * FROM clock() WHERE y")[0].1, None);
    }
}
