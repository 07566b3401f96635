//! The map that `lib.rs` draws, kept true: a module uses lower floors only, and every driver has one home.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Which modules stand on which floor; those of one floor do not know each other.
const FLOORS: [&[&str]; 19] = [
    &["audience", "document", "error", "filter", "frame", "metrics", "pace", "viewer", "wire"],
    &["event", "finding", "index", "pairs", "patch", "resource"],
    &["interest", "mongodb", "postgres", "query", "rabbitmq", "reading", "record"],
    &["access", "mailbox", "message", "replica"],
    &["files", "relay"],
    &["auth", "dialect", "log", "store"],
    &["source"],
    &["catalog", "hub", "supervise"],
    &["pump", "shard"],
    &["session"],
    &["broadcast", "talk"],
    &["cells", "jac", "misakey"],
    &["api", "handshake"],
    &["door"],
    &["connection"],
    &["bench", "config", "console", "demo"],
    &["server"],
    &["app"],
    &["cli"],
];

/// Within a family, those that must not know each other; they share through the rest of the family.
const NEIGHBOURS: [(&str, &[&str]); 4] = [
    ("dialect", &["cells", "events", "files", "jac", "misakey", "monorail"]),
    ("log", &["disk", "memory"]),
    ("source", &["embedded", "mongodb", "postgres_listen", "postgres_outbox", "postgres_slot", "rabbitmq"]),
    ("store", &["embedded", "mongodb", "postgres"]),
];

/// Where each driver may be named: a module with what is below it; `postgres*` is any part of a path that
/// begins so.
const HOMES: [(&str, &[&str]); 21] = [
    ("axum", &["api", "app", "console", "door", "handshake", "server"]),
    ("clap", &["bench", "cli"]),
    ("deadpool_postgres", &["postgres*"]),
    ("fjall", &["log::disk", "pairs", "store::embedded"]),
    ("hyper", &["bench", "handshake", "server"]),
    ("hyper_util", &["bench", "handshake", "server"]),
    ("json_patch", &["patch"]),
    ("jsonwebtoken", &["auth"]),
    ("lapin", &["rabbitmq", "relay::rabbitmq", "source::rabbitmq"]),
    ("mongodb", &["mongodb*"]),
    ("pgwire_replication", &["postgres*"]),
    ("prometheus_client", &["metrics"]),
    ("reqwest", &["auth", "jac"]),
    ("rustls", &["handshake", "postgres*", "server", "wire"]),
    ("rustls_native_certs", &["handshake", "postgres*", "server", "wire"]),
    ("tokio_postgres", &["postgres*"]),
    ("tokio_postgres_rustls", &["postgres*"]),
    ("tokio_rustls", &["handshake", "postgres*", "server", "wire"]),
    ("tokio_tungstenite", &["bench", "cli"]),
    ("toml", &["config"]),
    ("tracing_subscriber", &["cli"]),
];

/// What is wrong with the imports of one module (`log::disk`), one sentence each.
fn faults(module: &str, source: &str) -> Vec<String> {
    let code = code_of(source);
    let mut faults: Vec<String> = Vec::new();
    for used in paths_after("crate::", &code) {
        faults.extend(fault_of_use(module, &used));
    }
    if let Some((family, _)) = module.split_once("::").filter(|(_, member)| !member.contains("::")) {
        for used in paths_after("super::", &code) {
            faults.extend(fault_of_use(module, &format!("{family}::{used}")));
        }
    }
    for (driver, homes) in HOMES {
        let is_used = !paths_after(&format!("{driver}::"), &code).is_empty();
        if is_used && !homes.iter().any(|home| is_within(module, home)) {
            faults.push(format!("{module} names {driver}, whose home is {}", homes.join(", ")));
        }
    }
    faults
}

/// What is wrong with `crate::{used}` in a module.
fn fault_of_use(module: &str, used: &str) -> Option<String> {
    let (family, member) = split(module);
    let (used_family, used_member) = split(used);
    if family == used_family {
        let (_, members) = NEIGHBOURS.iter().find(|(name, _)| *name == family)?;
        let are_neighbours = member != used_member && members.contains(&member) && members.contains(&used_member);
        return are_neighbours.then(|| format!("{module} uses its neighbour {family}::{used_member}"));
    }
    match (floor(family), floor(used_family)) {
        (None, _) => Some(format!("{family} has no floor; give it one in floors.rs")),
        (_, None) => Some(format!("{module} uses {used_family}, which has no floor")),
        (Some(own), Some(other)) if other >= own => {
            Some(format!("{module} (floor {own}) uses {used_family} (floor {other})"))
        }
        _ => None,
    }
}

