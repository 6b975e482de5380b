//! Filter expressions from outside: they may enter a constant query, because they were parsed,
//! found to do nothing but compute, and are spelled anew. No character of the caller's text gets
//! into a query.

use std::fmt;

use crate::ast::{ArgValue, Argument, Expr, ExprKind, Ident, Span};
use crate::builtin::is_pure_function;
use crate::diagnostic::{Code, Diagnostic};
use crate::literal::quote_string;
use crate::name::{Identifier, PRIVATE_PREFIX, reserved_reason};
use crate::parse::parse_expression;

/// An expression that only computes: operators, literals, names, members, subscripts, and calls
/// of functions that are known to compute on their arguments alone.
///
/// It holds no query, calls no plugin, takes no code in strings, and cannot reach the server's
/// configuration. What it can do is read the columns of the row, and fail.
///
/// ```
/// let filter = vql_builder::PureExpr::parse("Pid > 4 OR upcase(string=Name) =~ 'SVC' -- system")?;
/// assert_eq!(filter.to_string(), r#"((Pid > 4) OR (upcase(string=Name) =~ "SVC"))"#);
/// assert!(vql_builder::PureExpr::parse("execve(argv=Name)").is_err());
/// # Ok::<(), vql_builder::Diagnostic>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PureExpr(String);

impl PureExpr {
    /// Parses, checks and respells an expression.
    ///
    /// # Errors
    ///
    /// The place that is not VQL, or that does more than compute.
    pub fn parse(text: &str) -> Result<Self, Diagnostic> {
        let expr = parse_expression(text)?;
        let mut speller = Speller { text, out: String::with_capacity(text.len() + 16) };
        if matches!(expr.kind, ExprKind::Array(_)) {
            return Err(speller.refuse(expr.span, "a list is always true", "join with AND or OR"));
        }
        speller.operand(&expr)?;
        Ok(Self(speller.out))
    }

    /// The expression that keeps every row.
    pub fn always() -> Self {
        Self("TRUE".to_owned())
    }
}

/// The expression as it enters a query: one value, in parentheses where it has operators.
impl fmt::Display for PureExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

type Spelled = Result<(), Diagnostic>;

struct Speller<'t> {
    /// For the places of errors only.
    text: &'t str,
    out: String,
}

