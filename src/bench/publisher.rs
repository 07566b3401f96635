//! Who makes the changes: by HTTP where there is an API, by plain orders to the raw writer.

use crate::bench::message::{self, Mark, RESOURCE};
use crate::bench::raw;
use crate::error::{Error, Kind, Result};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;
use std::thread;

/// Whom a change concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    Everybody,
    One {
        subscriber: usize,
        /// Which of its watches.
        watch: u64,
    },
}

impl To {
    /// The record that is changed: everybody watches all records, one subscriber only its own.
    fn record_id(self) -> String {
        match self {
            To::Everybody => message::record_id(0, 0),
            To::One { subscriber, watch } => message::record_id(subscriber, watch),
        }
    }
}

/// One connection over which changes are made, in order and without waiting for each answer.
pub struct Publisher {
    stream: TcpStream,
    size: usize,
    protocol: Protocol,
}

enum Protocol {
    /// `PUT /api/{resource}/{id}`, pipelined; the answers are read elsewhere, and the first bad one is told.
    Http {
        bad_answer: mpsc::Receiver<String>,
    },
    Raw,
}

impl Publisher {
    /// Will `PUT` records whose messages have `size` bytes.
    ///
    /// # Errors
    /// `Unreachable` when it cannot connect.
    pub fn http(server: SocketAddr, size: usize) -> Result<Publisher> {
        let stream = connect(server)?;
        let answers = stream.try_clone().map_err(broken)?;
        let (told, bad_answer) = mpsc::channel();
        thread::spawn(move || {
            if let Err(error) = read_answers(BufReader::new(answers)) {
                let _ = told.send(error.to_string());
            }
        });
        Ok(Publisher { stream, size, protocol: Protocol::Http { bad_answer } })
    }

    /// Will order messages of `size` bytes.
    ///
    /// # Errors
    /// `Unreachable` when it cannot connect.
    pub fn raw(server: SocketAddr, size: usize) -> Result<Publisher> {
        Ok(Publisher { stream: connect(server)?, size, protocol: Protocol::Raw })
    }

    /// Makes one change.
    ///
    /// # Errors
    /// `Refused` when an earlier change was not accepted; `Unreachable` when the connection is lost.
    pub fn publish(&mut self, to: To, number: u64) -> Result<()> {
        let id = to.record_id();
        let record = message::record(&id, Mark::now(number), self.size);
        if let Some(complaint) = self.complaint() {
            return Err(complaint);
        }
        match &self.protocol {
            Protocol::Http { .. } => {
                let head = format!(
                    "PUT /api/{RESOURCE}/{id} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                     Content-Length: {}\r\n\r\n",
                    record.len()
                );
                self.stream.write_all((head + &record).as_bytes())
            }
            Protocol::Raw => {
                let to = match to {
                    To::Everybody => raw::EVERYBODY,
                    To::One { subscriber, .. } => subscriber as u32,
                };
                self.stream.write_all(&raw::order(to, &message::item(&id, &record)))
            }
        }
        .map_err(broken)
    }

    /// What the server had against an earlier change, if that was not told yet.
    pub fn complaint(&self) -> Option<Error> {
        match &self.protocol {
            Protocol::Http { bad_answer } => {
                let why = bad_answer.try_recv().ok()?;
                Some(Error::new(Kind::Refused, format!("a change was not accepted: {why}")))
            }
            Protocol::Raw => None,
        }
    }
}

impl Drop for Publisher {
    /// Ends the thread that reads the answers, too.
    fn drop(&mut self) {
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
    }
}

fn connect(server: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(server).map_err(broken)?;
    stream.set_nodelay(true).map_err(broken)?;
    Ok(stream)
}

fn broken(error: io::Error) -> Error {
    Error::because(Kind::Unreachable, "the connection that makes the changes is lost", error)
}

/// Reads answers until the end; an error is the first that is not a success, or not understood.
fn read_answers(mut answers: impl BufRead) -> io::Result<()> {
    let mut line = String::new();
    loop {
        line.clear();
        if answers.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let status = line.trim_end().to_owned();
        let mut length = 0;
        while !line.trim_end().is_empty() {
            line.clear();
            answers.read_line(&mut line)?;
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
        }
        let mut body = Vec::new();
        answers.by_ref().take(length).read_to_end(&mut body)?;
        if !status.starts_with("HTTP/1.1 2") {
            return Err(io::Error::other(format!("{status}: {}", String::from_utf8_lossy(&body))));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_no_success_is_told_with_its_body() {
        let good = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 204 No Content\r\n\r\n";
        read_answers(good.as_bytes()).expect("two successes");
        let bad = good.to_owned() + "HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\nnone";
        let error = read_answers(bad.as_bytes()).expect_err("the third is none");
        assert_eq!(error.to_string(), "HTTP/1.1 404 Not Found: none");
    }
}
