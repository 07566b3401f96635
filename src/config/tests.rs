//! The promises of the configuration.

mod mistakes;

use crate::auth::{Mode, OnExpiry, Verifier};
use crate::config::*;
use crate::files::rows::Part;
use std::time::Duration;

const EXAMPLE: &str = include_str!("../../tidings.example.toml");

fn variables(pairs: &[(&str, &str)]) -> Overrides {
    let variables = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Overrides { variables, ..Overrides::default() }
}

fn read(text: &str) -> Config {
    Config::from_text("t.toml", text, &Overrides::default()).unwrap()
}

fn mistakes(text: &str, overrides: &Overrides) -> String {
    Config::from_text("t.toml", text, overrides).unwrap_err().to_string()
}

fn assert_mistake(text: &str, wanted: &str) {
    let all = mistakes(text, &Overrides::default());
    assert!(all.lines().any(|line| line.contains(wanted)), "{text}\n  said: {all}\n  wanted: {wanted}");
}

#[test]
fn the_example_names_every_key_and_is_in_order() {
    let overrides = variables(&[("JWT_SECRET", "s"), ("OPERATOR_TOKEN", "s")]);
    let reader = Reader::new("tidings.example.toml", EXAMPLE, &overrides);
    let table = reader.parse();
    Config::read(&reader, &table);
    for (key, is_set) in reader.known() {
        // What is not set stands there as a comment, `#key = …`.
        let (table, name) = key.rsplit_once('.').unwrap();
        let (_, inner) = table.rsplit_once('.').unwrap_or(("", table));
        let comments = [format!("#{name} = "), format!("#{inner}.{name} = ")];
        let is_shown = EXAMPLE.lines().any(|line| comments.iter().any(|comment| line.starts_with(comment)));
        assert!(is_set || is_shown, "{key} is not in the example");
    }
    reader.finish().unwrap();
}

#[test]
fn the_example_shows_the_defaults() {
    let example = Config::from_text("e", EXAMPLE, &variables(&[("JWT_SECRET", "s"), ("OPERATOR_TOKEN", "s")])).unwrap();
    let bare = Config::embedded_default();
    assert_eq!(format!("{:?}", example.server), format!("{:?}", bare.server));
    assert_eq!(format!("{:?}", example.log), format!("{:?}", bare.log));
    let mq = Mq { linger: example.monorail.mq.linger, ..bare.monorail.mq.clone() };
    let monorail = Monorail { channels: Vec::new(), auth: Mode::None, mq, ..example.monorail.clone() };
    assert_eq!(format!("{monorail:?}"), format!("{:?}", bare.monorail));
    let source = &example.sources[0];
    let expected = Source { name: "x".into(), ..source.clone() };
    let default = Source::discovering("x".into(), &source.url);
    assert_eq!(all_of(&expected), all_of(&default));
    assert_eq!(example.resources.iter().find(|r| r.name == "logs").unwrap().keep, 10_000);
    let auth = read("auth.jwt = { algorithm = \"HS256\", secret = \"s\" }").auth;
    assert_eq!(format!("{:?}", example.auth), format!("{auth:?}"));
}

#[test]
fn a_resource_may_keep_no_lines() {
    let text = "[resources.\"mq:on.events\"]\nappend_only = true\nkeep = 0";
    let config = Config::from_text("test", text, &Overrides::default()).unwrap();
    assert_eq!(config.resources[0].keep, 0);
}

fn all_of(source: &Source) -> impl PartialEq + std::fmt::Debug {
    let broker = (source.queue_prefix.clone(), source.prefetch, source.publication.clone());
    (broker, source.capture, source.poll, source.purge, source.install, source.connections, source.statement_timeout)
}

