//! A unit as systemd runs it: what is read back, not what is in its file.

use std::collections::BTreeMap;

use deploy_core::preflight::{Check, Verdict};
use deploy_core::{Found, StepError};
use systemd_units::Confinement;

use super::{RESUME, stands, unseen};
use crate::on::On;
use crate::unit::UnitSpec;

/// What is read back.
const SHOWN: &str = "DropInPaths,NRestarts,User,MemoryMax,MemorySwapMax,CPUQuotaPerSecUSec,TasksMax,LimitNOFILE,NoNewPrivileges,ProtectSystem,ProtectHome,PrivateTmp,PrivateDevices,RestrictNamespaces,CapabilityBoundingSet,ReadWritePaths";

pub(super) async fn checks(on: On<'_>, unit: &UnitSpec) -> Vec<Check> {
    let what = format!("the unit {}", unit.name);
    let stood = unit.look(on).await;
    let there = matches!(stood, Ok(Found::Done | Found::Half { .. }));
    let mut all = vec![stands(&what, "runs, as planned, and starts with the host", stood)];
    if !there {
        let missing = |what: &str| {
            let found = "there is no unit of the deployment's to look at";
            Check::new(what, "as planned", found, Verdict::NotLooked)
        };
        all.extend(names(unit).into_iter().map(missing));
        return all;
    }
    match shown(on, &unit.name).await {
        Ok(shown) => all.extend(read_back(unit, &shown)),
        Err(error) => {
            let unseen = |what: &str| unseen(what, "as planned", &error);
            all.extend(names(unit).into_iter().map(unseen));
        }
    }
    all
}

/// What else is looked at; an agent is not confined.
fn names(unit: &UnitSpec) -> Vec<&'static str> {
    match unit.confinement {
        Confinement::Server { .. } => {
            vec!["what overrides the unit", "its ends", "limits", "confinement"]
        }
        Confinement::Agent => vec!["what overrides the agent's unit", "the agent's ends"],
    }
}

type Shown = BTreeMap<String, String>;

