//! Single rules, each with a text on either side of it.

use vql_builder::effects::{Effect, EffectSet, Kind, NoArtifacts, Report, analyse};

fn report(text: &str) -> Report {
    analyse(text, &NoArtifacts)
}

fn effects(text: &str) -> EffectSet {
    report(text).effects
}

fn set(effects: &[Effect]) -> EffectSet {
    effects.iter().copied().collect()
}

/// The effects of an expression as a column of a harmless query.
fn of(expression: &str) -> EffectSet {
    effects(&format!("SELECT {expression} AS A FROM scope()"))
}

const PURE: &[Effect] = &[Effect::Pure];
const UNKNOWN: &[Effect] = &[Effect::Pure, Effect::Unknown];

#[test]
fn arguments_decide() {
    use Effect as E;
    for (expression, expected) in [
        ("cache(lambda='x=>x', key=1)", PURE),
        ("cache(lambda='x=>x', key=1, filename='/tmp/x')", &[E::Pure, E::Write]),
        ("cache(lambda='x=>x', key=1, filename=NULL)", PURE),
        ("cache(lambda='x=>x', key=1, filename=Name)", &[E::Pure, E::Write]),
        ("memoize(query={SELECT * FROM clients()}, key='a')", &[E::Pure, E::Read]),
        ("read_file(filename='/etc/passwd')", &[E::Pure, E::Host]),
        ("read_file(filename='abc', accessor='data')", PURE),
        ("read_file(filename='abc', accessor='vfs')", &[E::Pure, E::Read]),
        ("read_file(filename='abc', accessor='fs')", &[E::Pure, E::Read, E::Secret]),
        ("read_file(filename='abc', accessor='ssh')", &[E::Pure, E::Net]),
        ("read_file(filename='abc', accessor=Name)", UNKNOWN),
        ("read_file(filename='abc', accessor='nosuch')", UNKNOWN),
        ("read_file(filename='abc', accessor='data', accessor='')", &[E::Pure, E::Host]),
        ("read_file(filename='abc', accessor='data', accessor='file')", &[E::Pure, E::Host]),
        ("get(item=Row, item=NULL, member='config.nonce')", &[E::Pure, E::Secret]),
        ("eval(func='x=>x.config.nonce', args=1, args=NULL)", &[E::Pure, E::Meta, E::Secret]),
        ("array(artifact=Artifact)", UNKNOWN),
        ("read_file(filename='Name', accessor='scope')", PURE),
        ("read_file(filename='config', accessor='scope')", &[E::Pure, E::Secret]),
        ("read_file(filename=Name, accessor='scope')", UNKNOWN),
        ("get(item=Row, member='config')", PURE),
        ("get(member='config.nonce')", &[E::Pure, E::Secret]),
        ("get(item=NULL, member='config.nonce')", &[E::Pure, E::Secret]),
        ("get(member=Name)", UNKNOWN),
        ("get(field=Name)", UNKNOWN),
        ("template(template='{{ .A }}', expansion=dict(A=1))", PURE),
        ("now(`**`=Name)", PURE),
        ("cache(`**`=Name)", UNKNOWN),
        ("config.server_urls", PURE),
        ("config.nonce", &[E::Pure, E::Secret]),
        ("config", &[E::Pure, E::Secret]),
        ("scope().config.nonce", &[E::Pure, E::Secret]),
        ("scope().Name", PURE),
        ("scope()", UNKNOWN),
        ("`$uploader`.Close", UNKNOWN),
        ("Row.config", PURE),
    ] {
        assert_eq!(of(expression), set(expected), "{expression}");
    }
}

#[test]
fn a_plugin_that_is_called_as_a_function_is_exec_where_it_is_and_else_unknown() {
    for (text, expected) in [
        ("SELECT execve(argv='id') AS A FROM scope()", Effect::Exec),
        ("SELECT * FROM pskill(pid=1)", Effect::Exec),
        ("SELECT clients() AS A FROM scope()", Effect::Unknown),
        ("SELECT no_such(a=1) AS A FROM scope()", Effect::Unknown),
    ] {
        let report = report(text);
        assert_eq!(report.strongest(), expected, "{text}: {}", report.reasons());
        assert!(!report.is_read(), "{text}");
    }
    let reasons = report("SELECT execve(argv='id') AS A FROM scope()").reasons();
    assert!(
        reasons.contains("function execve: exec (taken for the plugin of this name"),
        "{reasons}"
    );
}

