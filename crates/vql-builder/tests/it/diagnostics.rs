//! Texts that the engine rejects: at which place, in which words, with which advice.
//!
//! Line and column are those of the engine's own messages (`VQL Error: 1:18: …`).

use vql_builder::{Code, parse, parse_lambda};

#[rustfmt::skip]
const REJECTED: &[(&str, &str)] = &[
    ("SELCT * FROM clients()", "1:1: found `SELCT`, expected SELECT, LET or EXPLAIN (did you mean SELECT?)"),
    ("SELECT * FORM clients()", "1:15: found `clients`, expected FROM, a comma or an operator (did you mean FROM?)"),
    ("SELECT 1 == 1 FROM scope()", "1:10: found `=`, expected FROM, a comma or an operator (compare with a single =)"),
    ("SELECT 1 FROM scope() WHERE a == 1", "1:32: found `=`, expected a value (compare with a single =)"),
    ("SELECT 1 FROM scope();", "1:22: `;` is no part of VQL (statements need no separator: remove it)"),
    ("SELECT 1 FROM scope(); SELECT 2 FROM scope();", "1:22: `;` is no part of VQL (statements need no separator: remove it)"),
    ("SELECT now()-3600 FROM scope()", "1:13: found `-3600`, expected FROM, a comma or an operator (put spaces on both sides of the minus: a - 1)"),
    ("SELECT a-b FROM scope()", "1:9: found `-b`, expected FROM, a comma or an operator (put spaces on both sides of the minus: a - 1)"),
    ("SELECT * FROM info() LIMIT N", "1:28: found `N`, expected a literal number (LIMIT takes a literal number: put the value into the text)"),
    ("SELECT * FROM info() LIMIT 1 + 1", "1:30: found `+`, expected the end of the statement (LIMIT takes a literal number, not an expression)"),
    ("SELECT * FROM info() LIMIT 1, 5", "1:29: found `,`, expected the end of the statement (there is no OFFSET: LIMIT takes one number)"),
    ("SELECT * FROM info() LIMIT 1 OFFSET 5", "1:30: found `OFFSET`, expected the end of the statement (there is no OFFSET: filter with WHERE, or page with start_row where a plugin has it)"),
    ("SELECT * FROM info() LIMIT 1.5", "1:28: LIMIT takes a whole number, not 1.5"),
    ("SELECT upcase('x') FROM scope()", "1:14: found `(`, expected FROM, a comma or an operator (arguments are always named: f(name=value))"),
    ("SELECT f(a=1, 2) FROM scope()", "1:13: found `,`, expected `)` or a comma and name=value (arguments are always named: f(name=value))"),
    ("SELECT f(a=1, limit=2) FROM scope()", "1:13: found `,`, expected `)` or a comma and name=value (limit is a reserved word: put it between backticks to use it as an argument)"),
    ("SELECT f(limit=2) FROM scope()", "1:9: found `(`, expected FROM, a comma or an operator (limit is a reserved word: put it between backticks to use it as an argument)"),
    ("SELECT f(a: 1) FROM scope()", "1:9: found `(`, expected FROM, a comma or an operator (write name=value)"),
    ("SELECT f(a=1 b=2) FROM scope()", "1:14: found `b`, expected `)` or a comma and name=value (a comma is missing before this argument)"),
    ("SELECT f(\"a\"=1) FROM scope()", "1:9: found `(`, expected FROM, a comma or an operator (put the argument's name between backticks)"),
    ("SELECT f(a=1,) FROM scope()", "1:13: found `,`, expected `)` or a comma and name=value (remove the comma after the last argument)"),
    ("SELECT f(a={\"x\": 1}) FROM scope()", "1:13: found `\"x\"`, expected SELECT (a dict is written dict(name=value); braces hold a query)"),
    ("SELECT f(a={x: 1}) FROM scope()", "1:13: found `x`, expected SELECT (a dict is written dict(name=value); braces hold a query)"),
    ("SELECT f(a={}) FROM scope()", "1:13: found `}`, expected SELECT (a dict is written dict(name=value); braces hold a query)"),
    ("SELECT [1,2] FROM scope()", "1:8: found `[`, expected FROM, a comma or an operator (brackets make an array only as an argument; elsewhere write (a, b) or (a,))"),
    ("SELECT * FROM info() WHERE a IN [1,2]", "1:33: found `[`, expected a value (brackets make an array only as an argument; elsewhere write (a, b) or (a,))"),
    ("SELECT * FROM info() WHERE a LIKE '%x%'", "1:30: found `LIKE`, expected the end of the statement (use =~ with a regular expression; it ignores case and matches anywhere)"),
    ("SELECT * FROM a JOIN b ON a.x = b.x", "1:17: found `JOIN`, expected the end of the statement (there is no JOIN: use foreach(row={SELECT …}, query={SELECT …}))"),
    ("SELECT DISTINCT a FROM x", "1:17: found `a`, expected FROM, a comma or an operator (there is no DISTINCT: GROUP BY the column)"),
    ("SELECT a FROM x GROUP BY a HAVING a > 1", "1:28: found `HAVING`, expected the end of the statement (there is no HAVING: LET Grouped = SELECT … GROUP BY …, then SELECT … FROM Grouped WHERE …)"),
    ("SELECT CASE WHEN a THEN 1 END FROM x", "1:13: found `WHEN`, expected FROM, a comma or an operator (there is no CASE: use if(condition=…, then=…, else=…))"),
    ("SELECT a FROM x UNION SELECT a FROM y", "1:17: found `UNION`, expected the end of the statement (there is no UNION: use chain(a={SELECT …}, b={SELECT …}))"),
    ("SELECT a FROM x WHERE a BETWEEN 1 AND 2", "1:25: found `BETWEEN`, expected the end of the statement (there is no BETWEEN: write x >= low AND x <= high)"),
    ("SELECT count(*) FROM x", "1:13: found `(`, expected FROM, a comma or an operator (write count())"),
    ("SELECT a FROM x ORDER BY a.b", "1:27: found `.`, expected the end of the statement (ORDER BY takes one column by its name: give it an alias with AS)"),
    ("SELECT a FROM x ORDER BY a ASC", "1:28: found `ASC`, expected the end of the statement (ascending is the default: leave it out)"),
    ("SELECT a FROM x ORDER BY a, b", "1:27: found `,`, expected the end of the statement (ORDER BY takes one column by its name: give it an alias with AS)"),
    ("SELECT a FROM x ORDER BY f(x=1)", "1:27: found `(`, expected the end of the statement (ORDER BY takes one column by its name: give it an alias with AS)"),
    ("SELECT 1", "1:9: the text ends here, expected FROM, a comma or an operator (every query has a FROM: add FROM scope())"),
    ("SELECT 'abc FROM scope()", "1:8: this string is not closed (add the closing quote)"),
    ("SELECT 'C:\\Windows\\' FROM scope()", "1:8: this string is not closed (a backslash before a quote makes it part of the string: double the backslash)"),
    ("SELECT '''abc FROM scope()", "1:10: this string is not closed (a raw string ends with ''')"),
    ("SELECT `abc FROM scope()", "1:8: this back-ticked name is not closed (add the closing backtick)"),
    ("SELECT \u{201c}abc\u{201d} FROM scope()", "1:8: `\\u{201c}` is no part of VQL (use the plain quote \")"),
    ("SELECT /* a FROM scope()", "1:8: found `/`, expected FROM, a comma or an operator (this comment is not closed: add */)"),
    ("SELECT a /* b FROM scope()", "1:10: found `/`, expected FROM, a comma or an operator (this comment is not closed: add */)"),
    ("SELECT !a FROM scope()", "1:8: `!` is no part of VQL (write NOT, or != to compare)"),
    ("SELECT a FROM x WHERE !a", "1:23: `!` is no part of VQL (write NOT, or != to compare)"),
    ("SELECT a FROM x WHERE a ~ 'x'", "1:25: `~` is no part of VQL (write =~ to match a regular expression)"),
    ("SELECT a FROM x WHERE a ? 'x' : 'y'", "1:25: `?` is no part of VQL (there are no placeholders and no ?: operator; use if(condition=, then=, else=))"),
    ("SELECT a FROM x WHERE a = ?", "1:27: `?` is no part of VQL (there are no placeholders and no ?: operator; use if(condition=, then=, else=))"),
    ("SELECT a AS Null FROM x", "1:10: found `AS`, expected FROM, a comma or an operator (Null is a reserved word: put it between backticks to use it as a name)"),
    ("SELECT a.limit FROM x", "1:9: found `.`, expected FROM, a comma or an operator (limit is a reserved word: put it between backticks to use it as a name)"),
    ("SELECT * FROM (SELECT a FROM x)", "1:15: found `(`, expected the name of a plugin or stored query (give the query a name first: LET Name = SELECT …, then use Name)"),
    ("SELECT * FROM { SELECT a FROM x }", "1:15: found `{`, expected the name of a plugin or stored query (give the query a name first: LET Name = SELECT …, then use Name)"),
    ("SELECT * FROM x WHERE a IN (SELECT b FROM y)", "1:29: found `SELECT`, expected a value (give the query a name first: LET Name = SELECT …, then use Name)"),
    ("SELECT * FROM 'x'", "1:15: found `'x'`, expected the name of a plugin or stored query (FROM takes the name of a plugin or of a stored query)"),
    ("LET x := 1", "1:7: found `:`, expected = or <= (write LET Name = … (runs when used) or LET Name <= … (runs at once))"),
    ("LET limit = 1", "1:5: found `limit`, expected the name to bind (limit is a reserved word: put it between backticks to use it as a name)"),
    ("x = 1", "1:1: found `x`, expected SELECT, LET or EXPLAIN (to bind a name write LET x = …)"),
    ("SET x = 1", "1:1: found `SET`, expected SELECT, LET or EXPLAIN (bind a name with LET Name = …)"),
    ("WITH t AS (SELECT 1) SELECT * FROM t", "1:1: found `WITH`, expected SELECT, LET or EXPLAIN (name a query with LET Name = SELECT …)"),
    ("FROM x SELECT a", "1:1: found `FROM`, expected SELECT, LET or EXPLAIN (SELECT comes first: SELECT * FROM …)"),
    ("INSERT INTO x VALUES (1)", "1:1: found `INSERT`, expected SELECT, LET or EXPLAIN (VQL has queries only: changes are made by functions, such as label() or hunt())"),
    ("SELECT a FROM x LIMIT 1 WHERE a", "1:25: found `WHERE`, expected the end of the statement (the order is SELECT … FROM … WHERE … GROUP BY … ORDER BY … LIMIT, each at most once)"),
    ("SELECT a FROM x ORDER BY b WHERE a", "1:28: found `WHERE`, expected the end of the statement (the order is SELECT … FROM … WHERE … GROUP BY … ORDER BY … LIMIT, each at most once)"),
    ("SELECT a, FROM x", "1:9: found `,`, expected FROM, a comma or an operator (remove the comma before FROM)"),
    ("SELECT a FROM x WHERE a => 1", "1:25: found `=>`, expected the end of the statement (to compare write >=; a lambda goes between quotes: \"x=>x + 1\")"),
    ("SELECT a FROM x WHERE a =< 1", "1:26: found `<`, expected a value (write <=)"),
    ("SELECT a % 2 FROM x", "1:10: found `%`, expected FROM, a comma or an operator (there is no remainder operator)"),
    ("SELECT a FROM x WHERE a IS NULL", "1:25: found `IS`, expected the end of the statement (compare with = NULL or != NULL)"),
    ("SELECT a FROM x WHRE a", "1:17: found `WHRE`, expected the end of the statement (did you mean WHERE?)"),
    ("SELECT a FROM x LIMT 3", "1:17: found `LIMT`, expected the end of the statement (did you mean LIMIT?)"),
    ("SELECT a FROM x ODER BY y", "1:17: found `ODER`, expected the end of the statement (did you mean ORDER BY?)"),
    ("SELECT a FROM x ORDER y", "1:17: found `ORDER`, expected the end of the statement (the word BY must follow)"),
    ("-- nothing", "1:11: the text ends here, expected SELECT, LET or EXPLAIN (the text has no statement)"),
    ("(SELECT a FROM x)", "1:1: found `(`, expected SELECT, LET or EXPLAIN (no brackets around a statement)"),
    ("SELECT a b FROM x", "1:10: found `b`, expected FROM, a comma or an operator (a comma between columns, or AS before an alias, is missing)"),
    ("SELECT a FROM x WHERE", "1:22: the text ends here, expected a value"),
    ("SELECT a FROM x WHERE (", "1:24: the text ends here, expected a value"),
    ("SELECT a FROM x WHERE f(", "1:25: the text ends here, expected `)` or a comma and name=value"),
    ("SELECT a FROM", "1:14: the text ends here, expected the name of a plugin or stored query"),
    ("LET x = SELECT a FRM y\nLET y = 3 4\nSELECT * FROM y WHERE }", "1:18: found `FRM`, expected FROM, a comma or an operator (did you mean FROM?)"),
    ("SELECT map(x=>x+1) FROM scope()", "1:11: found `(`, expected FROM, a comma or an operator (arguments are always named: f(name=value))"),
    ("SELECT foo(a=x=>x+1) FROM scope()", "1:15: found `=>`, expected `)` or a comma and name=value (to compare write >=; a lambda goes between quotes: \"x=>x + 1\")"),
    ("SELECT a # comment\n FROM x", "1:10: `#` is no part of VQL (a comment starts with -- or //)"),
    ("SELECT $a FROM x", "1:8: `$` is no part of VQL (a name starts with a letter or _; others go between backticks)"),
    ("SELECT a AND FROM x", "1:10: found `AND`, expected FROM, a comma or an operator"),
    ("SELECT a FROM x GROUP BY", "1:25: the text ends here, expected a value"),
    ("SELECT a FROM x WHERE a == 'b' && c", "1:26: found `=`, expected a value (compare with a single =)"),
    ("SELECT a & b FROM x", "1:10: `&` is no part of VQL (write AND)"),
    ("SELECT a \u{2013} b FROM x", "1:10: `\\u{2013}` is no part of VQL (use a plain minus)"),
    ("SELECT dict(a=1, b=[1,2], c={SELECT * FROM x) FROM y", "1:45: found `)`, expected `}` or the next clause"),
    ("SELECT * FROM a, b", "1:16: found `,`, expected the end of the statement (FROM takes one source: to combine two use foreach(row=…, query=…))"),
    ("SELECT * FROM a ORDER BY b DESC, c", "1:32: found `,`, expected the end of the statement (ORDER BY takes one column by its name: give it an alias with AS)"),
    ("LET x = {SELECT * FROM y}", "1:9: found `{`, expected a value (leave the braces out: LET Name = SELECT …)"),
    ("LET x = {\"a\": 1}", "1:9: found `{`, expected a value (a dict is written dict(name=value); braces hold a query)"),
    ("SELECT a\u{a0}FROM scope()", "1:9: `\\u{a0}` is no part of VQL (replace this blank by a plain space)"),
    ("SELECT a\u{200b} FROM scope()", "1:9: `\\u{200b}` is no part of VQL (remove this invisible character)"),
];

