//! The process that subscribes: many sockets on one thread, each checking that it gets every message once and
//! in order. It is driven by lines: `until N` is answered with `at N` once so many messages have come, `report`
//! with `latencies …`; it says `ready` by itself, and `failed …` when something is not as it must be.

use crate::bench::latency::Latencies;
use crate::bench::message::{self, RESOURCE};
use crate::bench::server_frames::{self, Frame, Frames};
use crate::error::{Error, Kind, Result};
use std::cell::RefCell;
use std::io::{self, BufRead, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::LocalSet;

/// What one process subscribes to.
#[derive(Debug, Clone, clap::Args)]
pub struct Plan {
    #[arg(long)]
    pub server: SocketAddr,
    /// The number of the first subscriber of this process.
    #[arg(long)]
    pub first: usize,
    #[arg(long)]
    pub count: usize,
    /// How many records of its own each subscriber watches; 0: everything.
    #[arg(long, default_value_t = 0)]
    pub records: u64,
}

/// How many handshakes are under way at a time; a listener's queue is short.
const CONNECTING: usize = 64;

const READ: usize = 64 * 1024;

const GONE: &str = "the server ended the connection";

/// Subscribes, and follows the lines until they end.
///
/// # Errors
/// `Internal` with what was not as it must be; it has been said in a line, too.
pub fn run(plan: &Plan, lines: impl BufRead + Send + 'static, output: impl Write + 'static) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::because(Kind::Internal, "no runtime for the subscribers", error))?;
    let (commands, mut commanded) = mpsc::channel(16);
    std::thread::spawn(move || {
        let mut lines = lines.lines().map_while(io::Result::ok);
        lines.all(|line| commands.blocking_send(line).is_ok())
    });
    let (failures, mut failed) = mpsc::channel(1);
    let tally = Rc::new(RefCell::new(Tally::new(plan.count, output)));
    LocalSet::new().block_on(&runtime, async {
        let connecting = Rc::new(Semaphore::new(CONNECTING));
        for subscriber in plan.first..plan.first + plan.count {
            let socket = Socket::new(subscriber, tally.clone());
            let (plan, connecting, failures) = (plan.clone(), connecting.clone(), failures.clone());
            tokio::task::spawn_local(async move {
                if let Err(why) = socket.follow(&plan, &connecting).await {
                    let _ = failures.try_send(format!("subscriber {subscriber}: {why}"));
                }
            });
        }
        loop {
            tokio::select! {
                line = commanded.recv() => match line {
                    Some(line) => tally.borrow_mut().obey(&line),
                    None => return Ok(()),
                },
                Some(why) = failed.recv() => {
                    tally.borrow_mut().say(&format!("failed {why}"));
                    return Err(Error::new(Kind::Internal, why));
                }
            }
        }
    })
}

/// What all sockets of the process have received.
struct Tally<W> {
    output: W,
    not_ready: usize,
    deliveries: u64,
    until: Option<u64>,
    latencies: Latencies,
    /// One buffer for all sockets: each read is used up before the next.
    buffer: Box<[u8]>,
}

impl<W: Write> Tally<W> {
    fn new(subscribers: usize, output: W) -> Tally<W> {
        Tally {
            output,
            not_ready: subscribers,
            deliveries: 0,
            until: None,
            latencies: Latencies::default(),
            buffer: vec![0; READ].into(),
        }
    }

    fn obey(&mut self, line: &str) {
        if line == "report" {
            let text = std::mem::take(&mut self.latencies).to_text();
            self.say(&format!("latencies {text}"));
        } else if let Some(until) = line.strip_prefix("until ").and_then(|number| number.parse().ok()) {
            self.until = Some(until);
            self.answer_until();
        }
    }

    fn is_ready(&mut self) {
        self.not_ready -= 1;
        if self.not_ready == 0 {
            self.say("ready");
        }
    }

    fn answer_until(&mut self) {
        if let Some(until) = self.until.take_if(|until| *until <= self.deliveries) {
            self.say(&format!("at {until}"));
        }
    }

    /// Whoever no longer listens will end this process; there is nobody else to tell.
    fn say(&mut self, line: &str) {
        let _ = writeln!(self.output, "{line}").and_then(|()| self.output.flush());
    }
}

