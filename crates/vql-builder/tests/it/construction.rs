//! Safe construction: whatever comes from outside, the structure of the query stays.

use proptest::prelude::*;
use serde_json::json;
use vql_builder::ast::{ArgValue, Expr, ExprKind, Statement};
use vql_builder::{Code, Direction, Identifier, Piece, PureExpr, Query, parse, parse_expression};

const ROWS: &str =
    "SELECT *, '''it's''' AS B FROM source(a=1) WHERE $filter AND A = '''x''' $order LIMIT $limit";

fn rows(filter: PureExpr, column: &str) -> Query {
    let column = Identifier::new(column).expect("a column");
    Query::constant("rows", ROWS)
        .fill("filter", Piece::Filter(filter))
        .fill("order", Piece::Order(Some((column, Direction::Descending))))
        .fill("limit", Piece::Number(7))
}

#[test]
fn slots_are_filled_once_and_not_searched_again() {
    let filter = PureExpr::parse("A = '$limit $order'").expect("a filter");
    let query = Query::constant("rows", "SELECT * FROM x WHERE $filter $order LIMIT $limit")
        .fill("filter", Piece::Filter(filter))
        .fill("order", Piece::Order(None))
        .fill("limit", Piece::Number(u32::MAX));
    let expected = "SELECT * FROM x WHERE (A = \"$limit $order\")  LIMIT 4294967295";
    assert_eq!(query.text(), expected);
    assert_eq!(parse(query.text()).errors(), []);
}

#[test]
fn a_slot_that_nobody_fills_is_a_syntax_error() {
    let query =
        Query::constant("rows", "SELECT * FROM x LIMIT $limits").fill("limit", Piece::Number(1));
    assert_eq!(query.text(), "SELECT * FROM x LIMIT $limits");
    assert_eq!(parse(query.text()).errors()[0].code, Code::InvalidCharacter);
}

#[test]
fn filters_that_compute_are_spelled_anew() {
    for (text, spelled) in [
        ("a", "a"),
        ("a = 1 AND (b OR NOT c)", "((a = 1) AND (b OR (NOT c)))"),
        ("a.`b c`[0].d = -x", "((a.`b c`[0].d) = -x)"),
        ("a[-1] =~ '''\\d\"'''", "((a[-1]) =~ \"\\\\d\\\"\")"),
        ("(b)[1:] * a + 1.0", "(((b[1:]) * a) + 1.0)"),
        ("Os IN ('a', 'b') -- c", "(Os IN (\"a\", \"b\",))"),
        ("len(list=split(string=a, sep=','))>2", "(len(list=split(string=a, sep=\",\")) > 2)"),
        ("format(format='%d', args=[a, 2])", "format(format=\"%d\", args=[a, 2])"),
    ] {
        let filter = PureExpr::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(filter.to_string(), spelled, "{text}");
    }
}

#[test]
fn filters_that_do_more_are_refused() {
    for (text, place) in [
        ("execve(argv=a)", 1),
        ("a = `execve`(argv=a)", 5),
        ("len(list={SELECT * FROM pslist()})", 11),
        ("len(`**`=a)", 5),
        ("a AND config.nonce =~ 'x'", 7),
        ("_value", 1),
        ("MR_x", 1),
        ("a, b", 1),
        ("log(message=a)", 1),
        ("Artifact.Linux.Sys.Pslist(a=1)", 1),
        ("query(query='SELECT * FROM info()')", 1),
        ("regex_replace(source=a, re='x', replace_lambda='y')", 1),
        ("cache(func=a, filename='/tmp/x')", 1),
    ] {
        let error = PureExpr::parse(text).expect_err(text);
        assert_eq!((error.code, error.column), (Code::NotPure, place), "{text}: {error}");
    }
    for text in ["", "a LIMIT 1", "a) OR (b", "SELECT a FROM b", "a; b", "'", "a -- \n b", "1 /*"] {
        assert_ne!(PureExpr::parse(text).expect_err(text).code, Code::NotPure, "{text}");
    }
}

