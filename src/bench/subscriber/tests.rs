use super::*;
use crate::bench::publisher::{Publisher, To};
use crate::bench::raw;
use std::io::{BufReader, Lines, PipeReader, PipeWriter};
use std::thread::{self, JoinHandle};

const SECOND: To = To::One { subscriber: 1, watch: 0 };

/// Two subscribers, and a raw writer to serve them.
struct Rig {
    publisher: Publisher,
    tell: PipeWriter,
    said: Lines<BufReader<PipeReader>>,
    ended: JoinHandle<Result<()>>,
}

impl Rig {
    fn start() -> Rig {
        let (told, output) = io::pipe().expect("a pipe");
        thread::spawn(move || raw::run(&raw::Plan { subscribers: 2, gather_ms: 0 }, output));
        let mut line = String::new();
        BufReader::new(told).read_line(&mut line).expect("a line");
        let port: u16 = line.trim().strip_prefix("listening ").expect("a port").parse().expect("a number");
        let server = SocketAddr::from(([127, 0, 0, 1], port));

        let plan = Plan { server, first: 0, count: 2, records: 0 };
        let (commands, tell) = io::pipe().expect("a pipe");
        let (said, output) = io::pipe().expect("a pipe");
        let ended = thread::spawn(move || run(&plan, BufReader::new(commands), output));
        let mut said = BufReader::new(said).lines();
        assert_eq!(next(&mut said), "ready");
        Rig { publisher: Publisher::raw(server, 256).expect("connected"), tell, said, ended }
    }

    fn publish(&mut self, messages: &[(To, u64)]) {
        messages.iter().for_each(|(to, number)| self.publisher.publish(*to, *number).expect("published"));
    }

    fn ask(&mut self, line: &str) -> String {
        writeln!(self.tell, "{line}").expect("told");
        next(&mut self.said)
    }
}

fn next(said: &mut Lines<BufReader<PipeReader>>) -> String {
    said.next().expect("it says something").expect("a line")
}

#[test]
fn every_delivery_is_counted_and_timed() {
    let mut rig = Rig::start();
    rig.publish(&[(To::Everybody, 1), (To::Everybody, 2), (SECOND, 3)]);
    assert_eq!(rig.ask("until 5"), "at 5");
    let latencies = rig.ask("report");
    let counts = latencies.strip_prefix("latencies ").expect("latencies").split(',');
    let counts = counts.map(|pair| pair.split_once(':').expect("a pair").1.parse::<u64>().expect("a count"));
    assert_eq!(counts.sum::<u64>(), 5);
    drop(rig.tell);
    rig.ended.join().expect("a thread").expect("a good end");
}

#[test]
fn a_message_that_is_missing_doubled_or_late_is_a_failure() {
    for (second, why) in [(3, "message 3 came after 1"), (1, "message 1 came after 1")] {
        let mut rig = Rig::start();
        rig.publish(&[(To::Everybody, 1), (SECOND, second)]);
        assert_eq!(next(&mut rig.said), format!("failed subscriber 1: {why}"));
        rig.ended.join().expect("a thread").expect_err("it must not go on");
    }
}

#[test]
fn a_server_that_goes_away_is_a_failure() {
    let mut rig = Rig::start();
    drop(rig.publisher);
    assert!(next(&mut rig.said).ends_with(GONE));
    rig.ended.join().expect("a thread").expect_err("it must not go on");
}
