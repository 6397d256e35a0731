//! What operators ask over HTTP: the metrics, and whether the program lives and is at work.

use std::{
    io,
    sync::{Arc, OnceLock},
    time::Duration,
};

use metrics_exporter_prometheus::PrometheusHandle;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{interval, timeout},
};

/// Questions that are answered at once; others wait.
const MAX_AT_ONCE: usize = 16;
/// Who asks has so long for the question and for taking the answer.
const ASK_WITHIN: Duration = Duration::from_secs(5);
/// Longest head of a question.
const MAX_HEAD_BYTES: usize = 8 << 10;
/// Recorded times are put together this often, also while nobody asks.
const PUT_TOGETHER_EVERY: Duration = Duration::from_secs(5);

type WhyNot = Box<dyn Fn() -> Option<&'static str> + Send + Sync>;

/// Whether people can use the bot. Cheap to clone.
#[derive(Clone, Default)]
pub struct Health(Arc<OnceLock<WhyNot>>);

impl Health {
    /// Who knows why people cannot use the bot, once it has started.
    pub fn ask(&self, why_not: impl Fn() -> Option<&'static str> + Send + Sync + 'static) {
        let _ = self.0.set(Box::new(why_not));
    }

    /// Why people cannot use the bot.
    fn why_not(&self) -> Option<&'static str> {
        self.0.get().map_or(Some("it is starting"), |why_not| why_not())
    }
}

/// Answers for ever.
pub(super) async fn answer_all(listener: TcpListener, metrics: PrometheusHandle, health: Health) {
    let (mut asking, mut upkeep) = (JoinSet::new(), interval(PUT_TOGETHER_EVERY));
    loop {
        tokio::select! {
            accepted = listener.accept(), if asking.len() < MAX_AT_ONCE => match accepted {
                Ok((stream, _)) => {
                    let (metrics, health) = (metrics.clone(), health.clone());
                    // Who breaks off needs no answer.
                    asking.spawn(async move { timeout(ASK_WITHIN, answer(stream, &metrics, &health)).await.is_ok() });
                }
                // Too many open files, say: it passes.
                Err(error) => {
                    tracing::debug!(%error, "a question cannot be taken");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            Some(_) = asking.join_next(), if !asking.is_empty() => {}
            _ = upkeep.tick() => metrics.run_upkeep(),
        }
    }
}

async fn answer(mut stream: TcpStream, metrics: &PrometheusHandle, health: &Health) -> io::Result<()> {
    let (mut head, mut buffer) = (Vec::new(), [0; 1024]);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") && head.len() < MAX_HEAD_BYTES {
        match stream.read(&mut buffer).await? {
            0 => return Ok(()),
            n_bytes => head.extend_from_slice(&buffer[..n_bytes]),
        }
    }
    let head = String::from_utf8_lossy(&head);
    let mut words = head.lines().next().unwrap_or_default().split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (status, body) = match (method, path.split('?').next().unwrap_or_default()) {
        ("GET" | "HEAD", "/livez") => ("200 OK", "ok\n".to_owned()),
        ("GET" | "HEAD", "/readyz") => match health.why_not() {
            None => ("200 OK", "ok\n".to_owned()),
            Some(why) => ("503 Service Unavailable", format!("{why}\n")),
        },
        ("GET" | "HEAD", "/" | "/metrics") => ("200 OK", metrics.render()),
        ("GET" | "HEAD", _) => ("404 Not Found", "there are /metrics, /livez and /readyz\n".to_owned()),
        _ => ("405 Method Not Allowed", "only GET is answered\n".to_owned()),
    };
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    let n_bytes = body.len();
    let head = format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {n_bytes}\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    if method != "HEAD" {
        stream.write_all(body.as_bytes()).await?;
    }
    stream.shutdown().await
}
