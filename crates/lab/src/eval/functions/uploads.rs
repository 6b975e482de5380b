//! `upload()`: a file of the simulated machine becomes part of a flow's results.

use super::{Function, pure};
use crate::eval::{Arg, Call, Failure, Kind};
use crate::value::{Value, row};

pub(super) const TABLE: &[Function] = &[pure(
    "upload",
    "Uploads a file; with the accessor `data` the text itself.",
    &[
        Arg::needed("file", Kind::Str),
        Arg::optional("name", Kind::Str),
        Arg::optional("accessor", Kind::Str),
    ],
    upload,
)];

fn upload(call: &Call<'_>) -> Result<Value, Failure> {
    let run = call.scope.run;
    let file = call.text("file");
    let accessor = if call.has("accessor") { call.text("accessor") } else { String::from("auto") };
    let name = if call.has("name") { call.text("name") } else { file.clone() };
    let data = if accessor == "data" {
        file.into_bytes()
    } else {
        let endpoint = run.endpoint().ok_or("Uploader not configured.")?;
        endpoint.file(&file).ok_or_else(|| format!("{file}: file not found"))?
    };
    run.upload(&accessor, &name, &data)?;
    Ok(Value::from(row! {
        "Path" => &name,
        "Size" => data.len(),
        "StoredSize" => data.len(),
        "Components" => Value::strings(name.split(['/', '\\']).filter(|part| !part.is_empty())),
    }))
}
