//! The reference: a server that does nothing but write what it is given to the sockets it has, without HTTP,
//! watches or any thought. What another server costs is measured against it.
//!
//! The publisher's stream is `[to: u32][length: u32][frame]`, where `to` is a subscriber or [`EVERYBODY`].

use crate::error::{Error, Kind, Result};
use crate::frame;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// The address of a message to all subscribers.
pub const EVERYBODY: u32 = u32::MAX;

/// What the raw writer does.
#[derive(Debug, Clone, clap::Args)]
pub struct Plan {
    /// How many subscribers come before the publisher.
    #[arg(long)]
    pub subscribers: usize,
    /// How long messages are gathered and then written at once; 0: each is written by itself.
    #[arg(long, default_value_t = 0)]
    pub gather_ms: u64,
}

/// What it takes for a watch, and answers when it has one.
const READY: &str = r#"{"handler":"barrier","ref":"ready","position":"raw:0"}"#;

/// Serves on a free port of this machine, which is told as `listening PORT`, until the publisher ends.
///
/// # Errors
/// `Internal` when a socket fails.
pub fn run(plan: &Plan, output: impl Write) -> Result<()> {
    serve(plan, output).map_err(|error| Error::because(Kind::Internal, "the raw writer failed", error))
}

fn serve(plan: &Plan, mut output: impl Write) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    writeln!(output, "listening {}", listener.local_addr()?.port())?;
    output.flush()?;
    let mut sockets: Vec<Option<TcpStream>> = Vec::new();
    sockets.resize_with(plan.subscribers, || None);
    for _ in 0..plan.subscribers {
        let (subscriber, stream) = welcome(listener.accept()?.0)?;
        *sockets.get_mut(subscriber).ok_or_else(|| io::Error::other("such a subscriber was not announced"))? =
            Some(stream);
    }
    let sockets: Option<Vec<TcpStream>> = sockets.into_iter().collect();
    let sockets = sockets.ok_or_else(|| io::Error::other("a subscriber came twice"))?;
    let (publisher, _) = listener.accept()?;
    write_all_day(&sockets, publisher, Duration::from_millis(plan.gather_ms))
}

/// Answers a handshake without looking at more than the number in its first line: `GET /events?17 HTTP/1.1`.
fn welcome(mut stream: TcpStream) -> io::Result<(usize, TcpStream)> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(&stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let number = line.split(['?', ' ']).nth(2).and_then(|number| number.parse().ok());
    let number = number.ok_or_else(|| io::Error::other("a request without the subscriber's number"))?;
    while line != "\r\n" {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    drop(reader);
    stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")?;
    stream.read_exact(&mut [0; 1])?;
    let mut ready = Vec::new();
    frame::push_text(&mut ready, READY.as_bytes());
    stream.write_all(&ready)?;
    Ok((number, stream))
}

fn write_all_day(sockets: &[TcpStream], mut publisher: TcpStream, gap: Duration) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    let mut unread = Vec::new();
    let mut gathered = Vec::new();
    let mut written = Instant::now();
    loop {
        if !gap.is_zero() {
            std::thread::sleep(gap.saturating_sub(written.elapsed()));
        }
        let read = publisher.read(&mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        unread.extend_from_slice(&buffer[..read]);
        let mut rest = unread.as_slice();
        while let Some((to, message, after)) = split(rest) {
            rest = after;
            if to != EVERYBODY {
                let mut socket = sockets.get(to as usize).ok_or_else(|| io::Error::other("no such subscriber"))?;
                socket.write_all(message)?;
            } else if gap.is_zero() {
                write_to_each(sockets, message)?;
            } else {
                gathered.extend_from_slice(message);
            }
        }
        let left = rest.len();
        unread.drain(..unread.len() - left);
        write_to_each(sockets, &gathered)?;
        gathered.clear();
        written = Instant::now();
    }
}

fn write_to_each(sockets: &[TcpStream], bytes: &[u8]) -> io::Result<()> {
    if bytes.is_empty() { Ok(()) } else { sockets.iter().try_for_each(|mut socket| socket.write_all(bytes)) }
}

/// The first message of a publisher's stream, and what follows it; `None` while it is torn.
fn split(bytes: &[u8]) -> Option<(u32, &[u8], &[u8])> {
    let (to, rest) = bytes.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let (message, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    Some((u32::from_be_bytes(*to), message, rest))
}

/// What a publisher writes to have a text message sent.
pub fn order(to: u32, message: &str) -> Vec<u8> {
    let mut framed = Vec::new();
    frame::push_text(&mut framed, message.as_bytes());
    [&to.to_be_bytes()[..], &(framed.len() as u32).to_be_bytes(), &framed].concat()
}