#[test]
fn bound_values_arrive_with_their_types() {
    let query = Query::constant("x", "SELECT Name, N, L FROM scope()")
        .bind_value("Name", &json!("a'b\n"))
        .and_then(|query| query.bind_value("N", &json!(9_007_199_254_740_993_u64)))
        .and_then(|query| query.bind_value("L", &json!([1, null, {"a": true}])))
        .expect("good names");
    assert_eq!(
        query.text(),
        "LET L <= parse_json(data=MR_L).v\nLET N <= parse_json(data=MR_N).v\n\
         SELECT Name, N, L FROM scope()"
    );
    let env: Vec<_> = query.env().collect();
    assert_eq!(
        env,
        [
            ("Name", "a'b\n"),
            ("MR_N", "{\"v\":9007199254740993}"),
            ("MR_L", "{\"v\":[1,null,{\"a\":true}]}"),
        ]
    );
    assert!(query.clone().bind_value("N", &json!(1)).is_err());
    assert!(query.clone().bind_value("Name", &json!(1)).is_err());
    assert!(query.bind_value("config", &json!(1)).is_err());
}

#[test]
fn calls_and_limits_are_found_in_the_tree_not_in_the_text() {
    let text = "LET Limits = SELECT * FROM clients() LIMIT 5 -- LIMIT 3\n\
                LET f(x, y=now()) = upcase(string=x)\n\
                SELECT f(x={SELECT * FROM Artifact.`A`.B(c=1)}), 'LIMIT 1' FROM Limits WHERE a IN (b(`limit`=2),)";
    let program = parse(text).program().expect("a program");
    let calls: Vec<_> = program.calls().into_iter().map(|call| call.name).collect();
    assert_eq!(calls, ["clients", "now", "upcase", "f", "Artifact.A.B", "Limits", "b"]);
    assert_eq!(program.definitions(), ["Limits", "f"]);
    assert_eq!(program.row_limit(), None);
    let limit = |text: &str| parse(text).program().expect("a program").row_limit();
    assert_eq!(limit("SELECT * FROM a LIMIT 5"), Some(5));
    assert_eq!(limit("SELECT * FROM a LIMIT 5 SELECT * FROM b LIMIT 0"), Some(6));
    assert_eq!(limit("SELECT * FROM foreach(row={SELECT * FROM a LIMIT 5})"), None);
    assert_eq!(limit("SELECT * FROM a /* LIMIT 5 */"), None);
    assert_eq!(limit("LET a = SELECT * FROM b"), Some(0));
}

/// Strips what spelling anew changes: places and redundant parentheses.
fn shape(expr: &Expr) -> String {
    match &expr.kind {
        ExprKind::Group(inner) => shape(inner),
        ExprKind::Binary { op, left, right } => {
            format!("({} {} {})", shape(left), op.symbol(), shape(right))
        }
        ExprKind::Not(inner) => format!("!{}", shape(inner)),
        ExprKind::Negate(inner) => format!("-{}", shape(inner)),
        ExprKind::Member { value, name } => format!("{}.{:?}", shape(value), name.name),
        ExprKind::Index { value, index } => format!("{}[{}]", shape(value), shape(index)),
        ExprKind::Slice { value, start, end } => {
            let bound = |bound: &Option<Box<Expr>>| bound.as_deref().map(shape).unwrap_or_default();
            format!("{}[{}:{}]", shape(value), bound(start), bound(end))
        }
        ExprKind::Array(items) => items.iter().map(shape).collect::<Vec<_>>().join("|"),
        ExprKind::Name(path) => {
            path.iter().map(|part| format!("{:?}", part.name)).collect::<Vec<_>>().join("/")
        }
        ExprKind::Call { path, arguments } => {
            let arguments = arguments.iter().map(|argument| match &argument.value {
                ArgValue::Expr(value) => format!("{:?}={}", argument.name.name, shape(value)),
                ArgValue::Array(items) => {
                    let items = items.iter().map(shape).collect::<Vec<_>>();
                    format!("{:?}=[{}]", argument.name.name, items.join("|"))
                }
                ArgValue::Select(_) => "select".to_owned(),
            });
            format!("{}({})", path[0].name, arguments.collect::<Vec<_>>().join(","))
        }
        literal => format!("{literal:?}"),
    }
}

