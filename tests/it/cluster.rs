//! A Postgres of one test's own, which can be stopped and started.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A running or stopped server.
pub struct Cluster {
    binaries: PathBuf,
    directory: TempDir,
    port: u16,
}

impl Cluster {
    /// Makes one and starts it; where no Postgres is installed it says that the test was skipped.
    pub fn start() -> Option<Cluster> {
        let Some(binaries) = binaries() else {
            println!("skipped: no Postgres is installed below /usr/lib/postgresql");
            return None;
        };
        let directory = tempfile::tempdir().expect("a temporary directory");
        std::fs::set_permissions(directory.path(), Permissions::from_mode(0o777)).expect("others may write there");
        let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let cluster = Cluster { binaries, directory, port: port.expect("a free port").port() };
        cluster.run("initdb", &["--auth=trust", "--username=tidings", "--encoding=UTF8", "--no-sync"]);
        cluster.go_on();
        Some(cluster)
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("postgres://tidings@127.0.0.1:{}/postgres", self.port)
    }

    /// Starts it again.
    pub fn go_on(&self) {
        let options = format!(
            "-p {} -k {} -c listen_addresses=127.0.0.1 -c fsync=off -c wal_level=logical",
            self.port,
            self.directory.path().display()
        );
        let log = self.directory.path().join("log");
        self.run("pg_ctl", &["start", "-w", "-l", &log.display().to_string(), "-o", &options]);
    }

    /// Stops it as an operator would, cutting every connection.
    pub fn stop(&self) {
        self.run("pg_ctl", &["stop", "-w", "-m", "fast"]);
    }

    /// Copies its files, while it is stopped.
    pub fn back_up(&self) {
        self.copy("data", "copy");
    }

    /// Puts the copy in place of its files, while it is stopped.
    pub fn restore(&self) {
        std::fs::remove_dir_all(self.directory.path().join("data")).expect("it is stopped");
        self.copy("copy", "data");
    }

    fn copy(&self, from: &str, to: &str) {
        let at = |name: &str| self.directory.path().join(name);
        let copied = Command::new("cp").arg("-a").args([at(from), at(to)]).status();
        assert!(copied.is_ok_and(|status| status.success()), "{from} is not copied");
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let data = self.directory.path().join("data");
        let mut command = unprivileged(&self.binaries.join(program));
        command.arg("-D").arg(data).args(arguments).current_dir(self.directory.path());
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        assert!(status.is_ok_and(|status| status.success()), "{command:?} failed");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let mut command = unprivileged(&self.binaries.join("pg_ctl"));
        command.arg("-D").arg(self.directory.path().join("data")).args(["stop", "-m", "immediate"]);
        let _ = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

/// Where the newest Postgres is.
fn binaries() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let number = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = versions.filter_map(|entry| Some(entry.ok()?.path())).max_by_key(number)?;
    Some(newest.join("bin")).filter(|binaries| binaries.join("initdb").exists())
}

/// Postgres refuses to run as root.
fn unprivileged(program: &Path) -> Command {
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    if !is_root {
        return Command::new(program);
    }
    let exists = |user: &str| {
        let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        users.lines().any(|line| line.starts_with(&format!("{user}:")))
    };
    let user = if exists("postgres") { "postgres" } else { "nobody" };
    let mut command = Command::new("runuser");
    command.args(["-u", user, "--"]).arg(program);
    command
}
