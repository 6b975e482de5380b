//! Expressions of the typed tree.

use super::{Lower, Lowered, ident, names, nodes, tokens};
use crate::ast::{ArgValue, Argument, BinaryOp, Expr, ExprKind, Ident, Span};
use crate::diagnostic::{Code, Diagnostic};
use crate::literal::{parse_float, parse_whole_number, unquote, unquote_name};
use crate::syntax::{Element, Node, NodeKind, TokenKind};

/// Longest chain of `+ -`, `* /`, members or mixed logic. A longer one would make a tree so deep
/// that walking it might overflow the stack.
const MAX_CHAIN: usize = 500;

impl<'a> Lower<'a> {
    pub(super) fn expression(&self, node: Node<'a>) -> Lowered<Expr> {
        let span = node.span();
        let kind = match node.kind() {
            NodeKind::CommaList => ExprKind::Array(self.list(node)?),
            NodeKind::AndChain | NodeKind::OrChain | NodeKind::Sum | NodeKind::Product => {
                return self.chain(node);
            }
            NodeKind::Comparison => return self.comparison(node),
            NodeKind::Not => ExprKind::Not(Box::new(self.expression(self.only_child(node)?)?)),
            NodeKind::Access => return self.access(node),
            NodeKind::Symbol => return self.symbol(node),
            NodeKind::Group => {
                let inner = self.expression(self.only_child(node)?)?;
                match inner.kind {
                    ExprKind::Array(items) => ExprKind::Array(items),
                    _ => ExprKind::Group(Box::new(inner)),
                }
            }
            NodeKind::Literal => literal(node),
            _ => return Err(self.misplaced(node)),
        };
        Ok(Expr { kind, span })
    }

    /// The items of a comma list, at which the engine looks: the last between two commas.
    fn list(&self, node: Node<'a>) -> Lowered<Vec<Expr>> {
        let mut items = Vec::new();
        let mut last = None;
        for element in node.children() {
            match element {
                Element::Token(_) => items.extend(last.take()),
                Element::Node(child) => last = Some(child),
            }
        }
        items.extend(last);
        items.into_iter().map(|item| self.expression(item)).collect()
    }

    fn chain(&self, node: Node<'a>) -> Lowered<Expr> {
        let mut operators = Vec::new();
        let mut operands = Vec::new();
        for element in node.children() {
            match element {
                Element::Token(token) => operators.extend(operator(token.kind())),
                Element::Node(child) => operands.push(self.expression(child)?),
            }
        }
        if let [first, rest @ ..] = &operators[..]
            && is_logic(*first)
            && rest.iter().all(|other| other == first)
        {
            return balanced(*first, operands).ok_or_else(|| self.misplaced(node));
        }
        self.bounded(operands.len(), node)?;
        let mut operands = operands.into_iter();
        let first = operands.next().ok_or_else(|| self.misplaced(node))?;
        Ok(operators
            .into_iter()
            .zip(operands)
            .fold(first, |left, (op, right)| binary(op, left, right)))
    }

    fn comparison(&self, node: Node<'a>) -> Lowered<Expr> {
        let op = tokens(node).filter_map(|token| operator(token.kind())).last();
        let operands = nodes(node);
        let ([left, .., right], Some(op)) = (&operands[..], op) else {
            return Err(self.misplaced(node));
        };
        let mut expr = binary(op, self.expression(*left)?, self.expression(*right)?);
        expr.span = node.span();
        Ok(expr)
    }

    fn access(&self, node: Node<'a>) -> Lowered<Expr> {
        let parts = nodes(node);
        self.bounded(parts.len(), node)?;
        let [first, rest @ ..] = &parts[..] else { return Err(self.misplaced(node)) };
        let mut value = self.expression(*first)?;
        for part in rest {
            let span = Span { start: value.span.start, end: part.span().end };
            let inner = Box::new(value);
            let kind = match part.kind() {
                NodeKind::Member => ExprKind::Member { value: inner, name: self.name(*part)? },
                _ => self.subscript(inner, *part)?,
            };
            value = Expr { kind, span };
        }
        Ok(value)
    }

