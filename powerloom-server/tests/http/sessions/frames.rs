//! Frames by hand (RFC 6455, 5): what breaks the protocol ends the stream, with the code for it.

use crate::sessions::stage::Stage;
use crate::sessions::wire::{BINARY, CLOSE, PING, PONG, TEXT, Wire, bare, frame};

/// The opcode alone: more of the message follows.
const MORE: u8 = 0x7f;
/// What goes on with a message: the last piece, or one of several.
const LAST_PIECE: u8 = 0x80;
const PIECE: u8 = 0x00;

#[tokio::test]
async fn a_client_that_breaks_the_protocol_is_told_by_which_code() {
    let stage = Stage::new().await;
    let goodbye = |code: u16, reason: &[u8]| frame(CLOSE, &[&code.to_be_bytes(), reason].concat());
    let start = frame(TEXT & MORE, b"one");
    for (what, bytes, code) in [
        ("a frame that is not masked", bare(TEXT, b"hello"), 1002),
        ("a ping that is not masked", bare(PING, b""), 1002),
        ("the first reserved bit", frame(TEXT | 0x40, b"hello"), 1002),
        ("the second reserved bit", frame(TEXT | 0x20, b"hello"), 1002),
        ("the third reserved bit", frame(PING | 0x10, b""), 1002),
        ("a reserved kind of data", frame(0x83, b""), 1002),
        ("a reserved kind of control", frame(0x8b, b""), 1002),
        ("a ping of 126 bytes", frame(PING, &[b'x'; 126]), 1002),
        ("a goodbye of 126 bytes", frame(CLOSE, &[b'x'; 126]), 1002),
        ("a ping in pieces", frame(PING & MORE, b"one"), 1002),
        ("a piece of nothing", frame(LAST_PIECE, b"two"), 1002),
        ("a message within another", [start.clone(), frame(TEXT, b"two")].concat(), 1002),
        ("a goodbye of one byte", frame(CLOSE, &[3]), 1002),
        ("a text that is none", frame(TEXT, b"\xc3\x28"), 1007),
        ("a text that ends within a character", frame(TEXT, b"caf\xc3"), 1007),
        ("a text in pieces that is none", [start, frame(LAST_PIECE, b"\xff")].concat(), 1007),
        ("a goodbye whose reason is no text", goodbye(1000, b"\xff"), 1007),
    ] {
        let id = stage.running().await;
        let mut wire = Wire::open(&stage, id).await;
        wire.send(&bytes).await;
        assert_eq!(wire.closed().await.0, code, "{what}");
        wire.send(&goodbye(code, b"")).await;
        assert_eq!(wire.frame().await, None, "{what}: it hangs up");
        // The next client is served.
        Wire::open(&stage, id).await;
    }
}

/// The bound holds for the message, however it is cut: pieces that fit are not a way around it.
#[tokio::test]
async fn a_message_is_bounded_also_when_it_comes_in_pieces() {
    let stage = Stage::new().await;
    let id = stage.running().await;
    let piece = |first: u8, bytes: usize| frame(first, &vec![b'x'; bytes]);
    let mut wire = Wire::open(&stage, id).await;
    // 4 KiB, in one and in pieces with a ping between them.
    wire.send(&piece(BINARY, 4096)).await;
    wire.send(&[piece(TEXT & MORE, 4000), frame(PING, b"between"), piece(LAST_PIECE, 96)].concat()).await;
    assert_eq!(wire.frame().await, Some((PONG, b"between".to_vec())));
    wire.send(&[piece(TEXT & MORE, 4000), piece(PIECE, 96), piece(LAST_PIECE, 1)].concat()).await;
    assert_eq!(wire.closed().await, (1009, "too_long; after=3".to_owned()));

    for bytes in [piece(BINARY, 4097), piece(BINARY & MORE, 4097)] {
        let id = stage.running().await;
        let mut wire = Wire::open(&stage, id).await;
        wire.send(&bytes).await;
        assert_eq!(wire.closed().await.0, 1009);
    }
    // Of a frame that says it has more, not even the first byte is waited for.
    let id = stage.running().await;
    let mut wire = Wire::open(&stage, id).await;
    wire.send(&[BINARY, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4]).await;
    assert_eq!(wire.closed().await.0, 1009);
}

#[tokio::test]
async fn a_ping_is_answered_with_what_it_says_and_a_goodbye_with_its_code() {
    let stage = Stage::new().await;
    let id = stage.running().await;
    let mut wire = Wire::open(&stage, id).await;
    for payload in [&b""[..], b"are you there?", &[0, 0xff, 0x80], &[b'x'; 125]] {
        wire.send(&frame(PING, payload)).await;
        assert_eq!(wire.frame().await, Some((PONG, payload.to_vec())));
    }
    // One nobody asked for changes nothing.
    wire.send(&frame(PONG, b"unasked")).await;
    stage.runtime.message(id, "hello");
    let (first, said) = wire.frame().await.unwrap();
    assert!(first == TEXT && String::from_utf8(said).unwrap().contains("hello"));
    for goodbye in [[&1000u16.to_be_bytes()[..], b"bye"].concat(), 4000u16.to_be_bytes().to_vec(), Vec::new()]
    {
        let id = stage.running().await;
        let mut wire = Wire::open(&stage, id).await;
        wire.send(&frame(CLOSE, &goodbye)).await;
        let (first, answer) = wire.frame().await.unwrap();
        let code = goodbye.get(..2).unwrap_or_default();
        assert_eq!((first, answer.get(..2).unwrap_or_default()), (CLOSE, code), "{goodbye:?}");
        assert_eq!(wire.frame().await, None);
    }
}
