//! What is done to a machine, task after task.

use serde_json::{Map, Value, json};

/// A kind of workflow.
pub(super) struct Graph {
    pub name: &'static str,
    pub injectable_name: &'static str,
    pub tasks: &'static [&'static str],
}

/// What a machine goes through when it is found.
pub(super) const DISCOVERY: Graph = Graph {
    name: "Discovery",
    injectable_name: "Graph.Discovery",
    tasks: &["boot-microkernel", "catalog-dmi", "catalog-lshw", "catalog-bmc", "match-sku"],
};

/// What is done to machines that are known.
pub(super) const ROUTINE: [Graph; 4] = [
    Graph {
        name: "Install Ubuntu 24.04",
        injectable_name: "Graph.InstallUbuntu",
        tasks: &["set-boot-pxe", "reboot", "install-os", "wait-for-callback", "set-boot-disk"],
    },
    Graph {
        name: "Update firmware",
        injectable_name: "Graph.Firmware.Update",
        tasks: &["boot-microkernel", "download", "flash", "reboot", "verify"],
    },
    Graph { name: "Power cycle", injectable_name: "Graph.PowerCycle", tasks: &["power-off", "power-on"] },
    Graph { name: "Burn in", injectable_name: "Graph.BurnIn", tasks: &["stress-cpu", "stress-memory", "report"] },
];

/// A workflow on one machine.
#[derive(Clone)]
pub(super) struct Workflow {
    pub id: String,
    pub graph: &'static Graph,
    /// The machine's key.
    pub node: String,
    pub state: State,
}

/// How far a workflow is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Pending,
    /// The task with this index runs.
    Running(usize),
    Succeeded,
    Failed,
}

impl State {
    /// The word in the record.
    pub fn word(self) -> &'static str {
        match self {
            State::Pending => "pending",
            State::Running(_) => "running",
            State::Succeeded => "succeeded",
            State::Failed => "failed",
        }
    }

    /// Whether nothing more will happen.
    pub fn is_over(self) -> bool {
        matches!(self, State::Succeeded | State::Failed)
    }
}

impl Workflow {
    /// The whole record of one that has not begun.
    pub fn record(&self, internal_id: &str, time: &str) -> Value {
        let tasks: Map<String, Value> =
            self.graph.tasks.iter().map(|task| ((*task).to_owned(), json!({"state": "pending"}))).collect();
        json!({
            "instanceId": self.id, "id": internal_id, "name": self.graph.name,
            "injectableName": self.graph.injectable_name, "domain": "default", "node": self.node,
            "context": {"target": self.node}, "definition": {"tasks": self.graph.tasks}, "tasks": tasks,
            "_status": "pending", "createdAt": time, "updatedAt": time,
        })
    }

    /// Goes one task further, or fails at the one that runs; gives what changes in the record.
    pub fn advance(&mut self, fails: bool, time: &str) -> Value {
        let mut tasks = Map::new();
        let mut set = |index: usize, state: &str| {
            if let Some(task) = self.graph.tasks.get(index) {
                tasks.insert((*task).to_owned(), json!({"state": state}));
            }
        };
        self.state = match self.state {
            State::Pending => {
                set(0, "running");
                State::Running(0)
            }
            State::Running(task) if fails => {
                set(task, "failed");
                State::Failed
            }
            State::Running(task) => {
                set(task, "succeeded");
                set(task + 1, "running");
                if task + 1 < self.graph.tasks.len() { State::Running(task + 1) } else { State::Succeeded }
            }
            over => over,
        };
        json!({"_status": self.state.word(), "tasks": tasks, "updatedAt": time})
    }
}
