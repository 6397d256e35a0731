//! What operators watch: counts and times as Prometheus metrics, on a port that `[metrics] listen` opens. Labels are few and none is a person, a
//! guild or a job. The engine's own (`atelier_batch_rows` and what else is named in `ALL`) are recorded by the engine.

use std::{net::SocketAddr, time::Duration};

use anyhow::Context;
use metrics::{counter, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use storage::{Backlog, JobStatus, QueueStatus, Timestamp};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use super::health::{self, Health};

/// A kind of metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// Every metric: its name, its kind, and what it says.
const ALL: [(&str, Kind, &str); 20] = [
    ("atelier_build_info", Kind::Gauge, "1; the label `version` is this program's."),
    ("atelier_queue_depth", Kind::Gauge, "Jobs that wait for their turn."),
    ("atelier_queue_oldest_seconds", Kind::Gauge, "How long the oldest of them has waited; 0 when none waits."),
    ("atelier_jobs_running", Kind::Gauge, "Jobs that are being drawn."),
    ("atelier_queue_wait_seconds", Kind::Histogram, "From a job's arrival to its first turn."),
    ("atelier_jobs_total", Kind::Counter, "Jobs that ended, by `outcome`: done, failed, cancelled."),
    ("atelier_job_seconds", Kind::Histogram, "From a job's turn to its end, by `outcome`."),
    ("atelier_outbox_depth", Kind::Gauge, "Endings that have not reached their user."),
    (
        "atelier_deliveries_total",
        Kind::Counter,
        "Endings by the `path` that took them to their user: token, message, channel, direct, notice, removed, none.",
    ),
    ("atelier_delivery_retries_total", Kind::Counter, "Tries to deliver that failed and are repeated."),
    ("atelier_undeliverable_total", Kind::Counter, "Endings that nobody saw: no way led to their user, or none for a day."),
    (
        "atelier_discord_requests_total",
        Kind::Counter,
        "Requests that send or change a job's message, by `route` and `status`; 0 where there was no answer.",
    ),
    ("atelier_batch_rows", Kind::Histogram, "Rows of a call of the denoising network."),
    ("atelier_step_seconds", Kind::Histogram, "Time of a call of the denoising network."),
    ("atelier_model_load_seconds", Kind::Histogram, "Time to read a model, or a part of one, into memory."),
    ("atelier_residency_bytes", Kind::Gauge, "Memory of the weights that are loaded, by `device`."),
    ("atelier_fenced_writes_total", Kind::Counter, "Results that came too late, because the job had been given to another worker."),
    ("atelier_lease_expired_total", Kind::Counter, "Jobs whose worker was gone."),
    (
        "atelier_given_up_total",
        Kind::Counter,
        "Jobs whose work was given up, by `reason`: lease (it could not be renewed), engine (it did nothing any more).",
    ),
    ("atelier_refused_total", Kind::Counter, "Wishes that a limit refused."),
];

/// Upper bounds of times, in seconds: from a step of the smallest model to an hour in the queue.
const SECONDS: [f64; 16] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0];
/// Upper bounds of rows.
const ROWS: [f64; 8] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0];

/// The port at work; closed when dropped.
#[must_use]
pub struct Served {
    _exporter: AbortOnDropHandle<()>,
}

/// Opens the port for this process, once: everything that is recorded from here on is served there, beside the program's health.
///
/// # Errors
/// One sentence: the address cannot be used.
pub fn serve(listen: SocketAddr, health: Health) -> anyhow::Result<Served> {
    let builder = PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS)?;
    let builder = builder.set_buckets_for_metric(Matcher::Full("atelier_batch_rows".into()), &ROWS)?;
    let listener = open(listen).with_context(|| format!("the metrics cannot be served at {listen} (`metrics.listen`)"))?;
    let recorder = builder.build_recorder();
    let recorded = recorder.handle();
    metrics::set_global_recorder(recorder).context("this process serves its metrics already")?;
    for (name, kind, help) in ALL {
        match kind {
            Kind::Counter => metrics::describe_counter!(name, help),
            Kind::Gauge => metrics::describe_gauge!(name, help),
            Kind::Histogram => metrics::describe_histogram!(name, help),
        }
    }
    gauge!("atelier_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    if !listen.ip().is_loopback() {
        tracing::warn!(%listen, "everybody who reaches this address can read the metrics (`metrics.listen`); 127.0.0.1 is this machine's own");
    }
    Ok(Served { _exporter: AbortOnDropHandle::new(tokio::spawn(health::answer_all(listener, recorded, health))) })
}

