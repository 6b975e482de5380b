//! A walk over everything that a program may evaluate.

use super::CallKind;
use crate::ast::{
    ArgValue, Argument, ColumnValue, Expr, ExprKind, Ident, LetValue, Program, Select, Span,
    Statement,
};

/// A call, as it is met.
pub(super) struct Call<'a> {
    pub(super) kind: CallKind,
    pub(super) path: &'a [Ident],
    pub(super) arguments: &'a [Argument],
    pub(super) span: Span,
}

pub(super) fn program(program: &Program, found: &mut impl FnMut(Call<'_>)) {
    for statement in &program.statements {
        match statement {
            Statement::Select(query) => select(query, found),
            Statement::Let(binding) => {
                let defaults = binding.parameters.iter().flatten();
                defaults
                    .filter_map(|parameter| parameter.default.as_ref())
                    .for_each(|default| argument_value(default, found));
                match &binding.value {
                    LetValue::Select(query) => select(query, found),
                    LetValue::Expr(value) => expr(value, found),
                }
            }
        }
    }
}

fn select(query: &Select, found: &mut impl FnMut(Call<'_>)) {
    for column in &query.columns {
        match &column.value {
            ColumnValue::Star => {}
            ColumnValue::Select(inner) => select(inner, found),
            ColumnValue::Expr(value) => expr(value, found),
        }
    }
    let source = &query.from;
    let arguments = source.arguments.as_deref().unwrap_or_default();
    found(Call { kind: CallKind::Plugin, path: &source.path, arguments, span: source.span });
    arguments.iter().for_each(|argument| argument_value(&argument.value, found));
    query.filter.iter().chain(&query.group_by).for_each(|value| expr(value, found));
}

fn argument_value(value: &ArgValue, found: &mut impl FnMut(Call<'_>)) {
    match value {
        ArgValue::Select(query) => select(query, found),
        ArgValue::Array(items) => items.iter().for_each(|item| expr(item, found)),
        ArgValue::Expr(value) => expr(value, found),
    }
}

fn expr(value: &Expr, found: &mut impl FnMut(Call<'_>)) {
    match &value.kind {
        ExprKind::Null
        | ExprKind::Bool(_)
        | ExprKind::Int(_)
        | ExprKind::Float(_)
        | ExprKind::Str(_)
        | ExprKind::Name(_) => {}
        ExprKind::Call { path, arguments } => {
            found(Call { kind: CallKind::Function, path, arguments, span: value.span });
            arguments.iter().for_each(|argument| argument_value(&argument.value, found));
        }
        ExprKind::Member { value, .. } => expr(value, found),
        ExprKind::Index { value, index } => {
            expr(value, found);
            expr(index, found);
        }
        ExprKind::Slice { value, start, end } => {
            expr(value, found);
            start.iter().chain(end).for_each(|bound| expr(bound, found));
        }
        ExprKind::Negate(inner) | ExprKind::Not(inner) | ExprKind::Group(inner) => {
            expr(inner, found);
        }
        ExprKind::Binary { left, right, .. } => {
            expr(left, found);
            expr(right, found);
        }
        ExprKind::Array(items) => items.iter().for_each(|item| expr(item, found)),
    }
}
