use super::{GENERAL, SOON, TOKEN};
use sandbox::Sandbox;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// A client that writes HTTP by hand, as bad as it likes.
pub struct Raw {
    pub stream: TcpStream,
    read: Vec<u8>,
}

pub struct RawAnswer {
    pub status: u16,
    pub body: Vec<u8>,
}

impl RawAnswer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }
}

/// The head of `POST /channels/{GENERAL}/messages` with these further lines.
pub fn message_head(lines: &str) -> String {
    format!("POST /api/v10/channels/{GENERAL}/messages HTTP/1.1\r\nhost: localhost\r\nauthorization: Bot {TOKEN}\r\n{lines}\r\n\r\n")
}

impl Raw {
    pub async fn open(sandbox: &Sandbox) -> Self {
        Self { stream: TcpStream::connect(sandbox.address()).await.expect("the sandbox accepts"), read: Vec::new() }
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.expect("the sandbox reads");
    }

    /// Reads more; `false` at the end of the connection.
    async fn more(&mut self) -> bool {
        let n_bytes = timeout(SOON, self.stream.read_buf(&mut self.read)).await.expect("the sandbox does something");
        n_bytes.expect("the connection is not reset") > 0
    }

    /// Reads a head: its status and its text in lower case.
    pub async fn head(&mut self) -> (u16, String) {
        loop {
            if let Some(end) = self.read.windows(4).position(|window| window == b"\r\n\r\n") {
                let head = String::from_utf8(self.read.drain(..end + 4).collect()).expect("a head is text").to_lowercase();
                return (head[9..12].parse().expect("a status"), head);
            }
            assert!(self.more().await, "an answer begins");
        }
    }

    /// Reads so many bytes of a body.
    pub async fn take(&mut self, n_bytes: usize) -> Vec<u8> {
        while self.read.len() < n_bytes {
            assert!(self.more().await, "the answer goes on");
        }
        self.read.drain(..n_bytes).collect()
    }

    /// How much has come and is not taken yet.
    pub fn n_waiting(&mut self) -> usize {
        while self.stream.try_read_buf(&mut self.read).is_ok_and(|n_bytes| n_bytes > 0) {}
        self.read.len()
    }

    /// Reads an answer with a length.
    pub async fn answer(&mut self) -> RawAnswer {
        let (status, head) = self.head().await;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |text| text.parse().expect("a length"));
        let body = self.take(length).await;
        RawAnswer { status, body }
    }

    /// Reads to the end of the connection, which may be a reset.
    pub async fn ended(mut self) -> Vec<u8> {
        while timeout(SOON, self.stream.read_buf(&mut self.read)).await.expect("the connection ends").is_ok_and(|n_bytes| n_bytes > 0) {}
        self.read
    }
}
