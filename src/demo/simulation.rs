//! The data centre, step by step. The same seed and the same times give the same writes; the world is bounded.

use crate::demo::DemoWrite;
use crate::demo::plant::{self, CATALOGS, Node, SKUS};
use crate::demo::workflow::{DISCOVERY, Graph, ROUTINE, State, Workflow};
use crate::event::Timestamp;
use crate::store::Write;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use std::collections::VecDeque;

/// At most so many workflows go on at once, and so many are remembered in all.
const RUNNING: usize = 6;
const REMEMBERED: usize = 40;
/// At most so many machines are away at once.
const AWAY: usize = 2;

const TAGS: [&str; 6] = ["ready", "production", "maintenance", "reserved", "burned-in", "quarantine"];

/// The simulated data centre.
pub struct Simulation {
    chance: StdRng,
    nodes: Vec<Node>,
    /// Machines that were unplugged, the longest away first.
    away: VecDeque<Node>,
    workflows: VecDeque<Workflow>,
    /// What the step has done so far.
    writes: Vec<DemoWrite>,
    time: String,
}

impl Simulation {
    /// A data centre out of this seed.
    pub fn new(seed: u64) -> Simulation {
        let mut chance = StdRng::seed_from_u64(seed);
        let nodes = plant::nodes(&mut chance);
        Simulation {
            chance,
            nodes,
            away: VecDeque::new(),
            workflows: VecDeque::new(),
            writes: Vec::new(),
            time: String::new(),
        }
    }

    /// Everything that is there before anything happens.
    pub fn seed(&mut self, now: Timestamp) -> Vec<DemoWrite> {
        self.time = now.to_string();
        for index in 0..SKUS.len() {
            self.write("skus", plant::sku_id(index), Write::Put(plant::sku(index, &self.time)));
        }
        for node in self.nodes.clone() {
            self.write("nodes", node.id.clone(), Write::Put(node.record(&self.time)));
            if node.is_server() {
                CATALOGS.iter().for_each(|source| self.catalog(&node, source));
            }
        }
        self.log("info", "Server", "Services.Core", format!("{} nodes are under management", self.nodes.len()));
        std::mem::take(&mut self.writes)
    }

    /// What happens next: a few writes that belong together.
    pub fn step(&mut self, now: Timestamp) -> Vec<DemoWrite> {
        self.time = now.to_string();
        let running = self.workflows.iter().filter(|workflow| !workflow.state.is_over()).count();
        match self.chance.random_range(0..100) {
            0..50 if running > 0 => self.advance(),
            0..65 if running < RUNNING => self.start_routine(),
            0..82 => self.read_sensors(),
            82..95 => self.tag(),
            95..98 if !self.away.is_empty() => self.plug(),
            _ if self.away.len() < AWAY => self.unplug(),
            _ => self.plug(),
        }
        self.forget();
        std::mem::take(&mut self.writes)
    }

    fn advance(&mut self) {
        let open: Vec<usize> = (0..self.workflows.len()).filter(|at| !self.workflows[*at].state.is_over()).collect();
        let Some(at) = self.pick(&open).copied() else { return };
        let fails = self.chance.random_ratio(1, 25);
        let before = self.workflows[at].state;
        let changes = self.workflows[at].advance(fails, &self.time);
        let Workflow { id, graph, node, state } = self.workflows[at].clone();
        self.write("workflows", id, Write::MergePatch(changes));
        let task = |index: usize| graph.tasks.get(index).copied().unwrap_or_default();
        let (level, message) = match (before, state) {
            (State::Running(index), State::Failed) => {
                ("error", format!("{} failed: task {} did not answer in time", graph.name, task(index)))
            }
            (_, State::Succeeded) => ("info", format!("{} succeeded", graph.name)),
            (_, State::Running(index)) => ("debug", format!("{}: task {} runs", graph.name, task(index))),
            (_, State::Pending | State::Failed) => return,
        };
        self.log(level, &node, "Task.Graph", message);
        if graph.name == DISCOVERY.name {
            self.discover(&node, before, state);
        }
    }

    /// A machine is catalogued by the tasks of its discovery, and known at the end; a failed one is tried again.
    fn discover(&mut self, id: &str, before: State, state: State) {
        let Some(at) = self.nodes.iter().position(|node| node.id == id) else { return };
        let done = match before {
            _ if state == State::Failed => return self.start(&DISCOVERY, id.to_owned()),
            State::Running(task) => DISCOVERY.tasks.get(task).copied().unwrap_or_default(),
            _ => return,
        };
        if let Some(source) = CATALOGS.iter().find(|source| done.strip_prefix("catalog-") == Some(source)) {
            let node = self.nodes[at].clone();
            self.catalog(&node, source);
        }
        if state == State::Succeeded {
            let node = &mut self.nodes[at];
            node.known = true;
            node.tags = vec!["ready"];
            let changes = json!({"sku": plant::sku_id(node.sku), "tags": node.tags, "updatedAt": self.time});
            self.write("nodes", id.to_owned(), Write::MergePatch(changes));
        }
    }

