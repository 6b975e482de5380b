//! Artifacts: what they do, and what calls of them do.

use std::collections::HashMap;

use vql_builder::effects::{
    Analyser, Definition, Effect, Parameter, Source, analyse, analyse_artifact,
};

fn artifact(name: &str, query: &str) -> Definition {
    Definition {
        name: name.to_owned(),
        sources: vec![Source { queries: vec![query.to_owned()], ..Source::default() }],
        ..Definition::default()
    }
}

fn known(definitions: impl IntoIterator<Item = Definition>) -> HashMap<String, Definition> {
    definitions.into_iter().map(|definition| (definition.name.clone(), definition)).collect()
}

#[test]
fn a_call_does_what_the_artifact_does() {
    let known = known([
        artifact("Read.It", "SELECT * FROM clients()"),
        artifact("Change.It", "SELECT label(client_id='C.1') FROM clients()"),
        artifact("Call.It", "SELECT * FROM Artifact.Change.It()"),
    ]);
    assert!(analyse("SELECT * FROM Artifact.Read.It()", &known).is_read());
    for text in [
        "SELECT * FROM Artifact.Change.It()",
        "SELECT * FROM Artifact.Call.It()",
        "SELECT * FROM `Artifact`.`Change.It`()",
        "SELECT * FROM Artifact.Change.It",
        "SELECT * FROM Artifact.Change.`It/All`()",
        "LET a <= Artifact.Change.It SELECT * FROM a()",
        "LET a <= scope().Artifact.Change.It SELECT * FROM a()",
        "LET a <= get(member='Artifact.Change.It') SELECT * FROM a()",
        "LET a <= eval(func='x=>x.Artifact.Change.It') SELECT * FROM a()",
    ] {
        assert!(analyse(text, &known).effects.contains(Effect::Mutate), "{text}");
    }
    assert!(analyse("SELECT * FROM Artifact.No.Such()", &known).effects.contains(Effect::Unknown));
}

#[test]
fn a_circle_ends_and_everybody_in_it_has_all_effects() {
    let known = known([
        artifact("A", "SELECT * FROM Artifact.B()"),
        artifact(
            "B",
            "SELECT * FROM chain(a={SELECT * FROM Artifact.A()}, b={SELECT * FROM Artifact.C()})",
        ),
        artifact("C", "SELECT rm(filename='x') FROM Artifact.B()"),
        artifact("Own", "SELECT * FROM Artifact.Own()"),
    ]);
    let analyser = Analyser::new(&known);
    for name in ["A", "B", "C", "A", "C", "B"] {
        let report = analyser.artifact(&known[name]);
        assert_eq!(report.strongest(), Effect::Write, "{name}");
        let report = analyser.text(&format!("SELECT * FROM Artifact.{name}()"));
        assert_eq!(report.strongest(), Effect::Write, "{name}");
    }
    assert!(analyser.artifact(&known["Own"]).is_read());
}

#[test]
fn a_parameter_that_is_run_makes_it_exec() {
    let mut definition = artifact("A", "LET q <= Command + '' SELECT * FROM query(query=q)");
    definition.parameters = vec![Parameter { name: "Command".into(), ..Parameter::default() }];
    let known = known([]);
    assert_eq!(analyse_artifact(&definition, &known).strongest(), Effect::Exec);
    definition.parameters.clear();
    assert_eq!(analyse_artifact(&definition, &known).strongest(), Effect::Unknown);
}

#[test]
fn an_accessor_that_a_parameter_names_counts_as_its_default() {
    let mut definition = artifact("A", "SELECT * FROM glob(globs='/*', accessor=Accessor)");
    let known = known([]);
    assert_eq!(analyse_artifact(&definition, &known).strongest(), Effect::Unknown);
    definition.parameters =
        vec![Parameter { name: "Accessor".into(), default: "auto".into(), ..Parameter::default() }];
    assert_eq!(analyse_artifact(&definition, &known).strongest(), Effect::Host);
}

#[test]
fn every_part_of_a_definition_counts() {
    let change = || Some(String::from("LET f(x) = label(client_id=x)"));
    let known =
        known([Definition { export: change(), ..artifact("Exports", "SELECT 1 FROM scope()") }]);
    let plain = || artifact("A", "SELECT * FROM clients()");
    assert!(analyse_artifact(&plain(), &known).is_read());
    let source = |precondition| Source { precondition, ..Source::default() };
    for definition in [
        Definition { export: change(), ..plain() },
        Definition { precondition: change(), ..plain() },
        Definition { sources: vec![source(change())], ..plain() },
        Definition { imports: vec!["Exports".into()], ..plain() },
        Definition {
            imports: vec!["Exports".into()],
            ..artifact("A", "SELECT f(x=1) FROM scope()")
        },
        artifact("A", "LET _ <= import(artifact='Exports') SELECT f(x=1) FROM scope()"),
    ] {
        assert_eq!(
            analyse_artifact(&definition, &known).strongest(),
            Effect::Mutate,
            "{definition:?}"
        );
    }
    let unknown = Definition { imports: vec!["No.Such".into()], ..plain() };
    assert_eq!(analyse_artifact(&unknown, &known).strongest(), Effect::Unknown);
    let tools = Definition { tools: vec!["Autoruns".into()], ..plain() };
    assert_eq!(analyse_artifact(&tools, &known).strongest(), Effect::Net);
    let other = Definition { impersonate: Some("admin".into()), ..plain() };
    assert_eq!(analyse_artifact(&other, &known).strongest(), Effect::Exec);
}
