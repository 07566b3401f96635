use super::place::{Heard, Paths, Query, is_uuid};

fn heard(path: &str, query: &str) -> Option<Heard> {
    let paths = Paths { prefixes: vec![String::new(), "/v1".to_owned()] };
    paths.heard(path, &Query::parse(Some(query)))
}

#[test]
fn every_path_is_found_under_each_prefix_and_name() {
    let file = || Some(Heard::File("K".to_owned()));
    for base in ["/files", "/file", "/v1/files", "/v1/file"] {
        assert_eq!(heard(base, "x=1"), Some(Heard::List), "{base}");
        assert_eq!(heard(&format!("{base}/K"), ""), file());
        assert_eq!(heard(&format!("{base}/K"), "token=t&alt=meta"), file());
        assert_eq!(heard(&format!("{base}/K"), "alt=media&token=t"), Some(Heard::Media("K".to_owned())));
    }
    assert_eq!(heard("/files/a%20b", ""), Some(Heard::File("a b".to_owned())));
}

#[test]
fn other_paths_and_other_alts_are_unknown() {
    for (path, query) in [
        ("/files", "alt=media"),
        ("/files", "alt=meta"),
        ("/files/", ""),
        ("/files/K/", ""),
        ("/files/K/revisions", ""),
        ("/files/K", "alt=other"),
        ("/files/K", "alt"),
        ("/filesystem", ""),
        ("/v2/files", ""),
    ] {
        assert_eq!(heard(path, query), None, "{path}?{query}");
    }
}

#[test]
fn parameters_are_read_as_such() {
    let query = Query::parse(Some("mytoken=x&since=e1%3A4&token=a%2Eb&token=c&positions=1"));
    assert_eq!((query.since.as_deref(), query.positions), (Some("e1:4"), true));
    assert_eq!(Query::parse(None), Query::default());
    assert!(!Query::parse(Some("positions=0")).positions);
}

#[test]
fn a_uuid_of_version_4_is_known_in_any_case() {
    assert!(is_uuid("6ec0bd7f-11c0-43da-975e-2a8ad9ebae0b") && is_uuid("6EC0BD7F-11C0-43DA-975E-2A8AD9EBAE0B"));
    for other in [
        "",
        "S1",
        "6ec0bd7f-11c0-13da-975e-2a8ad9ebae0b",
        "6ec0bd7f-11c0-43da-c75e-2a8ad9ebae0b",
        "6ec0bd7f11c043da975e2a8ad9ebae0b",
    ] {
        assert!(!is_uuid(other), "{other}");
    }
}
