//! What is wrong with a configuration is told at once, with its place.

use super::*;

#[test]
fn every_mistake_is_listed_at_once_with_its_line() {
    let text = "[server]\nlisten = 9100\nlissten = \"x\"\n[sources.inventory]\nurl = \"mysql://h/x\"\npoll = 5\n\
                [resources.nodes]\nsource = \"inventroy\"\nraed = \"anyone\"\n[monorial]\n";
    assert_eq!(
        mistakes(text, &variables(&[("TIDINGS_SERVER_OPNE", "true"), ("TIDINGS_LOG_AGE", "soon")])),
        "TIDINGS_LOG_AGE: log.age: \"soon\" is not a duration: a number with a unit (ms, s, m, h, d), like \"10s\"\n\
         TIDINGS_SERVER_OPNE: there is no such setting; did you mean \"TIDINGS_SERVER_OPEN\"?\n\
         t.toml:2: server.listen: a number is given, a text is wanted\n\
         t.toml:3: server.lissten: there is no such key; did you mean \"listen\"?\n\
         t.toml:5: sources.inventory.url: \"mysql\" is not followed by this version, which follows Postgres, MongoDB, \
         RabbitMQ and the embedded store\n\
         t.toml:6: sources.inventory.poll: \"5\" is not a duration: a number with a unit (ms, s, m, h, d), like \"10s\"\n\
         t.toml:8: resources.nodes.source: \"inventroy\" is given, one of \"inventory\", \"embedded\" is wanted; did you \
         mean \"inventory\"?\n\
         t.toml:9: resources.nodes.raed: there is no such key; did you mean \"read\"?\n\
         t.toml:10: monorial: there is no such key; did you mean \"monorail\"?"
    );
}

#[test]
fn rules_are_read_and_refused_where_they_cannot_be_kept() {
    let auth = "auth.jwt = { algorithm = \"HS256\", secret = \"s\" }\n";
    let resource =
        |keys: &str| format!("{auth}[resources.a]\n{keys}\n[resources.g]\n[resources.l]\nappend_only = true\n");
    let config = read(&resource(
        "only = { owner = \"$sub\", n = { \">=\" = 2.5 }, at = [1_000, true] }\naudience = \"owner\"\nadmins = [\"x\"]\n\
         shared_by = { resource = \"g\", record = \"r\", group = \"t\" }",
    ));
    let access = &config.resources[0].access;
    assert!(access.is_shared && access.is_limited() && access.audience.len() == 1 && access.admins.len() == 1);
    for (keys, wanted) in [
        ("only = { owner = \"$suub\" }", "t.toml:3: resources.a.only: \"$suub\" stands for nothing"),
        ("only = { owner = \"$suub\" }", "did you mean \"$sub\"?"),
        ("only = { owner = { \"$is\" = 1 } }", "resources.a.only: $is is no operator"),
        ("only = { owner = { \"$lt\" = \"$roles\" } }", "$roles is a list, and $lt takes one value"),
        ("only = 3", "resources.a.only: a filter is an object, not a number"),
        ("only = \"{\"", "resources.a.only: is not JSON"),
        (
            "shared_by = { resource = \"gg\", record = \"r\", subject = \"s\" }",
            "there is no resource \"gg\"; did you mean \"g\"?",
        ),
        ("shared_by = { resource = \"a\", record = \"r\", subject = \"s\" }", "it cannot share out itself"),
        ("shared_by = { resource = \"l\", record = \"r\", subject = \"s\" }", "grants are records"),
        ("shared_by = { resource = \"g\", record = \"r\" }", "names no subject and no group"),
        ("shared_by = { resource = \"g\", subject = \"s\" }", "resources.a.shared_by.record: is missing"),
        ("shared_by = { resource = \"g\", record = \"r\", subjct = \"s\" }", "did you mean \"subject\"?"),
        (
            "append_only = true\nshared_by = { resource = \"g\", record = \"r\", subject = \"s\" }",
            "only records that can be read",
        ),
    ] {
        assert_mistake(&resource(keys), wanted);
    }
    for keys in ["only = { owner = \"$sub\" }", "audience = \"owner\"", "admins = \"x\""] {
        assert_mistake(&format!("[resources.a]\n{keys}\n"), "tells viewers apart, and there is no [auth]");
    }
    read("[resources.a]\nonly = { public = true, price = \"$$1\" }\n");
    let source = "[sources.p]\nurl = \"postgres://h/x\"\n[resources.a]\nnotify = \"c\"\nonly = { public = true }\n";
    assert_mistake(&format!("{source}mapping.id = \"body.id\"\n"), "say where that stands with mapping.before");
    read(&format!("{source}mapping.before = \"body.old\"\n"));
    let channels = |rule: &str| {
        format!(
            "{auth}[resources.a]\n[channels.\"/x/b\"]\nresource = \"a\"\n[channels.\"/y/b\"]\nresource = \"a\"\n{rule}"
        )
    };
    assert_mistake(&channels("only = { owner = \"$sub\" }\n"), "is the same channel as that of");
    assert_eq!(read(&channels("")).narrowed(), []);
}

