//! TLS under Discord's name in front of the stand-in, so that the bot talks to it exactly as it would to Discord.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use atelier::discord;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer},
};

/// The names under which a front answers: Discord's own, and those of its files.
pub const NAMES: [&str; 3] = ["discord.com", "cdn.discordapp.com", "media.discordapp.net"];

/// A front at work. Its authority is made anew each time and lives as long as it.
pub struct Front {
    way: discord::Front,
    root_der: Vec<u8>,
    n_connections: Arc<AtomicUsize>,
    held: watch::Sender<bool>,
    listening: JoinHandle<()>,
}

impl Front {
    /// Opens a front of what listens at `behind`.
    pub async fn open(behind: SocketAddr) -> Self {
        let (acceptor, root_der) = certified(&NAMES);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let n_connections = Arc::new(AtomicUsize::new(0));
        let held = watch::Sender::new(false);
        let (counted, gate) = (n_connections.clone(), held.clone());
        let listening = tokio::spawn(async move {
            while let Ok(client) = accept(&listener).await {
                let (acceptor, gate, counted) = (acceptor.clone(), gate.subscribe(), counted.clone());
                tokio::spawn(async move {
                    // A connection that breaks off is the client's to notice.
                    let _ = carry(client, behind, acceptor, gate, &counted).await;
                });
            }
        });
        let way = discord::Front { address, root: reqwest::Certificate::from_der(&root_der).expect("a certificate") };
        Self { way, root_der, n_connections, held, listening }
    }

    /// What the bot needs to know.
    pub fn way(&self) -> discord::Front {
        self.way.clone()
    }

    /// The authority's certificate, for a bot in another process.
    pub fn root_der(&self) -> &[u8] {
        &self.root_der
    }

    /// Connections that spoke TLS so far.
    pub fn n_connections(&self) -> usize {
        self.n_connections.load(Ordering::Relaxed)
    }

    /// Keeps back what the bot sends, until [`Front::release`].
    pub fn hold(&self) {
        self.held.send_replace(true);
    }

    /// Lets everything through again.
    pub fn release(&self) {
        self.held.send_replace(false);
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// The next client. What is written goes out at once, as from the stand-in itself.
async fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    let (client, _) = listener.accept().await?;
    // A connection that ended meanwhile has no such option.
    let _ = client.set_nodelay(true);
    Ok(client)
}

async fn carry(
    client: TcpStream,
    behind: SocketAddr,
    acceptor: TlsAcceptor,
    mut gate: watch::Receiver<bool>,
    n_connections: &AtomicUsize,
) -> io::Result<()> {
    let (mut from_bot, mut to_bot) = tokio::io::split(acceptor.accept(client).await?);
    n_connections.fetch_add(1, Ordering::Relaxed);
    let stand_in = TcpStream::connect(behind).await?;
    stand_in.set_nodelay(true)?;
    let (mut from_stand_in, mut to_stand_in) = stand_in.into_split();
    let there = async {
        let mut buffer = vec![0; 16 << 10];
        loop {
            let n_bytes = from_bot.read(&mut buffer).await?;
            if n_bytes == 0 {
                return to_stand_in.shutdown().await;
            }
            // Without a sender the front is gone, and nothing is held any more.
            let _ = gate.wait_for(|is_held| !is_held).await;
            to_stand_in.write_all(&buffer[..n_bytes]).await?;
        }
    };
    let back = async {
        tokio::io::copy(&mut from_stand_in, &mut to_bot).await?;
        to_bot.shutdown().await
    };
    tokio::try_join!(there, back).map(|_| ())
}

/// What speaks TLS under these names, and the authority that vouches for it.
fn certified(names: &[&str]) -> (TlsAcceptor, Vec<u8>) {
    let mut authority = CertificateParams::default();
    authority.distinguished_name.push(DnType::CommonName, "throw-away authority of a test");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let authority_key = KeyPair::generate().expect("a key");
    let root = authority.self_signed(&authority_key).expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let issuer = Issuer::new(authority, authority_key);
    let own = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
        .and_then(|params| params.signed_by(&key, &issuer))
        .expect("a certificate");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider speaks TLS")
        .with_no_client_auth()
        .with_single_cert(vec![own.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .expect("key and certificate belong together");
    (TlsAcceptor::from(Arc::new(config)), root.der().to_vec())
}

#[tokio::test]
async fn nothing_waits_for_an_acknowledgement() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let (client, accepted) = tokio::join!(TcpStream::connect(address), accept(&listener));
    client.expect("it is let in");
    assert!(accepted.and_then(|accepted| accepted.nodelay()).expect("the system knows"));
}
