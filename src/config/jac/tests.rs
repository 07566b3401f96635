use super::*;
use crate::config::Overrides;
use crate::dialect::jac::context::Type;

/// A configuration with what is said of the channel.
fn read(more: &str) -> Result<Jac, String> {
    let text =
        format!("[resources.messages]\nsource = \"embedded\"\n[channels.\"/websocket\"]\ndialect = \"jac\"\n{more}");
    let variables =
        [("BACKENDS", " a,, b "), ("WALKER_TOKEN", "t")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let overrides = Overrides { variables: variables.into(), ..Overrides::default() };
    let config = Config::from_text("t.toml", &text, &overrides).map_err(|mistakes| mistakes.to_string())?;
    config.jac.into_iter().next().ok_or_else(|| "there is no channel".to_owned())
}

#[test]
fn the_defaults_let_nobody_push_who_has_shown_nothing() {
    let jac = read("").expect("it is right");
    assert_eq!((jac.push, jac.relay, jac.on_expiry), (MayPush::Authenticated, Relay::None, OnExpiry::Downgrade));
    assert_eq!((jac.max_message, jac.max_targets), (16 << 20, 1000));
    assert_eq!((jac.ping, jac.pong_timeout), (Duration::from_secs(20), Duration::from_secs(20)));
    assert!(jac.service_tokens.is_empty() && jac.walkers.is_empty() && !jac.falls_back_to_header);
    assert_eq!(jac.root_claims, ["root_id", "sub"]);
}

#[test]
fn everything_can_be_said() {
    let jac = read(
        "service_tokens_env = \"BACKENDS\"\nfeeds = [{ resource = \"messages\", to = \"user\", ids = \"a.b\" }]\n\
         [channels.\"/websocket\".walkers.w]\nkind = \"http\"\nurl = \"http://h/\"\ntoken_env = \"WALKER_TOKEN\"\n\
         methods = [\"post\"]\ncontext = { a = \"int?\", b = \"dict\" }",
    );
    let jac = jac.unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let tokens: Vec<_> = jac.service_tokens.iter().map(|token| token.text().to_owned()).collect();
    assert_eq!(
        (tokens, jac.feeds),
        (vec!["a".to_owned(), "b".to_owned()], vec![Feed::new("messages", Kind::User, "a.b")])
    );
    let walker = &jac.walkers[0];
    assert!(walker.methods.post && !walker.methods.websocket);
    let fields = walker.context.as_ref().expect("a context").iter();
    let fields: Vec<_> = fields.map(|field| (field.name.as_str(), field.r#type, field.is_optional)).collect();
    assert_eq!(fields, [("a", Type::Integer, true), ("b", Type::Dictionary, false)]);
    assert!(read("service_tokens_env = \"UNSET\"").expect("no path").service_tokens.is_empty());
}

#[test]
fn whatever_does_not_fit_is_said_at_its_line() {
    let walker = |text: &str| format!("[channels.\"/websocket\".walkers.w]\n{text}");
    for (more, wanted) in [
        ("push = \"everyone\"".to_owned(), "t.toml:5: channels./websocket.push: \"everyone\" is given"),
        ("relay = \"redis:x\"".to_owned(), "\"none\", \"postgres:SOURCE\" or \"rabbitmq:SOURCE\" is wanted"),
        ("relay = \"postgres:app\"".to_owned(), "there is no source \"app\""),
        ("roles = { pushes = \"nothing\" }".to_owned(), "there is no resource \"nothing\""),
        ("roles = { pulses = \"messages\" }".to_owned(), "\"pulses\" is no role"),
        ("feeds = [{ resource = \"messages\", to = \"client\", ids = \"a\" }]".to_owned(), "a list is wanted, like"),
        (
            "feeds = [{ resource = \"others\", to = \"channel\", ids = \"a\" }]".to_owned(),
            "there is no resource \"others\"",
        ),
        ("feeds = 5".to_owned(), "a list is wanted, like"),
        ("max_targets = 0".to_owned(), "a whole number from 1"),
        ("[channels.\"/other\"]\ndialect = \"jac\"".to_owned(), "pushes are served at \"/websocket\""),
        (walker("url = \"http://h/\""), "walkers.w.kind: is missing"),
        (walker("kind = \"http\""), "walkers.w.url: is missing"),
        (walker("kind = \"http\"\nurl = \"ftp://h\""), "begins neither with https:// nor with http://"),
        (walker("kind = \"http\"\nurl = \"http://h\"\ntoken_env = \"UNSET\""), "the variable UNSET is not set"),
        (walker("kind = \"builtin\""), "walkers.w.builtin: is missing"),
        (walker("kind = \"builtin\"\nbuiltin = \"self\"\nsteps = 1"), "a whole number from 2"),
        (walker("kind = \"sql\"\nfunction = \"f\""), "walkers.w.source: is missing"),
        (walker("kind = \"sql\"\nfunction = \"f\"\nsource = \"app\""), "there is no source \"app\""),
        (
            walker("kind = \"builtin\"\nbuiltin = \"self\"\nmethods = [\"get\"]"),
            "\"websocket\" and \"post\" are wanted",
        ),
        (walker("kind = \"builtin\"\nbuiltin = \"self\"\ncontext = { a = \"text\" }"), "a has no type"),
        (walker("kind = \"builtin\"\nbuiltin = \"self\"\nauht = \"optional\""), "did you mean \"auth\"?"),
    ] {
        let said = read(&more).err().unwrap_or_else(|| panic!("{more} is accepted"));
        assert!(said.contains(wanted), "{more}\n  said: {said}\n  wanted: {wanted}");
    }
}
