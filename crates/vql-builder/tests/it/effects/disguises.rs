//! A call that does more than read stays one in whatever shape it stands.

use proptest::prelude::*;
use vql_builder::effects::{Effect, NoArtifacts, analyse};
use vql_builder::parse;

/// Expressions that do more than read, each with an effect that must be found.
const EXPRESSIONS: &[(&str, Effect)] = &[
    ("label(client_id='C.1', labels='a', op='set')", Effect::Mutate),
    ("`collect_client`(client_id='C.1', artifacts='A')", Effect::Exec),
    ("rm(filename='/tmp/a')", Effect::Write),
    ("cache(key=1, lambda='x=>x', filename='/tmp/a')", Effect::Write),
    ("org().nonce", Effect::Secret),
    ("config.nonce", Effect::Secret),
    ("host(name='example.com')", Effect::Net),
    ("read_file(filename='/etc/passwd')", Effect::Host),
    ("sleep(time=1000)", Effect::Dos),
    ("nosuch(a=1)", Effect::Unknown),
    ("get(member=Name)", Effect::Unknown),
];

/// Sources that do more than read.
const SOURCES: &[(&str, Effect)] = &[
    ("execve(argv='id')", Effect::Exec),
    ("`hunt_delete`(hunt_id='H.1', really_do_it=TRUE)", Effect::Mutate),
    ("write_csv(filename='/tmp/a', query={ SELECT * FROM clients() })", Effect::Write),
    ("Artifact.Generic.Client.VQL(Command='x')", Effect::Unknown),
    ("http_client(url='https://example.com')", Effect::Net),
];

/// Shapes around an expression that are expressions again.
const OF_EXPRESSION: &[&str] = &[
    "(@)",
    "(1, @)",
    "NOT (@)",
    "1 + (@)",
    "(@) = 'a'",
    "client_id =~ (@)",
    "TRUE OR (@)",
    "FALSE AND (@)",
    "client_id || (@)",
    "if(condition=client_id, then=@)",
    "if(condition=TRUE, then=1, else=@)",
    "if(condition=@, then=1)",
    "dict(a=1, b=@)",
    "len(list=@)",
    "labels[(@)]",
    "labels[0:(@)]",
    "format(format='%v', args=[1, @])",
    "items(item=dict(a=@))",
    "(@).Name",
    "count(items=@)",
    "/* a */ @ -- b\n",
    "get(item=dict(a=@), member='a')",
    "log(message='a', args=@)",
];

/// Shapes around an expression that are sources.
const SOURCE_OF_EXPRESSION: &[&str] = &[
    "foreach(row=@)",
    "items(item=@)",
    "flows(client_id=@)",
    "if(condition=@, then={ SELECT * FROM clients() })",
    "source(artifact=@)",
    "query(query={ SELECT @ AS A FROM scope() })",
    "chain(a={ SELECT * FROM clients() WHERE @ })",
];

/// Shapes around a source that are expressions.
const EXPRESSION_OF_SOURCE: &[&str] = &[
    "len(list={ SELECT * FROM @ })",
    "if(condition=TRUE, then={ SELECT * FROM @ })",
    "memoize(query={ SELECT * FROM @ }, key='a')",
    "dict(a={ SELECT client_id FROM @ LIMIT 1 })",
];

/// Shapes around a source that are sources again.
const OF_SOURCE: &[&str] = &[
    "chain(a={ SELECT * FROM clients() }, b={ SELECT * FROM @ })",
    "foreach(row={ SELECT * FROM @ }, query={ SELECT * FROM clients() })",
    "foreach(row={ SELECT * FROM clients() }, query={ SELECT * FROM @ })",
    "if(condition=FALSE, then={ SELECT * FROM clients() }, else={ EXPLAIN SELECT * FROM @ })",
    "flatten(query={ SELECT *, 1 AS One FROM @ WHERE TRUE ORDER BY One LIMIT 5 })",
    "query(query={ SELECT * FROM @ })",
    "batch(query={ SELECT * FROM @ }, batch_size=1)",
];

/// Statements around an expression.
const STATEMENTS: &[&str] = &[
    "SELECT @ AS A FROM clients()",
    "SELECT client_id FROM clients() WHERE @",
    "SELECT count() AS N FROM clients() GROUP BY @",
    "LET a <= @ SELECT * FROM clients()",
    "LET a = @ SELECT a FROM clients()",
    "LET f(x) = @ SELECT f(x=1) FROM clients()",
    "LET f(x=@) = x SELECT f() FROM clients()",
    "SELECT { SELECT @ AS B FROM scope() } AS A FROM clients()",
    "LET q = SELECT @ AS A FROM clients() SELECT * FROM q",
    "eXpLaIn sElEcT @ fRoM clients()",
    "SELECT * FROM clients() LIMIT 1\nSELECT @ FROM scope()\nSELECT * FROM hunts()",
];

