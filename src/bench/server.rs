//! A server under test: this same program with an embedded store, or the raw writer; each a process of its own.

use crate::bench::child::Child;
use crate::bench::message::RESOURCE;
use crate::bench::process;
use crate::bench::publisher::Publisher;
use crate::error::{Error, Kind, Result};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

/// Which server is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Subject {
    /// This program, serving.
    Tidings,
    /// One plain `send` for each message and subscriber.
    Raw,
    /// What came within 10 ms in one `send` for each subscriber.
    RawGathered,
}

impl Subject {
    /// The name in the report.
    pub fn name(self) -> &'static str {
        match self {
            Subject::Tidings => "tidings",
            Subject::Raw => "raw send",
            Subject::RawGathered => "raw send, gathered",
        }
    }
}

/// How long a server may take to come up.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running server; ends when dropped.
pub struct Server {
    subject: Subject,
    address: SocketAddr,
    process: Child,
    /// Where its configuration and its log are; gone when it is dropped.
    directory: Option<Directory>,
}

impl Server {
    /// Starts a server for so many subscribers.
    ///
    /// # Errors
    /// `Unreachable` when it does not come up, with the end of what it said.
    pub fn start(subject: Subject, subscribers: usize) -> Result<Server> {
        match subject {
            Subject::Tidings => start_tidings(),
            Subject::Raw => start_raw(subject, subscribers, 0),
            Subject::RawGathered => start_raw(subject, subscribers, 10),
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A connection over which changes are made, after every subscriber is there.
    ///
    /// # Errors
    /// `Unreachable` when it cannot connect.
    pub fn publisher(&self, size: usize) -> Result<Publisher> {
        match self.subject {
            Subject::Tidings => Publisher::http(self.address, size),
            Subject::Raw | Subject::RawGathered => Publisher::raw(self.address, size),
        }
    }

    /// CPU seconds used so far.
    ///
    /// # Errors
    /// `Missing` when it has ended.
    pub fn cpu_seconds(&self) -> Result<f64> {
        process::cpu_seconds(self.process.id())
    }

    /// Bytes of memory of its own.
    ///
    /// # Errors
    /// `Missing` when it has ended.
    pub fn own_bytes(&self) -> Result<u64> {
        process::own_bytes(self.process.id())
    }
}

fn start_raw(subject: Subject, subscribers: usize, gather_ms: u64) -> Result<Server> {
    let (subscribers, gather_ms) = (subscribers.to_string(), gather_ms.to_string());
    let words = ["bench", "raw-writer", "--subscribers", &subscribers, "--gather-ms", &gather_ms];
    let mut process = Child::talking(&words)?;
    let line = process.next_line(PATIENCE)?;
    let port = line.strip_prefix("listening ").and_then(|port| port.parse::<u16>().ok());
    let port = port.ok_or_else(|| Error::new(Kind::Internal, format!("the raw writer said {line:?}")))?;
    Ok(Server { subject, address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)), process, directory: None })
}

fn start_tidings() -> Result<Server> {
    let storage = |error: io::Error| Error::because(Kind::Storage, "cannot write the server's configuration", error);
    let directory = Directory::create().map_err(storage)?;
    let address = free_address().map_err(|error| Error::because(Kind::Unreachable, "no port is free", error))?;
    let configuration = format!(
        "[server]\nlisten = \"{address}\"\n\n\
         [resources.{RESOURCE}]\nsource = \"embedded\"\nread = \"anyone\"\nwritable = true\n"
    );
    let path = directory.configuration();
    fs::write(&path, configuration).map_err(storage)?;
    let log = File::create(directory.log()).map_err(storage)?;
    let process = Child::logging(&["serve", "--config", &path.to_string_lossy()], log)?;
    let mut server = Server { subject: Subject::Tidings, address, process, directory: Some(directory) };
    server.wait_until_ready()?;
    Ok(server)
}

impl Server {
    fn wait_until_ready(&mut self) -> Result<()> {
        let started = Instant::now();
        while !answers(self.address) {
            if self.process.has_ended() || started.elapsed() > PATIENCE {
                let said = self.directory.as_ref().map_or_else(String::new, Directory::last_words);
                return Err(Error::new(Kind::Unreachable, format!("the server did not come up: {said}")));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

/// Whether `GET /readyz` is answered with a success.
fn answers(server: SocketAddr) -> bool {
    let ask = || -> io::Result<bool> {
        let mut stream = TcpStream::connect(server)?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.starts_with("HTTP/1.1 2"))
    };
    ask().unwrap_or(false)
}

/// An address that nobody listens on now. Somebody else may take it before the server does; then the server
/// does not come up, and says so.
fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// A directory for one server; removed when dropped.
struct Directory(PathBuf);

impl Directory {
    fn create() -> io::Result<Directory> {
        let path = std::env::temp_dir().join(format!("tidings-bench-{}", uuid::Uuid::new_v4()));
        fs::create_dir(&path)?;
        Ok(Directory(path))
    }

    fn configuration(&self) -> PathBuf {
        self.0.join("tidings.toml")
    }

    fn log(&self) -> PathBuf {
        self.0.join("log")
    }

    /// The last line of the log.
    fn last_words(&self) -> String {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        log.lines().next_back().unwrap_or("it said nothing").to_owned()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
