//! The least that HTTP/1.1 needs, so that the client takes as little of the processor as it can.

use anyhow::{Context, bail};
use std::net::SocketAddr;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

/// A connection that is kept between requests.
pub struct Wire {
    stream: BufReader<TcpStream>,
    host: SocketAddr,
    request: Vec<u8>,
    line: String,
    body: Vec<u8>,
}

impl Wire {
    pub async fn connect(host: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(host).await.context("the stand-in does not accept connections")?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream), host, request: Vec::new(), line: String::new(), body: Vec::new() })
    }

    /// Sends JSON and returns the answer's body; anything but a success is an error.
    pub async fn send(&mut self, method: &str, path: &str, body: &str) -> anyhow::Result<&[u8]> {
        use std::io::Write as _;
        self.request.clear();
        let (host, length) = (self.host, body.len());
        write!(
            self.request,
            "{method} {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bot sandbox\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        )?;
        self.stream.write_all(&self.request).await?;
        let status = self.head().await?;
        if !(200..300).contains(&status) {
            bail!("{method} {path} was answered {status}: {}", String::from_utf8_lossy(&self.body));
        }
        Ok(&self.body)
    }

    /// Reads an answer; returns its status.
    async fn head(&mut self) -> anyhow::Result<u16> {
        self.read_line().await?;
        let status = self.line.split(' ').nth(1).and_then(|status| status.parse().ok()).context("no HTTP answer")?;
        let mut n_bytes = 0;
        loop {
            self.read_line().await?;
            if self.line.trim_end().is_empty() {
                break;
            }
            if let Some((name, value)) = self.line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                n_bytes = value.trim().parse()?;
            }
        }
        self.body.resize(n_bytes, 0);
        self.stream.read_exact(&mut self.body).await?;
        Ok(status)
    }

    async fn read_line(&mut self) -> anyhow::Result<()> {
        self.line.clear();
        if self.stream.read_line(&mut self.line).await? == 0 {
            bail!("the stand-in closed the connection");
        }
        Ok(())
    }
}