/// Statements around a source.
const STATEMENTS_OF_SOURCE: &[&str] = &[
    "SELECT * FROM @",
    "LET a <= SELECT * FROM @ SELECT * FROM clients()",
    "LET a = SELECT * FROM @ SELECT * FROM a",
    "SELECT { SELECT * FROM @ } AS A FROM clients()",
    "SELECT * FROM clients() SELECT * FROM @ LIMIT 1",
    "LET q(x) = SELECT x, * FROM @ SELECT * FROM q(x=1)",
];

/// A text with a call deep inside it, and the effect of the call.
fn disguised(start: usize, steps: &[usize], last: usize) -> (String, Effect) {
    let pick = |shapes: &'static [&'static str], at: usize| shapes[at % shapes.len()];
    let count = EXPRESSIONS.len() + SOURCES.len();
    let (mut text, effect, mut is_source) = match start % count {
        at if at < EXPRESSIONS.len() => (EXPRESSIONS[at].0.to_owned(), EXPRESSIONS[at].1, false),
        at => {
            (SOURCES[at - EXPRESSIONS.len()].0.to_owned(), SOURCES[at - EXPRESSIONS.len()].1, true)
        }
    };
    for step in steps {
        let turns = step % 4 == 0;
        let shapes = match (is_source, turns) {
            (false, false) => OF_EXPRESSION,
            (false, true) => SOURCE_OF_EXPRESSION,
            (true, false) => OF_SOURCE,
            (true, true) => EXPRESSION_OF_SOURCE,
        };
        text = pick(shapes, step / 4).replace('@', &text);
        is_source ^= turns;
    }
    let statements = if is_source { STATEMENTS_OF_SOURCE } else { STATEMENTS };
    (pick(statements, last).replace('@', &text), effect)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_call_is_found_in_every_shape(
        start in 0_usize..1_000,
        steps in prop::collection::vec(0_usize..1_000, 0..7),
        last in 0_usize..1_000,
    ) {
        let (text, effect) = disguised(start, &steps, last);
        prop_assert!(parse(&text).errors().is_empty(), "{text}\n{:?}", parse(&text).errors());
        let report = analyse(&text, &NoArtifacts);
        prop_assert!(report.effects.contains(effect), "{text}\n{report:?}");
        prop_assert!(!report.is_read(), "{text}");
    }

    /// In a string that is run, the same.
    #[test]
    fn a_call_is_found_in_strings(
        start in 0_usize..1_000,
        steps in prop::collection::vec(0_usize..1_000, 0..5),
        last in 0_usize..1_000,
        levels in 1_usize..4,
    ) {
        let (mut text, effect) = disguised(start, &steps, last);
        for _ in 0..levels {
            text = format!("SELECT * FROM query(query={})", vql_builder::quote_string(&text));
        }
        let report = analyse(&text, &NoArtifacts);
        prop_assert!(report.effects.contains(effect), "{text}\n{report:?}");
    }

    /// The analysis ends on any text, and what the parser refuses is never a read.
    #[test]
    fn any_text_is_judged(text in ".{0,200}") {
        let report = analyse(&text, &NoArtifacts);
        prop_assert!(!report.is_read() || parse(&text).errors().is_empty());
    }
}

/// The shapes alone are reads: what is found in them is the call.
#[test]
fn the_shapes_alone_are_reads() {
    for shapes in [OF_EXPRESSION, STATEMENTS] {
        for shape in shapes {
            let text = match shape.starts_with("SELECT")
                || shape.starts_with("LET")
                || shape.starts_with("eX")
            {
                true => shape.replace('@', "client_id"),
                false => format!("SELECT {} AS A FROM clients()", shape.replace('@', "client_id")),
            };
            let report = analyse(&text, &NoArtifacts);
            assert!(report.is_read(), "{text}\n{}", report.reasons());
        }
    }
    for shape in SOURCE_OF_EXPRESSION.iter().chain(OF_SOURCE).chain(EXPRESSION_OF_SOURCE) {
        let inner = if EXPRESSION_OF_SOURCE.contains(shape) || OF_SOURCE.contains(shape) {
            "hunts()"
        } else {
            "client_id"
        };
        let shape = shape.replace('@', inner);
        let text = if EXPRESSION_OF_SOURCE.iter().any(|s| s.replace('@', inner) == shape) {
            format!("SELECT {shape} AS A FROM clients()")
        } else {
            format!("SELECT * FROM {shape}")
        };
        let report = analyse(&text, &NoArtifacts);
        assert!(report.is_read(), "{text}\n{}", report.reasons());
    }
}