#[test]
fn the_settings_that_the_example_leaves_out_are_settings_too() {
    for line in EXAMPLE.lines().filter(|line| line.starts_with('#') && !line.starts_with("# ") && line.len() > 1) {
        if line.contains("jwt.secret") {
            continue; // Only one of the three can be there.
        }
        let mut text = EXAMPLE.replace(line, &line[1..]);
        if line.contains("tls_") {
            text = text.replace("#tls_", "tls_");
        }
        if line.contains("jwks_") {
            let published = ["HS256", "jwt.secret_env"].iter().zip(["RS256", "#jwt.secret_env"]);
            text = published.fold(text, |text, (own, published)| text.replace(own, published));
            if !line.contains("jwks_file") {
                text = text.replace("#jwt.jwks_url", "jwt.jwks_url");
            }
        }
        if line.contains("introspection.") {
            text = text.replace("#introspection.url", "introspection.url");
        }
        if line.contains("client_id =") {
            text = text.replace("#introspection.client_secret =", "introspection.client_secret =");
        }
        if line.contains("client_secret") {
            text = text.replace("#introspection.client_id =", "introspection.client_id =");
        }
        if line.starts_with("#token") && !line.contains("WALKER_TOKEN") {
            text = text.replace("\ntoken_env", "\n#token_env");
        }
        if line.contains("broadcasts") {
            text.push_str("\n[resources.announcements]\nsource = \"embedded\"");
        }
        let secrets = ["JWT_SECRET", "JWT_SECRET_BEFORE", "INTROSPECTION_SECRET", "OPERATOR_TOKEN", "WALKER_TOKEN"]
            .map(|name| (name, "s"));
        Config::from_text("e", &text, &variables(&secrets)).unwrap_or_else(|said| panic!("{line}: {said}"));
    }
}

