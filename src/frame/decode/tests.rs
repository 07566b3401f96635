use super::*;
use proptest::prelude::*;

const MAX: usize = 1000;

/// A client's frame; `first` is the first byte as it stands on the wire.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..=125 => bytes.push(MASKED | length as u8),
        length @ 126..=65_535 => {
            bytes.push(MASKED | LENGTH_IN_2_BYTES);
            bytes.extend((length as u16).to_be_bytes());
        }
        length => {
            bytes.push(MASKED | LENGTH_IN_8_BYTES);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend(mask);
    bytes.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]));
    bytes
}

/// Everything the pieces give, one after the other, up to the first fault.
fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Received>, Option<Fault>) {
    let (mut decoder, mut all) = (Decoder::new(MAX), Vec::new());
    for piece in pieces {
        decoder.push(piece);
        loop {
            match decoder.take() {
                Ok(Some(received)) => all.push(received),
                Ok(None) => break,
                Err(fault) => return (all, Some(fault)),
            }
        }
    }
    (all, None)
}

fn fault(bytes: &[u8]) -> Option<Fault> {
    decode([bytes]).1
}

fn text(text: &str) -> Received {
    Received::Text(text.to_owned())
}

/// One of everything that a client may send.
fn conversation() -> (Vec<u8>, Vec<Received>) {
    let long = "x".repeat(300);
    let bytes = [
        frame(0x81, b"{\"handler\":\"watch\"}"),
        frame(0x81, "".as_bytes()),
        frame(0x01, "gr\u{fc}n".as_bytes().split_at(3).0),
        frame(0x89, b"are you there"),
        frame(0x00, &[]),
        frame(0x8a, b"yes"),
        frame(0x80, "gr\u{fc}n".as_bytes().split_at(3).1),
        frame(0x81, long.as_bytes()),
        frame(0x82, &[0xff, 0x00]),
        frame(0x88, b"\x03\xe8bye"),
    ];
    let received = vec![
        text("{\"handler\":\"watch\"}"),
        text(""),
        Received::Ping(b"are you there".to_vec()),
        Received::Pong,
        text("gr\u{fc}n"),
        text(&long),
        Received::Binary(vec![0xff, 0x00]),
        Received::Close(Some((1000, "bye".to_owned()))),
    ];
    (bytes.concat(), received)
}

#[test]
fn the_standards_masked_hello_is_read() {
    let captured = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(decode([&captured[..]]), (vec![text("Hello")], None));
}

#[test]
fn a_browsers_close_is_read() {
    let captured = [0x88, 0x82, 0x5b, 0x3c, 0x11, 0x90, 0x58, 0xd5];
    assert_eq!(decode([&captured[..]]), (vec![Received::Close(Some((1001, String::new())))], None));
    assert_eq!(decode([&frame(0x88, &[])[..]]), (vec![Received::Close(None)], None));
}

#[test]
fn a_conversation_torn_at_any_byte_reads_the_same() {
    let (bytes, received) = conversation();
    assert_eq!(decode([&bytes[..]]), (received.clone(), None));
    assert_eq!(decode(bytes.chunks(1)), (received.clone(), None));
    for at in 0..=bytes.len() {
        assert_eq!(decode([&bytes[..at], &bytes[at..]]), (received.clone(), None), "torn at {at}");
    }
}

#[test]
fn messages_are_given_one_at_a_time() {
    let mut decoder = Decoder::new(MAX);
    decoder.push(&[frame(0x81, b"one"), frame(0x81, b"two")].concat());
    assert_eq!(decoder.take(), Ok(Some(text("one"))));
    decoder.push(&frame(0x81, b"three"));
    assert_eq!(decoder.take(), Ok(Some(text("two"))));
    assert_eq!(decoder.take(), Ok(Some(text("three"))));
    assert_eq!(decoder.take(), Ok(None));
}

#[test]
fn an_idle_decoder_holds_no_memory() {
    let mut decoder = Decoder::new(MAX);
    let bytes = [frame(0x01, b"a"), frame(0x80, b"b")].concat();
    let (head, tail) = bytes.split_at(10);
    decoder.push(head);
    assert_eq!(decoder.take(), Ok(None));
    assert!(decoder.pending.is_some());
    decoder.push(tail);
    assert_eq!(decoder.take(), Ok(Some(text("ab"))));
    assert!(decoder.pending.is_none());
}

#[test]
fn headers_that_are_always_torn_take_no_memory() {
    let mut decoder = Decoder::new(MAX);
    let bytes = frame(0x81, b"one").repeat(10_000);
    let (head, tail) = bytes.split_at(3);
    decoder.push(head);
    for chunk in tail.chunks(9 * 20) {
        while decoder.take().expect("whole frames").is_some() {}
        decoder.push(chunk);
    }
    assert!(decoder.pending.as_ref().expect("the last chunk is not taken").bytes.capacity() < 1000);
}

