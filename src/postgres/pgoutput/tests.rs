//! Captured bytes, and the same bytes torn.

use super::*;

/// As Postgres 15 wrote them.
const CAPTURED: [&str; 10] = [
    "52000040047075626c6963006361707475726564006400030169640000000017ffffffff006ec3a4206d650000000019ffffffff\
     006269670000000019ffffffff",
    "49000040044e00037400000001317400000002c3a96e",
    "55000040044e00037400000001316e75",
    "55000040044b00037400000001316e6e4e00037400000001326e75",
    "44000040044b00037400000001326e6e",
    "590000400c7075626c6963006d6f6f6400",
    "550000400f4f000274000000013774000000037361644e00027400000001387400000003736164",
    "440000400f4f00027400000001387400000003736164",
    "540000000200000040040000400f",
    "4f0000000001570eb86f7468657200",
];

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).unwrap() as u8;
    hex.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

#[test]
fn captured_messages_are_read() {
    use Value::{Null, Text, Unchanged};
    let captured: Vec<Vec<u8>> = CAPTURED.iter().map(|hex| bytes(hex)).collect();
    let Message::Relation(relation) = decode(&captured[0]).unwrap() else { panic!("no relation") };
    assert_eq!((relation.oid, &*relation.namespace, &*relation.name), (16388, "public", "captured"));
    let columns: Vec<_> = relation.columns.iter().map(|one| (&*one.name, one.kind, one.identity)).collect();
    assert_eq!(columns, [("id", 23, true), ("nä me", 25, false), ("big", 25, false)]);
    let read: Vec<Message> = captured[1..].iter().map(|bytes| decode(bytes).unwrap()).collect();
    assert_eq!(
        read,
        [
            Message::Insert { relation: 16388, new: vec![Text("1"), Text("é"), Null] },
            Message::Update { relation: 16388, old: None, new: vec![Text("1"), Null, Unchanged] },
            Message::Update {
                relation: 16388,
                old: Some(Old::Key(vec![Text("1"), Null, Null])),
                new: vec![Text("2"), Null, Unchanged],
            },
            Message::Delete { relation: 16388, old: Old::Key(vec![Text("2"), Null, Null]) },
            Message::Aside,
            Message::Update {
                relation: 16399,
                old: Some(Old::Row(vec![Text("7"), Text("sad")])),
                new: vec![Text("8"), Text("sad")],
            },
            Message::Delete { relation: 16399, old: Old::Row(vec![Text("8"), Text("sad")]) },
            Message::Truncate { relations: vec![16388, 16399] },
            Message::Aside,
        ]
    );
}

#[test]
fn torn_messages_are_refused() {
    for hex in CAPTURED {
        let whole = bytes(hex);
        for end in 0..whole.len() {
            let error = decode(&whole[..end]).expect_err("it is cut short");
            assert_eq!(error.kind(), Kind::Malformed, "{hex} up to {end}");
        }
        let longer = [&whole[..], b"\0"].concat();
        assert!(decode(&longer).is_err(), "{hex} with a byte more");
        for at in 0..whole.len() {
            for byte in [0, 0x7f, 0xff] {
                let mut changed = whole.clone();
                changed[at] = byte;
                // Whatever it says then, it does not panic.
                let _ = decode(&changed);
            }
        }
    }
    let mut not_utf8 = bytes(CAPTURED[1]);
    let end = not_utf8.len() - 2;
    not_utf8[end] = 0xff;
    assert!(decode(&not_utf8).unwrap_err().to_string().contains("UTF-8"));
    assert!(decode(b"").is_err());
    // A count that no message can hold costs no memory.
    assert!(decode(b"T\xff\xff\xff\xff\0\0\0\0\x01").is_err());
}
