//! Frames that no library should send.

use crate::support::*;
use futures::SinkExt;
use sandbox::GatewayConfig;
use serde_json::json;
use std::time::Duration;
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::frame::{
        Frame,
        coding::{Data, OpCode},
    },
};

fn frame(text: &str, kind: Data, is_last: bool) -> Message {
    Message::Frame(Frame::message(text.as_bytes().to_vec(), OpCode::Data(kind), is_last))
}

#[tokio::test]
async fn a_payload_in_many_frames_is_one_payload() {
    let sandbox = start().await;
    let mut gateway = Gateway::open(&sandbox).await;
    let payload = identify(json!({})).to_string();
    let (first, rest) = payload.split_at(7);
    gateway.socket.send(frame(first, Data::Text, false)).await.expect("the gateway listens");
    // A ping may come between, and an empty frame too.
    gateway.socket.send(Message::Ping("here".into())).await.expect("the gateway listens");
    assert_eq!(gateway.read().await, Message::Pong("here".into()));
    gateway.socket.send(frame("", Data::Continue, false)).await.expect("the gateway listens");
    for piece in rest.as_bytes().chunks(5) {
        gateway.socket.send(frame(std::str::from_utf8(piece).expect("ASCII"), Data::Continue, false)).await.expect("the gateway listens");
    }
    gateway.socket.send(frame("", Data::Continue, true)).await.expect("the gateway listens");
    gateway.event("READY").await;
}

#[tokio::test]
async fn frames_that_never_become_a_payload_close_with_4002() {
    let sandbox = start().await;
    let mut endless = Gateway::open(&sandbox).await;
    endless.socket.send(frame("x", Data::Text, false)).await.expect("the gateway listens");
    let piece = "x".repeat(4000);
    for _ in 0..17 {
        endless.socket.send(frame(&piece, Data::Continue, false)).await.expect("the gateway listens");
    }
    assert_eq!(endless.close_code().await, 4002);

    let bad = [frame("x", Data::Continue, true), Message::Frame(Frame::message(b"\xff\xfe".to_vec(), OpCode::Data(Data::Text), true))];
    for (n, message) in bad.into_iter().enumerate() {
        let mut gateway = Gateway::open(&sandbox).await;
        gateway.socket.send(message).await.expect("the gateway listens");
        assert_eq!(gateway.close_code().await, 4002, "case {n}");
    }
    let mut nested = Gateway::open(&sandbox).await;
    for _ in 0..2 {
        nested.socket.send(frame("{", Data::Text, false)).await.expect("the gateway listens");
    }
    assert_eq!(nested.close_code().await, 4002, "a payload within a payload");
}

#[tokio::test]
async fn bytes_that_are_no_frames_close_with_4002() {
    let sandbox = start().await;
    let long_ping = [b"\x89\xfe\x00\x7e\x00\x00\x00\x00".as_slice(), &[b'x'; 126]].concat();
    let garbage: [&[u8]; 6] = [
        b"GET / HTTP/1.1\r\n\r\n",
        // Reserved bits, a reserved opcode, and a frame without a mask.
        b"\xf1\x80\x00\x00\x00\x00",
        b"\x83\x80\x00\x00\x00\x00",
        b"\x81\x02{}",
        // Pings have at most 125 bytes and one frame.
        &long_ping,
        b"\x09\x81\x00\x00\x00\x00x",
    ];
    for bytes in garbage {
        let mut raw = Raw::open(&sandbox).await;
        let upgrade =
            "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==";
        raw.send(format!("GET /?v=10 HTTP/1.1\r\nhost: localhost\r\n{upgrade}\r\n\r\n")).await;
        assert_eq!(raw.head().await.0, 101);
        // HELLO first: a frame with its length in one byte.
        let start = raw.take(2).await;
        raw.take(usize::from(start[1])).await;
        raw.send(bytes).await;
        let close = raw.take(4).await;
        assert_eq!((close[0], u16::from_be_bytes([close[2], close[3]])), (0x88, 4002), "{bytes:?}");
    }
}

#[tokio::test]
async fn pings_are_answered_up_to_120_in_a_minute() {
    let (sandbox, clock) = start_gateway(GatewayConfig::default()).await;
    let mut gateway = Gateway::ready(&sandbox).await;
    let ping = async |gateway: &mut Gateway| gateway.socket.send(Message::Ping("x".into())).await.expect("the gateway listens");
    for _ in 0..2 {
        for _ in 0..120 {
            ping(&mut gateway).await;
            assert_eq!(gateway.read().await, Message::Pong("x".into()));
        }
        gateway.beat().await;
        clock.advance(Duration::from_secs(60));
        gateway.answers_heartbeats = true;
    }
    for _ in 0..121 {
        ping(&mut gateway).await;
    }
    assert_eq!(gateway.close_code().await, 4008);
    gateway.resume().await.event("RESUMED").await;
}
