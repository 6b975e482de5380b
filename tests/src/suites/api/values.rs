//! Values and rows of every shape and size.

use anyhow::ensure;
use secret::Secret;
use velociraptor_api::{ApiConfig, IdentityKind, Limits, QueryErrorKind, Server, config::Origin};

use super::{attempt, read, seconds};
use crate::real::{RealServer, Role};
use crate::suite::Cases;

pub(super) async fn run(cases: &mut Cases, server: &RealServer, api: &Server) {
    cases.case("values: integers are exact, bytes are replaced, order is kept", exact(api)).await;
    cases.case("values: columns may change between rows", columns(api)).await;
    cases.case("values: rows of 10 MB arrive whole", large(api)).await;
    cases.case("values: too much in a message is asked for in pieces", pieces(server)).await;
    cases.case("values: more than 4 MiB of query is refused here", request(api)).await;
}

async fn exact(api: &Server) -> anyhow::Result<()> {
    let vql = "SELECT 9007199254740993 AS I, 9223372036854775807 AS M, \
               parse_json(data='{\"u\":18446744073709551615}').u AS U, unhex(string='00ff41') AS B, \
               '<b>&' AS H, NULL AS N, dict(z=1, a=(1, 2)) AS D FROM scope()";
    let rows = read(api, vql, Limits::READ).await?;
    let row = serde_json::to_string(&rows.rows[0])?;
    let wanted = "{\"I\":9007199254740993,\"M\":9223372036854775807,\"U\":18446744073709551615,\
                  \"B\":\"\\u0000\u{fffd}A\",\"H\":\"<b>&\",\"N\":null,\"D\":{\"z\":1,\"a\":[1,2]}}";
    ensure!(row == wanted, "{row}");
    ensure!(rows.columns == ["I", "M", "U", "B", "H", "N", "D"], "{:?}", rows.columns);
    Ok(())
}

async fn columns(api: &Server) -> anyhow::Result<()> {
    let vql = "SELECT * FROM chain(a={SELECT 1 AS A, 2 AS B FROM scope()}, \
               b={SELECT 3 AS C FROM scope()}, c={SELECT 4 AS A FROM scope()})";
    let rows = read(api, vql, Limits::READ).await?;
    let text = serde_json::to_string(&rows.rows)?;
    ensure!(text.contains("\"C\":3") && rows.rows.len() == 3, "{text}");
    ensure!(rows.columns == ["A", "B", "C"], "{:?} of {text}", rows.columns);
    Ok(())
}

const BIG: &str = "LET Big <= format(format='%010000000d', args=7)
                   SELECT Big, _value AS N FROM range(end=3)";

async fn large(api: &Server) -> anyhow::Result<()> {
    let rows = read(api, BIG, seconds(60)).await?;
    let sizes: Vec<_> =
        rows.rows.iter().map(|row| row["Big"].as_str().map_or(0, str::len)).collect();
    ensure!(sizes == [10_000_000; 3] && rows.cut.is_none(), "{sizes:?} {:?}", rows.cut);
    Ok(())
}

async fn pieces(server: &RealServer) -> anyhow::Result<()> {
    let file = std::fs::read_to_string(server.api_file(Role::Administrator))?;
    let limited = |bytes: u32| -> anyhow::Result<Server> {
        let text = Secret::new(format!("{file}\nmax_grpc_recv_size: {bytes}\n"));
        let config = ApiConfig::parse(&text, Origin::Memory("a limited API file"))?;
        Ok(Server::open("limited", [(Some(IdentityKind::Administrator), config)])?)
    };
    let rows = read(&limited(12_000_000)?, BIG, seconds(60)).await?;
    ensure!(rows.rows.len() == 3, "{} rows", rows.rows.len());
    let error = attempt(&limited(2_000_000)?, BIG, seconds(60)).await?;
    ensure!(
        matches!(error, Err(QueryErrorKind::TooLarge { limit: 2_000_000 })),
        "{:?}",
        error.err()
    );
    Ok(())
}

async fn request(api: &Server) -> anyhow::Result<()> {
    let vql = |bytes: usize| format!("SELECT 1 AS A FROM scope() // {}", "x".repeat(bytes));
    let error = attempt(api, &vql(4 << 20), Limits::READ).await?;
    ensure!(matches!(error, Err(QueryErrorKind::RequestTooLarge)), "{:?}", error.err());
    // A little less is taken, so the limit here is the server's.
    let rows = read(api, &vql((4 << 20) - 200), Limits::READ).await?;
    ensure!(rows.rows.len() == 1, "{rows:?}");
    Ok(())
}
