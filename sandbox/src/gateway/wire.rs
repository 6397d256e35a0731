//! TCP connections that can end by a reset, as those of a failing network do.

use axum::serve::Listener;
use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::OwnedSemaphorePermit,
    time::{Sleep, sleep},
};

/// Accepts [`Wire`]s whose clients may leave bytes lying for so long.
pub(crate) struct WireListener(pub(crate) TcpListener, pub(crate) Duration);

/// A TCP connection.
pub(crate) struct Wire {
    stream: TcpStream,
    reset: Arc<AtomicBool>,
    taken_within: Duration,
    /// Set while the client takes nothing.
    gives_up: Option<Pin<Box<Sleep>>>,
    /// Its place among the port's connections, until it ends.
    place: Option<OwnedSemaphorePermit>,
}

/// Set, it makes the end of a request's connection a reset.
#[derive(Clone)]
pub(crate) struct Reset(pub(crate) Arc<AtomicBool>);

impl Listener for WireListener {
    type Io = Wire;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Wire, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        // Or a client's late acknowledgement holds back what is written next, for up to 40 ms. A connection that ended meanwhile has none.
        let _ = stream.set_nodelay(true);
        (Wire { stream, reset: Arc::default(), taken_within: self.1, gives_up: None, place: None }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl Reset {
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wire {
    /// Takes a place, which is free again when the connection ends.
    pub(crate) fn occupy(&mut self, place: OwnedSemaphorePermit) {
        self.place = Some(place);
    }

    /// What [`Reset`] sets.
    pub(crate) fn reset_switch(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.reset)
    }

    /// Ends a connection whose client takes nothing for too long.
    fn bounded<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.gives_up = None;
            return written;
        }
        let taken_within = self.taken_within;
        let gives_up = self.gives_up.get_or_insert_with(|| Box::pin(sleep(taken_within)));
        gives_up.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Whether the connection is to end by a reset: nothing more is sent.
    fn is_reset(&self) -> bool {
        self.reset.load(Ordering::Relaxed)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.is_reset() {
            // A system that refuses ends the connection in order, which a client must bear too.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_reset() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.bounded(context, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, parts: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if self.is_reset() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.bounded(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_waits_for_an_acknowledgement() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let mut listener = WireListener(listener, Duration::from_secs(1));
        let address = listener.local_addr().expect("it is bound");
        let (client, (wire, _)) = tokio::join!(TcpStream::connect(address), listener.accept());
        client.expect("it is let in");
        assert!(wire.stream.nodelay().expect("the system knows"));
    }
}
