//! Something between the bot and the stand-in that answers in its place, as a log-in page of a network does.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
};

/// A relay that listens and does not carry anything yet.
pub struct Relay {
    listener: TcpListener,
    address: SocketAddr,
}

impl Relay {
    /// Takes a free port.
    pub async fn bind() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        Self { listener, address }
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Carries everything to what listens at `behind`, but answers the first `n` requests that begin with `call` itself. Gives how many are left.
    pub fn serve(self, behind: SocketAddr, call: &'static str, answer: &'static [u8], n: usize) -> Arc<AtomicUsize> {
        let left = Arc::new(AtomicUsize::new(n));
        let counted = left.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = self.listener.accept().await {
                let counted = counted.clone();
                // A connection that breaks off is the client's to notice.
                tokio::spawn(async move { carry(client, behind, call, answer, &counted).await });
            }
        });
        left
    }
}

async fn carry(client: TcpStream, behind: SocketAddr, call: &str, answer: &[u8], left: &AtomicUsize) -> std::io::Result<()> {
    let (mut from_bot, mut to_bot) = client.into_split();
    let (mut from_stand_in, mut to_stand_in) = TcpStream::connect(behind).await?.into_split();
    let met = Notify::new();
    let there = async {
        let mut buffer = vec![0; 16 << 10];
        loop {
            let n_bytes = from_bot.read(&mut buffer).await?;
            let is_call = buffer[..n_bytes].starts_with(call.as_bytes());
            if is_call && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
                met.notify_one();
                return Ok::<_, std::io::Error>(());
            }
            if n_bytes == 0 {
                to_stand_in.shutdown().await?;
                return Ok(());
            }
            to_stand_in.write_all(&buffer[..n_bytes]).await?;
        }
    };
    let back = async {
        let mut buffer = vec![0; 16 << 10];
        loop {
            tokio::select! {
                () = met.notified() => {
                    to_bot.write_all(answer).await?;
                    return to_bot.shutdown().await;
                }
                read = from_stand_in.read(&mut buffer) => match read? {
                    0 => return to_bot.shutdown().await,
                    n_bytes => to_bot.write_all(&buffer[..n_bytes]).await?,
                },
            }
        }
    };
    tokio::try_join!(there, back).map(|_| ())
}
