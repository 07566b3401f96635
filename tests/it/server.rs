//! Servers to test: in this process, or the real program in one of its own that can be killed.

use crate::socket::PATIENCE;
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tidings::app::App;
use tidings::bench::process::own_bytes;
use tidings::config::{Config, Overrides};
use tokio::time::{Instant, sleep};

/// Starts a server in this process; the configuration says where it listens (port 0 is any).
pub async fn start(configuration: &str) -> App {
    let config = Config::from_text("test", configuration, &Overrides::default());
    let config = config.unwrap_or_else(|mistakes| panic!("{mistakes}"));
    App::start(config).await.unwrap_or_else(|error| panic!("{}", error.chain()))
}

/// The program itself, on a port and in a directory that outlive its end.
pub struct Process {
    child: Option<Child>,
    address: SocketAddr,
    directory: TempDir,
}

impl Process {
    /// Starts it, keeping its log and its records on disk, and waits until it is ready. `[server]` is written
    /// here, so the configuration has none.
    pub async fn start(configuration: &str) -> Process {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let data = format!("data = {:?}\n", directory.path().join("data").display().to_string());
        Process::start_in(directory, &data, configuration).await
    }

    /// The same, keeping everything in memory.
    pub async fn start_forgetful(configuration: &str) -> Process {
        Process::start_in(tempfile::tempdir().expect("a temporary directory"), "", configuration).await
    }

    async fn start_in(directory: TempDir, data: &str, configuration: &str) -> Process {
        let address = free_address();
        let server = format!("[server]\nlisten = \"{address}\"\n{data}\n");
        std::fs::write(directory.path().join("tidings.toml"), server + configuration).expect("a written file");
        let mut process = Process { child: None, address, directory };
        process.run().await;
        process
    }

    /// Where it listens, before and after a restart.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Bytes of memory of its own that it holds now.
    pub fn own_bytes(&self) -> u64 {
        let child = self.child.as_ref().expect("it runs");
        own_bytes(child.id()).unwrap_or_else(|error| panic!("{}", error.chain()))
    }

    /// Ends it as a power cut would (kill −9).
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it can be killed");
            child.wait().expect("it can be waited for");
        }
    }

    /// Starts it again, after `kill`, with the same configuration on the same port.
    pub async fn restart(&mut self) {
        self.kill();
        self.run().await;
    }

    async fn run(&mut self) {
        let child = Command::new(env!("CARGO_BIN_EXE_tidings"))
            .arg("serve")
            .arg("--config")
            .arg(self.directory.path().join("tidings.toml"))
            .stdin(Stdio::null())
            .spawn()
            .expect("the program starts");
        self.child = Some(child);
        self.ready().await;
    }

    async fn ready(&mut self) {
        let url = format!("http://{}/readyz", self.address);
        let end = Instant::now() + PATIENCE;
        loop {
            if reqwest::get(&url).await.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            if let Some(status) = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten()) {
                panic!("the program ended: {status}");
            }
            assert!(Instant::now() < end, "the program does not get ready");
            sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// An address that nobody listens on. Somebody else may take it before it is used; that is rare.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("a bound socket has an address")
}
