//! The simulation, looked at from its writes.

use super::*;
use crate::event::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};

/// What a store holds after the writes; a write that cannot be is a failure.
#[derive(Default)]
struct World {
    records: BTreeMap<(&'static str, String), Value>,
    lines: Vec<Value>,
}

impl World {
    fn take(&mut self, writes: Vec<DemoWrite>) {
        for DemoWrite { resource, id, write } in writes {
            let at = (resource, id);
            match write {
                Write::Put(record) => _ = self.records.insert(at, record),
                Write::MergePatch(patch) => {
                    let record = self.records.get_mut(&at).unwrap_or_else(|| panic!("{at:?} is not there"));
                    json_patch::merge(record, &patch);
                }
                Write::Delete => assert!(self.records.remove(&at).is_some(), "{at:?} is not there"),
                Write::Append(line) => self.lines.push(line),
                Write::JsonPatch(_) => panic!("the simulation makes none"),
            }
        }
    }

    fn of(&self, resource: &str) -> Vec<&Value> {
        self.records.iter().filter(|((name, _), _)| *name == resource).map(|(_, record)| record).collect()
    }
}

/// A world after this many steps, looked at after each.
fn live(steps: i64, mut look: impl FnMut(&World)) -> World {
    let mut simulation = Simulation::new(1);
    let mut world = World::default();
    world.take(simulation.seed(Timestamp(0)));
    for step in 1..=steps {
        world.take(simulation.step(Timestamp(step)));
        look(&world);
    }
    world
}

#[test]
fn it_begins_with_a_whole_data_centre() {
    let world = live(0, |_| {});
    assert_eq!((world.of("nodes").len(), world.of("skus").len(), world.of("catalogs").len()), (40, 5, 84));
    assert!(world.records.contains_key(&("nodes", plant::FIRST_RACK.to_owned())));
}

#[test]
fn the_same_seed_gives_the_same_world() {
    let text = |world: World| format!("{:?} {:?}", world.records, world.lines);
    assert_eq!(text(live(500, |_| {})), text(live(500, |_| {})));
}

#[test]
fn the_world_stays_bounded_and_every_reference_holds() {
    live(5_000, |world| {
        let nodes: HashSet<&str> = world.of("nodes").iter().filter_map(|node| node["id"].as_str()).collect();
        let skus: HashSet<&str> = world.of("skus").iter().filter_map(|sku| sku["id"].as_str()).collect();
        assert!((38..=40).contains(&nodes.len()));
        assert!(world.of("workflows").len() <= 41);
        assert!(world.of("catalogs").iter().all(|it| nodes.contains(it["node"].as_str().unwrap())));
        assert!(world.of("workflows").iter().all(|it| it["node"].as_str().is_none_or(|node| nodes.contains(node))));
        assert!(world.of("nodes").iter().all(|it| it["sku"].as_str().is_none_or(|sku| skus.contains(sku))));
        assert!(nodes.contains(plant::FIRST_RACK));
    });
}

#[test]
fn everything_happens_that_there_is_to_see() {
    let (mut states, mut least) = (HashSet::new(), 40);
    let world = live(2_000, |world| {
        states.extend(world.of("workflows").iter().map(|it| it["_status"].as_str().unwrap().to_owned()));
        least = least.min(world.of("nodes").len());
    });
    for state in ["pending", "running", "succeeded", "failed", "cancelled"] {
        assert!(states.contains(state), "{state}");
    }
    assert!(least < 40, "no node ever left");
    for level in ["debug", "info", "warning", "error"] {
        assert!(world.lines.iter().any(|line| line["level"] == level), "{level}");
    }
    let found = world.lines.iter().filter(|line| line["message"] == "Discovery succeeded").count();
    assert!(found > 5, "{found} nodes were discovered");
}

#[test]
fn the_welcome_names_the_address_and_a_node_that_is_there() {
    let text = welcome("tidings", "127.0.0.1:9100", &scenes(), |subject| format!("<{subject}>"));
    let socket = "ws://127.0.0.1:9100/files/orders?alt=media&token=<bob>";
    for part in ["http://127.0.0.1:9100/", "tidings tail ws://127.0.0.1:9100", plant::FIRST_RACK, socket] {
        assert!(text.contains(part), "{part}");
    }
}

#[test]
fn the_configuration_of_the_demo_is_in_order() {
    let variables = [(SECRET.to_owned(), "s".to_owned())].into();
    let overrides = crate::config::Overrides { variables, ..Default::default() };
    let config = crate::config::Config::from_text("demo", &config_text(), &overrides).unwrap();
    let names: Vec<_> = config.resources.iter().map(|resource| resource.name.as_str()).collect();
    for name in ["nodes", "skus", "catalogs", "workflows", "logs"] {
        assert!(names.contains(&name), "{name}");
    }
    assert!(config.aliases().contains(&("graphObjs".into(), "workflows".into())));
}