/// One subscriber.
struct Socket<W> {
    subscriber: usize,
    frames: Frames,
    is_ready: bool,
    /// The number of the last message.
    last: u64,
    /// Where in a message the mark was.
    place: usize,
    tally: Rc<RefCell<Tally<W>>>,
}

impl<W: Write> Socket<W> {
    fn new(subscriber: usize, tally: Rc<RefCell<Tally<W>>>) -> Socket<W> {
        Socket { subscriber, frames: Frames::default(), is_ready: false, last: 0, place: 0, tally }
    }

    /// Connects, watches, and counts for ever.
    async fn follow(mut self, plan: &Plan, connecting: &Semaphore) -> std::result::Result<(), String> {
        let turn = connecting.acquire().await.expect("it is never closed");
        let mut stream = self.connect(plan).await.map_err(|error| format!("cannot subscribe: {error}"))?;
        drop(turn);
        loop {
            stream.readable().await.map_err(|error| error.to_string())?;
            let pongs = self.read(&stream)?;
            stream.write_all(&pongs).await.map_err(|error| error.to_string())?;
        }
    }

    async fn connect(&self, plan: &Plan) -> io::Result<TcpStream> {
        let mut stream = TcpStream::connect(plan.server).await?;
        stream.set_nodelay(true)?;
        // The number after the question mark is for the raw writer, which reads nothing else.
        let subscriber = self.subscriber;
        let request = format!(
            "GET /{RESOURCE}?{subscriber} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            plan.server
        );
        stream.write_all(request.as_bytes()).await?;
        let head = read_head(&mut stream).await?;
        if !head.starts_with("HTTP/1.1 101 ") {
            return Err(io::Error::other(head.lines().next().unwrap_or_default().to_owned()));
        }
        let mut said = Vec::new();
        for record in (0..plan.records).map(|watch| message::record_id(subscriber, watch)) {
            said.extend(server_frames::text(&format!(r#"{{"handler":"watch","params":{{"id":"{record}"}}}}"#)));
        }
        if plan.records == 0 {
            said.extend(server_frames::text(r#"{"handler":"watch"}"#));
        }
        said.extend(server_frames::text(r#"{"handler":"barrier","ref":"ready"}"#));
        stream.write_all(&said).await?;
        Ok(stream)
    }

    /// Takes everything that is there, and returns what must be answered.
    fn read(&mut self, stream: &TcpStream) -> std::result::Result<Vec<u8>, String> {
        let mut tally = self.tally.borrow_mut();
        let mut buffer = std::mem::take(&mut tally.buffer);
        let mut pongs = Vec::new();
        let outcome = loop {
            match stream.try_read(&mut buffer) {
                Ok(0) => break Err(GONE.to_owned()),
                Ok(read) => {
                    let now = message::micros_now();
                    let outcome = self.frames.split(&buffer[..read], |frame| match frame {
                        Frame::Text(text) => {
                            let Some(mark) = message::find_mark(text, &mut self.place) else {
                                if !self.is_ready {
                                    self.is_ready = true;
                                    tally.is_ready();
                                }
                                return Ok(());
                            };
                            if mark.number != self.last + 1 {
                                return Err(format!("message {} came after {}", mark.number, self.last));
                            }
                            self.last = mark.number;
                            tally.deliveries += 1;
                            tally.latencies.add(now.saturating_sub(mark.sent));
                            Ok(())
                        }
                        Frame::Ping(payload) => {
                            pongs.extend(server_frames::pong(payload));
                            Ok(())
                        }
                        Frame::Other(first) => Err(format!("a frame that begins with {first:#x} came")),
                    });
                    if let Err(why) = outcome {
                        break Err(why);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break Ok(pongs),
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => break Err(GONE.to_owned()),
                Err(error) => break Err(error.to_string()),
            }
        };
        tally.buffer = buffer;
        tally.answer_until();
        outcome
    }
}

/// Reads up to the empty line, and nothing of what follows it.
async fn read_head(stream: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
        if head.len() > 16 * 1024 {
            return Err(io::Error::other("the answer to the handshake does not end"));
        }
    }
    String::from_utf8(head).map_err(io::Error::other)
}

#[cfg(test)]
mod tests;