    fn subscript(&self, value: Box<Expr>, node: Node<'a>) -> Lowered<ExprKind> {
        let mut colon = false;
        let (mut start, mut end) = (None, None);
        for element in node.children() {
            match element {
                Element::Token(token) => colon |= token.kind() == TokenKind::Colon,
                Element::Node(child) if colon => end = Some(child),
                Element::Node(child) => start = Some(child),
            }
        }
        let lower = |child: Option<Node<'a>>| {
            child.map(|child| self.expression(child).map(Box::new)).transpose()
        };
        if colon {
            return Ok(ExprKind::Slice { value, start: lower(start)?, end: lower(end)? });
        }
        let index = match lower(start)? {
            Some(index) => index,
            // The engine answers `a[]` with NULL, as it does for any NULL index.
            None => Box::new(Expr { kind: ExprKind::Null, span: node.span() }),
        };
        Ok(ExprKind::Index { value, index })
    }

    fn symbol(&self, node: Node<'a>) -> Lowered<Expr> {
        let span = node.span();
        let mut path = Vec::new();
        let mut arguments = None;
        let mut negated = false;
        for element in node.children() {
            match element {
                Element::Token(token) => match token.kind() {
                    TokenKind::NegatedName => {
                        let at = Span { start: token.span().start + 1, end: token.span().end };
                        path.push(Ident {
                            name: unquote_name(&token.text()[1..]).to_owned(),
                            span: at,
                        });
                        negated = true;
                    }
                    kind if kind.is_name() => path.push(ident(token)),
                    _ => {}
                },
                Element::Node(call) => {
                    arguments.get_or_insert_with(Vec::new).extend(self.arguments(call)?);
                }
            }
        }
        let kind = match arguments {
            Some(arguments) => ExprKind::Call { path, arguments },
            None => ExprKind::Name(path),
        };
        if negated {
            let inner = Expr { kind, span: Span { start: span.start + 1, end: span.end } };
            return Ok(Expr { kind: ExprKind::Negate(Box::new(inner)), span });
        }
        Ok(Expr { kind, span })
    }

    pub(super) fn arguments(&self, node: Node<'a>) -> Lowered<Vec<Argument>> {
        nodes(node).into_iter().map(|child| self.argument(child)).collect()
    }

    pub(super) fn argument(&self, node: Node<'a>) -> Lowered<Argument> {
        let child = self.only_child(node)?;
        let value = match child.kind() {
            NodeKind::SubSelect => ArgValue::Select(self.select(self.only_child(child)?)?),
            NodeKind::ArrayLiteral => ArgValue::Array(match nodes(child)[..] {
                [] => Vec::new(),
                [list] if list.kind() == NodeKind::CommaList => self.list(list)?,
                [item, ..] => vec![self.expression(item)?],
            }),
            _ => ArgValue::Expr(self.expression(child)?),
        };
        let name = names(node).into_iter().next().ok_or_else(|| self.misplaced(node))?;
        Ok(Argument { name, value })
    }

    fn bounded(&self, length: usize, node: Node<'a>) -> Lowered<()> {
        if length <= MAX_CHAIN {
            return Ok(());
        }
        let message = format!("a chain of {length} operators, at most {MAX_CHAIN} are supported");
        Err(Diagnostic::new(self.tree.source(), Code::TooDeep, node.span(), message))
    }
}

/// Joins operands of one logic operator in a tree of logarithmic depth: a list of indicators may
/// have thousands. Grouping does not change what the operator yields nor the order of evaluation.
fn balanced(op: BinaryOp, mut operands: Vec<Expr>) -> Option<Expr> {
    /// Chains up to this length keep the shape in which they were written.
    const PLAIN: usize = 32;
    if operands.len() <= PLAIN {
        return operands.into_iter().reduce(|left, right| binary(op, left, right));
    }
    let right = operands.split_off(operands.len() / 2);
    Some(binary(op, balanced(op, operands)?, balanced(op, right)?))
}

fn binary(op: BinaryOp, left: Expr, right: Expr) -> Expr {
    let span = Span { start: left.span.start, end: right.span.end };
    Expr { kind: ExprKind::Binary { op, left: Box::new(left), right: Box::new(right) }, span }
}

fn literal(node: Node<'_>) -> ExprKind {
    let text = node.text();
    match tokens(node).next().map(|token| token.kind()) {
        Some(TokenKind::String | TokenKind::RawString) => ExprKind::Str(unquote(text)),
        // The letters between are of no matter: only these two words get here.
        Some(TokenKind::Bool) => ExprKind::Bool(text.starts_with(['t', 'T'])),
        Some(TokenKind::Number) => parse_whole_number(text)
            .map(ExprKind::Int)
            .or_else(|| parse_float(text).map(ExprKind::Float))
            .unwrap_or(ExprKind::Null),
        _ => ExprKind::Null,
    }
}

fn operator(kind: TokenKind) -> Option<BinaryOp> {
    Some(match kind {
        TokenKind::And => BinaryOp::And,
        TokenKind::Amps => BinaryOp::AndValue,
        TokenKind::Or => BinaryOp::Or,
        TokenKind::Bars => BinaryOp::OrValue,
        TokenKind::Eq => BinaryOp::Eq,
        TokenKind::Ne => BinaryOp::Ne,
        TokenKind::NeAngle => BinaryOp::NeAngle,
        TokenKind::Lt => BinaryOp::Lt,
        TokenKind::Le => BinaryOp::Le,
        TokenKind::Gt => BinaryOp::Gt,
        TokenKind::Ge => BinaryOp::Ge,
        TokenKind::In => BinaryOp::In,
        TokenKind::Match => BinaryOp::Match,
        TokenKind::Plus => BinaryOp::Add,
        TokenKind::Minus => BinaryOp::Sub,
        TokenKind::Star => BinaryOp::Mul,
        TokenKind::Slash => BinaryOp::Div,
        _ => return None,
    })
}

const fn is_logic(op: BinaryOp) -> bool {
    matches!(op, BinaryOp::And | BinaryOp::AndValue | BinaryOp::Or | BinaryOp::OrValue)
}
