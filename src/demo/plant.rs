//! The machines of the simulated data centre and what is known of them.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

/// The key of the first rack; it never leaves, so that examples can name it.
pub(super) const FIRST_RACK: &str = "5c0ffee0000000000000001a";

/// How many racks there are, and how many servers in each.
const RACKS: usize = 4;
const SERVERS: usize = 7;

/// A kind of server: what the catalogs are matched against.
pub(super) struct Sku {
    pub name: &'static str,
    pub vendor: &'static str,
    pub model: &'static str,
    pub cores: u32,
    pub memory: u32,
}

/// The kinds of servers.
pub(super) const SKUS: [Sku; 5] = [
    Sku { name: "compute small", vendor: "Quanta", model: "D51B-1U", cores: 16, memory: 64 },
    Sku { name: "compute large", vendor: "Dell", model: "R640", cores: 40, memory: 384 },
    Sku { name: "memory", vendor: "Dell", model: "R840", cores: 56, memory: 1536 },
    Sku { name: "storage", vendor: "Supermicro", model: "6049P", cores: 20, memory: 192 },
    Sku { name: "accelerated", vendor: "Supermicro", model: "4029GP", cores: 48, memory: 768 },
];

/// What a server is catalogued for.
pub(super) const CATALOGS: [&str; 3] = ["dmi", "lshw", "bmc"];

/// A machine.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub id: String,
    pub name: String,
    pub kind: &'static str,
    pub mac: String,
    pub rack: Option<String>,
    /// Index into `SKUS`: what it is, whether or not that is known already.
    pub sku: usize,
    /// Whether it has been catalogued and matched.
    pub known: bool,
    pub tags: Vec<&'static str>,
}

impl Node {
    /// Whether it runs workflows, and may leave.
    pub fn is_server(&self) -> bool {
        self.kind == "compute"
    }

    /// The whole record.
    pub fn record(&self, time: &str) -> Value {
        let relations = self.rack.iter().map(|rack| json!({"relationType": "enclosedBy", "targets": [rack]}));
        let mut record = json!({
            "id": self.id, "name": self.name, "type": self.kind, "identifiers": [self.mac],
            "autoDiscover": self.is_server(), "relations": relations.collect::<Vec<Value>>(), "tags": self.tags,
            "createdAt": time, "updatedAt": time,
        });
        if self.known && self.is_server() {
            record["sku"] = sku_id(self.sku).into();
        }
        record
    }

    /// The key of one of its catalogs.
    pub fn catalog_id(&self, source: &str) -> String {
        format!("{}-{source}", self.id)
    }

    /// One of its catalogs, as read now.
    pub fn catalog(&self, source: &str, chance: &mut StdRng, time: &str) -> Value {
        let sku = &SKUS[self.sku];
        let data = match source {
            "dmi" => json!({"System Information": {"Manufacturer": sku.vendor, "Product Name": sku.model}}),
            "lshw" => json!({"cores": sku.cores, "memoryGiB": sku.memory, "nics": [self.mac]}),
            _ => json!({
                "power": "on",
                "inletCelsius": chance.random_range(19..27),
                "fanRpm": chance.random_range(52..98) * 100,
                "watts": chance.random_range(180..720),
            }),
        };
        json!({
            "id": self.catalog_id(source), "node": self.id, "source": source, "data": data,
            "createdAt": time, "updatedAt": time,
        })
    }
}

/// The key of a kind of server; the same in every run.
pub(super) fn sku_id(index: usize) -> String {
    uuid(&mut StdRng::seed_from_u64(index as u64))
}

/// The record of a kind of server.
pub(super) fn sku(index: usize, time: &str) -> Value {
    let sku = &SKUS[index];
    json!({
        "id": sku_id(index), "name": sku.name, "version": "1",
        "description": format!("{} {}, {} cores, {} GiB", sku.vendor, sku.model, sku.cores, sku.memory),
        "rules": [{"path": "dmi.System Information.Product Name", "equals": sku.model}],
        "discoveryGraphName": "Graph.Discovery", "createdAt": time, "updatedAt": time,
    })
}

/// All machines, as they are at the beginning.
pub(super) fn nodes(chance: &mut StdRng) -> Vec<Node> {
    let mut nodes = Vec::new();
    for rack in 1..=RACKS {
        let rack_id = if rack == 1 { FIRST_RACK.to_owned() } else { node_id(chance) };
        let mut add = |id: String, name: String, kind, within: Option<String>, chance: &mut StdRng| {
            let sku = chance.random_range(0..SKUS.len());
            nodes.push(Node { id, name, kind, mac: mac(chance), rack: within, sku, known: true, tags: Vec::new() });
        };
        add(rack_id.clone(), format!("rack-{rack}"), "rack", None, chance);
        for (kind, name) in [("switch", format!("switch-{rack}")), ("pdu", format!("pdu-{rack}"))] {
            add(node_id(chance), name, kind, Some(rack_id.clone()), chance);
        }
        for unit in 1..=SERVERS {
            add(node_id(chance), format!("server-{rack}{unit:02}"), "compute", Some(rack_id.clone()), chance);
        }
    }
    nodes
}

/// A key of 24 hexadecimal digits.
pub(super) fn node_id(chance: &mut StdRng) -> String {
    let mut hex = format!("{:032x}", chance.random::<u128>());
    hex.truncate(24);
    hex
}

/// A UUID, version 4, out of this chance.
pub(super) fn uuid(chance: &mut StdRng) -> String {
    uuid::Builder::from_random_bytes(chance.random()).into_uuid().to_string()
}

fn mac(chance: &mut StdRng) -> String {
    let [a, b, c]: [u8; 3] = chance.random();
    format!("52:54:00:{a:02x}:{b:02x}:{c:02x}")
}
