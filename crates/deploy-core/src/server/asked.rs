//! The question that proves an identity: who asks?

use velociraptor_api::queries::WHO_AM_I;
use velociraptor_api::{Call, Row, Server};

/// Asks under the user that has this place among the server's, and gives the answer where it is to
/// the wanted name. Why it is not is in words.
pub(super) async fn who_am_i(
    server: &Server,
    place: usize,
    wanted: &str,
    call: &Call<'_>,
    repeat: bool,
) -> Result<Row, String> {
    let identity = server.identities().get(place).ok_or("there is no API file")?;
    let rows = server.run_as(identity, &WHO_AM_I.query(), call, repeat).await;
    let rows = rows.map_err(|error| error.to_string())?;
    if let Some(failure) = rows.failures.first() {
        return Err(format!("asked as {wanted}, the server says: {failure}"));
    }
    let row = rows.rows.into_iter().next();
    match row.as_ref().and_then(|row| row.get("User")).and_then(|user| user.as_str()) {
        Some(user) if user == wanted => Ok(row.unwrap_or_default()),
        user => {
            let user = user.unwrap_or_default();
            Err(format!("asked as {wanted}, the server answers to {user:?}"))
        }
    }
}
