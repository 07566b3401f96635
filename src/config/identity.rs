//! `[auth]`: how credentials are verified, where they are looked for, and what follows from them.

use crate::auth::{
    Algorithm, Carrier, Client, IntrospectionSettings, JwtSettings, KeySource, OnExpiry, Place, Published, Rules,
    Secret, Settings, ThrottleSettings,
};
use crate::config::reader::Section;
use std::path::PathBuf;
use std::time::Duration;

/// A token must not live much longer than it says.
const LONGEST_LEEWAY: Duration = Duration::from_secs(600);

/// Nobody keeps a connection for a refusal that comes later.
const LONGEST_DELAY: Duration = Duration::from_secs(300);

/// The shared secret or public key, and the one before it.
const SECRET: [&str; 3] = ["secret", "secret_env", "secret_file"];
const PREVIOUS: [&str; 3] = ["previous_secret", "previous_secret_env", "previous_secret_file"];

/// What signed tokens need, one of them.
const KEYS: [&str; 5] = ["secret", "secret_env", "secret_file", "jwks_url", "jwks_file"];

/// Reads `[auth]`; `None` when there is none, or when it is wrong, which is noted.
pub(super) fn read(table: Section<'_>) -> Option<Settings> {
    let is_there = table.is_there();
    let (jwt_table, introspection_table) = (table.section("jwt"), table.section("introspection"));
    let has_introspection = introspection_table.is_there();
    let is_signed = jwt_table.is_there() || (is_there && !has_introspection);
    let jwt = jwt(jwt_table, is_signed);
    let introspection = introspection(introspection_table, has_introspection);
    let ends = [("close", OnExpiry::Close), ("downgrade", OnExpiry::Downgrade), ("keep", OnExpiry::Keep)];
    let tokens_from = table.get("tokens_from", |value| {
        let carriers: Vec<Carrier> = value.texts()?.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
        if carriers.is_empty() { Err("at least one place is wanted".to_owned()) } else { Ok(carriers) }
    });
    let on_expiry = table.get("on_expiry", |value| value.choice(&ends));
    let throttle = throttle(table.section("throttle"));
    table.finish();
    if (jwt.is_none() && is_signed) || (introspection.is_none() && has_introspection) || !is_there {
        return None;
    }
    let nothing = Settings::nothing();
    Some(Settings {
        jwt,
        introspection,
        tokens_from: tokens_from.unwrap_or(nothing.tokens_from),
        on_expiry: on_expiry.unwrap_or(nothing.on_expiry),
        throttle,
    })
}

/// `[auth.jwt]`.
fn jwt(table: Section<'_>, is_there: bool) -> Option<JwtSettings> {
    let algorithms = table.get("algorithm", |value| {
        let algorithms: Vec<Algorithm> = value.texts()?.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
        if algorithms.is_empty() { Err("at least one is wanted".to_owned()) } else { Ok(algorithms) }
    });
    let current = secret(&table, SECRET);
    let previous = secret(&table, PREVIOUS);
    let url = table.get("jwks_url", |value| url(value.text()?)).map(Place::Url);
    let file = table.get("jwks_file", |value| value.text()).map(|path| Place::File(PathBuf::from(path)));
    let refresh = table.get("jwks_refresh", |value| value.some_time());
    let cooldown = table.get("jwks_cooldown", |value| value.some_time());
    let rules = rules(&table, Rules::default());
    let is_given = |name: &str| table.reader().is_placed(&table.key(name));
    if is_there {
        if !is_given("algorithm") {
            table.reader().mistake(&table.key("algorithm"), "is missing, \"HS256\" or \"RS256\" for example");
        }
        one_of(&table, &KEYS, true);
    }
    let keys = match (current, url.or(file)) {
        (Some(secret), _) => Some(KeySource::Own([Some(secret), previous].into_iter().flatten().collect())),
        (None, Some(place)) => {
            let usual = Published::at(place);
            let (refresh, cooldown) = (refresh.unwrap_or(usual.refresh), cooldown.unwrap_or(usual.cooldown));
            Some(KeySource::Published(Published { refresh, cooldown, ..usual }))
        }
        (None, None) => None,
    };
    if let (Some(algorithms), Some(keys)) = (&algorithms, &keys) {
        fit(&table, algorithms, keys);
    }
    table.finish();
    let (algorithms, keys) = algorithms.zip(keys)?;
    Some(JwtSettings { algorithms, keys, rules })
}

/// Notes algorithms that these keys cannot be for.
fn fit(table: &Section<'_>, algorithms: &[Algorithm], keys: &KeySource) {
    let mistake = |name: &str, sentence: &str| table.reader().mistake(&table.key(name), sentence);
    match keys {
        KeySource::Published(_) if algorithms.iter().any(|algorithm| algorithm.is_shared()) => {
            mistake("algorithm", "a published key is known to everybody, and HS256 and the like need a secret");
        }
        KeySource::Own(_) if algorithms.iter().any(|algorithm| !algorithm.has_keys_of(algorithms[0])) => {
            mistake("algorithm", "one secret is not a key of all of these");
        }
        _ => {}
    }
    let own = matches!(keys, KeySource::Own(_));
    let strange: &[&str] = if own { &["jwks_refresh", "jwks_cooldown"] } else { &PREVIOUS };
    for name in strange.iter().filter(|name| table.reader().is_placed(&table.key(name))) {
        mistake(name, if own { "there are no published keys to read" } else { "there is no secret that it precedes" });
    }
}