#[test]
fn what_is_not_toml_is_a_mistake_and_the_rest_is_still_read() {
    let said = mistakes("[server\nopen = 3\n[log]\nage = 4\n", &Overrides::default());
    assert!(said.starts_with("t.toml:1: "), "{said}");
    assert!(said.contains("t.toml:4: log.age"), "{said}");
    for text in
        ["=", "\"", "[a]\n[a]", "x = 1\nx = 2", "\u{0}", "a.b.c = ", "[[sources]]", "server = 4", "sources.x = []"]
    {
        mistakes(text, &Overrides::default());
    }
}

#[test]
fn contradictions_are_mistakes() {
    let auth = "auth.jwt = { algorithm = \"HS256\", secret = \"s\" }\n";
    for (text, wanted) in [
        ("monorail.auth = \"required\"", "t.toml:1: monorail.auth: asks for credentials"),
        ("resources.a.read = [\"admin\"]", "resources.a.read: nobody could read it"),
        ("resources.a.read = \"admin\"", "or a list of roles like [\"admin\"]"),
        ("resources.a.read = []", "nobody could read it"),
        ("resources.a.table = \"x\"", "the embedded store has collections"),
        ("resources.a.keep = 5", "append_only = true"),
        (
            "server.listen = \"0.0.0.0:1\"\nresources.a.id = \"k\"",
            "0.0.0.0:1 is reachable from outside, and anyone may read a;",
        ),
        ("server.tls_cert = \"x\"", "server.tls_cert: tls_key is wanted with it"),
        ("server.origins = [\"example.com\"]", "is not an origin"),
        ("server.gather = \"1s\"", "at most \"20ms\""),
        ("log.bytes = \"unlimited\"", "needs a limit"),
        ("sources.embedded.url = \"postgres://h/x\"", "the name of the embedded store"),
        ("[sources.a]", "sources.a.url: is missing"),
        (
            "sources.a.url = \"postgres://h\"\nsources.b.url = \"postgres://h\"\n[resources.r]",
            "and there are several sources",
        ),
        ("sources.a.url = \"postgres://h\"\nsources.a.capture = \"listen\"", "is a resource with notify"),
        ("sources.a.url = \"postgres://h\"\nsources.a.slot = \"A\"", "only a-z"),
        ("sources.a.url = \"amqp://h\"\n[resources.r]", "resources.r.exchange: is missing"),
        ("sources.a.url = \"amqp://h\"\nresources.r.table = \"x\"", "resources.r.table: a broker has exchanges"),
        ("sources.a.url = \"mongodb://h/d\"\nresources.r.exchange = \"x\"", "only a broker"),
        (
            "sources.a.url = \"mongodb://h/d\"\nresources.r.append_only = true",
            "only a collection of the embedded store",
        ),
        ("sources.a.url = \"postgres://h\"\nresources.r = { notify = \"c\", wal = true }", "not several"),
        (
            "sources.a.url = \"postgres://h\"\nresources.r = { notify = \"c\", append_only = false }",
            "messages are lines",
        ),
        (
            "sources.a.url = \"amqp://h\"\nresources.r = { exchange = \"x\", rows = \"a\" }",
            "only a feed of record events",
        ),
        (
            "sources.a.url = \"amqp://h\"\nresources.r = { exchange = \"x\", reading = \"waterline\", rows = \"b\" }",
            "\"b\" is no Postgres or MongoDB source",
        ),
        (
            "sources.a.url = \"amqp://h\"\nresources.r = { exchange = \"x\", mapping = { id = \"header\" } }",
            "resources.r.mapping.id: \"header\" is no place in a message",
        ),
        ("monorail.mq.tail = { x = 5 }", "\"x\" is not among the exchanges"),
        ("monorail.mq = { source = \"b\", exchanges = [\"x\"] }", "there is no source \"b\""),
        ("[resources.a]\n[resources.b]\naliases = [\"a\"]", "\"a\" is the name of a resource already"),
        ("[resources.a]\naliases = [\"c\"]\n[resources.b]\naliases = [\"c\"]", "already leads to the resource \"a\""),
        (
            "[resources.nodes]\n[monorail]\nchannels = { x = \"node\" }",
            "there is no resource \"node\"; did you mean \"nodes\"?",
        ),
        ("[resources.a]\n[channels.a]\nresource = \"a\"", "begins with \"/\""),
        ("[channels.\"/a\"]\ndialect = \"rest\"", "one of \"monorail\", \"files\", \"cells\""),
        ("[resources.\"a/b\"]", "stands in paths"),
        ("monorail.write_timeout = \"0s\"", "must not be zero"),
        ("[auth]", "auth.jwt.algorithm: is missing"),
        ("auth.jwt = { algorithm = \"none\", secret = \"s\" }", "one of HS256"),
        ("auth.jwt = { algorithm = \"HS256\", secret_env = \"NO\" }", "the variable NO is not set"),
        ("auth.jwt = { algorithm = \"HS256\", secret = \"s\", secret_file = \"f\" }", "one is enough"),
        ("auth.jwt = { algorithm = \"RS256\", secret = \"s\", jwks_url = \"https://h/k\" }", "one is enough"),
        ("auth.jwt = { algorithm = \"RS256\" }", "auth.jwt.secret_env: is missing (or"),
        ("auth.jwt = { algorithm = \"HS256\", jwks_url = \"https://h/k\" }", "known to everybody"),
        ("auth.jwt = { algorithm = [\"HS256\", \"RS256\"], secret = \"s\" }", "not a key of all of these"),
        ("auth.jwt = { algorithm = \"RS256\", jwks_url = \"login\" }", "begins with https://"),
        (
            "auth.jwt = { algorithm = \"RS256\", jwks_file = \"f\", previous_secret = \"s\" }",
            "no secret that it precedes",
        ),
        ("auth.jwt = { algorithm = \"HS256\", secret = \"s\", jwks_refresh = \"1m\" }", "no published keys"),
        ("auth.introspection.cache = \"1s\"", "auth.introspection.url: is missing"),
        ("auth.introspection = { url = \"https://h/i\", client_id = \"c\" }", "a name and a secret"),
        ("auth = { tokens_from = [\"body\"], introspection.url = \"https://h/i\" }", "\"cookie:NAME\" is wanted"),
        ("auth = { on_expiry = \"stay\", introspection.url = \"https://h/i\" }", "one of \"close\""),
        ("auth = { throttle.failures = 0, introspection.url = \"https://h/i\" }", "a whole number from 1"),
    ] {
        assert_mistake(text, wanted);
    }
    let text = format!("{auth}server.listen = \"0.0.0.0:1\"\nresources.a.id = \"k\"");
    assert_eq!(read(&text).resources[0].access.read, Read::Authenticated);
    assert_eq!(read(&text).monorail.auth, Mode::Optional);
    read("server.listen = \"0.0.0.0:1\"\nserver.open = true\nresources.a.id = \"k\"");
}