fn expression_text() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("a".to_owned()),
        Just("a.`b c`".to_owned()),
        Just("-x".to_owned()),
        Just("NULL".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        (-1e9..1e9_f64).prop_map(|number| format!("{number:?}")),
        any::<String>().prop_map(|text| vql_builder::quote_string(&text)),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let op = proptest::sample::select(vec![
            "AND", "OR", "&&", "||", "=", "!=", "<", ">=", "IN", "=~", "+", "-", "*", "/",
        ]);
        prop_oneof![
            (inner.clone(), op, inner.clone()).prop_map(|(a, op, b)| format!("({a}) {op} ({b})")),
            inner.clone().prop_map(|a| format!("({a})")),
            inner.clone().prop_map(|a| format!("({a}, 1)")),
            inner.clone().prop_map(|a| format!("NOT ({a})")),
            inner.clone().prop_map(|a| format!("({a})[0].m[1:]")),
            inner.prop_map(|a| format!("len(list={a}, x=[{a}, 2])")),
        ]
    })
}

proptest! {
    #[test]
    fn a_spelled_filter_means_what_was_given(text in expression_text()) {
        let text = format!("x = ({text})");
        let given = parse_expression(&text).expect("generated text is VQL");
        let filter = PureExpr::parse(&text).expect("generated text is pure").to_string();
        let again = parse_expression(&filter).expect("what is spelled is VQL");
        prop_assert_eq!(shape(&given), shape(&again), "{} -> {}", text, filter);
    }

    #[test]
    fn no_filter_or_column_changes_the_structure(
        text in prop_oneof![any::<String>(), "[a1'\"`(),=.*/ \n-]{0,20}"],
        column in prop_oneof![any::<String>(), "[a1'\"` \\\\-]{1,8}"],
    ) {
        let Ok(column) = Identifier::new(&column) else { return Ok(()) };
        let quoted = format!("A = {}", vql_builder::quote_string(&text));
        for filter in [PureExpr::parse(&text), PureExpr::parse(&quoted)].into_iter().flatten() {
            let query = Query::constant("rows", ROWS)
                .fill("filter", Piece::Filter(filter))
                .fill("order", Piece::Order(Some((column.clone(), Direction::Ascending))))
                .fill("limit", Piece::Number(7));
            let parse = parse(query.text());
            let program = parse.program();
            prop_assert!(program.is_ok(), "{:?}: {}", program, query.text());
            let Ok(program) = program else { return Ok(()) };
            prop_assert_eq!(program.statements.len(), 1);
            let Statement::Select(select) = &program.statements[0] else {
                return Err(TestCaseError::fail("a SELECT"));
            };
            prop_assert_eq!(select.limit, Some(7));
            prop_assert_eq!(select.columns.len(), 1);
            prop_assert!(select.order_by.is_some());
            prop_assert_eq!(program.calls().iter().filter(|call| call.name == "source").count(), 1);
        }
    }
}

#[test]
fn the_column_of_an_order_is_the_one_that_was_named() {
    let query = rows(PureExpr::always(), "Last Seen");
    let program = parse(query.text()).program().expect("VQL");
    let Statement::Select(select) = &program.statements[0] else { panic!("a SELECT") };
    let order = select.order_by.as_ref().expect("an order");
    assert_eq!((order.column.name.as_str(), order.descending), ("Last Seen", true));
}