impl Speller<'_> {
    /// Spells an expression so that any operator may stand on either side of it.
    fn operand(&mut self, expr: &Expr) -> Spelled {
        match &expr.kind {
            ExprKind::Group(inner) => self.operand(inner),
            ExprKind::Binary { .. }
            | ExprKind::Not(_)
            | ExprKind::Member { .. }
            | ExprKind::Index { .. }
            | ExprKind::Slice { .. } => {
                self.out.push('(');
                self.expr(expr)?;
                self.out.push(')');
                Ok(())
            }
            _ => self.expr(expr),
        }
    }

    /// Spells what a member or subscript is taken of; a chain of them needs no parentheses.
    fn accessed(&mut self, expr: &Expr) -> Spelled {
        match &expr.kind {
            ExprKind::Member { .. } | ExprKind::Index { .. } | ExprKind::Slice { .. } => {
                self.expr(expr)
            }
            _ => self.operand(expr),
        }
    }

    fn expr(&mut self, expr: &Expr) -> Spelled {
        match &expr.kind {
            ExprKind::Null => self.out.push_str("NULL"),
            ExprKind::Bool(true) => self.out.push_str("TRUE"),
            ExprKind::Bool(false) => self.out.push_str("FALSE"),
            ExprKind::Int(value) => self.out.push_str(&value.to_string()),
            // The debug form keeps `.0`, without which the engine would read a whole number.
            ExprKind::Float(value) => {
                let number = format!("{value:?}");
                self.out.push_str(&number);
            }
            ExprKind::Str(value) => self.out.push_str(&quote_string(value)),
            ExprKind::Name(path) => self.name(path)?,
            ExprKind::Call { path, arguments } => self.call(expr.span, path, arguments)?,
            ExprKind::Member { value, name } => {
                self.accessed(value)?;
                self.out.push('.');
                self.ident(name)?;
            }
            ExprKind::Index { value, index } => {
                self.accessed(value)?;
                self.out.push('[');
                self.operand(index)?;
                self.out.push(']');
            }
            ExprKind::Slice { value, start, end } => {
                self.accessed(value)?;
                self.out.push('[');
                start.iter().try_for_each(|bound| self.operand(bound))?;
                self.out.push(':');
                end.iter().try_for_each(|bound| self.operand(bound))?;
                self.out.push(']');
            }
            ExprKind::Negate(inner) => {
                self.out.push('-');
                self.expr(inner)?;
            }
            ExprKind::Not(inner) => {
                self.out.push_str("NOT ");
                self.operand(inner)?;
            }
            ExprKind::Binary { op, left, right } => {
                self.operand(left)?;
                self.out.push(' ');
                self.out.push_str(op.symbol());
                self.out.push(' ');
                self.operand(right)?;
            }
            ExprKind::Array(items) => {
                self.out.push('(');
                self.list(items)?;
                // The comma makes a list of a single item.
                self.out.push_str(",)");
            }
            ExprKind::Group(inner) => self.operand(inner)?,
        }
        Ok(())
    }

    fn list(&mut self, items: &[Expr]) -> Spelled {
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.out.push_str(", ");
            }
            self.operand(item)?;
        }
        Ok(())
    }

    fn name(&mut self, path: &[Ident]) -> Spelled {
        let Some(first) = path.first() else { return Ok(()) };
        let internal = first.name.starts_with(['$', '_']) || first.name.starts_with(PRIVATE_PREFIX);
        if internal || reserved_reason(&first.name).is_some() {
            let what = format!("{} is not a column", first.name);
            let hint = "a filter sees the columns of the rows only";
            return Err(self.refuse(first.span, &what, hint));
        }
        for (index, part) in path.iter().enumerate() {
            if index > 0 {
                self.out.push('.');
            }
            self.ident(part)?;
        }
        Ok(())
    }

    fn ident(&mut self, ident: &Ident) -> Spelled {
        let spelled = Identifier::new(&ident.name).map_err(|error| {
            self.refuse(ident.span, &error.to_string(), "give the column an alias in the query")
        })?;
        self.out.push_str(&spelled.to_string());
        Ok(())
    }

    fn call(&mut self, span: Span, path: &[Ident], arguments: &[Argument]) -> Spelled {
        let [name] = path else {
            let hint = "only functions that compute are";
            return Err(self.refuse(span, "this call is not allowed in a filter", hint));
        };
        if !is_pure_function(&name.name) {
            let what = format!("{}() is not allowed in a filter", name.name);
            return Err(self.refuse(span, &what, "only functions that compute are"));
        }
        self.ident(name)?;
        self.out.push('(');
        for (index, argument) in arguments.iter().enumerate() {
            if index > 0 {
                self.out.push_str(", ");
            }
            self.argument(argument)?;
        }
        self.out.push(')');
        Ok(())
    }

    fn argument(&mut self, argument: &Argument) -> Spelled {
        if argument.name.name == "**" {
            let what = "`**` hides the arguments of a call";
            return Err(self.refuse(argument.name.span, what, "name each argument"));
        }
        self.ident(&argument.name)?;
        self.out.push('=');
        match &argument.value {
            ArgValue::Expr(expr) => self.operand(expr),
            ArgValue::Array(items) => {
                self.out.push('[');
                self.list(items)?;
                self.out.push(']');
                Ok(())
            }
            ArgValue::Select(select) => {
                let what = "a query is not allowed in a filter";
                Err(self.refuse(select.span, what, "compare columns and literals"))
            }
        }
    }

    fn refuse(&self, span: Span, message: &str, hint: &str) -> Diagnostic {
        Diagnostic::new(self.text, Code::NotPure, span, message.to_owned())
            .with_hint(Some(hint.to_owned()))
    }
}
