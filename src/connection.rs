//! One client's socket: reads messages, and has them acted on one after another.

use crate::door::Admission;
use crate::frame::{self, Decoder, Received};
use crate::message::Goodbye;
use crate::shard::{Shard, SocketId};
use crate::talk::{Message, Talk};
use crate::wire::{Detached, Wire};
use bytes::Bytes;
use std::io::{self, ErrorKind};
use std::rc::Rc;

/// A client whose handshake is done.
pub struct Client {
    pub wire: Detached,
    /// What was read of it behind the handshake.
    pub early: Bytes,
    pub admission: Admission,
}

/// Serves a client on its shard's thread, in a task of its own, until it ends.
pub fn serve(shard: &Rc<Shard>, client: Client) {
    let wire = match client.wire.attach() {
        Ok(wire) => Rc::new(wire),
        Err(error) => return tracing::warn!(%error, "a connection was lost on its way to its shard"),
    };
    let Admission { start, manners, max_message } = client.admission;
    let talk = start(shard);
    let socket = shard.add(wire.clone(), talk.clone(), manners);
    shard.look_after(socket);
    if shard.is_going_down() {
        shard.close(socket, Goodbye::GoingDown);
    }
    let mut decoder = Decoder::new(max_message);
    // What was read early is a piece of a larger buffer, which ends here: an idle connection does not carry it.
    decoder.push(&client.early);
    let shard = shard.clone();
    let connection = Connection { shard, wire, socket, talk };
    tokio::task::spawn_local(connection.live(decoder));
}

struct Connection {
    shard: Rc<Shard>,
    wire: Rc<Wire>,
    socket: SocketId,
    talk: Rc<dyn Talk>,
}

// What an idle connection waits in is small: whatever is only now and then is boxed.
impl Connection {
    async fn live(self, decoder: Decoder) {
        self.talk.clone().begin(self.socket);
        self.converse(decoder).await;
        self.talk.end();
        Box::pin(self.part()).await;
        self.shard.remove(self.socket);
    }

    /// Reads and answers until either side ends.
    async fn converse(&self, mut decoder: Decoder) {
        loop {
            match decoder.take() {
                Ok(Some(received)) => {
                    if !Box::pin(self.receive(received)).await {
                        return;
                    }
                }
                Ok(None) => match self.read(&mut decoder) {
                    Ok(0) => return,
                    Ok(_) => self.shard.heard(self.socket),
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        tokio::select! {
                            readable = self.wire.readable() => if readable.is_err() { return },
                            () = self.shard.ended(self.socket) => return,
                        }
                    }
                    Err(_) => return,
                },
                Err(fault) => return self.shard.close(self.socket, Goodbye::from(fault)),
            }
        }
    }

    fn read(&self, decoder: &mut Decoder) -> io::Result<usize> {
        let mut scratch = self.shard.scratch.borrow_mut();
        let count = self.wire.try_read(&mut scratch)?;
        decoder.push(&scratch[..count]);
        Ok(count)
    }

    /// Acts on one message; whether the conversation goes on.
    async fn receive(&self, received: Received) -> bool {
        let mut answer = Vec::new();
        match received {
            Received::Text(text) => self.act(Message::Text(&text)).await,
            Received::Binary(bytes) => self.act(Message::Binary(&bytes)).await,
            Received::Ping(payload) => {
                frame::push_pong(&mut answer, &payload);
                self.shard.send(self.socket, &answer.into());
            }
            Received::Pong => {}
            Received::Close(close) => {
                match close {
                    Some((code, _)) => frame::push_close(&mut answer, code, ""),
                    None => frame::push_bare_close(&mut answer),
                }
                self.shard.send_last(self.socket, &answer.into());
                return false;
            }
        }
        // A client that does not read its answers is not asked for more.
        self.shard.room(self.socket).await && self.shard.is_open(self.socket)
    }

    async fn act(&self, message: Message<'_>) {
        self.shard.busy(self.socket, true);
        self.talk.clone().hear(message).await;
        self.shard.busy(self.socket, false);
    }

    /// Lets what was said last arrive: writes it, ends our side, and waits a little for theirs.
    async fn part(&self) {
        // The shard breaks off a peer that does not take it.
        self.shard.written(self.socket).await;
        let patience = self.shard.patience();
        while let Err(error) = self.wire.try_shutdown() {
            if error.kind() != ErrorKind::WouldBlock {
                return;
            }
            if tokio::time::timeout(patience, self.wire.writable()).await.is_err() {
                return;
            }
        }
        let _ = tokio::time::timeout(patience, self.read_out()).await;
    }

    /// Reads until the other side ends, so that the system does not take back what was written.
    async fn read_out(&self) {
        loop {
            let read = self.wire.try_read(&mut self.shard.scratch.borrow_mut());
            match read {
                Ok(0) => return,
                Ok(_) => tokio::task::yield_now().await,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if self.wire.readable().await.is_err() {
                        return;
                    }
                }
                Err(_) => return,
            }
        }
    }
}
