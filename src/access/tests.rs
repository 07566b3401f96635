//! What rules leave of a resource for whom.

use super::*;
use serde_json::json;

/// Ann, of two workspaces and a team.
fn ann() -> Viewer {
    let claims = json!({"team": "red", "levels": [1, 2, [3]], "org": {"unit": 7}, "a.b": true, "sly": {"$ne": 0}});
    Viewer {
        subject: Some("ann".into()),
        roles: vec!["editor".into()],
        workspaces: vec!["w1".into(), "w2".into()],
        claims: claims.as_object().cloned().unwrap_or_default(),
        ..Viewer::anonymous()
    }
}

fn rule(template: Value) -> Rule {
    Rule::parse(template).unwrap()
}

fn bound(template: Value, viewer: &Viewer) -> Filter {
    rule(template).bind(viewer)
}

fn filter(value: Value) -> Filter {
    Filter::parse(&value).unwrap()
}

#[test]
fn a_reader_is_whom_the_rule_names_and_nobody_else() {
    let viewer = |subject: Option<&str>, roles: &[&str]| Viewer {
        subject: subject.map(Into::into),
        roles: roles.iter().map(|role| (*role).into()).collect(),
        ..Viewer::anonymous()
    };
    let roles = Read::Roles(vec!["admin".into(), "ops".into()]);
    for (viewer, authenticated, by_role) in [
        (viewer(None, &[]), false, false),
        (viewer(None, &["admin"]), false, false),
        (viewer(Some("ann"), &[]), true, false),
        (viewer(Some("ann"), &["Admin", "op"]), true, false),
        (viewer(Some("ann"), &["x", "ops"]), true, true),
    ] {
        assert!(Read::Anyone.admits(&viewer));
        assert_eq!(Read::Authenticated.admits(&viewer), authenticated, "{viewer:?}");
        assert_eq!(roles.admits(&viewer), by_role, "{viewer:?}");
    }
    assert!(!Read::Roles(Vec::new()).admits(&viewer(Some("ann"), &["admin"])));
}

#[test]
fn names_become_what_the_viewer_has() {
    for (template, expected) in [
        (json!({"owner": "$sub"}), json!({"owner": "ann"})),
        (json!({"role": "$roles"}), json!({"role": ["editor"]})),
        (json!({"workspace": {"$in": "$workspaces"}}), json!({"workspace": {"$in": ["w1", "w2"]}})),
        (
            json!({"workspace": {"$in": ["public", "$workspaces", "$sub"]}}),
            json!({"workspace": ["public", "w1", "w2", "ann"]}),
        ),
        (json!({"workspace": {"$nin": "$workspaces"}}), json!({"workspace": {"$nin": ["w1", "w2"]}})),
        (json!({"team": "$claims.team"}), json!({"team": "red"})),
        (json!({"team": {"$in": "$claims.team"}}), json!({"team": "red"})),
        (json!({"level": "$claims.levels"}), json!({"level": [1, 2]})),
        (json!({"unit": {"$gte": "$claims.org.unit"}}), json!({"unit": {"$gte": 7}})),
        (json!({"flag": "$claims.a.b"}), json!({"flag": true})),
        (json!({"owner": {"$ne": "$sub"}}), json!({"owner": {"$ne": "ann"}})),
        (json!({"$or": [{"public": true}, {"owner": "$sub"}]}), json!({"$or": [{"public": true}, {"owner": "ann"}]})),
        (
            json!({"price": "$$12", "tag": ["$$x"], "n": {"$eq": "$$"}}),
            json!({"price": "$12", "tag": ["$x"], "n": "$"}),
        ),
        (json!({"deep": {"by": "$sub"}}), json!({"deep": {"by": "ann"}})),
    ] {
        assert_eq!(bound(template.clone(), &ann()), filter(expected), "{template}");
    }
}