async fn shown(on: On<'_>, name: &str) -> Result<Shown, StepError> {
    let said = on.say("systemctl", &["show", "--property", SHOWN, "--", name]).await?;
    let pairs = said.lines().filter_map(|line| line.split_once('='));
    Ok(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
}

fn read_back(unit: &UnitSpec, shown: &Shown) -> Vec<Check> {
    let names = names(unit);
    let get = |key: &str| shown.get(key).map_or("", String::as_str);
    let overrides = match get("DropInPaths") {
        "" => Check::new(names[0], "nothing", "nothing", Verdict::Fits),
        paths => Check::new(names[0], "nothing", paths, Verdict::Unfit)
            .next("read it, and remove it (systemctl revert) unless it is meant so"),
    };
    let expected = "it never ended by itself";
    let ends = match get("NRestarts") {
        "0" => Check::new(names[1], expected, "none", Verdict::Fits),
        "" => Check::new(names[1], expected, "systemd does not say", Verdict::NotLooked),
        many => Check::new(names[1], expected, format!("{many} times"), Verdict::Doubtful)
            .next("look at the end of its journal"),
    };
    let mut all = vec![overrides, ends];
    if let Confinement::Server { user, writable, memory, millicpus, tasks, open_files, low_ports } =
        &unit.confinement
    {
        let wanted = format!(
            "memory {memory}, swap 0, processors {millicpus}/1000, tasks {tasks}, open files {open_files}"
        );
        let processors = span(get("CPUQuotaPerSecUSec")).map_or_else(
            || get("CPUQuotaPerSecUSec").to_owned(),
            |micros| format!("{}/1000", micros / 1000),
        );
        let found = format!(
            "memory {}, swap {}, processors {processors}, tasks {}, open files {}",
            get("MemoryMax"),
            get("MemorySwapMax"),
            get("TasksMax"),
            get("LimitNOFILE")
        );
        all.push(judged(names[2], wanted, found));
        let may = if *low_ports { "cap_net_bind_service" } else { "" };
        let told = |user: &str, yes: [&str; 6], may: &str, writable: &str| {
            let [new, system, home, tmp, devices, spaces] = yes;
            let may = if may.is_empty() { "none" } else { may };
            format!(
                "user {user}, no new privileges {new}, system {system}, homes {home}, own tmp {tmp}, \
                 own devices {devices}, no namespaces {spaces}, capabilities {may}, writes to {writable}"
            )
        };
        let keys = [
            "NoNewPrivileges",
            "ProtectSystem",
            "ProtectHome",
            "PrivateTmp",
            "PrivateDevices",
            "RestrictNamespaces",
        ];
        let wanted = told(user, ["yes", "strict", "yes", "yes", "yes", "yes"], may, writable);
        let found =
            told(get("User"), keys.map(get), get("CapabilityBoundingSet"), get("ReadWritePaths"));
        all.push(judged(names[3], wanted, found));
    }
    all
}

fn judged(what: &str, expected: String, found: String) -> Check {
    if expected == found {
        return Check::new(what, expected, found, Verdict::Fits);
    }
    Check::new(what, expected, found, Verdict::Unfit).next(RESUME)
}

/// A span of time as systemd writes it, in microseconds: `1.500000s`, `500ms`, `1min 30s`.
fn span(text: &str) -> Option<u64> {
    let part = |part: &str| -> Option<u64> {
        let at = part.find(|c: char| c.is_ascii_alphabetic())?;
        let (number, unit) = part.split_at(at);
        let micros: u64 = match unit {
            "us" => 1,
            "ms" => 1_000,
            "s" => 1_000_000,
            "min" => 60_000_000,
            "h" => 3_600_000_000,
            _ => return None,
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let mut sum = whole.parse::<u64>().ok()?.checked_mul(micros)?;
        let mut unit = micros;
        for digit in fraction.chars() {
            unit /= 10;
            sum = sum.checked_add(u64::from(digit.to_digit(10)?) * unit)?;
        }
        Some(sum)
    };
    let parts: Option<Vec<u64>> = text.split_whitespace().map(part).collect();
    parts.filter(|parts| !parts.is_empty()).map(|parts| parts.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_systemd_are_read() {
        for (text, micros) in [
            ("1s", 1_000_000),
            ("500ms", 500_000),
            ("1.500000s", 1_500_000),
            ("1.5s", 1_500_000),
            ("1min 30s", 90_000_000),
            ("250us", 250),
        ] {
            assert_eq!(span(text), Some(micros), "{text}");
        }
        for other in ["", "infinity", "1", "s", "1.x5s"] {
            assert_eq!(span(other), None, "{other}");
        }
    }

    #[test]
    fn what_overrides_a_unit_is_seen_although_its_file_is_as_planned() {
        let unit = UnitSpec {
            name: String::from("megaraptor-d-2345678923-server.service"),
            about: String::from("the server"),
            command: vec![String::from("/opt/x/velociraptor")],
            confinement: Confinement::Server {
                user: String::from("u"),
                writable: String::from("/var/lib/x/data"),
                memory: 536_870_912,
                millicpus: 1500,
                tasks: 1024,
                open_files: 4096,
                low_ports: false,
            },
        };
        let good = "DropInPaths=\nNRestarts=0\nUser=u\nMemoryMax=536870912\nMemorySwapMax=0\n\
            CPUQuotaPerSecUSec=1.500000s\nTasksMax=1024\nLimitNOFILE=4096\nNoNewPrivileges=yes\n\
            ProtectSystem=strict\nProtectHome=yes\nPrivateTmp=yes\nPrivateDevices=yes\n\
            RestrictNamespaces=yes\nCapabilityBoundingSet=\nReadWritePaths=/var/lib/x/data";
        let judge = |text: &str| {
            let pairs = text.lines().filter_map(|line| line.split_once('='));
            let shown = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
            read_back(&unit, &shown).into_iter().map(|it| it.verdict).collect::<Vec<_>>()
        };
        assert_eq!(judge(good), [Verdict::Fits; 4]);
        for (from, to, at, verdict) in [
            ("DropInPaths=", "DropInPaths=/etc/x.conf", 0, Verdict::Unfit),
            ("NRestarts=0", "NRestarts=3", 1, Verdict::Doubtful),
            ("NRestarts=0\n", "", 1, Verdict::NotLooked),
            ("MemoryMax=536870912", "MemoryMax=infinity", 2, Verdict::Unfit),
            ("1.500000s", "infinity", 2, Verdict::Unfit),
            ("User=u", "User=root", 3, Verdict::Unfit),
            ("ProtectSystem=strict", "ProtectSystem=no", 3, Verdict::Unfit),
            ("BoundingSet=", "BoundingSet=cap_sys_admin", 3, Verdict::Unfit),
        ] {
            assert_eq!(judge(&good.replacen(from, to, 1))[at], verdict, "{from} -> {to}");
        }
    }
}
