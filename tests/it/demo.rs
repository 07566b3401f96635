//! The first minute: `tidings demo`, as a newcomer meets it.

use crate::broker::Broker;
use crate::mongodb::Mongo;
use crate::postgres::Database;
use crate::socket::{Heard, PATIENCE, Socket};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// A running program, ended with this.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A running demo.
struct Demo {
    running: Running,
    address: String,
    /// All that it printed, up to the line that says how to end it.
    welcome: String,
}

impl Demo {
    fn start() -> Demo {
        Demo::start_with(&[])
    }

    fn start_with(more: &[&str]) -> Demo {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidings"));
        command.args(["demo", "--listen", "127.0.0.1:0", "--quiet"]).args(more);
        let child = command.stdout(Stdio::piped()).spawn();
        let mut running = Running(child.expect("the program starts"));
        let mut said = BufReader::new(running.0.stdout.take().expect("its output"));
        let welcome = in_time("the welcome", move || {
            let mut welcome = String::new();
            while !welcome.contains("\nCtrl-C") {
                assert_ne!(said.read_line(&mut welcome).expect("text"), 0, "it ended: {welcome}");
            }
            welcome
        });
        let address = welcome.split_once("http://").expect("an address").1;
        let address = address.split_once('/').expect("a path").0.to_owned();
        Demo { running, address, welcome }
    }

