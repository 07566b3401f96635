//! TLS over a socket, driven by hand: what is read is decrypted, what is written goes out record by record.

use rustls::crypto::{CryptoProvider, ring};
use rustls::{ServerConfig, ServerConnection};
use std::io::{self, Read, Write};
use std::sync::Arc;
use tokio::net::TcpStream;

/// The most plaintext that is encrypted at once: one TLS record.
const RECORD: usize = 16 * 1024;

/// The cryptography that all of this program uses: *ring*.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Has the libraries that do not ask use it too: more than one is linked, and they would not know which to take.
pub fn choose_provider() {
    // It fails when it was chosen already.
    let _ = ring::default_provider().install_default();
}

/// The server's end of one TLS connection.
pub struct Tls {
    connection: ServerConnection,
    /// How many decrypted bytes were not read yet.
    decrypted: usize,
}

impl Tls {
    /// The state before the client's first byte.
    ///
    /// # Errors
    /// When the configuration cannot serve.
    pub fn new(config: Arc<ServerConfig>) -> io::Result<Tls> {
        let connection = ServerConnection::new(config).map_err(io::Error::other)?;
        Ok(Tls { connection, decrypted: 0 })
    }

    /// Whether decrypted bytes can be read without looking at the socket.
    pub fn holds_decrypted(&self) -> bool {
        self.decrypted > 0
    }

    /// Whether encrypted bytes wait for the socket.
    pub fn wants_write(&self) -> bool {
        self.connection.wants_write()
    }

    /// How many encrypted bytes wait for the socket.
    #[cfg(test)]
    pub fn waiting(&mut self) -> usize {
        self.connection.process_new_packets().expect("nothing new").tls_bytes_to_write()
    }

    /// Reads decrypted bytes, and goes on with the handshake while it lasts.
    pub fn try_read(&mut self, stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.connection.reader().read(buffer) {
                Ok(read) => {
                    self.decrypted -= read;
                    return Ok(read);
                }
                // Many clients just leave; WebSocket and HTTP know by themselves whether something is missing.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            self.connection.read_tls(&mut Socket(stream))?;
            let outcome = self.connection.process_new_packets();
            // Handshake messages, or the alert that says what was wrong.
            let flushed = self.try_flush(stream);
            let state = outcome.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            self.decrypted = state.plaintext_bytes_to_read();
            flushed.or_else(unless_blocked)?;
        }
    }

    /// Encrypts and writes until the socket blocks; then at most one record waits here.
    pub fn try_write(&mut self, stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
        self.try_flush(stream)?;
        let mut written = 0;
        for record in bytes.chunks(RECORD) {
            let taken = self.connection.writer().write(record)?;
            written += taken;
            self.try_flush(stream).or_else(unless_blocked)?;
            if taken < record.len() || self.connection.wants_write() {
                break;
            }
        }
        if written == 0 && !bytes.is_empty() { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(written) }
    }

    /// Writes the encrypted bytes that wait.
    pub fn try_flush(&mut self, stream: &TcpStream) -> io::Result<()> {
        while self.connection.wants_write() {
            if self.connection.write_tls(&mut Socket(stream))? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        Ok(())
    }

    /// Tells the other side that nothing follows.
    pub fn try_close(&mut self, stream: &TcpStream) -> io::Result<()> {
        self.connection.send_close_notify();
        self.try_flush(stream)
    }
}

fn unless_blocked(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::WouldBlock { Ok(()) } else { Err(error) }
}

/// The socket as TLS wants it: `Read` and `Write` that do not wait.
struct Socket<'a>(&'a TcpStream);

impl Read for Socket<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

impl Write for Socket<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn write_vectored(&mut self, pieces: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(pieces)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