/// Listens, or says in few words why that cannot be.
fn open(listen: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = match std::net::TcpListener::bind(listen) {
        Ok(listener) => listener,
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            anyhow::bail!("port {} is taken by another program; choose another", listen.port())
        }
        Err(error) => return Err(error.into()),
    };
    listener.set_nonblocking(true)?;
    Ok(TcpListener::from_std(listener)?)
}

/// What waits now.
pub fn waiting(queue: QueueStatus, backlog: Backlog, now: Timestamp) {
    gauge!("atelier_queue_depth").set(queue.queued);
    gauge!("atelier_jobs_running").set(queue.running);
    gauge!("atelier_queue_oldest_seconds").set(backlog.oldest.map_or(0.0, |oldest| between(oldest, now).as_secs_f64()));
    gauge!("atelier_outbox_depth").set(backlog.undelivered);
}

/// A job has its first turn.
pub fn begins(created: Timestamp, now: Timestamp) {
    histogram!("atelier_queue_wait_seconds").record(between(created, now));
}

/// A job that had a turn has ended.
pub fn drawn(status: JobStatus, since: Timestamp, now: Timestamp) {
    histogram!("atelier_job_seconds", "outcome" => outcome(status)).record(between(since, now));
}

/// A job has ended.
pub fn ended(status: JobStatus) {
    counter!("atelier_jobs_total", "outcome" => outcome(status)).increment(1);
}

/// An ending reached its user.
pub fn delivered(path: &'static str) {
    counter!("atelier_deliveries_total", "path" => path).increment(1);
}

/// An ending did not reach its user for now.
pub fn not_delivered() {
    counter!("atelier_delivery_retries_total").increment(1);
}

/// An ending cannot reach its user.
pub fn undeliverable() {
    counter!("atelier_undeliverable_total").increment(1);
}

/// A request to Discord was answered with a status, or not at all.
pub fn asked(route: &'static str, status: Option<u16>) {
    counter!("atelier_discord_requests_total", "route" => route, "status" => status.unwrap_or(0).to_string()).increment(1);
}

/// A result came too late.
pub fn fenced() {
    counter!("atelier_fenced_writes_total").increment(1);
}

/// Workers of so many jobs were gone.
pub fn expired(n_jobs: u32) {
    counter!("atelier_lease_expired_total").increment(n_jobs.into());
}

/// The work on a job was given up.
pub fn given_up(reason: &'static str) {
    counter!("atelier_given_up_total", "reason" => reason).increment(1);
}

/// A limit refused a wish.
pub fn refused() {
    counter!("atelier_refused_total").increment(1);
}

fn outcome(status: JobStatus) -> &'static str {
    match status {
        JobStatus::Done => "done",
        JobStatus::Failed => "failed",
        JobStatus::Cancelled => "cancelled",
        JobStatus::Queued | JobStatus::Leased => "handed_back",
    }
}

fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::from_millis(to.0.saturating_sub(from.0).max(0).unsigned_abs())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[tokio::test]
    async fn an_address_that_is_taken_is_one_sentence() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let listen = taken.local_addr().expect("an address");
        let error = serve(listen, Health::default()).err().map(|error| crate::cli::sentence(&error));
        let port = listen.port();
        let expected =
            format!("the metrics cannot be served at {listen} (`metrics.listen`): port {port} is taken by another program; choose another");
        assert_eq!(error, Some(expected));
    }

    #[test]
    fn every_metric_that_is_recorded_is_described_and_no_other() {
        let recorded = regex::Regex::new(r#"(counter|gauge|histogram)!\("(atelier_[a-z_]+)""#).expect("a pattern");
        let sources = [include_str!("metrics.rs"), include_str!("../../../inference/src/telemetry.rs")];
        let found: BTreeSet<(String, String)> = sources
            .iter()
            .flat_map(|source| recorded.captures_iter(source))
            .map(|found| (found[1].to_owned(), found[2].to_owned()))
            .collect();
        let described = ALL.map(|(name, kind, _)| (format!("{kind:?}").to_lowercase(), name.to_owned()));
        assert_eq!(found, described.into_iter().collect());
        let is_named_well =
            |(name, kind, help): &(&str, Kind, &str)| name.ends_with("_total") == (*kind == Kind::Counter) && help.ends_with('.');
        assert!(ALL.iter().all(is_named_well));
    }
}
