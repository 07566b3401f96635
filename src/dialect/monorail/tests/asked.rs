//! What a client's messages mean.

use super::*;
use crate::dialect::monorail::channel_of_path;
use crate::filter::{Filter, Topic};
use crate::message::{Initial, Page, Since, Stop, View};
use serde_json::json;
use std::time::Duration;

fn filter(of: Value) -> Filter {
    Filter::parse(&of).unwrap()
}

fn query(text: &str) -> (Filter, Page) {
    match request("nodes", text).action {
        Action::Query { filter, page } => (filter, page),
        other => panic!("{text} is {other:?}"),
    }
}

#[test]
fn the_bytes_of_shipped_clients_are_understood() {
    let asked = |channel: &str, text: &str| {
        let request = request(channel, text);
        assert_eq!(request.address.reference, None, "{text}");
        (request.address.channel.to_string(), request.resource.to_string(), request.action)
    };
    let (_, _, action) = asked("nodes", r#"{"handler": "init"}"#);
    assert!(matches!(action, Action::Identify));

    let (channel, resource, action) = asked("nodes", r#"{"handler":"watch"}"#);
    assert_eq!((&*channel, &*resource), ("nodes", "nodes"));
    let Action::Watch(watch) = action else { panic!("{action:?}") };
    assert_eq!((&*watch.params, &watch.filter, watch.view), ("{}", &Filter::All, View::Shared));
    assert_eq!((watch.initial, watch.since, watch.positions, watch.patch), (Initial::None, None, false, false));
    assert_eq!(watch.progress, None);

    let (channel, _, action) = asked("nodes", r#"{"handler":"stop","resource":null,"params":null}"#);
    assert_eq!(channel, "nodes");
    assert!(matches!(action, Action::Stop(Stop::Params(params)) if &*params == "{}"));

    let params = r##""params":{"exchange":"on.logging","routingKey":"#"}}"##;
    let (channel, _, action) = asked("mq", &format!(r#"{{"handler":"stop",{params}"#));
    let Action::Stop(Stop::Params(stopped)) = action else { panic!("{action:?}") };
    assert_eq!(channel, "mq");
    let (channel, resource, action) = asked("mq", &format!(r#"{{"handler":"watch",{params}"#));
    let Action::Watch(watch) = action else { panic!("{action:?}") };
    assert_eq!((&*channel, &*resource), ("mq", "mq:on.logging"));
    assert_eq!((watch.params, watch.view), (stopped, View::Own));

    let (channel, resource, action) = asked("nodes", r#"{"handler":"all","resource":"skus"}"#);
    assert_eq!((&*channel, &*resource), ("skus", "skus"));
    assert!(matches!(action, Action::Query { filter: Filter::All, .. }));
}

#[test]
fn a_resource_overrides_the_path_unless_it_is_left_out() {
    for (resource, channel) in [
        (r#""skus""#, "skus"),
        (r#"" ""#, " "),
        (r#""Nodes""#, "Nodes"),
        ("null", "nodes"),
        (r#""""#, "nodes"),
        ("false", "nodes"),
    ] {
        let text = format!(r#"{{"handler":"query","resource":{resource}}}"#);
        assert_eq!(&*request("nodes", &text).address.channel, channel, "{text}");
    }
    assert_eq!(&*request("", r#"{"handler":"all","resource":"skus"}"#).address.channel, "skus");
}

#[test]
fn params_have_many_forms() {
    for (params, meant) in [
        ("null", json!({})),
        ("{}", json!({})),
        (r#""n1""#, json!({"id": "n1"})),
        (r#""""#, json!({"id": ""})),
        ("7", json!({"id": 7})),
        (r#"["a",7]"#, json!({"id": ["a", 7]})),
        ("[]", json!({"id": []})),
        (r#"[{"a":1},{"b":2}]"#, json!({"$or": [{"a": 1}, {"b": 2}]})),
        (r#"{"type":"compute","rank":{">=":2}}"#, json!({"type": "compute", "rank": {">=": 2}})),
        (r#"{"where":{"a":1},"b":2}"#, json!({"a": 1})),
        (r#"{"where":null,"b":2}"#, json!({})),
        (r#"{"a":1,"limit":2,"skip":3,"sort":"a"}"#, json!({"a": 1})),
    ] {
        let text = format!(r#"{{"handler":"query","params":{params}}}"#);
        assert_eq!(query(&text).0, filter(meant), "{text}");
    }
    assert_eq!(query(r#"{"handler":"query"}"#).0, Filter::All);
}

#[test]
fn paging_stands_in_params_too_and_options_win() {
    let (_, page) = query(r#"{"handler":"query","params":{"where":{"a":1},"limit":2,"skip":3},"options":{"limit":9}}"#);
    assert_eq!((page.limit, page.skip), (Some(9), 3));
    let (all, page) = query(r#"{"handler":"all","params":{"a":1,"limit":2},"options":{"skip":1}}"#);
    assert_eq!((all, page.limit, page.skip), (Filter::All, None, 1));
    assert_eq!(query(r#"{"handler":"all","params":true}"#).0, Filter::All);
}

#[test]
fn a_look_up_gives_its_criteria_back_as_they_came() {
    for params in [r#"{"id":"zz"}"#, r#"{"b": 1.0, "a":[null]}"#, r#""zz""#, "[]"] {
        let text = format!(r#"{{"handler":"get","params":{params}}}"#);
        let Action::Get { criteria, .. } = request("nodes", &text).action else { panic!("{text}") };
        assert_eq!(&*criteria, params);
    }
    for params in [r#"{"id":null}"#, r#"{"id":null,"name":null}"#] {
        let text = format!(r#"{{"handler":"get","params":{params}}}"#);
        assert!(matches!(request("nodes", &text).action, Action::GetNothing), "{text}");
    }
}

#[test]
fn equal_params_have_equal_text() {
    let known = |params: &str| watch("nodes", &format!(r#"{{"handler":"watch","params":{params}}}"#)).params;
    assert_eq!(known(r#"{"type":"c","rank":{">=":2}}"#), known(r#"{"rank":{">=":2.0},"type":"c"}"#));
    assert_eq!(known("null"), known("{}"));
    assert_ne!(known(r#"{"a":["x","y"]}"#), known(r#"{"a":["y","x"]}"#));
    assert_ne!(known(r#"{"a":1}"#), known(r#"{"a":"1"}"#));
    assert_ne!(known(r#""n1""#), known(r#"{"id":"n1"}"#));
}

#[test]
fn a_reference_makes_a_watch_its_own_and_comes_back_as_it_came() {
    for reference in ["1", "1.50", r#""x""#, "false", r#"{"z":1, "a":[2]}"#, r#""\u0061""#] {
        let request = request("nodes", &format!(r#"{{"handler":"watch","ref":{reference}}}"#));
        assert_eq!(&*request.address.reference.unwrap().0, reference);
        let Action::Watch(watch) = request.action else { panic!() };
        assert_eq!(watch.view, View::Own);
    }
    assert_eq!(request("nodes", r#"{"handler":"watch","ref":null}"#).address.reference, None);
}

#[test]
fn a_referenced_stop_ends_that_one_whatever_the_params() {
    for text in [
        r#"{"handler":"stop","ref":1}"#,
        r#"{"handler":"stop","ref":1,"params":true}"#,
        r#"{"handler":"stop","ref":{}}"#,
    ] {
        assert!(matches!(request("nodes", text).action, Action::Stop(Stop::One)), "{text}");
    }
    let malformed = r#"{"handler":"stop","params":{"a":{"$foo":1}}}"#;
    assert!(matches!(request("nodes", malformed).action, Action::Stop(Stop::Params(_))));
}

#[test]
fn the_extensions_of_a_watch_are_read() {
    let text = r#"{"handler":"watch","initial":true,"since":"e1:4","positions":true,"progress":0.2,"patch":true,
                   "options":{"limit":3},"ref":1}"#;
    let watch = super::watch("nodes", text);
    assert_eq!(watch.initial, Initial::Asked);
    assert_eq!(watch.since, Some(Since::Asked(Some("e1:4".parse().unwrap()))));
    assert_eq!((watch.positions, watch.patch), (true, true));
    assert_eq!(watch.progress, Some(Duration::from_secs(1)));
    assert_eq!(watch.page.limit, Some(3));

    let progress = |text: &str| super::watch("nodes", &format!(r#"{{"handler":"watch","progress":{text}}}"#)).progress;
    assert_eq!(progress("1.5"), Some(Duration::from_millis(1500)));
    assert_eq!(progress("-3"), Some(Duration::from_secs(1)));
    assert!(progress("1e300").unwrap() > Duration::from_secs(86_400));

    let none = super::watch("nodes", r#"{"handler":"watch","since":"yesterday"}"#);
    assert_eq!(
        none.since,
        Some(Since::Asked(None)),
        "a text that is no position is answered with a fresh list, not refused"
    );
    let null = r#"{"handler":"watch","since":null,"initial":null,"positions":null,"progress":null,"options":null}"#;
    assert_eq!(super::watch("nodes", null).since, None);
}

#[test]
fn always_initial_gives_a_list_unasked() {
    let dialect = Monorail::always_initial();
    let initial = |text: &str| match dialect.decode(&"nodes".into(), text) {
        Heard::Request(Request { action: Action::Watch(watch), .. }) => watch.initial,
        other => panic!("{other:?}"),
    };
    assert_eq!(initial(r#"{"handler":"watch"}"#), Initial::Unasked);
    assert_eq!(initial(r#"{"handler":"watch","initial":false}"#), Initial::Unasked);
    assert_eq!(initial(r#"{"handler":"watch","initial":true}"#), Initial::Asked);
}

#[test]
fn the_broker_channel_goes_by_exchange_and_pattern() {
    let topic = |words: &[&str]| Filter::Topic(Topic(words.iter().map(|word| (*word).into()).collect()));
    let params = r#""params":{"exchange":"on.events","routingKey":"graph.*.g1","more":1}"#;
    for handler in ["watch", "query", "get"] {
        let request = request("mq", &format!(r#"{{"handler":"{handler}",{params}}}"#));
        assert_eq!((&*request.address.channel, &*request.resource), ("mq", "mq:on.events"));
        let filter = match request.action {
            Action::Watch(watch) => watch.filter,
            Action::Query { filter, .. } | Action::Get { filter, .. } => filter,
            other => panic!("{other:?}"),
        };
        assert_eq!(filter, topic(&["graph", "*", "g1"]));
    }
    let all = request("nodes", r#"{"handler":"all","resource":"mq","options":{"limit":2}}"#);
    assert_eq!(&*all.resource, "mq:*");
    assert!(matches!(all.action, Action::Query { filter: Filter::All, page } if page.limit == Some(2)));

    let more = watch("mq", &format!(r#"{{"handler":"watch",{params}}}"#)).params;
    let less = r#"{"handler":"watch","params":{"exchange":"on.events","routingKey":"graph.*.g1"}}"#;
    assert_ne!(more, watch("mq", less).params, "further keys count for equality");
}

#[test]
fn a_barrier_is_for_the_whole_connection_unless_it_names_a_resource() {
    for (text, channel) in [
        (r#"{"handler":"barrier","ref":1}"#, ""),
        (r#"{"handler":"barrier","ref":1,"resource":null}"#, ""),
        (r#"{"handler":"barrier","ref":1,"resource":"skus"}"#, "skus"),
    ] {
        let request = request("nodes", text);
        assert!(matches!(request.action, Action::Barrier));
        assert_eq!((&*request.address.channel, &*request.resource), (channel, channel));
    }
}

#[test]
fn the_channel_is_the_last_segment_of_the_path() {
    for (path, channel) in [
        ("/nodes", "nodes"),
        ("/a/b/nodes", "nodes"),
        ("/nodes/", "nodes"),
        ("/nodes//", "nodes"),
        ("/nodes?x=1", "nodes"),
        ("/nodes/?x=/a/b/", "nodes"),
        ("/%6eodes", "nodes"),
        ("/Nodes", "Nodes"),
        ("/a%2Fb", "a/b"),
        ("/%ff", "\u{fffd}"),
        ("/%e4%b8%ad", "中"),
        ("/%", "%"),
        ("/", ""),
        ("//", ""),
        ("", ""),
        ("/?nodes", ""),
    ] {
        assert_eq!(channel_of_path(path), channel, "{path}");
    }
}
