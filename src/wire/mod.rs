//! A client's socket: TCP, or TLS over it, read and written without waiting.
//!
//! TLS is driven by hand, so that at most one record waits here for a socket that blocks, and an idle wire holds
//! no buffer of ours. A wire belongs to one thread; `detach` and `attach` carry it to another.

pub mod tls;

#[cfg(test)]
pub mod testing;

use crate::wire::tls::Tls;
use rustix::net::Shutdown;
use rustls::ServerConfig;
use std::cell::RefCell;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::OwnedSemaphorePermit;

/// A client's socket on the runtime of this thread.
///
/// Reading and writing take `&self`, so that one task may wait for input while another writes.
pub struct Wire {
    stream: TcpStream,
    tls: Option<Box<RefCell<Tls>>>,
    /// Its share of the bounded number of connections, given back when the wire ends.
    place: Option<OwnedSemaphorePermit>,
}

/// A wire on the way to another thread's runtime.
pub struct Detached {
    stream: std::net::TcpStream,
    tls: Option<Box<RefCell<Tls>>>,
    place: Option<OwnedSemaphorePermit>,
}

impl Wire {
    /// A wire without encryption.
    pub fn plain(stream: TcpStream) -> Wire {
        Wire { stream, tls: None, place: None }
    }

    /// A wire whose other side must begin with a TLS handshake; it is done along with the first reads.
    ///
    /// # Errors
    /// When the configuration cannot serve.
    pub fn tls(stream: TcpStream, config: Arc<ServerConfig>) -> io::Result<Wire> {
        Ok(Wire { stream, tls: Some(Box::new(RefCell::new(Tls::new(config)?))), place: None })
    }

    /// The same wire, keeping its place among the connections for as long as it lives.
    pub fn keeping(self, place: OwnedSemaphorePermit) -> Wire {
        Wire { place: Some(place), ..self }
    }

    /// Takes the wire off this thread's runtime.
    ///
    /// # Errors
    /// When the runtime cannot let go of the socket.
    pub fn detach(self) -> io::Result<Detached> {
        Ok(Detached { stream: self.stream.into_std()?, tls: self.tls, place: self.place })
    }

    /// Reads what is there; 0 is the end.
    ///
    /// # Errors
    /// `WouldBlock` when nothing is there: wait for `readable`. `InvalidData` when the other side breaks TLS.
    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match &self.tls {
            None => self.stream.try_read(buffer),
            Some(tls) => tls.borrow_mut().try_read(&self.stream, buffer),
        }
    }

    /// Writes what the socket takes and tells how much that was. What TLS took but the socket did not
    /// (`wants_write`) goes out before the next bytes, or by `try_flush`.
    ///
    /// # Errors
    /// `WouldBlock` when it takes nothing: wait for `writable`.
    pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match &self.tls {
            None => self.stream.try_write(bytes),
            Some(tls) => tls.borrow_mut().try_write(&self.stream, bytes),
        }
    }

    /// Whether bytes that were taken still wait for the socket.
    pub fn wants_write(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.borrow().wants_write())
    }

    /// Writes the bytes that were taken and still wait for the socket.
    ///
    /// # Errors
    /// `WouldBlock` when some of them must wait on.
    pub fn try_flush(&self) -> io::Result<()> {
        match &self.tls {
            None => Ok(()),
            Some(tls) => tls.borrow_mut().try_flush(&self.stream),
        }
    }

    /// Says that nothing more will be written, so that the other side reads everything up to here and then the
    /// end. Whoever drops the wire instead, with input unread, may take back what was written last.
    ///
    /// # Errors
    /// `WouldBlock` when taken bytes still wait for the socket: try again when it is writable.
    pub fn try_shutdown(&self) -> io::Result<()> {
        if let Some(tls) = &self.tls {
            tls.borrow_mut().try_close(&self.stream)?;
        }
        Ok(rustix::net::shutdown(&self.stream, Shutdown::Write)?)
    }

    /// Waits until `try_read` may find something.
    ///
    /// # Errors
    /// When the runtime ends.
    pub async fn readable(&self) -> io::Result<()> {
        if self.holds_decrypted() { Ok(()) } else { self.stream.readable().await }
    }

    /// Waits until `try_write` or `try_flush` may get on.
    ///
    /// # Errors
    /// When the runtime ends.
    pub async fn writable(&self) -> io::Result<()> {
        self.stream.writable().await
    }

    fn holds_decrypted(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.borrow().holds_decrypted())
    }
}

/// A wire within this process, on its way to its thread, and the other end of it.
///
/// # Errors
/// When there are no more sockets to be had.
pub fn pair() -> io::Result<(Detached, UnixStream)> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    // Only reading, writing and ending is asked of a wire, which is the same for every stream socket.
    let stream = std::net::TcpStream::from(OwnedFd::from(ours));
    stream.set_nonblocking(true)?;
    theirs.set_nonblocking(true)?;
    Ok((Detached { stream, tls: None, place: None }, UnixStream::from_std(theirs)?))
}

impl Detached {
    /// Puts the wire on this thread's runtime.
    ///
    /// # Errors
    /// When the runtime cannot take the socket.
    pub fn attach(self) -> io::Result<Wire> {
        Ok(Wire { stream: TcpStream::from_std(self.stream)?, tls: self.tls, place: self.place })
    }
}

/// For HTTP, which comes before the WebSocket on the same wire.
impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.tls.is_none() {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        loop {
            match self.try_read(buffer.initialize_unfilled()) {
                Ok(read) => {
                    buffer.advance(read);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
            // A handshake goes on only when our part of it has gone out.
            if let Poll::Ready(flushed) = self.poll_until_writable(context, Wire::try_flush) {
                flushed?;
            }
            ready!(self.stream.poll_read_ready(context))?;
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.tls.is_none() {
            return Pin::new(&mut self.stream).poll_write(context, bytes);
        }
        self.poll_until_writable(context, |wire| wire.try_write(bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_until_writable(context, Wire::try_flush)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_until_writable(context, Wire::try_shutdown)
    }
}

impl Wire {
    fn poll_until_writable<T>(
        &self,
        context: &mut Context<'_>,
        attempt: impl Fn(&Wire) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        loop {
            match attempt(self) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                outcome => return Poll::Ready(outcome),
            }
            ready!(self.stream.poll_write_ready(context))?;
        }
    }
}

#[cfg(test)]
mod tests;
