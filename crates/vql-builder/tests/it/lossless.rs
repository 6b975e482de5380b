//! The tree holds the text, byte for byte, whatever the text.

use proptest::prelude::*;
use vql_builder::syntax::{Element, Node};
use vql_builder::{parse, parse_expression, quote_string};

/// Every node lies inside its parent, after the sibling before it.
fn check_order(node: Node<'_>) {
    let mut at = node.span().start;
    for element in node.children() {
        let span = match element {
            Element::Node(child) => {
                check_order(child);
                child.span()
            }
            Element::Token(token) => token.span(),
        };
        assert!(at <= span.start && span.start <= span.end, "{:?}", node.kind());
        at = span.end;
    }
    assert!(at <= node.span().end, "{:?}", node.kind());
}

proptest! {
    #[test]
    fn any_text_is_kept(text in any::<String>()) {
        let parse = parse(&text);
        prop_assert_eq!(parse.tree().to_text(), text.clone());
        check_order(parse.tree().root());
    }

    #[test]
    fn text_of_vql_characters_is_kept(
        text in "[-SELECTFROMselectfromLt a1.0x,()\\[\\]{}=<>~|&'\"`\\\\/*\n;:%+]{0,80}"
    ) {
        let parse = parse(&text);
        prop_assert_eq!(parse.tree().to_text(), text.clone());
        check_order(parse.tree().root());
    }

    #[test]
    fn a_quoted_string_is_one_literal_with_the_same_value(value in any::<String>()) {
        use vql_builder::ast::ExprKind;
        let expr = parse_expression(&quote_string(&value)).expect("a literal");
        prop_assert_eq!(expr.kind, ExprKind::Str(value));
    }

    #[test]
    fn errors_point_into_the_text(text in "(SELECT |FROM |a|\\(|\\)|=|,|'|é|\n|LET ){0,20}") {
        for error in parse(&text).errors() {
            let (start, end) = (error.span.start as usize, error.span.end as usize);
            prop_assert!(text.is_char_boundary(start) && text.is_char_boundary(end));
            let line = text[..start].matches('\n').count() as u32 + 1;
            prop_assert_eq!(error.line, line);
        }
    }
}