#[test]
fn the_exchanges_of_the_broker_channel_are_resources() {
    let broker = "sources.b.url = \"amqp://h\"\n";
    let mq = "monorail.mq = { exchanges = [\"x\", \"y\"], tail = { y = 5 } }";
    let config = read(&format!("{broker}{mq}"));
    let [x, y] = &config.resources[..] else { panic!("{:?}", config.resources) };
    let exchange = |resource: &Resource| match &resource.records {
        Records::Exchange(exchange) => exchange.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!((&*x.name, x.keep, x.append_only, &*x.source), ("mq:x", 0, true, "b"));
    assert!(matches!(exchange(x).follow, Follow::Watched { .. }) && exchange(x).patterns.is_empty());
    assert_eq!((y.keep, exchange(y).follow, exchange(y).patterns), (5, Follow::Always, vec!["#".to_owned()]));
    assert!(matches!(&read(mq).resources[0].records, Records::Collection(name) if name == "mq:x"));
}

#[test]
fn a_feed_of_record_events_has_rows_where_it_says_so() {
    let sources = "sources.b.url = \"amqp://h\"\nsources.m.url = \"mongodb://h/d\"\n";
    let text = "[resources.r]\nsource = \"b\"\nexchange = \"x\"\nreading = \"waterline\"\n";
    let config = read(&format!("{sources}{text}rows = \"m\"\ncollection = \"c\"\n"));
    let resource = &config.resources[0];
    assert_eq!(resource.rows, Some(Rows { source: "m".into(), records: Records::Collection("c".into()) }));
    assert!(resource.resource(&[]).is_readable());
    assert!(!config.discovers(&config.sources[0]) && !config.discovers(&config.sources[1]));
    let config = read(&format!("{sources}{text}"));
    assert!(!config.resources[0].resource(&[]).is_readable());
}

#[test]
fn the_environment_overrides_the_file_and_the_command_line_both() {
    let text = "[sources.my-db]\nurl = \"postgres://h/x\"\n[resources.nodes]\nhide = [\"a\"]\n\
                [monorail]\nchannels = { graphObjs = \"x\" }\n";
    let mut overrides = variables(&[
        ("TIDINGS_SOURCES_MY_DB_URL", "postgres://other/x"),
        ("TIDINGS_RESOURCES_NODES_HIDE", "b, c"),
        ("TIDINGS_RESOURCES_NODES_READ", "anyone"),
        ("TIDINGS_MONORAIL_CHANNELS_GRAPHOBJS", "nodes"),
        ("TIDINGS_SERVER_LISTEN", "127.0.0.1:1"),
        ("TIDINGS_LOG_ENTRIES", "7"),
        ("TIDINGS_TEST_ANYTHING", "x"),
        ("TIDINGS_LOG", "debug"),
        ("UNRELATED", "x"),
    ]);
    overrides.options.push(("server.listen", "--listen", "127.0.0.1:2".to_owned()));
    let config = Config::from_text("t", text, &overrides).unwrap();
    assert_eq!(config.sources[0].url, "postgres://other/x");
    assert_eq!(config.resources[0].hide, ["b", "c"]);
    assert_eq!(config.aliases(), [("graphObjs".into(), "nodes".into())]);
    assert_eq!(config.server.listen.port(), 2);
    assert_eq!(config.log.retention.entries, Some(7));
    overrides.options.push(("server.data", "--data", String::new()));
    assert_eq!(mistakes(text, &overrides), "--data: server.data: is empty");
}

#[test]
fn a_source_can_come_from_the_environment_alone() {
    let config = Config::from_text("t", "", &variables(&[("TIDINGS_SOURCES_DB_URL", "postgres://h/x")])).unwrap();
    assert_eq!(config.sources[0].name, "db");
    assert!(config.discovers(&config.sources[0]));
    let named = "[sources.inventory]\nurl = \"postgres://h/x\"";
    let said = mistakes(named, &variables(&[("TIDINGS_SOURCES_INVENTROY_URL", "postgres://h/y")]));
    assert!(said.contains("did you mean \"TIDINGS_SOURCES_INVENTORY_URL\"?"), "{said}");
}

#[test]
fn a_bare_url_serves_the_whole_database_on_loopback_only() {
    let config = Config::for_url("postgres://me:s3cret@h/inventory").unwrap();
    assert_eq!(config.sources[0].name, "inventory");
    assert!(config.discovers(&config.sources[0]));
    let mut overrides = Overrides { urls: vec!["postgres://h/inventory".to_owned()], ..Overrides::default() };
    overrides.options.push(("server.listen", "--listen", ":9100".to_owned()));
    assert!(mistakes("", &overrides).starts_with("--listen: server.listen: "), "{}", mistakes("", &overrides));
    overrides.options.push(("server.open", "--open", "true".to_owned()));
    Config::from_text("t", "", &overrides).unwrap();
    let said = Config::for_url("mysql://me:s3cret@h/x").unwrap_err().to_string();
    assert!(said.starts_with("mysql://me:***@h/x: "), "{said}");
}

#[test]
fn a_channel_path_leads_to_its_resource_by_its_last_name() {
    let config = read(
        "[resources.a]\naliases = [\"b\"]\n[channels.\"/x/c/\"]\nresource = \"a\"\n[channels.\"/y/a\"]\nresource = \"a\"",
    );
    assert_eq!(config.aliases(), [("b".into(), "a".into()), ("c".into(), "a".into())]);
}

#[test]
fn every_way_of_verifying_can_stand_alone() {
    let only_opaque = read("auth.introspection.url = \"https://h/i\"").auth.unwrap();
    assert!(only_opaque.jwt.is_none() && only_opaque.introspection.is_some());
    let text = "auth.jwt = { algorithm = [\"RS256\", \"ES256\"], jwks_url = \"https://h/k\", issuer = [\"a\", \"b\"] }\n\
                auth.tokens_from = [\"cookie:session\", \"header\"]\nauth.on_expiry = \"downgrade\"\n\
                auth.throttle.failures = \"unlimited\"";
    let config = read(text);
    let auth = config.auth.unwrap();
    assert_eq!((auth.on_expiry, auth.throttle.failures), (OnExpiry::Downgrade, None));
    assert_eq!(auth.tokens_from, ["cookie:session".parse().unwrap(), "header".parse().unwrap()]);
    let jwt = auth.jwt.unwrap();
    assert_eq!((jwt.algorithms.len(), jwt.rules.issuers.len()), (2, 2));
    assert_eq!(config.monorail.auth, Mode::Optional);
}

#[tokio::test]
async fn secrets_are_not_in_debug_output_nor_in_mistakes() {
    let text =
        "[sources.a]\nurl = \"postgres://me:s3cret@h/x\"\n[auth]\njwt = { algorithm = \"HS256\", secret = \"s3cret\" }";
    let config = read(text);
    assert!(!format!("{config:?}").contains("s3cret"), "{config:?}");
    let said = mistakes(&format!("{text}\nx = 1\n[server]\nlisten = 4"), &Overrides::default());
    assert!(!said.contains("s3cret"), "{said}");
    let said = mistakes("sources.a.url = \"postgres://me:s3/cret@h\"", &Overrides::default());
    assert!(!said.contains("cret@"), "{said}");
    assert!(Verifier::new(config.auth.as_ref().unwrap()).is_ok());
}

#[test]
fn units_can_be_combined_with_every_measure() {
    let config = read("[log]\nage = \"90m\"\nbytes = \"1GB\"\n[monorail]\nping_seconds = 0\nwrite_timeout = \"1.5s\"");
    assert_eq!(config.log.retention.age, Some(Duration::from_secs(5400)));
    assert_eq!(config.log.retention.bytes, Some(1_000_000_000));
    assert_eq!(config.monorail.ping, None);
    assert_eq!(config.monorail.write_timeout, Duration::from_millis(1500));
}

const FILE_STORE: &str = "[auth]\njwt = { algorithm = \"HS256\", secret = \"s\" }\n[resources.files]\n[resources.shares]\n\
                          [channels.\"/files\"]\ndialect = \"files\"\n";

#[test]
fn a_file_store_needs_no_more_than_its_files() {
    let config = read(&format!("{FILE_STORE}roles = {{ files = \"files\" }}\napi = false"));
    let [files] = &config.files[..] else { panic!("one file store: {:?}", config.files) };
    assert_eq!((files.role(Part::Files), files.role(Part::Media)), (Some("files"), None));
    assert_eq!((files.prefixes.as_slice(), files.sweep_expired), (&[String::new()][..], None));
    assert_eq!((files.messages(), files.hold), ("files:messages".to_owned(), Duration::from_millis(250)));
    assert!(config.channels.is_empty());
    let more = "prefixes = [\"\", \"/v1\"]\nfields = { \"files.change\" = \"c\", \"files.body\" = \"b\" }\nsweep_expired = \"60s\"";
    let config = read(&format!("{FILE_STORE}roles = {{ files = \"files\" }}\napi = false\n{more}"));
    let files = &config.files[0];
    assert_eq!((files.prefixes[1].as_str(), files.sweep_expired), ("/v1", Some(Duration::from_secs(60))));
    assert_eq!(files.fields(Part::Files).len(), 2);
}

#[test]
fn a_file_store_that_cannot_be_served_is_a_mistake() {
    let own = |more: &str| format!("{FILE_STORE}{more}");
    for (text, wanted) in [
        (own("api = false"), "the role files is missing"),
        (own("roles = { files = \"files\" }"), "the API needs the role permissions"),
        (own("api = false\nroles = { files = \"files\", shares = \"shares\" }"), "\"shares\" is no role"),
        (own("api = false\nroles = { files = \"file\" }"), "there is no resource \"file\""),
        (own("api = false\nroles = { files = \"files\" }\nprefixes = \"v1/\""), "a prefix is empty"),
        (
            own("api = false\nroles = { files = \"files\" }\nfields = { \"files.x\" = \"y\" }"),
            "\"files.x\" is no member",
        ),
        (own("api = false\nroles = { files = \"files\" }").replace("/files", "/other"), "a file store is served at"),
        (own("api = false\nroles = { files = \"files\" }").replace("[auth]\njwt", "#"), "there is no [auth]"),
    ] {
        assert_mistake(&text, wanted);
    }
}
