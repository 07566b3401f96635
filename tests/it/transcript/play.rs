//! Files of transcripts: each transcript is played in a setting of its own, and each file has a test.

use super::{Transcript, World, read, run};
use crate::server;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::timeout;

/// Longer than any transcript takes.
const LONG: Duration = Duration::from_secs(60);

/// What one transcript is played in.
pub trait Setting {
    /// Where it is played.
    type World: World;
    /// What is let go of after the server.
    type Kept;

    /// The configuration of the server.
    fn configuration(&self) -> String;

    /// The world around the server.
    async fn world(self, address: SocketAddr) -> (Self::World, Self::Kept);
}

/// Plays every transcript of a file; tells all that fail. Without a setting nothing is played.
pub async fn play<S: Setting>(dialect: &str, file: &str, setting: impl AsyncFn() -> Option<S>) {
    let transcripts = load(dialect, file);
    let mut failures = Vec::new();
    for transcript in &transcripts {
        let Some(setting) = setting().await else { return };
        let app = server::start(&setting.configuration()).await;
        let (mut world, kept) = setting.world(app.address()).await;
        let played = timeout(LONG, run(&mut world, transcript)).await;
        if let Err(why) = played.unwrap_or_else(|_| Err("it does not end".to_owned())) {
            failures.push(format!("{file}:{why}\n  in \"{}\"", transcript.title));
        }
        drop(world);
        app.stop().await;
        drop(kept);
    }
    assert!(failures.is_empty(), "{} of {} fail\n{}", failures.len(), transcripts.len(), failures.join("\n"));
}

/// Fails when a file of transcripts has no test, or cannot be read.
pub fn assert_all_played(dialect: &str, played: &[&str]) {
    let entries = std::fs::read_dir(directory(dialect)).expect("the transcripts are there");
    for entry in entries {
        let file = entry.expect("a readable directory").file_name().into_string().expect("a plain name");
        assert!(played.contains(&&*file), "{file} has no test");
        assert!(!load(dialect, &file).is_empty(), "{file} has no transcript");
    }
}

fn directory(dialect: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts").join(dialect)
}

fn load(dialect: &str, file: &str) -> Vec<Transcript> {
    let path = directory(dialect).join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    read(&text).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// A test for each file of transcripts of a dialect, and one that none was forgotten.
macro_rules! transcripts {
    ($dialect:literal: $($name:ident: $file:literal, $setting:expr;)*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            $crate::transcript::play($dialect, $file, $setting).await;
        })*

        #[test]
        fn every_file_of_transcripts_is_played_and_readable() {
            $crate::transcript::assert_all_played($dialect, &[$($file),*]);
        }
    };
}

pub(crate) use transcripts;
