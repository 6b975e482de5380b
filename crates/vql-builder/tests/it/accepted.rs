//! Texts that the engine accepts, however odd, and what they mean.

use vql_builder::ast::{ArgValue, BinaryOp, ColumnValue, Expr, ExprKind, LetValue, Statement};
use vql_builder::{Code, parse, parse_expression};

#[test]
fn odd_texts_are_accepted() {
    for text in [
        "SELECT FROM scope()",
        "SELECT * FROM x",
        "SELECT *, FROM x",
        "SELECT * a FROM x",
        "SELECT *, *, a FROM x",
        "SELECT a, *, b FROM x",
        "EXPLAIN EXPLAIN SELECT * FROM x",
        "select*from x limit 010",
        "SELECT { SELECT a FROM b } AS C FROM x",
        "SELECT 1AND 2 FROM x",
        "SELECT a--comment\nFROM x",
        "SELECT a /* c */ FROM // c\nx",
        "SELECT * FROM x.y.`z w`(a=1)",
        "SELECT * FROM x WHERE a,",
        "SELECT * FROM x WHERE a, b c d,, e",
        "SELECT * FROM x WHERE (1, f (2))",
        "SELECT * FROM x WHERE a = b = c",
        "SELECT f(a=1)(b=2) FROM x",
        "SELECT a[], a[:], a[1:], a[::1], a[1 2:3 4] FROM x",
        "SELECT 1.b, 'a'.b, (a).b, a[0].b[1] FROM x",
        "SELECT NOT NOT a = b FROM x",
        "SELECT a | b ||| c && d FROM x",
        "SELECT f(a=[], b=[1,], c=[1], d=[1, 2], e={SELECT * FROM y}) FROM x",
        "SELECT -a, -`b c`, -1, 5 + -3 FROM x",
        "LET x = 1 LET y <= 2 SELECT x FROM scope()",
        "LET f() = 1",
        "LET f(a, b=2, c={SELECT * FROM x}, d=[1]) = a",
        "LET a = SELECT * FROM x GROUP BY a, b ORDER BY c DESC LIMIT 3",
        "SELECT * FROM x GROUP\n\tBY a ORDER\nBY `b c`",
        "SELECT `limit`, `a.b` FROM x",
        r#"SELECT 'a
b', '''raw 'quotes' \''', "\"" FROM x"#,
        "SELECT 0x1F, -0x1f, .5, -.5, 1e5, 1.5E-3 FROM x",
        "SELECT a <> b FROM x",
    ] {
        let parse = parse(text);
        assert_eq!(parse.errors(), [], "{text}");
        parse.program().unwrap_or_else(|error| panic!("{text}: {error}"));
    }
}

fn expr(text: &str) -> Expr {
    parse_expression(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn op(text: &str) -> BinaryOp {
    match expr(text).kind {
        ExprKind::Binary { op, .. } => op,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn and_is_looser_than_or() {
    assert_eq!(op("a OR b AND c"), BinaryOp::And);
    assert_eq!(op("a AND b OR c"), BinaryOp::And);
    assert_eq!(op("a || b && c"), BinaryOp::AndValue);
    assert_eq!(op("a + b * c = d"), BinaryOp::Eq);
    assert!(matches!(expr("NOT a = b").kind, ExprKind::Not(_)));
}

#[test]
fn sums_group_from_the_left() {
    let ExprKind::Binary { op: BinaryOp::Sub, left, right } = expr("a - b - c").kind else {
        panic!("a difference");
    };
    assert!(matches!(left.kind, ExprKind::Binary { op: BinaryOp::Sub, .. }));
    assert!(matches!(right.kind, ExprKind::Name(_)));
}

#[test]
fn where_the_grammar_repeats_the_last_counts() {
    let ExprKind::Binary { op: BinaryOp::Lt, left, right } = expr("a = b < c").kind else {
        panic!("a comparison");
    };
    assert_eq!((left.span.range(), right.span.range()), (0..1, 8..9));
    let ExprKind::Array(items) = expr("(1, 2 3, 4)").kind else { panic!("an array") };
    let kinds: Vec<_> = items.into_iter().map(|item| item.kind).collect();
    assert_eq!(kinds, [ExprKind::Int(1), ExprKind::Int(3), ExprKind::Int(4)]);
}

#[test]
fn names_members_and_calls_are_told_apart() {
    let ExprKind::Name(path) = expr("a.`b c`.d").kind else { panic!("a name") };
    let names: Vec<_> = path.iter().map(|part| part.name.as_str()).collect();
    assert_eq!(names, ["a", "b c", "d"]);
    assert!(matches!(expr("a.b(c=1)").kind, ExprKind::Call { .. }));
    assert!(matches!(expr("f(a=1).b").kind, ExprKind::Member { .. }));
    assert!(matches!(expr("a[1]").kind, ExprKind::Index { .. }));
    assert!(matches!(expr("a[1:]").kind, ExprKind::Slice { end: None, .. }));
    let ExprKind::Negate(inner) = expr("-f(a=1)").kind else { panic!("a negation") };
    assert!(matches!(inner.kind, ExprKind::Call { .. }));
    let ExprKind::Call { arguments, .. } = expr("f(a=1)(b=[2], c={SELECT * FROM x})").kind else {
        panic!("a call");
    };
    assert!(matches!(arguments[0].value, ArgValue::Expr(_)));
    assert!(matches!(arguments[1].value, ArgValue::Array(_)));
    assert!(matches!(arguments[2].value, ArgValue::Select(_)));
}

#[test]
fn literals_have_the_values_of_the_engine() {
    for (text, kind) in [
        ("010", ExprKind::Int(8)),
        ("08", ExprKind::Float(8.0)),
        ("-0x1f", ExprKind::Int(-31)),
        ("9223372036854775808", ExprKind::Float(9_223_372_036_854_775_808.0)),
        ("1e999", ExprKind::Null),
        ("true", ExprKind::Bool(true)),
        ("FALSE", ExprKind::Bool(false)),
        ("null", ExprKind::Null),
        (r#""a\x41\n""#, ExprKind::Str("aA\n".to_owned())),
        (r"'''a\n'''", ExprKind::Str(r"a\n".to_owned())),
    ] {
        assert_eq!(expr(text).kind, kind, "{text}");
    }
}

#[test]
fn statements_keep_their_parts() {
    let text = "LET f(a, b=1) <= SELECT *, x AS y FROM p(q=1) WHERE z GROUP BY a, b ORDER BY c \
                DESC LIMIT 7\nEXPLAIN SELECT { SELECT * FROM x } FROM f";
    let program = parse(text).program().expect("a program");
    let [Statement::Let(binding), Statement::Select(select)] = &program.statements[..] else {
        panic!("two statements");
    };
    assert!(binding.materialised && binding.name.name == "f");
    let parameters = binding.parameters.as_deref().expect("parameters");
    assert!(parameters[0].default.is_none() && parameters[1].default.is_some());
    let LetValue::Select(stored) = &binding.value else { panic!("a stored query") };
    assert!(stored.star && stored.columns.len() == 1 && stored.group_by.len() == 2);
    assert_eq!(stored.limit, Some(7));
    assert!(stored.order_by.as_ref().is_some_and(|order| order.descending));
    assert!(select.explain && matches!(select.columns[0].value, ColumnValue::Select(_)));
    assert_eq!(&text[select.span.range()], "EXPLAIN SELECT { SELECT * FROM x } FROM f");
}

#[test]
fn accepted_texts_that_mislead_are_warned_about() {
    for (text, code, place) in [
        ("SELECT a <> b FROM x", Code::NeverTrue, (1, 10)),
        ("SELECT a FROM x LIMIT 0", Code::LimitBelowOne, (1, 23)),
        ("SELECT a FROM x WHERE a OR b AND c", Code::MixedAndOr, (1, 23)),
        ("SELECT a = b = c FROM x", Code::Dropped, (1, 8)),
        ("SELECT a FROM x WHERE a, b c", Code::Dropped, (1, 26)),
        ("SELECT a[1 2] FROM x", Code::Dropped, (1, 10)),
        ("SELECT 1e999 FROM x", Code::NumberIsNull, (1, 8)),
    ] {
        let parse = parse(text);
        assert_eq!(parse.errors(), [], "{text}");
        let found: Vec<_> = parse
            .warnings()
            .iter()
            .map(|warning| (warning.code, (warning.line, warning.column)))
            .collect();
        assert_eq!(found, [(code, place)], "{text}");
    }
    let quiet = "SELECT a FROM x WHERE (a OR b) AND c != 0 LIMIT 1";
    assert_eq!(parse(quiet).warnings(), []);
}
