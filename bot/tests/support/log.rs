//! What is logged inside the spans of jobs, as a program with its log switched on would write it.

use std::{
    collections::HashMap,
    fmt::Debug,
    sync::{Mutex, Once, PoisonError},
};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span,
};
use tracing_subscriber::{
    filter::Targets,
    layer::{Context, Layer, SubscriberExt},
    registry::{LookupSpan, Registry},
};

/// An event inside a job's span.
#[derive(Clone, Debug)]
pub struct Logged {
    /// The module that logged it.
    pub target: &'static str,
    /// What it says.
    pub message: String,
    /// The thread.
    pub thread: String,
    /// The fields of the job's span.
    pub job: HashMap<&'static str, String>,
    /// The spans that it is in, from the outermost.
    pub spans: Vec<&'static str>,
}

/// Every event inside a job's span since [`listen`].
static HEARD: Mutex<Vec<Logged>> = Mutex::new(Vec::new());

/// Hears, from here on, what all threads of this process log about jobs.
pub fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let ours = Targets::new().with_target("atelier", LevelFilter::DEBUG).with_target("inference", LevelFilter::DEBUG);
        let subscriber = Registry::default().with(Ears.with_filter(ours));
        tracing::subscriber::set_global_default(subscriber).expect("no other test has its own log");
    });
}

/// What was logged about a job.
pub fn about(job: &str) -> Vec<Logged> {
    let heard = HEARD.lock().unwrap_or_else(PoisonError::into_inner);
    heard.iter().filter(|logged| logged.job.get("job.id").is_some_and(|id| id == job)).cloned().collect()
}

#[derive(Default)]
struct Fields(HashMap<&'static str, String>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}

struct Ears;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Ears {
    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let Some(scope) = context.event_scope(event) else { return };
        let (mut job, mut spans) = (None, Vec::new());
        for span in scope.from_root() {
            let metadata: &'static Metadata<'static> = span.metadata();
            spans.push(metadata.name());
            if metadata.name() == "job" {
                job = span.extensions().get::<Fields>().map(|fields| fields.0.clone());
            }
        }
        let Some(job) = job else { return };
        let mut fields = Fields::default();
        event.record(&mut fields);
        let message = fields.0.remove("message").unwrap_or_default();
        let thread = std::thread::current().name().unwrap_or_default().to_owned();
        let logged = Logged { target: event.metadata().target(), message, thread, job, spans };
        HEARD.lock().unwrap_or_else(PoisonError::into_inner).push(logged);
    }
}