#[test]
fn place_words_and_advice_are_right() {
    for (text, expected) in REJECTED {
        let parse = parse(text);
        let found = parse.errors().first().map(ToString::to_string);
        assert_eq!(found.as_deref(), Some(*expected), "{text}");
        assert!(parse.program().is_err(), "{text}");
    }
}

#[test]
fn later_statements_are_looked_at_too() {
    let text = "LET x = SELECT a FRM y\nLET y = 3 4\nSELECT * FROM y WHERE }";
    let parse = parse(text);
    let places: Vec<_> = parse.errors().iter().map(|error| (error.line, error.column)).collect();
    assert_eq!(places, [(1, 18), (2, 11), (3, 23)]);
}

#[test]
fn what_cannot_be_cut_is_reported_before_what_cannot_be_parsed() {
    let parse = parse("SELECT a b FROM x; LET");
    let codes: Vec<_> = parse.errors().iter().map(|error| error.code).collect();
    assert_eq!(codes, [Code::InvalidCharacter, Code::UnexpectedToken, Code::UnexpectedEnd]);
}

#[test]
fn columns_count_characters_and_lines_count_newlines() {
    let parse = parse("SELECT 'äöü',\r\n  'ß' == 1 FROM x");
    let error = &parse.errors()[0];
    assert_eq!((error.line, error.column, error.span.start), (2, 7, 25));
}

