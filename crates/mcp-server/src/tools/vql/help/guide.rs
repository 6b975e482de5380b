//! The guide to VQL: what surprises somebody who knows SQL, what is bounded, and queries that run.

use std::fmt::Write;

/// A topic of the guide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Topic {
    Syntax,
    Examples,
    Limits,
}

impl Topic {
    pub(crate) const ALL: [Self; 3] = [Self::Syntax, Self::Examples, Self::Limits];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
            Self::Examples => "examples",
            Self::Limits => "limits",
        }
    }

    /// Reads the word in any case.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.as_str().eq_ignore_ascii_case(name.trim()))
    }

    /// The text, in Markdown.
    pub(crate) fn text(self) -> String {
        match self {
            Self::Syntax => String::from(SYNTAX),
            Self::Examples => examples(),
            Self::Limits => String::from(LIMITS),
        }
    }
}

/// The whole guide, in Markdown.
pub(crate) fn whole() -> String {
    let mut text = String::from("# VQL on a Velociraptor server\n");
    for topic in Topic::ALL {
        let _ = write!(text, "\n## {}\n\n{}\n", topic.as_str(), topic.text());
    }
    text
}

const SYNTAX: &str = "\
Statements: `SELECT columns FROM plugin(args) WHERE … GROUP BY … ORDER BY Column DESC LIMIT 10`, \
`LET name = …` (lazy), `LET name <= …` (computed once, now), `LET f(x) = …`. Clauses in this order. \
No separator between statements: `;` is an error. Comments: `-- …`, `// …`, `/* … */`.

- FROM takes one plugin, with parentheses: `FROM clients()`; `FROM scope()` gives one row. \
No JOIN, UNION, DISTINCT, HAVING, LIKE, BETWEEN, CASE, OFFSET: use foreach(), chain(), GROUP BY, =~, if().
- Arguments are always named: `upcase(string=Name)`. A keyword as a name stands in backticks: \
`` `limit`=5 ``, also after a dot.
- A plugin gives rows and stands after FROM; a function gives a value and stands elsewhere. \
`hunt()`, `collect_client()` and `label()` are functions; `clients()`, `flows()` and `hunts()` are plugins.
- Strings in '…' or \"…\" with \\ escapes, or '''…''' without. Put values into env, not into the text.
- Compare with =, !=, <, <=, >, >=, =~ (regular expression, always case-insensitive, matches \
anywhere). `==`, `<>` and LIKE do not work. `IN` finds a member, a key, or a part of a string.
- Space on both sides of minus: `now() - 3600`; `now()-3600` is an error.
- AND binds LOOSER than OR: `a OR b AND c` is `(a OR b) AND c`. Write parentheses.
- An unknown name in WHERE is NULL without a word: no rows may mean a misspelt column. \
Elsewhere it is logged and NULL. A missing member is NULL.
- Types are not converted: '7' = 7 is false, 'a' + 1 is NULL; use int(int=), str(str=), parse_float(string=).
- LIMIT and ORDER BY take a literal number and one bare column; LIMIT 0 gives one row. LIMIT applies last.
- A dict is dict(a=1, `b.c`=2), a list (1, 2) or, with one member, (1,). `{ SELECT … }` is a sub-query.
- Times: now() is seconds; timestamp(epoch=…) tells s, ms, µs and ns apart. clients(): last_seen_at \
is in µs; flows() and hunts(): times in µs.
- An un-aliased column is called by its whole expression: give it a name with AS. The alias works in WHERE.
- Artifacts as plugins, `Artifact.Generic.Client.Info()`, run on the SERVER here.";

const LIMITS: &str = "\
- run_vql runs on the server under an identity that can only read. Plugins that look at a machine \
(pslist, netstat, glob, info, …) look at the server and mostly need MACHINE_STATE: for an endpoint \
use collect_artifact, for many create_hunt.
- Rows: max_rows (default 100, at most 10000). Bytes: max_bytes of the answer (default 40000). \
Time: timeout (default 30 s, at most 600). Where one of them cut, state is partial and a warning \
says which. Push work into the query: WHERE, GROUP BY, count(), only the columns that matter.
- Results of a collection page better through get_flow_results, those of a hunt through get_hunt_results.
- clock(), watch_monitoring() and other event plugins never end: the answer comes at the time \
limit with the events so far.
- A failed function gives NULL, a failed plugin no rows; the server tells why in its log. \
Such failures are warnings of the answer, or its error where nothing else came.
- Zero rows mean that the server has nothing like it; whether an endpoint has, only a collection \
or hunt can tell.
- upload() has nowhere to put files here. The query and its values are logged by the server: no secrets in env.";

