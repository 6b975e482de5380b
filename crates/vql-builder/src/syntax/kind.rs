//! The kinds of tokens and of nodes.

/// What a token is. Keywords are recognised in any letter case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum TokenKind {
    /// Blanks and line ends. Trivia: never handed to the parser.
    Whitespace,
    /// `/* … */`, `-- …` or `// …`. Trivia: never handed to the parser.
    Comment,
    /// A character that starts no token. Reported, then skipped like trivia.
    Invalid,
    /// A string or back-ticked name without its end. Reported, then skipped like trivia.
    Unterminated,
    /// `EXPLAIN`
    Explain,
    /// `SELECT`
    Select,
    /// `FROM`
    From,
    /// `WHERE`
    Where,
    /// `GROUP BY`, one token however it is spaced.
    GroupBy,
    /// `ORDER BY`, one token however it is spaced.
    OrderBy,
    /// `DESC`
    Desc,
    /// `LIMIT`
    Limit,
    /// `LET`
    Let,
    /// `AS`
    As,
    /// `AND`
    And,
    /// `OR`
    Or,
    /// `NOT`
    Not,
    /// `IN`
    In,
    /// `NULL`
    Null,
    /// `TRUE` or `FALSE`
    Bool,
    /// `&&`
    Amps,
    /// `|`, `||`, any run of bars.
    Bars,
    /// A number; its sign belongs to it.
    Number,
    /// A bare name.
    Name,
    /// A name between backticks.
    QuotedName,
    /// A minus sign that touches a bare or back-ticked name: one token.
    NegatedName,
    /// `'…'` or `"…"`.
    String,
    /// `'''…'''`.
    RawString,
    /// `<>`
    NeAngle,
    /// `!=`
    Ne,
    /// `<=`
    Le,
    /// `>=`
    Ge,
    /// `=>`
    Arrow,
    /// `=~`
    Match,
    /// `=`
    Eq,
    /// `<`
    Lt,
    /// `>`
    Gt,
    /// `+`
    Plus,
    /// `-` that touches neither a number nor a name.
    Minus,
    /// `*`
    Star,
    /// `/`
    Slash,
    /// `%`: a token without a place in the grammar.
    Percent,
    /// `:`
    Colon,
    /// `,`
    Comma,
    /// `.`
    Dot,
    /// `(`
    ParenOpen,
    /// `)`
    ParenClose,
    /// `[`
    BracketOpen,
    /// `]`
    BracketClose,
    /// `{`
    BraceOpen,
    /// `}`
    BraceClose,
    /// After the last token.
    End,
}

impl TokenKind {
    /// Whether the parser never sees it.
    pub const fn is_skipped(self) -> bool {
        matches!(self, Self::Whitespace | Self::Comment | Self::Invalid | Self::Unterminated)
    }

    /// Whether the grammar takes it for a plain name.
    pub const fn is_name(self) -> bool {
        matches!(self, Self::Name | Self::QuotedName)
    }

    /// Whether it is a reserved word, which may stand for a name only between backticks.
    pub const fn is_keyword(self) -> bool {
        (self as u8) >= (Self::Explain as u8) && (self as u8) <= (Self::Bool as u8)
    }
}

/// What a node of the lossless tree is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum NodeKind {
    /// The whole text.
    Program,
    /// `LET …`.
    Let,
    /// `(a, b=1)` after the name of a LET.
    Parameters,
    /// A parameter without default.
    Parameter,
    /// `[EXPLAIN] SELECT …`.
    Select,
    /// One column.
    Column,
    /// `{ SELECT … }`.
    SubSelect,
    /// The plugin after FROM.
    Source,
    /// `WHERE …`.
    Where,
    /// `GROUP BY …`.
    GroupBy,
    /// `ORDER BY …`.
    OrderBy,
    /// `LIMIT …`.
    Limit,
    /// `( … )` of a call.
    Arguments,
    /// `name=value`.
    Argument,
    /// `[ … ]` as an argument.
    ArrayLiteral,
    /// Expressions with commas between.
    CommaList,
    /// Operands joined by AND or `&&`.
    AndChain,
    /// Operands joined by OR or bars.
    OrChain,
    /// `NOT …`.
    Not,
    /// A comparison. The grammar allows several in a row; only the last counts.
    Comparison,
    /// Operands joined by `+` or `-`.
    Sum,
    /// Operands joined by `*` or `/`.
    Product,
    /// A value with subscripts and members after it.
    Access,
    /// `[ … ]` after a value.
    Subscript,
    /// `.name` after a value.
    Member,
    /// A dotted name, with its calls.
    Symbol,
    /// `( … )`.
    Group,
    /// A string, number, truth value or NULL.
    Literal,
    /// `a, b` before the arrow of a lambda.
    LambdaParameters,
    /// `x=>…`.
    Lambda,
    /// A statement that could not be parsed, with what could be.
    Error,
}
