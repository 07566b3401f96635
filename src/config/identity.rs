//! `[auth]`: how credentials are verified.

use crate::auth::{Algorithm, Secret, Settings};
use crate::config::reader::Section;
use std::path::PathBuf;
use std::time::Duration;

/// A token must not live much longer than it says.
const LONGEST_LEEWAY: Duration = Duration::from_secs(600);

/// Reads `[auth]`; `None` when there is none, or when it is wrong, which is noted.
pub(super) fn read(table: Section<'_>) -> Option<Settings> {
    let is_there = table.is_there();
    let jwt = table.section("jwt");
    let text = |name| jwt.get(name, |value| value.text());
    let algorithm = jwt.get("algorithm", |value| value.text()?.parse::<Algorithm>());
    let leeway = jwt.get("leeway", |value| match value.duration()? {
        leeway if leeway > LONGEST_LEEWAY => Err("at most \"10m\" is wanted".to_owned()),
        leeway => Ok(leeway),
    });
    let issuer = text("issuer");
    let audience = text("audience");
    let roles_claim = text("roles_claim");
    let workspaces_claim = text("workspaces_claim");
    let secret = secret(&jwt, is_there);
    let name = jwt.key("algorithm");
    if is_there && !jwt.reader().is_placed(&name) {
        jwt.reader().mistake(&name, "is missing, \"HS256\" or \"RS256\" for example");
    }
    jwt.finish();
    table.finish();
    let (algorithm, secret) = algorithm.zip(secret)?;
    let defaults = Settings::new(algorithm, secret);
    Some(Settings {
        leeway: leeway.unwrap_or(defaults.leeway),
        issuer,
        audience,
        roles_claim: roles_claim.unwrap_or(defaults.roles_claim),
        workspaces_claim: workspaces_claim.unwrap_or(defaults.workspaces_claim),
        ..defaults
    })
}

/// The secret, or the public key in PEM: as it is, from a variable, or in a file. Exactly one of them.
fn secret(jwt: &Section<'_>, is_there: bool) -> Option<Secret> {
    let plain = jwt.get("secret", |value| value.text()).map(Secret::new);
    let variable = jwt.get("secret_env", |value| {
        let name = value.text()?;
        let given = jwt.reader().variable(&name).filter(|text| !text.is_empty());
        given.map(Secret::new).ok_or_else(|| format!("the variable {name} is not set"))
    });
    let file = jwt.get("secret_file", |value| value.text()).map(|path| Secret::File(PathBuf::from(path)));
    let ways = ["secret", "secret_env", "secret_file"];
    let written: Vec<&str> = ways.into_iter().filter(|way| jwt.reader().is_placed(&jwt.key(way))).collect();
    match written.as_slice() {
        [] if is_there => jwt.reader().mistake(&jwt.key("secret_env"), "is missing (or secret, or secret_file)"),
        [first, .., last] => jwt.reader().mistake(&jwt.key(last), format!("{first} is given too; one is enough")),
        _ => {}
    }
    plain.or(variable).or(file)
}
