//! What a payload looks like on the wire. Source: discord-api-docs, events/gateway, "Encoding and Compression".

use axum::extract::ws::Message;
use flate2::{Compress, Compression, FlushCompress, Status, write::ZlibEncoder};
use std::io::{self, Write};

/// How a connection's payloads are compressed.
pub(super) enum Encoder {
    /// Not at all.
    Plain,
    /// Each event is a zlib stream of its own; what is not an event stays text, as clients must expect both.
    Payload,
    /// All payloads of the connection are one zlib stream, flushed after each.
    Stream(Compress),
}

impl Encoder {
    /// The encoder of a connection that asked for this transport compression.
    pub(super) fn of_transport(asked: Option<&str>) -> Self {
        match asked {
            None => Self::Plain,
            Some("zlib-stream") => Self::Stream(Compress::new(Compression::default(), true)),
            Some(other) => {
                tracing::warn!(gateway.compress = other, "the sandbox compresses with zlib-stream only; this client gets plain text");
                Self::Plain
            }
        }
    }

    /// The message that carries a payload.
    pub(super) fn encode(&mut self, payload: &str, is_event: bool) -> io::Result<Message> {
        match self {
            Self::Payload if is_event => {
                let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
                encoder.write_all(payload.as_bytes())?;
                Ok(Message::Binary(encoder.finish()?.into()))
            }
            Self::Plain | Self::Payload => Ok(Message::Text(payload.into())),
            Self::Stream(stream) => Ok(Message::Binary(flushed(stream, payload.as_bytes())?.into())),
        }
    }
}

/// Compresses to the next flush mark, `00 00 FF FF`.
fn flushed(stream: &mut Compress, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut compressed = Vec::with_capacity(bytes.len() / 2 + 64);
    let before = stream.total_in();
    loop {
        let taken = (stream.total_in() - before) as usize;
        let status = stream.compress_vec(&bytes[taken..], &mut compressed, FlushCompress::Sync).map_err(io::Error::other)?;
        // Room left over says that the flush is complete.
        if matches!(status, Status::Ok | Status::BufError) && compressed.len() < compressed.capacity() {
            return Ok(compressed);
        }
        compressed.reserve(compressed.capacity().max(64));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Decompress, FlushDecompress};

    #[test]
    fn a_stream_of_any_size_ends_in_the_flush_mark_and_reads_back() {
        let mut encoder = Encoder::of_transport(Some("zlib-stream"));
        let mut reader = Decompress::new(true);
        for size in [0, 1, 63, 64, 65, 1000, 5000, 200_000] {
            let payload: String = (0..size).map(|n| char::from(b'a' + (n * n % 23) as u8)).collect();
            let Ok(Message::Binary(bytes)) = encoder.encode(&payload, true) else { panic!("the stream is binary") };
            assert_eq!(bytes[bytes.len() - 4..], [0, 0, 0xff, 0xff], "{size}");
            let mut read = Vec::with_capacity(size + 64);
            reader.decompress_vec(&bytes, &mut read, FlushDecompress::Sync).expect("the stream is whole");
            assert_eq!(read, payload.as_bytes());
        }
    }
}
