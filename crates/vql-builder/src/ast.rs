//! The typed syntax tree of a VQL program.
//!
//! Owned, without trivia; every node that a diagnostic may point at has a [`Span`] into the source
//! text. The lossless tree (comments, blanks, exact spelling) is [`crate::syntax`]; this one is
//! what evaluators and analyses walk. Shapes follow the grammar of the engine of Velociraptor
//! 0.77.2: there is no positional argument, `AND` is looser than `OR`, and `LIMIT` takes a literal.

use std::ops::Range;

/// Byte range in the source text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The span as a range that indexes the source text.
    pub const fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// A name, without its backticks, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ident {
    /// The name; backticks removed, letter case kept.
    pub name: String,
    /// Where it stands, backticks included.
    pub span: Span,
}

/// A whole text: statements in order, at least one.
#[derive(Clone, Debug, PartialEq)]
pub struct Program {
    /// The statements, in the order in which the engine runs them.
    pub statements: Vec<Statement>,
}

/// One statement. There is no separator between statements.
#[derive(Clone, Debug, PartialEq)]
pub enum Statement {
    /// `LET name = …`, `LET name <= …`, `LET name(a, b=1) = …`.
    Let(Let),
    /// `[EXPLAIN] SELECT …`.
    Select(Select),
}

/// A binding.
#[derive(Clone, Debug, PartialEq)]
pub struct Let {
    /// The bound name.
    pub name: Ident,
    /// `Some` where the name is followed by parentheses, even empty ones.
    pub parameters: Option<Vec<Parameter>>,
    /// `<=`: the right side runs at once. `=`: it runs when it is used.
    pub materialised: bool,
    /// The right side.
    pub value: LetValue,
    /// The whole statement.
    pub span: Span,
}

/// A parameter of a LET function.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// The parameter's name.
    pub name: Ident,
    /// Its default, where one is given.
    pub default: Option<ArgValue>,
}

/// The right side of a LET.
#[derive(Clone, Debug, PartialEq)]
pub enum LetValue {
    /// A stored query: usable as a plugin and as a value.
    Select(Select),
    /// An expression.
    Expr(Expr),
}

/// A query.
#[derive(Clone, Debug, PartialEq)]
pub struct Select {
    /// `EXPLAIN` stands before it. It does not prevent execution.
    pub explain: bool,
    /// The column list starts with `*`.
    pub star: bool,
    /// The columns after a leading `*`; may be empty.
    pub columns: Vec<Column>,
    /// The plugin or stored query after FROM.
    pub from: Source,
    /// WHERE. A comma list is an [`ExprKind::Array`].
    pub filter: Option<Expr>,
    /// GROUP BY: one entry per expression; empty where there is none.
    pub group_by: Vec<Expr>,
    /// ORDER BY.
    pub order_by: Option<OrderBy>,
    /// LIMIT, as written (the engine gives one row for 0 and for negative numbers).
    pub limit: Option<i64>,
    /// The whole query.
    pub span: Span,
}

/// One column of a SELECT.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// What is computed.
    pub value: ColumnValue,
    /// `AS name`.
    pub alias: Option<Ident>,
    /// The whole column.
    pub span: Span,
}

/// What a column computes.
#[derive(Clone, Debug, PartialEq)]
pub enum ColumnValue {
    /// `*` in the middle of the list.
    Star,
    /// `{ SELECT … }`.
    Select(Select),
    /// An expression. Without an alias the column is named by the expression's own text.
    Expr(Expr),
}

/// `ORDER BY name [DESC]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderBy {
    /// A single bare name: the grammar has no dots and no expressions here.
    pub column: Ident,
    /// `DESC` was given.
    pub descending: bool,
}

/// The plugin after FROM.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// The parts of a dotted name: `Artifact.Linux.Sys.Pslist` has four.
    pub path: Vec<Ident>,
    /// `None` where the name is not followed by parentheses.
    pub arguments: Option<Vec<Argument>>,
    /// The whole reference.
    pub span: Span,
}

/// A named argument: `name=value`. The name `**` (back-ticked) replaces all others by a dict.
#[derive(Clone, Debug, PartialEq)]
pub struct Argument {
    /// The argument's name.
    pub name: Ident,
    /// Its value.
    pub value: ArgValue,
}

