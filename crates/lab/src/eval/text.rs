//! The text of an expression: the name of a column that has no alias.

use vql_builder::ast::{
    ArgValue, Argument, BinaryOp, Column, ColumnValue, Expr, ExprKind, Ident, Span,
};

/// The name of a column: its alias, or its expression in the engine's spelling.
pub(crate) fn column_name(source: &str, column: &Column) -> String {
    match (&column.alias, &column.value) {
        (Some(alias), _) => alias.name.clone(),
        (None, ColumnValue::Expr(expr)) => expression(source, expr),
        (None, _) => slice(source, column.span).to_owned(),
    }
}

fn slice(source: &str, span: Span) -> &str {
    source.get(span.range()).unwrap_or_default().trim()
}

fn expression(source: &str, expr: &Expr) -> String {
    let text = |expr: &Expr| expression(source, expr);
    match &expr.kind {
        ExprKind::Name(path) => names(path),
        ExprKind::Call { path, arguments } => {
            format!("{}({})", names(path), list(source, arguments))
        }
        ExprKind::Member { value, name } => format!("{}.{}", text(value), quoted(&name.name)),
        ExprKind::Index { value, index } => format!("{}[{}]", text(value), text(index)),
        ExprKind::Slice { value, start, end } => {
            let end_text = |end: &Option<Box<Expr>>| end.as_deref().map(text).unwrap_or_default();
            format!("{}[{}:{}]", text(value), end_text(start), end_text(end))
        }
        ExprKind::Negate(value) => format!("-{}", text(value)),
        ExprKind::Not(value) => format!("NOT {}", text(value)),
        ExprKind::Binary { op, left, right } => {
            format!("{} {} {}", text(left), operator(*op), text(right))
        }
        ExprKind::Array(items) => {
            format!("({})", items.iter().map(text).collect::<Vec<_>>().join(", "))
        }
        ExprKind::Group(inner) => format!("({})", text(inner)),
        ExprKind::Null
        | ExprKind::Bool(_)
        | ExprKind::Int(_)
        | ExprKind::Float(_)
        | ExprKind::Str(_) => slice(source, expr.span).to_owned(),
    }
}

fn names(path: &[Ident]) -> String {
    path.iter().map(|ident| quoted(&ident.name)).collect::<Vec<_>>().join(".")
}

/// A name as it has to be written.
fn quoted(name: &str) -> String {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if plain { name.to_owned() } else { format!("`{name}`") }
}

fn list(source: &str, arguments: &[Argument]) -> String {
    let value = |value: &ArgValue| match value {
        ArgValue::Expr(expr) => expression(source, expr),
        ArgValue::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| expression(source, item)).collect();
            format!("[{}]", items.join(", "))
        }
        ArgValue::Select(select) => format!("{{ {} }}", slice(source, select.span)),
    };
    arguments
        .iter()
        .map(|argument| format!("{}={}", quoted(&argument.name.name), value(&argument.value)))
        .collect::<Vec<_>>()
        .join(", ")
}

const fn operator(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::And => "AND",
        BinaryOp::AndValue => "&&",
        BinaryOp::Or => "OR",
        BinaryOp::OrValue => "||",
        BinaryOp::Eq => "=",
        BinaryOp::Ne => "!=",
        BinaryOp::NeAngle => "<>",
        BinaryOp::Lt => "<",
        BinaryOp::Le => "<=",
        BinaryOp::Gt => ">",
        BinaryOp::Ge => ">=",
        BinaryOp::In => "IN",
        BinaryOp::Match => "=~",
        BinaryOp::Add => "+",
        BinaryOp::Sub => "-",
        BinaryOp::Mul => "*",
        BinaryOp::Div => "/",
    }
}