#[test]
fn nesting_has_a_limit_instead_of_a_stack_overflow() {
    let brackets =
        [("(", ")"), ("f(a=", ")"), ("NOT ", ""), ("a[(", ")]"), ("f(a={SELECT ", " FROM x})")];
    for (open, close) in brackets {
        let nested =
            |depth| format!("SELECT {}1{} FROM x", open.repeat(depth), close.repeat(depth));
        let fits = nested(if open == "(" { 200 } else { 95 });
        assert_eq!(parse(&fits).errors(), [], "{open}");
        parse(&fits).program().expect("as deep as any real query");
        let deep = nested(100_000);
        assert_eq!(parse(&deep).errors()[0].code, Code::TooDeep, "{open}");
    }
}

#[test]
fn a_long_list_of_alternatives_is_no_deep_tree() {
    let terms: Vec<_> = (0..50_000).map(|n| format!("Hash = 'h{n}'")).collect();
    let text = format!("SELECT * FROM x WHERE {}", terms.join(" OR "));
    parse(&text).program().expect("alternatives are balanced");

    let sum = format!("SELECT {} FROM x", vec!["a"; 5_000].join(" + "));
    assert_eq!(parse(&sum).errors(), []);
    assert_eq!(parse(&sum).program().expect_err("too long a sum").code, Code::TooDeep);
}