#[test]
fn a_claimed_length_takes_no_memory() {
    let mut decoder = Decoder::new(usize::MAX);
    let mut header = vec![0x82, MASKED | LENGTH_IN_8_BYTES];
    header.extend((1_u64 << 40).to_be_bytes());
    header.extend([0; 4]);
    decoder.push(&header);
    decoder.push(b"few bytes");
    assert_eq!(decoder.take(), Ok(None));
    let held = decoder.pending.as_ref().and_then(|pending| pending.message.as_ref()).expect("a message has begun");
    assert!(held.payload.capacity() < 1000);
}

#[test]
fn what_breaks_a_rule_is_refused() {
    let header = |first, second| fault(&[first, second, 0, 0, 0, 0]);
    for (first, second) in
        [(0xc1, 0x80), (0xa1, 0x80), (0x91, 0x80), (0x83, 0x80), (0x8b, 0x80), (0x80, 0x80), (0x81, 0x00)]
    {
        assert!(matches!(header(first, second), Some(Fault::Protocol(_))), "{first:x} {second:x}");
    }
    let inside = [frame(0x01, b"a"), frame(0x81, b"b")].concat();
    assert_eq!(fault(&inside), Some(Fault::Protocol("a message begins inside another")));
    assert_eq!(header(0x09, 0x80), Some(Fault::Protocol("a control frame is fragmented")));
    assert_eq!(header(0x89, 0xfe), Some(Fault::Protocol("a control frame is longer than 125 bytes")));
    let mut negative = vec![0x82, MASKED | LENGTH_IN_8_BYTES];
    negative.extend(u64::MAX.to_be_bytes());
    assert_eq!(fault(&negative), Some(Fault::Protocol("the length has its highest bit set")));
}

#[test]
fn a_message_may_be_as_long_as_allowed_and_not_longer() {
    let most = "x".repeat(MAX);
    assert_eq!(decode([&frame(0x81, most.as_bytes())[..]]), (vec![text(&most)], None));
    assert_eq!(fault(&frame(0x81, &[b'x'; MAX + 1])[..8]), Some(Fault::TooBig), "as soon as it is claimed");
    let fragments = [frame(0x01, &[b'x'; MAX]), frame(0x80, b"y")].concat();
    assert_eq!(fault(&fragments), Some(Fault::TooBig));
}

#[test]
fn text_must_be_utf8_over_all_its_fragments() {
    assert_eq!(fault(&frame(0x81, &[0xc3, 0x28])), Some(Fault::NotUtf8));
    assert_eq!(fault(&[frame(0x01, &[0xc3]), frame(0x80, b"(")].concat()), Some(Fault::NotUtf8));
    assert_eq!(fault(&frame(0x88, b"\x03\xe8\xff")), Some(Fault::NotUtf8));
}

#[test]
fn close_codes_that_must_not_be_sent_are_refused() {
    for code in [0_u16, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65_535] {
        assert!(matches!(fault(&frame(0x88, &code.to_be_bytes())), Some(Fault::Protocol(_))), "{code}");
    }
    for code in [1000_u16, 1003, 1007, 1011, 1014, 3000, 4401, 4999] {
        assert_eq!(fault(&frame(0x88, &code.to_be_bytes())), None, "{code}");
    }
    assert_eq!(fault(&frame(0x88, &[3])), Some(Fault::Protocol("half a close code")));
}

#[test]
fn nothing_is_read_after_a_close_or_a_fault() {
    for end in [frame(0x88, &[]), frame(0x83, &[])] {
        let mut decoder = Decoder::new(MAX);
        decoder.push(&end);
        decoder.push(&frame(0x81, b"late"));
        let _ = decoder.take();
        assert_eq!(decoder.take(), Ok(None));
        decoder.push(&frame(0x81, b"later"));
        assert_eq!(decoder.take(), Ok(None));
    }
}

proptest! {
    #[test]
    fn any_bytes_read_the_same_however_they_are_torn(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        size in 1_usize..20,
    ) {
        prop_assert_eq!(decode(bytes.chunks(size)), decode([&bytes[..]]));
    }

    #[test]
    fn any_frames_read_the_same_however_they_are_torn(
        frames in proptest::collection::vec(
            (prop_oneof![Just(0x01), Just(0x81), Just(0x00), Just(0x80), Just(0x82), Just(0x89), Just(0x8a)],
             proptest::collection::vec(any::<u8>(), 0..200)),
            0..12,
        ),
        size in 1_usize..40,
    ) {
        let bytes: Vec<u8> = frames.iter().flat_map(|(first, payload)| frame(*first, payload)).collect();
        prop_assert_eq!(decode(bytes.chunks(size)), decode([&bytes[..]]));
    }
}