/// `[auth.introspection]`.
fn introspection(table: Section<'_>, is_there: bool) -> Option<IntrospectionSettings> {
    let url = table.get("url", |value| url(value.text()?));
    let id = table.get("client_id", |value| value.text());
    let ways = ["client_secret", "client_secret_env", "client_secret_file"];
    let secret = secret(&table, ways);
    let client_ids = table.get("client_ids", |value| value.texts());
    let cache = table.get("cache", |value| value.duration());
    let recheck = table.get("recheck", |value| value.some_time());
    let usual = IntrospectionSettings::new(url.clone().unwrap_or_default());
    let rules = rules(&table, usual.rules.clone());
    let is_given = |name: &str| table.reader().is_placed(&table.key(name));
    if is_there && !is_given("url") {
        table.reader().mistake(&table.key("url"), "is missing");
    }
    let has_secret = ways.iter().any(|name| is_given(name));
    if is_given("client_id") != has_secret {
        table
            .reader()
            .mistake(&table.key("client_id"), "a client has a name and a secret: client_id and client_secret_env");
    }
    table.finish();
    url?;
    Some(IntrospectionSettings {
        client: id.zip(secret).map(|(id, secret)| Client { id, secret }),
        client_ids: client_ids.unwrap_or_default(),
        cache: cache.unwrap_or(usual.cache),
        recheck,
        rules,
        ..usual
    })
}

/// What is asked of claims, and where in them the viewer stands.
fn rules(table: &Section<'_>, usual: Rules) -> Rules {
    let leeway = table.get("leeway", |value| match value.duration()? {
        leeway if leeway > LONGEST_LEEWAY => Err("at most \"10m\" is wanted".to_owned()),
        leeway => Ok(leeway),
    });
    let names = |name, usual: Vec<String>| {
        let some = table.get(name, |value| match value.texts()? {
            names if names.is_empty() => Err("at least one is wanted".to_owned()),
            names => Ok(names),
        });
        some.unwrap_or(usual)
    };
    let name = |name, usual: String| table.get(name, |value| value.text()).unwrap_or(usual);
    Rules {
        leeway: leeway.unwrap_or(usual.leeway),
        early: leeway.unwrap_or(usual.early),
        issuers: names("issuer", usual.issuers),
        audiences: names("audience", usual.audiences),
        require_expiry: table.get("require_expiry", |value| value.boolean()).unwrap_or(usual.require_expiry),
        expiry_claims: names("expiry_claim", usual.expiry_claims),
        subject_claims: names("subject_claim", usual.subject_claims),
        roles_claim: name("roles_claim", usual.roles_claim),
        workspaces_claim: name("workspaces_claim", usual.workspaces_claim),
        groups_claim: name("groups_claim", usual.groups_claim),
    }
}

/// `[auth.throttle]`.
fn throttle(table: Section<'_>) -> ThrottleSettings {
    let usual = ThrottleSettings::default();
    let failures = table.get("failures", |value| value.limit(|value| value.number(1..=1_000_000)));
    let throttle = ThrottleSettings {
        failures: failures.map_or(usual.failures, |failures| failures.and_then(|count| u32::try_from(count).ok())),
        longest: table
            .get("longest", |value| match value.some_time()? {
                longest if longest > LONGEST_DELAY => Err("at most \"5m\" is wanted".to_owned()),
                longest => Ok(longest),
            })
            .unwrap_or(usual.longest),
    };
    table.finish();
    throttle
}

/// A secret, or a public key in PEM: as it is, from a variable, or in a file.
/// A secret under one of three keys; more than one is noted.
pub(super) fn secret(table: &Section<'_>, [plain, variable, file]: [&'static str; 3]) -> Option<Secret> {
    let from_variable = |name: String| {
        let given = table.reader().variable(&name).filter(|text| !text.is_empty());
        given.map(Secret::new).ok_or_else(|| format!("the variable {name} is not set"))
    };
    let as_it_is = table.get(plain, |value| value.text()).map(Secret::new);
    let variable_ = table.get(variable, |value| from_variable(value.text()?));
    let in_file = table.get(file, |value| value.text()).map(|path| Secret::File(PathBuf::from(path)));
    if plain != SECRET[0] {
        one_of(table, &[plain, variable, file], false);
    }
    as_it_is.or(variable_).or(in_file)
}

/// Notes that more than one of these keys is given, or none where one must be.
fn one_of(table: &Section<'_>, names: &[&str], must_be: bool) {
    let written: Vec<&&str> = names.iter().filter(|name| table.reader().is_placed(&table.key(name))).collect();
    match written.as_slice() {
        [] if must_be => {
            table.reader().mistake(&table.key("secret_env"), "is missing (or secret, secret_file, jwks_url, jwks_file)")
        }
        [first, .., last] => table.reader().mistake(&table.key(last), format!("{first} is given too; one is enough")),
        _ => {}
    }
}

/// The URL of an issuer.
fn url(text: String) -> Result<String, String> {
    match text.split_once("://") {
        Some(("http" | "https", rest)) if !rest.is_empty() && !rest.starts_with('/') => Ok(text),
        _ => Err("a URL that begins with https:// is wanted".to_owned()),
    }
}
