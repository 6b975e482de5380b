//! Warnings: what the engine accepts and what probably does not do what it seems to.

use crate::ast::Span;
use crate::diagnostic::{Code, Diagnostic};
use crate::literal::{parse_float, parse_whole_number};
use crate::syntax::{Element, Node, NodeKind, TokenKind, Tree};

/// More warnings than this in one text help nobody.
const MOST: usize = 100;

/// Looks through a tree without errors; warnings in the order of the text.
pub(crate) fn warnings(tree: &Tree<'_>) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for node in tree.nodes() {
        look_at(tree, node, &mut out);
        if out.len() >= MOST {
            break;
        }
    }
    out.sort_by_key(|warning| warning.span.start);
    out
}

fn look_at(tree: &Tree<'_>, node: Node<'_>, out: &mut Vec<Diagnostic>) {
    let mut warn = |code, span: Span, message: &str, hint: &str| {
        let warning = Diagnostic::new(tree.source(), code, span, message.to_owned());
        out.push(warning.with_hint(Some(hint.to_owned())));
    };
    match node.kind() {
        NodeKind::Comparison => {
            let children = node.children();
            for element in &children {
                if let Element::Token(token) = element
                    && token.kind() == TokenKind::NeAngle
                {
                    warn(Code::NeverTrue, token.span(), "`<>` is never true", "write !=");
                }
            }
            if children.len() > 3 {
                let message = "of several comparisons in a row only the last counts";
                warn(Code::Dropped, node.span(), message, "join them with AND");
            }
        }
        NodeKind::Limit | NodeKind::Literal => {
            let number = node.children().into_iter().find_map(|element| match element {
                Element::Token(token) if token.kind() == TokenKind::Number => Some(token),
                _ => None,
            });
            let Some(number) = number else { return };
            let whole = parse_whole_number(number.text());
            if node.kind() == NodeKind::Limit && whole.is_some_and(|limit| limit < 1) {
                let message = "a LIMIT below 1 gives one row";
                warn(
                    Code::LimitBelowOne,
                    number.span(),
                    message,
                    "to get none, leave the query out",
                );
            }
            if node.kind() == NodeKind::Literal
                && whole.is_none()
                && parse_float(number.text()).is_none()
            {
                let message = "this number cannot be represented: it is NULL";
                warn(Code::NumberIsNull, number.span(), message, "put it between quotes");
            }
        }
        NodeKind::AndChain
            if node.nodes_reversed().any(|child| child.kind() == NodeKind::OrChain) =>
        {
            let message = "AND is looser than OR: `a OR b AND c` means `(a OR b) AND c`";
            warn(Code::MixedAndOr, node.span(), message, "add parentheses");
        }
        NodeKind::CommaList | NodeKind::Subscript => {
            let mut last: Option<Node<'_>> = None;
            for element in node.children() {
                match element {
                    Element::Token(_) => last = None,
                    Element::Node(child) => {
                        if let Some(dropped) = last.replace(child) {
                            let message = "this is dropped: another value follows without a comma";
                            warn(
                                Code::Dropped,
                                dropped.span(),
                                message,
                                "add a comma or an operator",
                            );
                        }
                    }
                }
            }
        }
        _ => {}
    }
}
