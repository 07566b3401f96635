//! A simulated data centre: something to watch before a database is connected, or to feed databases with.

pub mod files;
mod plant;
mod run;
mod simulation;
#[cfg(test)]
mod tests;
mod workflow;

use run::write;
pub use run::{Existing, furnish, run};
pub use simulation::Simulation;

use crate::store::Write;

/// The resources that the simulation writes, those that others refer to first.
pub const RESOURCES: [&str; 5] = ["skus", "nodes", "catalogs", "workflows", "logs"];

/// One write that the simulation makes; an empty id is one that the log gives.
#[derive(Debug, Clone)]
pub struct DemoWrite {
    pub resource: &'static str,
    pub id: String,
    pub write: Write,
}

/// The configuration that the demo runs with.
pub fn config_text() -> &'static str {
    include_str!("demo.toml")
}

/// What is printed at the start, for a server at this address (`127.0.0.1:9100`) that was started as `program`.
pub fn welcome(program: &str, address: &str) -> String {
    format!(
        r#"A simulated data centre is running. See it live: http://{address}/

Three things to try in another terminal:

  # every switch, and one change that everybody who watches sees at once
  curl -G http://{address}/api/nodes --data-urlencode 'filter={{"type":"switch"}}'
  curl -X PATCH http://{address}/api/nodes/{node} \
       -H 'Content-Type: application/merge-patch+json' -d '{{"tags":["seen"]}}'

  # the workflows that run now, and each of their steps
  {program} tail ws://{address} workflows '{{"_status":"running"}}' --initial

  # what they log, line by line
  {program} tail ws://{address} logs --initial

Any WebSocket client will do as well: send {{"handler":"watch","initial":true}} to ws://{address}/nodes.
Ctrl-C ends it.
"#,
        node = plant::FIRST_RACK,
    )
}