/// A query that runs on any server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Example {
    pub(crate) about: &'static str,
    pub(crate) query: &'static str,
    /// The values, as a JSON object.
    pub(crate) env: &'static str,
}

/// The examples. Each is run against the simulated and the real server by a test.
pub(crate) const EXAMPLES: &[Example] = &[
    Example {
        about: "Hosts seen within 15 minutes",
        query: "SELECT client_id, os_info.hostname AS Host, os_info.system AS Os,\n       \
                timestamp(epoch=last_seen_at) AS Seen\nFROM clients()\n\
                WHERE last_seen_at > (now() - 900) * 1000000\nLIMIT 50",
        env: "{}",
    },
    Example {
        about: "How many hosts of each system",
        query: "SELECT os_info.system AS Os, count() AS Hosts FROM clients() GROUP BY Os",
        env: "{}",
    },
    Example {
        about: "Values from env: never paste them",
        query: "SELECT client_id, os_info.hostname AS Host FROM clients()\n\
                WHERE os_info.hostname IN Names OR client_id IN Names",
        env: r#"{"Names": ["FIN-WS07", "o'brien-pc"]}"#,
    },
    Example {
        about: "Recent collections of some hosts: one plugin for each row of another",
        query: "SELECT * FROM foreach(\n  row={ SELECT client_id FROM clients() LIMIT 5 },\n  \
                query={ SELECT client_id, session_id AS FlowId, state,\n                 \
                total_collected_rows AS Rows\n          FROM flows(client_id=client_id) LIMIT 3 })",
        env: "{}",
    },
    Example {
        about: "Hunts, newest first",
        query: "SELECT hunt_id, hunt_description, state, timestamp(epoch=create_time) AS Created\n\
                FROM hunts() ORDER BY Created DESC LIMIT 20",
        env: "{}",
    },
    Example {
        about: "Artifacts by a word in their name",
        query: "SELECT name, type FROM artifact_definitions() WHERE name =~ Word LIMIT 20",
        env: r#"{"Word": "pslist|netstat"}"#,
    },
    Example {
        about: "A stored query used twice, and a default with if()",
        query: "LET Online = SELECT client_id FROM clients() WHERE last_seen_at > (now() - 900) * 1000000\n\
                SELECT len(list=Online) AS Online,\n       \
                if(condition=Online, then='some', else='none') AS Word\nFROM scope()",
        env: "{}",
    },
    Example {
        about: "Events for as long as timeout says; ends as partial with what came",
        query: "SELECT timestamp(epoch=now()) AS Tick FROM clock(period=1) LIMIT 2",
        env: "{}",
    },
];

fn examples() -> String {
    let mut text = String::new();
    for (index, example) in EXAMPLES.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        let _ = writeln!(text, "{}:\n```vql\n{}\n```", example.about, example.query);
        if example.env != "{}" {
            let _ = writeln!(text, "with env `{}`", example.env);
        }
    }
    text.truncate(text.trim_end().len());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_parses_without_remarks() {
        for example in EXAMPLES {
            let parse = vql_builder::parse(example.query);
            assert!(parse.errors().is_empty(), "{}: {:?}", example.about, parse.errors());
            assert!(parse.warnings().is_empty(), "{}: {:?}", example.about, parse.warnings());
            let env: serde_json::Value = serde_json::from_str(example.env).unwrap();
            assert!(env.is_object());
        }
    }

    #[test]
    fn the_traps_are_what_the_grammar_says() {
        let fails = |text: &str| !vql_builder::parse(text).errors().is_empty();
        for text in [
            "SELECT * FROM clients();",
            "SELECT * FROM clients",
            "SELECT upcase(Name) FROM scope()",
            "SELECT now()-3600 FROM scope()",
            "SELECT a FROM scope() WHERE a == 1",
            "SELECT a FROM scope() WHERE a LIKE 'b'",
            "SELECT a FROM hunt_flows(limit=1)",
            "SELECT a FROM scope() ORDER BY a ASC",
        ] {
            // FROM takes a stored query without parentheses, so that one parses.
            assert_eq!(fails(text), text != "SELECT * FROM clients", "{text}");
        }
        assert!(!fails("SELECT now() - 3600, (1,) FROM scope()"));
        assert!(!vql_builder::parse("SELECT a FROM scope() WHERE a <> 1").warnings().is_empty());
    }
}
