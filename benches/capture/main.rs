//! How many changes a second are captured from each source into the log, beside the plainest client that reads the
//! same feed and does nothing with it. Both read the same backlog in the same run, in turns; medians are told.
//!
//! The servers are those of the tests: `TIDINGS_TEST_POSTGRES`, `TIDINGS_TEST_MONGODB`, `TIDINGS_TEST_RABBITMQ`.
//! One that is not named is left out. `cargo bench --bench capture`, or with `-- 20000` for so many changes a round.

mod broker;
mod documents;
mod rows;

use async_trait::async_trait;
use std::time::{Duration, Instant};
use tidings::app::App;
use tidings::config::{Config, Overrides};

/// Changes in a round, where the command line says nothing.
const CHANGES: usize = 50_000;

/// Each round is once the plain client and once this program.
const ROUNDS: usize = 3;

/// A feed of changes, and its plainest client.
#[async_trait]
trait Feed {
    /// What is measured.
    fn name(&self) -> &'static str;

    /// The configuration with which this program follows it.
    fn configuration(&self) -> String;

    /// Notes where the plain client is to begin.
    async fn mark(&mut self);

    /// Makes so many changes.
    async fn fill(&mut self, changes: usize);

    /// Reads so many changes since the mark.
    async fn read(&mut self, changes: usize);

    /// Leaves nothing behind.
    async fn clean(&mut self);
}

#[tokio::main]
async fn main() {
    let changes = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(CHANGES);
    let mut feeds: Vec<Box<dyn Feed>> = Vec::new();
    if let Ok(server) = std::env::var("TIDINGS_TEST_POSTGRES") {
        feeds.push(Box::new(rows::Rows::create(&server, rows::Capture::Slot).await));
        feeds.push(Box::new(rows::Rows::create(&server, rows::Capture::Outbox).await));
    }
    if let Ok(server) = std::env::var("TIDINGS_TEST_MONGODB") {
        feeds.push(Box::new(documents::Documents::create(&server).await));
    }
    if let Ok(server) = std::env::var("TIDINGS_TEST_RABBITMQ") {
        feeds.push(Box::new(broker::Messages::create(&server).await));
    }
    if feeds.is_empty() {
        println!("no server is named: TIDINGS_TEST_POSTGRES, TIDINGS_TEST_MONGODB, TIDINGS_TEST_RABBITMQ");
    } else {
        println!("{:<14} {:>14} {:>14} {:>7}", "changes/s", "plain client", "tidings", "ratio");
    }
    for mut feed in feeds {
        measure(&mut *feed, changes).await;
        feed.clean().await;
    }
}

/// Lets both read the same changes, `ROUNDS` times, and prints the medians.
async fn measure(feed: &mut dyn Feed, changes: usize) {
    let data = tempfile::tempdir().expect("a temporary directory");
    let text = format!("[server]\nlisten = \"127.0.0.1:0\"\ndata = {:?}\ndrain_seconds = 0\n", data.path());
    let text = text + &feed.configuration();
    start(&text).await.stop().await;
    let (mut plain, mut own) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        feed.mark().await;
        feed.fill(changes).await;
        let begun = Instant::now();
        feed.read(changes).await;
        plain.push(begun.elapsed());
        own.push(capture(&text, changes).await);
    }
    let rate = |mut times: Vec<Duration>| {
        times.sort();
        changes as f64 / times[times.len() / 2].as_secs_f64()
    };
    let (plain, own) = (rate(plain), rate(own));
    println!("{:<14} {plain:>14.0} {own:>14.0} {:>7.2}", feed.name(), own / plain);
}

/// How long this program takes, from its start, until the changes are in its log.
async fn capture(text: &str, changes: usize) -> Duration {
    let begun = Instant::now();
    let app = start(text).await;
    let (client, url) = (reqwest::Client::new(), format!("http://{}/metrics", app.address()));
    let logged = async || {
        let report = client.get(&url).send().await.expect("an answer");
        let report = report.text().await.expect("a text");
        let entries = report.lines().filter(|line| line.starts_with("tidings_entries_total"));
        entries.filter_map(|line| line.rsplit_once(' ')?.1.parse::<usize>().ok()).sum::<usize>()
    };
    while logged().await < changes {
        // Seldom enough that counting costs nothing beside what is counted.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let taken = begun.elapsed();
    app.stop().await;
    taken
}

async fn start(text: &str) -> App {
    let config = Config::from_text("bench", text, &Overrides::default()).unwrap_or_else(|wrong| panic!("{wrong}"));
    App::start(config).await.unwrap_or_else(|error| panic!("{}", error.chain()))
}