    fn start_routine(&mut self) {
        let busy = |node: &Node| self.workflows.iter().any(|it| it.node == node.id && !it.state.is_over());
        let idle: Vec<String> = self
            .nodes
            .iter()
            .filter(|node| node.is_server() && node.known && !busy(node))
            .map(|node| node.id.clone())
            .collect();
        let graph = self.chance.random_range(0..ROUTINE.len());
        if let Some(node) = self.pick(&idle).cloned() {
            self.start(&ROUTINE[graph], node);
        }
    }

    fn start(&mut self, graph: &'static Graph, node: String) {
        let workflow = Workflow { id: plant::uuid(&mut self.chance), graph, node, state: State::Pending };
        let record = workflow.record(&plant::node_id(&mut self.chance), &self.time);
        self.write("workflows", workflow.id.clone(), Write::Put(record));
        self.log("info", &workflow.node, "Task.Graph", format!("{} is asked for", graph.name));
        self.workflows.push_back(workflow);
    }

    fn read_sensors(&mut self) {
        let known: Vec<Node> = self.nodes.iter().filter(|node| node.is_server() && node.known).cloned().collect();
        let Some(node) = self.pick(&known).cloned() else { return };
        let fresh = node.catalog("bmc", &mut self.chance, &self.time);
        let changes = json!({"data": fresh["data"], "updatedAt": self.time});
        self.write("catalogs", node.catalog_id("bmc"), Write::MergePatch(changes));
        if fresh["data"]["inletCelsius"].as_i64() >= Some(26) {
            self.log("warning", &node.id, "Poller.Ipmi", format!("{}: the air at the inlet is warm", node.name));
        }
    }

    fn tag(&mut self) {
        let tag = TAGS[self.chance.random_range(0..TAGS.len())];
        let at = self.chance.random_range(0..self.nodes.len());
        let node = &mut self.nodes[at];
        match node.tags.iter().position(|own| *own == tag) {
            Some(index) => _ = node.tags.remove(index),
            None => node.tags.push(tag),
        }
        let (id, changes) = (node.id.clone(), json!({"tags": node.tags, "updatedAt": self.time}));
        self.write("nodes", id, Write::MergePatch(changes));
    }

    /// A server leaves, with its catalogs; its workflows remain, without it.
    fn unplug(&mut self) {
        let servers: Vec<usize> =
            (0..self.nodes.len()).filter(|at| self.nodes[*at].is_server() && self.nodes[*at].known).collect();
        let Some(at) = self.pick(&servers).copied() else { return };
        let node = self.nodes.remove(at);
        self.write("nodes", node.id.clone(), Write::Delete);
        CATALOGS.iter().for_each(|source| self.write("catalogs", node.catalog_id(source), Write::Delete));
        for mut workflow in std::mem::take(&mut self.workflows) {
            if workflow.node == node.id {
                let mut changes = json!({"node": null, "updatedAt": self.time});
                if !workflow.state.is_over() {
                    workflow.state = State::Failed;
                    changes["_status"] = "cancelled".into();
                }
                self.write("workflows", workflow.id.clone(), Write::MergePatch(changes));
            }
            self.workflows.push_back(workflow);
        }
        self.log("warning", &node.id, "Poller.Ipmi", format!("{} does not answer and is removed", node.name));
        self.away.push_back(node);
    }

    /// The server that was away longest comes back and is discovered anew.
    fn plug(&mut self) {
        let Some(before) = self.away.pop_front() else { return };
        let node = Node { id: plant::node_id(&mut self.chance), known: false, tags: Vec::new(), ..before };
        self.write("nodes", node.id.clone(), Write::Put(node.record(&self.time)));
        self.log("info", &node.id, "Http.Dhcp", format!("{} asks for an address: {}", node.name, node.mac));
        self.start(&DISCOVERY, node.id.clone());
        self.nodes.push(node);
    }

    /// Lets go of the oldest workflows that are over.
    fn forget(&mut self) {
        while self.workflows.len() > REMEMBERED
            && let Some(at) = self.workflows.iter().position(|workflow| workflow.state.is_over())
            && let Some(workflow) = self.workflows.remove(at)
        {
            self.write("workflows", workflow.id, Write::Delete);
        }
    }

    fn catalog(&mut self, node: &Node, source: &str) {
        let record = node.catalog(source, &mut self.chance, &self.time);
        self.write("catalogs", node.catalog_id(source), Write::Put(record));
    }

    fn log(&mut self, level: &str, subject: &str, module: &str, message: String) {
        let line: Value = json!({
            "level": level, "message": message, "subject": subject, "timestamp": self.time,
            "name": "data-centre", "host": "controller-1", "module": module,
        });
        self.write("logs", String::new(), Write::Append(line));
    }

    fn write(&mut self, resource: &'static str, id: String, write: Write) {
        self.writes.push(DemoWrite { resource, id, write });
    }

    fn pick<'a, T>(&mut self, among: &'a [T]) -> Option<&'a T> {
        if among.is_empty() { None } else { among.get(self.chance.random_range(0..among.len())) }
    }
}