fn floor(family: &str) -> Option<usize> {
    FLOORS.iter().position(|modules| modules.contains(&family))
}

/// The first two parts of a path.
fn split(path: &str) -> (&str, &str) {
    let mut parts = path.split("::");
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}

fn is_within(module: &str, home: &str) -> bool {
    match home.strip_suffix('*') {
        Some(start) => module.split("::").any(|part| part.starts_with(start)),
        None => module.strip_prefix(home).is_some_and(|rest| rest.is_empty() || rest.starts_with("::")),
    }
}

/// The source without comments and without its tests, which may stand anywhere.
fn code_of(source: &str) -> String {
    let code = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = code.lines().map(|line| match line.trim_start().starts_with("//") {
        true => "",
        false => line.split(" // ").next().unwrap_or_default(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// What follows `start` wherever it stands as a word of its own: `a::b`, and each of `{a::b, c}`.
fn paths_after(start: &str, code: &str) -> Vec<String> {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == ':';
    let mut paths = Vec::new();
    for (at, _) in code.match_indices(start) {
        if code[..at].ends_with(is_part) {
            continue;
        }
        let rest = &code[at + start.len()..];
        match rest.strip_prefix('{') {
            Some(list) => {
                let list = list.split("};").next().unwrap_or_default();
                paths.extend(list.split(',').map(|path| path.trim().to_owned()).filter(|path| !path.is_empty()));
            }
            None => paths.push(rest.chars().take_while(|letter| is_part(*letter)).collect()),
        }
    }
    paths
}

/// Every source file by its module's path; files of tests are left out, and so are `lib.rs` and `main.rs`.
fn sources() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    collect(&root, "", &mut found);
    found
}

fn collect(dir: &Path, module: &str, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(dir).expect("the sources are where they were built") {
        let path = entry.expect("a directory can be read to its end").path();
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
        let inner = match (stem.as_str(), module) {
            ("tests" | "floors" | "lib" | "main", _) => continue,
            ("mod", module) => module.to_owned(),
            (name, "") => name.to_owned(),
            (name, module) => format!("{module}::{name}"),
        };
        if path.is_dir() {
            collect(&path, &inner, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.insert(inner, fs::read_to_string(&path).expect("a source file is text"));
        }
    }
}

#[test]
fn no_module_uses_its_own_floor_or_a_higher_one() {
    let sources = sources();
    assert!(sources.len() > 10, "the sources were not found");
    let faults: Vec<String> = sources.iter().flat_map(|(module, source)| faults(module, source)).collect();
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn a_wrong_import_is_found_however_it_is_written() {
    for (module, source, fault) in [
        ("event", "use crate::message::Request;", "event (floor 1) uses message (floor 3)"),
        ("event", "use crate::patch::Ops;", "event (floor 1) uses patch (floor 1)"),
        ("hub", "let rule = crate::config::Config::default();", "hub (floor 7) uses config (floor 15)"),
        (
            "hub::grouped",
            "use crate::{event::Entry, session::Session};",
            "hub::grouped (floor 7) uses session (floor 9)",
        ),
        ("store::embedded", "use crate::store::postgres::Pool;", "store::embedded uses its neighbour store::postgres"),
        ("store::embedded", "use super::postgres::Pool;", "store::embedded uses its neighbour store::postgres"),
        ("manager", "use crate::error::Error;", "manager has no floor; give it one in floors.rs"),
        ("event", "use crate::helper::help;", "event uses helper, which has no floor"),
        ("session", "fn f(row: tokio_postgres::Row) {}", "session names tokio_postgres, whose home is postgres*"),
        (
            "log::memory",
            "use fjall::Keyspace;",
            "log::memory names fjall, whose home is log::disk, pairs, store::embedded",
        ),
    ] {
        assert_eq!(faults(module, source), [fault], "{source}");
    }
}

#[test]
fn a_right_import_is_let_be() {
    for (module, source) in [
        ("event", "use crate::document::Document;"),
        ("log::disk::segment", "use crate::log::disk::Place;\nuse crate::log::ring::Ring;\nuse fjall::Keyspace;"),
        ("store::postgres::select", "use tokio_postgres::Row;\nuse crate::store::Row;"),
        ("postgres::connect", "use tokio_postgres::Client;"),
        ("event", "/// See [`crate::session::Session`].\n// crate::app\nlet x = 1; // crate::cli"),
        ("event", "#[cfg(test)]\nmod tests {\n    use crate::session::Session;\n}"),
        ("event", "use other_crate::session::S;\nuse my_axum::Router;"),
    ] {
        assert_eq!(faults(module, source), Vec::<String>::new(), "{source}");
    }
}