#[test]
fn code_in_strings_is_looked_at() {
    use Effect as E;
    for (expression, expected) in [
        ("eval(func='x=>x+1', args=1)", &[E::Pure, E::Meta][..]),
        ("eval(func='x=>x.config.nonce', args=1)", &[E::Pure, E::Meta]),
        ("eval(func='x=>x.config.nonce')", &[E::Pure, E::Meta, E::Secret]),
        ("eval(func='x=>x')", &[E::Pure, E::Meta, E::Unknown]),
        ("eval(func='x=>label(client_id=x)', args=1)", &[E::Pure, E::Meta, E::Mutate]),
        ("eval(func=Name, args=1)", &[E::Pure, E::Meta, E::Unknown]),
        ("filter(list=L, condition='x=>pskill(pid=x)')", &[E::Pure, E::Exec]),
        (
            r#"filter(list=L, condition="x=>eval(func='y=>rm(filename=y)', args=x)")"#,
            &[E::Pure, E::Meta, E::Write],
        ),
        (
            "regex_replace(source=S, re='a', replace_lambda='x=>rm(filename=x)')",
            &[E::Pure, E::Write],
        ),
        (
            r#"parse_binary(accessor='data', filename=F, struct='S',
               profile='[["S", 4, [["a", 0, "Value", {"value": "x=>rm(filename=x)"}]]]]')"#,
            &[E::Pure, E::Write],
        ),
        (
            r#"parse_binary(accessor='data', filename=F, struct='S',
               profile='[["S", 4, [["a", 0, "Value", {"value": "x=>x.b + 1"}],]]]')"#,
            PURE,
        ),
        (
            r#"parse_binary(accessor='data', filename=F, struct='S',
               profile='[["S", 4, [["a", 0, "Value", {"value": "x=>rm(filename=x)"}],]]]')"#,
            &[E::Pure, E::Write],
        ),
        (
            r#"parse_binary(accessor='data', filename=F, struct='S',
               profile='[["S", 4, [["a", 0, "Value", {"value": "x=>\\x72m(filename=x)"}],]]]')"#,
            UNKNOWN,
        ),
    ] {
        assert_eq!(of(expression), set(expected), "{expression}");
    }
    let nested = "SELECT * FROM query(query='SELECT label(client_id=C) AS A FROM scope()')";
    assert!(effects(nested).contains(Effect::Mutate));
    assert!(effects("SELECT * FROM query(query=Name)").contains(Effect::Unknown));
    assert!(effects("SELECT * FROM query(query='SELECT')").contains(Effect::Unknown));
    assert!(report("SELECT * FROM query(query={ SELECT * FROM clients() })").is_read());
}

#[test]
fn code_that_is_taken_by_its_name_is_sure_only_where_no_data_can_hide_the_name() {
    let text = |from: &str| format!("LET f = 'x=>x + 1' SELECT eval(func=f, args=1) FROM {from}");
    for from in [
        "clients()",
        "foreach(row={ SELECT * FROM clients() }, query={ SELECT * FROM scope() })",
        "if(condition=A, then={ SELECT * FROM flows(client_id=C) })",
    ] {
        assert!(report(&text(from)).is_read(), "{from}");
    }
    for from in [
        "source(artifact='A')",
        "foreach(row={ SELECT * FROM hunt_results(hunt_id=H) }, query={ SELECT * FROM scope() })",
        "foreach(row=parse_json(data=D))",
        "foreach(row={ SELECT * FROM clients() }, column='a')",
        "Rows",
        "Rows.Entries",
        "chain(a={ SELECT * FROM clients() }, b=Rows)",
        "query(query='SELECT * FROM source()')",
    ] {
        assert!(effects(&text(from)).contains(Effect::Unknown), "{from}");
    }
    let both =
        "LET f = 'x=>x' LET f = 'x=>rm(filename=x)' SELECT eval(func=f, args=1) FROM clients()";
    assert!(effects(both).contains(Effect::Write));
    let alias = "LET f = 'x=>x' SELECT N AS f, eval(func=f, args=1) FROM clients()";
    assert!(effects(alias).contains(Effect::Unknown));
}