/// What stands right of `=` in an argument or a parameter's default.
#[derive(Clone, Debug, PartialEq)]
pub enum ArgValue {
    /// `{ SELECT … }`, not run until the callee asks.
    Select(Select),
    /// `[a, b]`, which the grammar allows only here.
    Array(Vec<Expr>),
    /// Anything else.
    Expr(Expr),
}

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it stands.
    pub span: Span,
}

/// The kinds of expression.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// `NULL`.
    Null,
    /// `TRUE`, `FALSE`.
    Bool(bool),
    /// A whole number, decimal or hexadecimal.
    Int(i64),
    /// A number with a fraction or an exponent, or one beyond 64 bits.
    Float(f64),
    /// A quoted string, escapes resolved.
    Str(String),
    /// A dotted name that is not called: `a.b.c`. A leading `-` is [`ExprKind::Negate`].
    Name(Vec<Ident>),
    /// A dotted name that is called.
    Call {
        /// The parts of the callee's name.
        path: Vec<Ident>,
        /// The arguments.
        arguments: Vec<Argument>,
    },
    /// `value.name` after something that is not itself a plain dotted name.
    Member {
        /// Left of the dot.
        value: Box<Expr>,
        /// Right of the dot.
        name: Ident,
    },
    /// `value[index]`.
    Index {
        /// Left of the bracket.
        value: Box<Expr>,
        /// Inside; the grammar allows a value, not an operator expression.
        index: Box<Expr>,
    },
    /// `value[start:end]`, either end open.
    Slice {
        /// Left of the bracket.
        value: Box<Expr>,
        /// Left of the colon.
        start: Option<Box<Expr>>,
        /// Right of the colon.
        end: Option<Box<Expr>>,
    },
    /// `-name` (numbers carry their sign themselves).
    Negate(Box<Expr>),
    /// `NOT x`.
    Not(Box<Expr>),
    /// A two-sided operator.
    Binary {
        /// Which.
        op: BinaryOp,
        /// Left side.
        left: Box<Expr>,
        /// Right side.
        right: Box<Expr>,
    },
    /// `(a, b)` or `(a,)`, and a comma list in WHERE.
    Array(Vec<Expr>),
    /// `(a)`: kept, because a column without alias is named by its text.
    Group(Box<Expr>),
}

impl Expr {
    /// The expressions directly inside, in the order of the text; not those in arguments of calls.
    pub fn children(&self) -> Vec<&Self> {
        match &self.kind {
            ExprKind::Null
            | ExprKind::Bool(_)
            | ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::Str(_)
            | ExprKind::Name(_)
            | ExprKind::Call { .. } => Vec::new(),
            ExprKind::Member { value, .. }
            | ExprKind::Negate(value)
            | ExprKind::Not(value)
            | ExprKind::Group(value) => vec![value],
            ExprKind::Index { value, index } => vec![value, index],
            ExprKind::Slice { value, start, end } => {
                std::iter::once(value).chain(start).chain(end).map(|bound| &**bound).collect()
            }
            ExprKind::Binary { left, right, .. } => vec![left, right],
            ExprKind::Array(items) => items.iter().collect(),
        }
    }
}

/// Two-sided operators, loosest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    /// `AND`: looser than OR.
    And,
    /// `&&`: like AND, but yields an operand.
    AndValue,
    /// `OR`.
    Or,
    /// `||` (any run of bars): like OR, but yields an operand.
    OrValue,
    /// `=`.
    Eq,
    /// `!=`.
    Ne,
    /// `<>`: accepted by the grammar and always false.
    NeAngle,
    /// `<`.
    Lt,
    /// `<=`.
    Le,
    /// `>`.
    Gt,
    /// `>=`.
    Ge,
    /// `IN`.
    In,
    /// `=~`: unanchored, case-insensitive regular expression.
    Match,
    /// `+`.
    Add,
    /// `-`.
    Sub,
    /// `*`.
    Mul,
    /// `/`.
    Div,
}

impl BinaryOp {
    /// How it is written.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::And => "AND",
            Self::AndValue => "&&",
            Self::Or => "OR",
            Self::OrValue => "||",
            Self::Eq => "=",
            Self::Ne => "!=",
            Self::NeAngle => "<>",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
            Self::In => "IN",
            Self::Match => "=~",
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
        }
    }
}
