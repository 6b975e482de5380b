//! Rows that are handed over: their fields for reading, and their JSON text for the answer.

use std::borrow::Cow;
use std::ops::Deref;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::{Row, internal};
use crate::tool_error::{Code, ToolError};

/// Rows with the JSON text that they have in an answer. The text is written once: the size of a
/// page is its length, and the answer takes it over as it is.
#[derive(Clone, Debug)]
pub struct Rows {
    rows: Vec<Row>,
    json: Box<RawValue>,
}

impl Rows {
    /// Writes rows.
    ///
    /// # Errors
    ///
    /// None that rows from JSON can cause; a row that cannot be written as JSON.
    pub fn of(rows: Vec<Row>) -> Result<Self, ToolError> {
        let json = serde_json::value::to_raw_value(&rows).map_err(internal)?;
        Ok(Self { rows, json })
    }

    /// As many of the rows as fit into `budget` bytes, at least one where there is one, and how
    /// many bytes they have, each with the comma after it.
    pub(super) fn within(mut rows: Vec<Row>, budget: usize) -> Result<(Self, usize), ToolError> {
        let mut json = vec![b'['];
        let mut kept = 0;
        for row in &rows {
            let before = json.len();
            if kept > 0 {
                json.push(b',');
            }
            serde_json::to_writer(&mut json, row).map_err(internal)?;
            // The bracket that opens stands for the comma after the last row.
            if kept > 0 && json.len() > budget {
                json.truncate(before);
                break;
            }
            kept += 1;
        }
        rows.truncate(kept);
        let bytes = if kept == 0 { 0 } else { json.len() };
        json.push(b']');
        let json = String::from_utf8(json)
            .map_err(|error| ToolError::new(Code::Internal, error.to_string()))?;
        let json = RawValue::from_string(json).map_err(internal)?;
        Ok((Self { rows, json }, bytes))
    }

    /// The rows, without their text.
    pub fn into_vec(self) -> Vec<Row> {
        self.rows
    }
}

impl Default for Rows {
    fn default() -> Self {
        Self { rows: Vec::new(), json: RawValue::NULL.to_owned() }
    }
}

impl Deref for Rows {
    type Target = [Row];

    fn deref(&self) -> &[Row] {
        &self.rows
    }
}

impl Serialize for Rows {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.rows.is_empty() {
            return self.rows.serialize(serializer);
        }
        self.json.serialize(serializer)
    }
}

impl JsonSchema for Rows {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        <Vec<Row>>::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        <Vec<Row>>::json_schema(generator)
    }
}
