//! The columns that a query will give, as far as its text tells.

use vql_builder::ast::{
    ArgValue, Argument, ColumnValue, ExprKind, LetValue, Program, Select, Statement,
};

/// The columns of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Columns {
    /// Those that are known, in order.
    pub(super) names: Vec<String>,
    /// There may be others: a plugin's own columns are taken over.
    pub(super) open: bool,
}

/// How deep stored queries are followed; they may refer to each other in a circle.
const DEPTH: usize = 12;

/// Reads the columns of the last query of a text; an unreadable text leaves them open.
pub(super) fn columns(text: &str) -> Columns {
    let parse = vql_builder::parse(text);
    let Ok(program) = parse.program() else {
        return Columns { names: Vec::new(), open: true };
    };
    let mut columns = Columns::default();
    let last = program.statements.iter().rev().find_map(|statement| match statement {
        Statement::Select(select) => Some(select),
        Statement::Let(_) => None,
    });
    match last {
        Some(select) => Reader { program: &program, text }.select(select, DEPTH, &mut columns),
        None => columns.open = true,
    }
    columns
}

struct Reader<'a> {
    program: &'a Program,
    text: &'a str,
}

impl Reader<'_> {
    fn select(&self, select: &Select, depth: usize, out: &mut Columns) {
        if select.star {
            self.source(select, depth, out);
        }
        for column in &select.columns {
            match (&column.value, &column.alias) {
                (ColumnValue::Star, _) => self.source(select, depth, out),
                (_, Some(alias)) => out.add(&alias.name),
                (ColumnValue::Expr(expr), None) => match &expr.kind {
                    ExprKind::Name(path) => {
                        let parts: Vec<&str> = path.iter().map(|part| part.name.as_str()).collect();
                        out.add(&parts.join("."));
                    }
                    // Without an alias a column is named by its own text.
                    _ => out.add(self.text.get(expr.span.range()).unwrap_or_default().trim()),
                },
                (ColumnValue::Select(_), None) => out.open = true,
            }
        }
    }

    /// The columns that `*` takes over.
    fn source(&self, select: &Select, depth: usize, out: &mut Columns) {
        let [name] = select.from.path.as_slice() else {
            out.open = true;
            return;
        };
        let Some(depth) = depth.checked_sub(1) else {
            out.open = true;
            return;
        };
        let arguments = select.from.arguments.as_deref().unwrap_or_default();
        if let Some(stored) = self.stored(&name.name) {
            self.select(stored, depth, out);
            return;
        }
        match name.name.as_str() {
            "foreach" => self.branches(arguments, &["query"], depth, out),
            "if" => self.branches(arguments, &["then", "else"], depth, out),
            "chain" | "switch" | "combine" => self.branches(arguments, &[], depth, out),
            "scope" => {}
            _ => out.open = true,
        }
    }

    /// The columns of the queries among the arguments; `wanted` empty means all arguments.
    fn branches(&self, arguments: &[Argument], wanted: &[&str], depth: usize, out: &mut Columns) {
        let mut found = false;
        for argument in arguments {
            if !wanted.is_empty() && !wanted.contains(&argument.name.name.as_str()) {
                continue;
            }
            match &argument.value {
                ArgValue::Select(select) => {
                    found = true;
                    self.select(select, depth, out);
                }
                ArgValue::Expr(expr) => {
                    let stored = match &expr.kind {
                        ExprKind::Name(path) | ExprKind::Call { path, .. } => {
                            path.first().and_then(|name| self.stored(&name.name))
                        }
                        _ => None,
                    };
                    if let Some(select) = stored {
                        found = true;
                        self.select(select, depth, out);
                    }
                }
                ArgValue::Array(_) => {}
            }
        }
        out.open |= !found;
    }

    /// The query that a LET keeps under a name; the last one counts.
    fn stored(&self, name: &str) -> Option<&Select> {
        self.program.statements.iter().rev().find_map(|statement| match statement {
            Statement::Let(bound) if bound.name.name == name => match &bound.value {
                LetValue::Select(select) => Some(select),
                LetValue::Expr(_) => None,
            },
            _ => None,
        })
    }
}

impl Columns {
    fn add(&mut self, name: &str) {
        if !self.names.iter().any(|known| known == name) {
            self.names.push(name.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, names: &[&str], open: bool) {
        let found = columns(text);
        assert_eq!(
            (found.names, found.open),
            (names.iter().map(|n| n.to_string()).collect(), open)
        );
    }

    #[test]
    fn the_last_query_gives_the_columns() {
        check(
            "SELECT 1 AS X FROM scope() SELECT Name, A.B, C AS D FROM pslist()",
            &["Name", "A.B", "D"],
            false,
        );
        check("SELECT count() FROM pslist()", &["count()"], false);
    }

    #[test]
    fn a_star_is_followed_through_stored_queries() {
        check(
            "LET A = SELECT Pid, Name FROM pslist() SELECT *, 1 AS One FROM A",
            &["Pid", "Name", "One"],
            false,
        );
        check("LET A(x) = SELECT Pid FROM pslist() SELECT * FROM A(x=1)", &["Pid"], false);
        check(
            "SELECT * FROM foreach(row={ SELECT R FROM info() }, query={ SELECT Q FROM info() })",
            &["Q"],
            false,
        );
        check("LET A = SELECT Q FROM info() SELECT * FROM if(condition=1, then=A)", &["Q"], false);
        check(
            "SELECT * FROM chain(a={ SELECT A FROM info() }, b={ SELECT B FROM info() })",
            &["A", "B"],
            false,
        );
    }

    #[test]
    fn what_the_text_does_not_tell_is_left_open() {
        check("SELECT *, 1 AS One FROM pslist()", &["One"], true);
        check("SELECT * FROM Artifact.Linux.Sys.Pslist()", &[], true);
        check("LET A = SELECT * FROM A SELECT * FROM A", &[], true);
        check("SELECT FROM", &[], true);
        check("LET A = 1", &[], true);
    }
}
