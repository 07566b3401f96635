use super::*;
use crate::wire::testing::Trust;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// The client's end, whatever it runs over.
trait Client: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Client for T {}

async fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let client = TcpStream::connect(listener.local_addr().expect("an address"));
    let (client, accepted) = tokio::join!(client, listener.accept());
    (client.expect("connected"), accepted.expect("accepted").0)
}

async fn plain() -> (Box<dyn Client>, Wire) {
    let (client, accepted) = sockets().await;
    (Box::new(client), Wire::plain(accepted))
}

/// A pair whose handshake is done: the client says one byte, and the wire reads it.
async fn encrypted() -> (Box<dyn Client>, Wire) {
    let (client, accepted) = sockets().await;
    let trust = Trust::fresh();
    let mut wire = Wire::tls(accepted, trust.server.clone()).expect("a configuration that serves");
    let connecting = async {
        let mut client = trust.connect(client).await;
        client.write_all(b"!").await.expect("written");
        client
    };
    let mut first = [0; 1];
    let (client, read) = tokio::join!(connecting, wire.read_exact(&mut first));
    read.expect("the first byte");
    (Box::new(client), wire)
}

async fn read(wire: &Wire, wanted: usize) -> Vec<u8> {
    let (mut all, mut buffer) = (Vec::new(), [0; 3]);
    while all.len() < wanted {
        match wire.try_read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => all.extend_from_slice(&buffer[..read]),
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                wire.readable().await.expect("readable");
            }
        }
    }
    all
}

#[tokio::test]
async fn bytes_go_both_ways() {
    for (mut client, wire) in [plain().await, encrypted().await] {
        client.write_all(b"from the client").await.expect("written");
        assert_eq!(read(&wire, 15).await, b"from the client");
        assert_eq!(wire.try_write(b"from the server").expect("written"), 15);
        let mut buffer = [0; 15];
        client.read_exact(&mut buffer).await.expect("read");
        assert_eq!(&buffer, b"from the server");
    }
}

#[tokio::test]
async fn what_is_decrypted_but_unread_is_readable() {
    let (mut client, wire) = encrypted().await;
    client.write_all(b"abcdef").await.expect("written");
    assert_eq!(read(&wire, 3).await, b"abc");
    wire.readable().await.expect("at once, though the socket is empty");
    assert_eq!(wire.try_read(&mut [0; 10]).expect("the rest"), 3);
}

#[tokio::test]
async fn a_wire_that_blocks_holds_one_record_and_loses_nothing() {
    let (mut client, wire) = encrypted().await;
    let bytes: Vec<u8> = (0..16 * 1024 * 1024_u32).map(|at| (at % 251) as u8).collect();
    let mut written = 0;
    while let Ok(taken) = wire.try_write(&bytes[written..]) {
        written += taken;
    }
    assert!(written < bytes.len(), "nobody reads, so it must block");
    assert!(wire.wants_write());
    let waiting = wire.tls.as_ref().map_or(0, |tls| tls.borrow_mut().waiting());
    assert!((1..17 * 1024).contains(&waiting), "{waiting} bytes wait");

    let reader = tokio::spawn(async move {
        let mut all = Vec::new();
        client.read_to_end(&mut all).await.map(|_| all)
    });
    while written < bytes.len() {
        match wire.try_write(&bytes[written..]) {
            Ok(taken) => written += taken,
            Err(_) => wire.writable().await.expect("writable"),
        }
    }
    while wire.try_shutdown().is_err() {
        wire.writable().await.expect("writable");
    }
    assert!(reader.await.expect("a reader").expect("a clean end") == bytes);
}

#[test]
fn a_wire_goes_on_in_another_runtime() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let here = runtime();
    for (mut client, wire) in [here.block_on(plain()), here.block_on(encrypted())] {
        let detached = here.block_on(async {
            client.write_all(b"before").await.expect("written");
            assert_eq!(read(&wire, 3).await, b"bef");
            wire.detach().expect("detached")
        });
        let there = std::thread::spawn(move || {
            runtime().block_on(async {
                let wire = detached.attach().expect("attached");
                let read = read(&wire, 9).await;
                wire.try_write(b"back").expect("written");
                read
            })
        });
        here.block_on(async {
            client.write_all(b" after").await.expect("written");
            let mut buffer = [0; 4];
            client.read_exact(&mut buffer).await.expect("read");
            assert_eq!(&buffer, b"back");
        });
        assert_eq!(there.join().expect("a thread"), b"ore after");
    }
}

#[tokio::test]
async fn the_clients_end_reads_as_the_end() {
    for (mut client, wire) in [plain().await, encrypted().await] {
        client.shutdown().await.expect("said goodbye");
        wire.readable().await.expect("readable");
        assert_eq!(wire.try_read(&mut [0; 10]).expect("the end"), 0);
    }
}

#[tokio::test]
async fn what_is_no_handshake_is_an_error() {
    let (mut client, accepted) = sockets().await;
    let wire = Wire::tls(accepted, Trust::fresh().server).expect("a configuration that serves");
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.expect("written");
    wire.readable().await.expect("readable");
    let error = wire.try_read(&mut [0; 10]).expect_err("no handshake");
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
}
