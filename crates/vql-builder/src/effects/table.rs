//! The allow-list, read from `table.tsv`.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::{Effect, EffectSet, Kind};

/// Parsed once, when it is first asked; a test parses every line.
static TABLE: LazyLock<Vec<Entry>> =
    LazyLock::new(|| include_str!("table.tsv").lines().filter_map(Entry::read).collect());

static INDEX: LazyLock<HashMap<(Kind, &str), &Entry>> =
    LazyLock::new(|| TABLE.iter().map(|entry| ((entry.kind, entry.name), entry)).collect());

/// What is known of a function, plugin or accessor.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Function, plugin or accessor.
    pub kind: Kind,
    /// Its name; letter case counts.
    pub name: &'static str,
    /// What it can do, whatever its arguments.
    pub effects: EffectSet,
    /// What its arguments add.
    pub(super) rules: Vec<Rule>,
    /// The permissions that it declares, joined by commas; many are not enforced.
    pub permissions: &'static str,
    /// A remark; may be empty.
    pub remark: &'static str,
}

/// What an argument adds to the effects of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// Paths are opened by the accessor that the argument `accessor` names, else by that of files.
    Accessor,
    /// The argument is a lambda, or several, in strings.
    Lambda(&'static str),
    /// The lambda in this argument gets the scope where there is no `args`.
    ScopeLambda(&'static str),
    /// The argument is a query, or VQL in a string.
    Vql(&'static str),
    /// The argument is a text in another language, which may hold VQL.
    Code(&'static str),
    /// The argument is a profile of the binary parser, which may hold lambdas.
    Profile(&'static str),
    /// The argument is a template, which may call methods.
    Template(&'static str),
    /// The argument is SQL.
    Sql(&'static str),
    /// The argument names an artifact whose exports are run.
    Import(&'static str),
    /// The argument names a member of the scope where `item` is missing.
    Member(&'static str),
    /// A literal number up to a million is harmless, anything else may run for ever.
    Small(&'static str),
    /// The argument adds effects where it is given.
    Given(&'static str, EffectSet),
    /// The argument names another org.
    Org(&'static str),
    /// It is about all orgs.
    Orgs,
    /// Its path is the name of a variable.
    Variable,
    /// Its value is the scope.
    Scope,
    /// The names of its columns are its own, whatever the data.
    Columns,
    /// Its rows are those of the queries in its arguments.
    Passes,
}

impl Entry {
    fn read(line: &'static str) -> Option<Self> {
        if line.starts_with('#') {
            return None;
        }
        let mut fields = line.split('\t').map(|field| if field == "-" { "" } else { field });
        let kind = match fields.next()? {
            "function" => Kind::Function,
            "plugin" => Kind::Plugin,
            "accessor" => Kind::Accessor,
            _ => return None,
        };
        let name = fields.next()?;
        let effects = effect_list(fields.next()?)?;
        let rules = fields.next()?.split_whitespace().map(Rule::read).collect::<Option<_>>()?;
        Some(Self {
            kind,
            name,
            effects,
            rules,
            permissions: fields.next()?,
            remark: fields.next()?,
        })
    }
}

impl Entry {
    /// The arguments that its rules look at.
    pub fn arguments(&self) -> impl Iterator<Item = &'static str> {
        self.rules.iter().filter_map(|rule| match rule {
            Rule::Accessor => Some("accessor"),
            Rule::Lambda(name)
            | Rule::ScopeLambda(name)
            | Rule::Vql(name)
            | Rule::Code(name)
            | Rule::Profile(name)
            | Rule::Template(name)
            | Rule::Sql(name)
            | Rule::Import(name)
            | Rule::Member(name)
            | Rule::Small(name)
            | Rule::Given(name, _)
            | Rule::Org(name) => Some(name),
            Rule::Orgs | Rule::Variable | Rule::Scope | Rule::Columns | Rule::Passes => None,
        })
    }

    /// Whether what it can do depends on its arguments.
    pub(super) fn depends(&self) -> bool {
        self.rules.iter().any(|rule| !matches!(rule, Rule::Columns | Rule::Passes))
    }
}

impl Rule {
    fn read(word: &'static str) -> Option<Self> {
        let (rule, argument) = word.split_once(':').unwrap_or((word, ""));
        if argument.is_empty() {
            return match rule {
                "accessor" => Some(Self::Accessor),
                "orgs" => Some(Self::Orgs),
                "variable" => Some(Self::Variable),
                "scope" => Some(Self::Scope),
                "columns" => Some(Self::Columns),
                "passes" => Some(Self::Passes),
                _ => None,
            };
        }
        Some(match rule {
            "lambda" => Self::Lambda(argument),
            "evalscope" => Self::ScopeLambda(argument),
            "vql" => Self::Vql(argument),
            "code" => Self::Code(argument),
            "profile" => Self::Profile(argument),
            "template" => Self::Template(argument),
            "sql" => Self::Sql(argument),
            "import" => Self::Import(argument),
            "member" => Self::Member(argument),
            "small" => Self::Small(argument),
            "org" => Self::Org(argument),
            "given" => {
                let (argument, effects) = argument.split_once('=')?;
                Self::Given(argument, effect_list(effects)?)
            }
            _ => return None,
        })
    }
}

fn effect_list(list: &str) -> Option<EffectSet> {
    list.split(',').map(Effect::from_name).collect()
}

/// Everything that is known, sorted by kind and name.
pub fn entries() -> &'static [Entry] {
    &TABLE
}

/// What is known of a name. Names are told apart by letter case, as the engine does.
pub fn lookup(kind: Kind, name: &str) -> Option<&'static Entry> {
    INDEX.get(&(kind, name)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_read() {
        let lines = include_str!("table.tsv").lines().filter(|line| !line.starts_with('#'));
        for line in lines {
            assert!(Entry::read(line).is_some(), "{line}");
        }
        let count = |kind| entries().iter().filter(|entry| entry.kind == kind).count();
        let counts = [Kind::Function, Kind::Plugin, Kind::Accessor].map(count);
        assert_eq!(counts, [222, 145, 43]);
    }

    #[test]
    fn no_name_is_listed_twice() {
        assert_eq!(INDEX.len(), entries().len());
    }

    #[test]
    fn what_a_filter_may_call_is_pure() {
        for entry in entries().iter().filter(|entry| entry.kind == Kind::Function) {
            assert!(crate::is_builtin_function(entry.name), "{}", entry.name);
            if crate::builtin::is_pure_function(entry.name) {
                assert_eq!(entry.effects, Effect::Pure.into(), "{}", entry.name);
                assert!(
                    entry.rules.iter().all(|rule| matches!(rule, Rule::Org(_))),
                    "{}",
                    entry.name
                );
            }
        }
    }
}
