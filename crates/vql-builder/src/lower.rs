//! From the lossless tree to the typed one.
//!
//! Works on trees without errors. Where the grammar takes more than the engine uses (several
//! comparisons in a row, several values in a subscript), the typed tree has what the engine uses:
//! the last.

mod expression;

use crate::ast::{
    Column, ColumnValue, Expr, ExprKind, Ident, Let, LetValue, OrderBy, Parameter, Program, Select,
    Source, Span, Statement,
};
use crate::diagnostic::{Code, Diagnostic};
use crate::literal::{parse_whole_number, unquote_name};
use crate::parse::Lambda;
use crate::syntax::{Element, Node, NodeKind, Token, TokenKind, Tree};

pub(crate) type Lowered<T> = Result<T, Diagnostic>;

/// Makes the typed tree of one lossless tree.
pub(crate) struct Lower<'a> {
    tree: &'a Tree<'a>,
}

impl<'a> Lower<'a> {
    pub(crate) const fn new(tree: &'a Tree<'a>) -> Self {
        Self { tree }
    }

    pub(crate) fn program(&self) -> Lowered<Program> {
        let statements = nodes(self.tree.root())
            .into_iter()
            .map(|node| match node.kind() {
                NodeKind::Let => self.binding(node).map(Statement::Let),
                NodeKind::Select => self.select(node).map(Statement::Select),
                _ => Err(self.misplaced(node)),
            })
            .collect::<Lowered<_>>()?;
        Ok(Program { statements })
    }

    pub(crate) fn expression_text(&self) -> Lowered<Expr> {
        self.expression(self.only_child(self.tree.root())?)
    }

    pub(crate) fn lambda_text(&self) -> Lowered<Lambda> {
        let lambda = self.only_child(self.tree.root())?;
        let children = nodes(lambda);
        let [parameters, body] = children[..] else { return Err(self.misplaced(lambda)) };
        Ok(Lambda { parameters: names(parameters), body: self.expression(body)? })
    }

    fn binding(&self, node: Node<'a>) -> Lowered<Let> {
        let mut name = None;
        let mut materialised = false;
        let mut parameters = None;
        let mut value = None;
        for element in node.children() {
            match element {
                Element::Token(token) if token.kind().is_name() => name = Some(ident(token)),
                Element::Token(token) => materialised |= token.kind() == TokenKind::Le,
                Element::Node(child) => match child.kind() {
                    NodeKind::Parameters => parameters = Some(self.parameters(child)?),
                    NodeKind::Select => value = Some(LetValue::Select(self.select(child)?)),
                    _ => value = Some(LetValue::Expr(self.expression(child)?)),
                },
            }
        }
        let (Some(name), Some(value)) = (name, value) else { return Err(self.misplaced(node)) };
        Ok(Let { name, parameters, materialised, value, span: node.span() })
    }

    fn parameters(&self, node: Node<'a>) -> Lowered<Vec<Parameter>> {
        nodes(node)
            .into_iter()
            .map(|child| match child.kind() {
                NodeKind::Argument => {
                    let argument = self.argument(child)?;
                    Ok(Parameter { name: argument.name, default: Some(argument.value) })
                }
                _ => Ok(Parameter { name: self.name(child)?, default: None }),
            })
            .collect()
    }

    pub(crate) fn select(&self, node: Node<'a>) -> Lowered<Select> {
        let mut select = Select {
            explain: false,
            star: false,
            columns: Vec::new(),
            from: Source { path: Vec::new(), arguments: None, span: Span::default() },
            filter: None,
            group_by: Vec::new(),
            order_by: None,
            limit: None,
            span: node.span(),
        };
        for element in node.children() {
            match element {
                Element::Token(token) => match token.kind() {
                    TokenKind::Explain => select.explain = true,
                    TokenKind::Star => select.star = true,
                    _ => {}
                },
                Element::Node(child) => match child.kind() {
                    NodeKind::Column => select.columns.push(self.column(child)?),
                    NodeKind::Source => select.from = self.source(child)?,
                    NodeKind::Where => {
                        select.filter = Some(self.expression(self.only_child(child)?)?);
                    }
                    NodeKind::GroupBy => {
                        let list = self.expression(self.only_child(child)?)?;
                        select.group_by = match list.kind {
                            ExprKind::Array(items) => items,
                            kind => vec![Expr { kind, span: list.span }],
                        };
                    }
                    NodeKind::OrderBy => select.order_by = Some(self.order_by(child)?),
                    NodeKind::Limit => {
                        let number = tokens(child).find(|token| token.kind() == TokenKind::Number);
                        select.limit = number.and_then(|token| parse_whole_number(token.text()));
                    }
                    _ => return Err(self.misplaced(child)),
                },
            }
        }
        Ok(select)
    }

    fn column(&self, node: Node<'a>) -> Lowered<Column> {
        let value = match nodes(node)[..] {
            [] => ColumnValue::Star,
            [child] if child.kind() == NodeKind::SubSelect => {
                ColumnValue::Select(self.select(self.only_child(child)?)?)
            }
            [child, ..] => ColumnValue::Expr(self.expression(child)?),
        };
        Ok(Column { value, alias: names(node).pop(), span: node.span() })
    }

    fn source(&self, node: Node<'a>) -> Lowered<Source> {
        let call = nodes(node).pop();
        let arguments = call.map(|call| self.arguments(call)).transpose()?;
        Ok(Source { path: names(node), arguments, span: node.span() })
    }

    fn order_by(&self, node: Node<'a>) -> Lowered<OrderBy> {
        let descending = tokens(node).any(|token| token.kind() == TokenKind::Desc);
        Ok(OrderBy { column: self.name(node)?, descending })
    }

    fn name(&self, node: Node<'a>) -> Lowered<Ident> {
        names(node).into_iter().next().ok_or_else(|| self.misplaced(node))
    }

    fn only_child(&self, node: Node<'a>) -> Lowered<Node<'a>> {
        node.nodes_reversed().next().ok_or_else(|| self.misplaced(node))
    }

    /// A tree that the parser does not make; its errors were not looked at.
    fn misplaced(&self, node: Node<'a>) -> Diagnostic {
        let message = format!("a {:?} does not belong here", node.kind());
        Diagnostic::new(self.tree.source(), Code::UnexpectedToken, node.span(), message)
    }
}

/// The children that are nodes, in the order of the text.
fn nodes(node: Node<'_>) -> Vec<Node<'_>> {
    let mut nodes: Vec<_> = node.nodes_reversed().collect();
    nodes.reverse();
    nodes
}

fn tokens(node: Node<'_>) -> impl Iterator<Item = Token<'_>> {
    node.children().into_iter().filter_map(|element| match element {
        Element::Token(token) => Some(token),
        Element::Node(_) => None,
    })
}

/// The names that are children of a node, in the order of the text.
fn names(node: Node<'_>) -> Vec<Ident> {
    tokens(node).filter(|token| token.kind().is_name()).map(ident).collect()
}

fn ident(token: Token<'_>) -> Ident {
    Ident { name: unquote_name(token.text()).to_owned(), span: token.span() }
}
