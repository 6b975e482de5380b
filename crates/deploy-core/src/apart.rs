//! What listens at one place only.

use std::net::SocketAddr;

use crate::plan::PlanError;

/// Refuses two that would listen at one place: the second of them would never be heard.
///
/// # Errors
///
/// [`PlanError::Unfit`] naming both.
pub fn apart(all: &[(&str, SocketAddr)]) -> Result<(), PlanError> {
    for (at, (one, first)) in all.iter().enumerate() {
        for (other, second) in &all[at + 1..] {
            if meet(*first, *second) {
                return Err(PlanError::Unfit {
                    what: format!("{one} and {other}"),
                    expected: String::from("a port of its own for each"),
                    found: format!("{first} and {second}"),
                    next: String::from("choose another port for one of them"),
                });
            }
        }
    }
    Ok(())
}

/// Whether one of them takes the place of the other. All addresses of IPv6 are those of IPv4 too.
fn meet(one: SocketAddr, other: SocketAddr) -> bool {
    let takes = |one: SocketAddr, other: SocketAddr| {
        one.ip().is_unspecified() && (one.is_ipv6() || other.is_ipv4())
    };
    one.port() == other.port() && (one.ip() == other.ip() || takes(one, other) || takes(other, one))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_at_one_place_are_named_both() {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        for (one, other, fits) in [
            ("127.0.0.1:8000", "127.0.0.1:8000", false),
            ("0.0.0.0:8000", "127.0.0.1:8000", false),
            ("127.0.0.1:8000", "0.0.0.0:8000", false),
            ("[::]:8000", "127.0.0.1:8000", false),
            ("[::]:8000", "[::1]:8000", false),
            ("0.0.0.0:8000", "[::]:8000", false),
            ("0.0.0.0:8000", "[::1]:8000", true),
            ("127.0.0.1:8000", "192.0.2.7:8000", true),
            ("0.0.0.0:8000", "0.0.0.0:8001", true),
        ] {
            let all = [("the API", at("10.0.0.1:1")), ("agents", at(one)), ("the GUI", at(other))];
            let found = apart(&all);
            assert_eq!(found.is_ok(), fits, "{one} {other}");
            if let Err(error) = found {
                let said = error.to_string();
                assert!(said.contains("agents and the GUI") && said.contains(one), "{said}");
            }
        }
    }
}