#[test]
fn the_words_of_the_engine_are_known() {
    for (text, message) in [
        ("hello world", "1:1: unexpected token \"hello\" (expected <select>)"),
        ("SELECT 'abc FROM scope()", "SELECT |'abc FROM : 1:8: invalid token '\\''"),
        ("SELECT 1 FROM scope();", "OM scope()|: 1:22: invalid token ';'"),
        ("SELECT * FROM clients(", "1:23: unexpected token \"<EOF>\" (expected \")\")"),
        ("SELECT * FROM clients() LIMIT 1 + 1", "1:33: unexpected token \"+\""),
        ("SELECT * FROM clients() LIMIT N", "1:31: unexpected token \"N\" (expected <number>)"),
        ("SELECT * FROM clients() LIMIT 1 OFFSET 1", "1:33: unexpected token \"OFFSET\""),
        ("SELECT 1", "1:9: unexpected token \"<EOF>\" (expected <from>)"),
        ("SELECT now()-3600 AS A FROM x", "1:13: unexpected token \"-3600\" (expected <from>)"),
        ("", "1:1: unexpected token \"<EOF>\" (expected <select>)"),
    ] {
        assert_eq!(parse(text).engine_message(), Some(message), "{text}");
    }
    for text in ["SELECT * FROM x", "SELECT * FROM x LIMIT 1.5"] {
        assert_eq!(parse(text).engine_message(), None, "{text}");
    }
}

#[test]
fn a_lambda_has_names_an_arrow_and_an_expression() {
    let lambda = parse_lambda("x, y => x + y").expect("a lambda");
    let names: Vec<_> = lambda.parameters.iter().map(|name| name.name.as_str()).collect();
    assert_eq!(names, ["x", "y"]);
    for (text, column) in [("=> 1", 1), ("x, => 1", 2), ("x => ", 6), ("x", 2), ("x => 1 2", 8)] {
        assert_eq!(parse_lambda(text).expect_err(text).column, column, "{text}");
    }
}
