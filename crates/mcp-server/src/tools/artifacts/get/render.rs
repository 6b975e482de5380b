//! A definition for reading.

use std::fmt::Write;

use super::{Names, Output, Parameter};
use crate::answer::Render;
use crate::{records, table};

impl Render for Output {
    fn render(&self, out: &mut String) {
        // Writing into a string cannot fail.
        let _ = self.write(out);
    }
}

impl Output {
    fn write(&self, out: &mut String) -> std::fmt::Result {
        write!(out, "{}  {}", self.name, self.r#type)?;
        if !self.os.is_empty() {
            write!(out, ", {}", self.os.join(" "))?;
        }
        out.push_str(if self.custom { ", custom" } else { ", built in" });
        for line in self.description.lines() {
            if !line.trim().is_empty() {
                write!(out, "\n  {}", line.trim_end())?;
            }
        }
        fact(out, "needs", &self.needs.join(", "))?;
        fact(out, "implies", &self.implies.join(", "))?;
        fact(out, "runs as", self.runs_as.as_deref().unwrap_or_default())?;
        fact(out, "only where", self.precondition.as_deref().unwrap_or_default())?;
        fact(out, "limits", &self.limits.join(", "))?;
        if let Some(Names { parameters, tables }) = &self.summary {
            fact(out, "parameters", &parameters.join(", "))?;
            fact(out, "tables", &tables.join(", "))?;
        }
        if !self.parameters.is_empty() {
            out.push_str("\nPARAMETERS\n");
            let rows = self.parameters.iter().map(Parameter::cells);
            table::write(out, &["name", "type", "default", "description"], rows);
        }
        for source in &self.sources {
            write!(out, "\nTABLE {}: {}", source.table, source.columns.join(", "))?;
            if let Some(vql) = &source.vql {
                for line in vql.trim().lines() {
                    write!(out, "\n  {line}")?;
                }
            }
        }
        for download in &self.downloads {
            write!(out, "\nDOWNLOADS {download}")?;
        }
        if let Some(record) = &self.record {
            out.push_str("\nRECORD, as the server keeps it\n");
            records::write_one(out, record);
        }
        Ok(())
    }
}

impl Parameter {
    fn cells(&self) -> Vec<String> {
        let mut description = self.description.clone();
        if !self.choices.is_empty() {
            description = format!("one of {}. {description}", self.choices.join(" | "));
        }
        let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        vec![
            self.name.clone(),
            self.r#type.clone(),
            self.default.trim().to_owned(),
            one_line(&description),
        ]
    }
}

/// One fact on its line; nothing where there is nothing to say.
fn fact(out: &mut String, name: &str, value: &str) -> std::fmt::Result {
    if value.is_empty() {
        return Ok(());
    }
    let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
    write!(out, "\n{name:<10} {value}")
}