#[test]
fn the_scope_by_another_name_is_the_scope() {
    assert!(
        report("LET S = scope() SELECT S.Name, get(item=S, member='a') FROM clients()").is_read()
    );
    for text in [
        "LET S = scope() SELECT S.config.nonce FROM scope()",
        "LET S = scope() SELECT S().config FROM scope()",
        "LET S(x) = scope() SELECT S(x=1) FROM scope()",
        "LET S = scope() LET T = S SELECT T.config FROM scope()",
        "LET S = scope() SELECT get(item=S, member='config') FROM scope()",
        "LET S = scope() SELECT get(item=S, member=M) FROM scope()",
        "LET S = scope() SELECT serialize(item=S) FROM scope()",
        "SELECT get(member='con' + 'fig') FROM scope()",
    ] {
        assert!(!report(text).is_read(), "{text}");
    }
    assert!(report("SELECT get(field='Tool_' + Name) FROM scope()").is_read());
}

#[test]
fn names_are_looked_up_as_the_engine_does() {
    for text in [
        "SELECT `label`(client_id='C.1') AS A FROM scope()",
        "SELECT label /* c */ (client_id='C.1') AS A FROM scope()",
        "LET count() = 1 SELECT -label(client_id='C.1') AS A FROM scope()",
        "LET x <= label(client_id='C.1')",
        "LET f(a=label(client_id='C.1')) = a",
    ] {
        assert!(effects(text).contains(Effect::Mutate), "{text}");
    }
    for text in [
        "SELECT Clients() AS A FROM scope()",
        "SELECT * FROM Clients()",
        "SELECT * FROM a.b()",
        "LET b = 1 SELECT a.b() FROM scope()",
        "SELECT f() FROM scope()",
        "SELECT * FROM Artifact()",
        "LET a <= Artifact SELECT * FROM a.Generic.Client.VQL(Command='x')",
        "LET a <= Artifact.Generic.Client.VQL SELECT * FROM a(Command='x')",
        "SELECT a = b() = c FROM scope()",
        "SELECT * FROM scope() WHERE (a, b c)",
        "SELECT",
        "",
    ] {
        assert!(effects(text).contains(Effect::Unknown), "{text}");
    }
    assert!(
        report("LET f(x) = x + 1 LET g = SELECT f(x=1) FROM clients() SELECT * FROM g").is_read()
    );
    assert!(report("SELECT label, cache, Artifacts FROM clients()").is_read());
}

#[test]
fn a_finding_has_its_place_and_reason() {
    let report = report("SELECT client_id,\n 'é', cache(key=1, filename='x') FROM clients()");
    let cache = report.findings.iter().find(|finding| finding.name == "cache").unwrap();
    assert_eq!((cache.kind, cache.place.line, cache.place.column), (Kind::Function, 2, 7));
    assert_eq!(cache.why, "because of its argument filename");
    assert_eq!(
        report.reasons(),
        "2:7: function cache: pure, write (because of its argument filename)\n"
    );
    // What stands in a string has the place of the string.
    let report =
        analyse("SELECT *\nFROM query(query='\n\nSELECT * FROM execve(argv=1)')", &NoArtifacts);
    let execve = report.findings.iter().find(|finding| finding.name == "execve").unwrap();
    assert_eq!((execve.place.line, execve.place.column), (2, 18));
}

#[test]
fn other_orgs_are_named() {
    assert!(report("SELECT * FROM source(artifact='A', orgs=('O1',))").other_orgs);
    assert!(report("SELECT * FROM query(query={SELECT * FROM clients()}, org_id='O1')").other_orgs);
    assert!(!report("SELECT * FROM source(artifact='A')").other_orgs);
}