    /// How it ends; it must within this time.
    fn ended_within(&mut self, time: Duration) -> ExitStatus {
        let end = Instant::now() + time;
        loop {
            if let Some(status) = self.running.0.try_wait().expect("it can be waited for") {
                return status;
            }
            assert!(Instant::now() < end, "it goes on");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// What a thread of its own comes to, which may wait for another program.
fn in_time<T: Send + 'static>(what: &str, act: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(act()));
    receiver.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("{what}: {error}"))
}

/// The lines that a shell can run, those that go on behind a `\` in one.
fn commands(text: &str) -> Vec<String> {
    let joined = text.replace("\\\n", " ");
    let lines = joined.lines().filter_map(|line| line.strip_prefix("  "));
    lines.filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

/// Whether a line says how to talk to a socket: protocol, address, what to send.
fn is_socket(line: &str) -> bool {
    line.split_whitespace().nth(1).is_some_and(|word| word.starts_with("ws://"))
}

#[test]
fn what_the_demo_says_to_try_works_as_printed() {
    let demo = Demo::start();
    let commands: Vec<String> = commands(&demo.welcome).into_iter().filter(|line| !is_socket(line)).collect();
    assert_eq!(commands.len(), 4, "{commands:?}");
    for command in commands {
        let script = format!("exec {command}");
        let child = Command::new("sh").args(["-c", &script]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut running = Running(child.expect("a shell"));
        let mut output = running.0.stdout.take().expect("its output");
        let first = in_time(&command, move || {
            let mut first = [0; 16];
            output.read_exact(&mut first).map(|()| first)
        });
        let first = first.unwrap_or_else(|error| panic!("{command}: {error}"));
        assert!(!first.starts_with(b"{\"error\""), "{command}");
    }
}

#[tokio::test]
async fn every_protocol_of_the_demo_answers_what_the_demo_says_to_send() {
    let demo = Demo::start();
    let lines = commands(&demo.welcome);
    let mut dialects = Vec::new();
    for line in lines.iter().filter(|line| is_socket(line)) {
        let mut words = line.splitn(2, " ws://");
        let (dialect, rest) = (words.next().unwrap_or_default().trim(), words.next().unwrap_or_default());
        let (place, say) = rest.split_once("  ").unwrap_or((rest, ""));
        let mut socket =
            Socket::open(&format!("ws://{place}")).await.unwrap_or_else(|status| panic!("{line}: {status}"));
        if !say.is_empty() {
            socket.say(say).await;
        }
        assert!(matches!(socket.hear().await, Heard::Json(_)), "{line}");
        dialects.push(dialect.to_owned());
    }
    assert_eq!(dialects, ["monorail", "files", "cells", "misakey", "jac"]);
}

#[tokio::test]
async fn ctrl_c_ends_a_demo_at_once_and_well() {
    let mut demo = Demo::start();
    let mut sockets = Vec::new();
    for _ in 0..10 {
        let mut socket = Socket::open(&format!("ws://{}/nodes", demo.address)).await.expect("an upgrade");
        socket.say(r#"{"handler":"watch","initial":true}"#).await;
        assert_eq!(socket.json().await["handler"], "list");
        sockets.push(socket);
    }
    let id = demo.running.0.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().expect("kill runs").success());
    let begin = Instant::now();
    for mut socket in sockets {
        loop {
            match socket.hear().await {
                Heard::Json(_) => {}
                Heard::Close(code, _) => break assert_eq!(code, 1001),
                other => panic!("expected a goodbye, got {other:?}"),
            }
        }
    }
    assert!(demo.ended_within(PATIENCE).success());
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
}

/// The demo of `docker/demo.toml`, with servers of the test's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_data_centre_lives_in_databases_and_a_broker() {
    let (Some(database), Some(mongo), Some(broker)) =
        (Database::create().await, Mongo::create(), Broker::connect().await)
    else {
        return;
    };
    let mut text = std::fs::read_to_string("docker/demo.toml").expect("the configuration of the demo");
    broker.queue("logs");
    for (name, ours) in [
        ("listen = \":9100\"\nopen = true\n", "listen = \"127.0.0.1:0\"\n"),
        ("postgres://tidings:tidings@postgres/inventory", &database.url()),
        ("mongodb://mongodb/plant?directConnection=true", &mongo.url()),
        (
            "amqp://tidings:tidings@rabbitmq/%2f\"",
            &format!("{}\"\nqueue_prefix = \"{}\"", broker.url(), broker.prefix()),
        ),
        ("on.logging", &broker.exchange("logging")),
    ] {
        assert!(text.contains(name), "{name} is not in docker/demo.toml");
        text = text.replace(name, ours);
    }
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), text).expect("a written file");
    let path = file.path().to_str().expect("a path");
    let demo = Demo::start_with(&["--config", path]);
    for (channel, least) in [("nodes", 30), ("skus", 3), ("catalogs", 30)] {
        let mut socket = Socket::open(&format!("ws://{}/{channel}", demo.address)).await.expect("an upgrade");
        socket.say(r#"{"handler":"watch","initial":true}"#).await;
        let list = socket.json().await;
        let count = list["items"].as_array().map_or(0, Vec::len);
        assert!(count >= least, "{count} {channel}");
    }
    let mut socket = Socket::open(&format!("ws://{}/", demo.address)).await.expect("an upgrade");
    for channel in ["nodes", "workflows", "catalogs", "logs"] {
        socket.say(format!(r#"{{"handler":"watch","resource":"{channel}"}}"#)).await;
    }
    let mut waited_for = vec!["nodes", "workflows", "catalogs", "logs"];
    while !waited_for.is_empty() {
        let told = socket.json().await;
        waited_for.retain(|channel| told["resource"] != *channel);
    }
    drop(demo);
    // What is there now is not to be lost by mistake.
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidings"));
    let again = command.args(["demo", "--config", path]).output().expect("it ends");
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(!again.status.success() && said.contains("--wipe"), "{said}");
}

#[tokio::test]
async fn the_page_is_there_and_names_nothing_outside() {
    let demo = Demo::start();
    let answer = reqwest::get(format!("http://{}/", demo.address)).await.expect("an answer");
    assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8");
    assert!(answer.headers()["content-security-policy"].to_str().expect("text").starts_with("default-src 'none'"));
    let page = answer.text().await.expect("text");
    assert!(page.contains("<title>Tidings</title>"));
    for outside in ["src=\"http", "href=\"http", " src=", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
}
