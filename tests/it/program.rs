//! The program as an operator runs it: its arguments, what it prints, its exit code.

use crate::socket::{PATIENCE, Socket};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

/// A file that serves every table of a database, whose changes are captured by triggers.
pub struct OutboxFile {
    directory: tempfile::TempDir,
}

impl OutboxFile {
    pub fn of(url: &str) -> OutboxFile {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let text = format!("[sources.db]\nurl = \"{url}\"\ncapture = \"outbox\"\n");
        std::fs::write(directory.path().join("tidings.toml"), text).expect("it is written");
        OutboxFile { directory }
    }

    pub fn path(&self) -> String {
        self.directory.path().join("tidings.toml").display().to_string()
    }
}

/// What a run that ended left behind.
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// Runs the program to its end.
pub async fn tidings(arguments: &[&str]) -> Ended {
    tidings_with(arguments, &[]).await
}

/// The same, with variables.
pub async fn tidings_with(arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
    let mut command = command(arguments);
    let child = command.envs(variables.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.expect("the program starts");
    let (out, err) = (read(child.stdout.take()), read(child.stderr.take()));
    let status = ended(&mut child).await;
    let text = |reader: thread::JoinHandle<String>| reader.join().expect("it is text");
    Ended { code: status.map(|status| status.code()).unwrap_or_default(), out: text(out), err: text(err) }
}

/// Reads an output to its end.
fn read(output: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    let mut output = output.expect("it is piped");
    thread::spawn(move || {
        let mut text = String::new();
        output.read_to_string(&mut text).expect("it is text");
        text
    })
}

/// Waits for the end; who does not end is killed.
async fn ended(child: &mut Child) -> Option<ExitStatus> {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        if let Some(status) = child.try_wait().expect("it can be waited for") {
            return Some(status);
        }
        sleep(Duration::from_millis(5)).await;
    }
    child.kill().expect("it can be killed");
    child.wait().expect("it can be waited for");
    None
}

/// Nothing of the environment of the tests is meant for it.
fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidings"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("TIDINGS_")) {
        command.env_remove(name);
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

/// The program while it runs.
pub struct Running {
    child: Child,
    said: Arc<Said>,
}

/// What it has written so far, on both outputs.
#[derive(Default)]
struct Said {
    text: Mutex<String>,
    more: Notify,
}

impl Running {
    /// Starts it.
    pub fn start(arguments: &[&str]) -> Running {
        let mut child =
            command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let said = Arc::new(Said::default());
        said.follow(child.stdout.take().expect("it is piped"));
        said.follow(child.stderr.take().expect("it is piped"));
        Running { child, said }
    }

    /// Starts `serve` on a free port, and waits until it serves.
    pub async fn serve(arguments: &[&str]) -> Running {
        let running = Running::start(&[&["serve", "--listen", "127.0.0.1:0"], arguments].concat());
        running.hear("serving").await;
        running
    }

    /// Where it serves, as its log says.
    pub fn address(&self) -> SocketAddr {
        let said = self.said();
        let line = said.lines().find(|line| line.contains("serving")).expect("it serves");
        let (_, address) = line.split_once("127.0.0.1:").expect("it has an address");
        let port: String = address.chars().take_while(char::is_ascii_digit).collect();
        format!("127.0.0.1:{port}").parse().expect("an address")
    }

    /// Everything that it has written.
    pub fn said(&self) -> String {
        self.said.text.lock().expect("no writer panics").clone()
    }

    /// Waits until it has written this.
    pub async fn hear(&self, wanted: &str) {
        let heard = async {
            loop {
                let more = self.said.more.notified();
                if self.said().contains(wanted) {
                    return;
                }
                more.await;
            }
        };
        if timeout(PATIENCE, heard).await.is_err() {
            panic!("it never says {wanted:?}, but\n{}", self.said());
        }
    }

    /// Sends it a signal, by its name.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status();
        let status = status.expect("kill starts");
        assert!(status.success(), "{status}");
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> ExitStatus {
        ended(&mut self.child).await.unwrap_or_else(|| panic!("it does not end:\n{}", self.said()))
    }

    /// Asks it to end, and sees it end well.
    pub async fn stop(&mut self) {
        self.signal("TERM");
        let status = self.ended().await;
        assert_eq!(status.code(), Some(0), "{}", self.said());
    }

    /// The URL of a path.
    pub fn http(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    /// The status and the body at a path.
    pub async fn get(&self, path: &str) -> (u16, String) {
        let answer = reqwest::get(self.http(path)).await.expect("an answer");
        (answer.status().as_u16(), answer.text().await.expect("a body"))
    }

    /// The JSON at a path.
    pub async fn json(&self, path: &str) -> Value {
        let (status, body) = self.get(path).await;
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).expect("JSON")
    }

    /// A socket at a path.
    pub async fn socket(&self, path: &str) -> Socket {
        Socket::open(&format!("ws://{}{path}", self.address())).await.expect("an upgrade")
    }

    /// A socket at a path that is told the rows that there are, and then every change.
    pub async fn watch(&self, path: &str) -> (Socket, Vec<Value>) {
        let mut socket = self.socket(path).await;
        socket.say(json!({"handler": "watch", "initial": true}).to_string()).await;
        let list = socket.json().await;
        let items = list["items"].as_array().unwrap_or_else(|| panic!("no list but {list}")).clone();
        (socket, items)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Said {
    fn follow(self: &Arc<Self>, output: impl Read + Send + 'static) {
        let said = self.clone();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let mut text = said.text.lock().expect("no reader panics");
                text.push_str(&line);
                text.push('\n');
                drop(text);
                said.more.notify_waiters();
            }
        });
    }
}