#[test]
fn what_the_viewer_does_not_have_matches_nothing_in_a_negation_too() {
    let nobody = Viewer::anonymous();
    for template in [
        json!({"owner": "$sub"}),
        json!({"owner": {"$ne": "$sub"}}),
        json!({"owner": {"$not": {"$in": ["x", "$sub"]}}}),
        json!({"workspace": {"$nin": "$workspaces"}}),
        json!({"role": {"$in": ["guest", "$roles"]}}),
        json!({"$not": {"owner": "$sub"}}),
        json!({"$nor": [{"owner": "$sub"}, {"secret": true}]}),
        json!({"$not": {"$or": [{"owner": "$sub"}, {"secret": true}]}}),
        json!({"$or": [{"$and": [{"public": true}, {"team": "$claims.team"}]}]}),
        json!({"public": true, "team": "$claims.team"}),
    ] {
        assert_eq!(bound(template.clone(), &nobody), Filter::Nothing, "{template}");
    }
    let template = json!({"$or": [{"public": true}, {"owner": "$sub"}]});
    assert_eq!(bound(template, &nobody), filter(json!({"public": true})));
    // An object is never taken for operators, nor a value of one type for one of another.
    assert_eq!(bound(json!({"n": "$claims.sly"}), &ann()), Filter::Nothing);
    assert_eq!(bound(json!({"n": {"$startsWith": "$claims.org.unit"}}), &ann()), Filter::Nothing);
    assert_eq!(bound(json!({"$not": {"n": {"$gt": "$claims.levels"}}}), &ann()), Filter::Nothing);
}

#[test]
fn what_is_no_rule_is_refused() {
    for (template, sentence) in [
        (json!({"owner": "$subject"}), "\"$subject\" stands for nothing"),
        (json!({"owner": {"$in": ["$user"]}}), "\"$user\" stands for nothing"),
        (json!({"owner": "$claims."}), "\"$claims.\" stands for nothing"),
        (json!({"owner": {"$gt": "$roles"}}), "$roles is a list, and $gt takes one value"),
        (json!({"owner": {"$eq": "$groups"}}), "$groups is a list, and $eq takes one value"),
        (json!({"owner": {"$is": "$sub"}}), "$is is no operator"),
        (json!({"$sub": "owner"}), "$sub is no operator"),
        (json!("$sub"), "a filter is an object"),
        (json!({"owner": {"$in": "ann"}}), "$in takes an array"),
    ] {
        let said = Rule::parse(template.clone()).unwrap_err().to_string();
        assert!(said.contains(sentence), "{template}: {said}");
    }
}

#[test]
fn every_part_of_an_access_narrows_but_for_admins() {
    let access = Access {
        only: Some(rule(json!({"$or": [{"public": true}, {"team": "$claims.team"}]}))),
        audience: vec![Path::parse("owner"), Path::parse("members")],
        admins: vec!["boss".into()],
        ..Access::of(Read::Authenticated)
    };
    assert_eq!(access.bind(&Viewer::anonymous()), None);
    let of_ann = access.bind(&ann()).unwrap();
    let boss = Viewer { roles: vec!["boss".into()], subject: Some("eve".into()), ..Viewer::anonymous() };
    let of_boss = access.bind(&boss).unwrap();
    assert!(of_boss.is_everything() && !of_ann.is_everything());
    for (record, is_seen) in [
        (json!({"public": true, "owner": "ann"}), true),
        (json!({"team": "red", "members": ["bob", "ann"]}), true),
        (json!({"team": "red", "members": ["bob"]}), false),
        (json!({"team": "blue", "owner": "ann"}), false),
        (json!({}), false),
    ] {
        assert_eq!(of_ann.has("r1", &Document::new(record.clone())), is_seen, "{record}");
        assert!(of_boss.has("r1", &Document::new(record)));
    }
    // A channel narrows for everybody.
    let channel = Access { only: Some(rule(json!({"owner": "$sub"}))), ..Access::of(Read::Anyone) };
    let narrowed = of_boss.narrowed(&channel.bind(&boss).unwrap());
    assert!(!narrowed.has("r1", &Document::new(json!({"owner": "ann"}))));
    assert!(narrowed.has("r1", &Document::new(json!({"owner": "eve"}))));
}
