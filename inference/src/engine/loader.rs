//! A thread that loads, so that the device thread never does.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Sender, channel},
    },
    thread::JoinHandle,
};

use tracing::Span;

use crate::{batcher::panicked, error::InferenceError};

type Work = Box<dyn FnOnce() + Send>;

/// The handle of the thread. Dropping it ends the thread after what it is at, and waits for that.
pub(super) struct Loader {
    /// `None` only while dropping.
    works: Option<Sender<Work>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Loader {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system has no room for it.
    pub(super) fn start(device: &str) -> Result<Self, InferenceError> {
        let (works, received) = channel::<Work>();
        let is_over = Arc::new(AtomicBool::new(false));
        let flag = is_over.clone();
        let body = move || received.into_iter().take_while(|_| !flag.load(Ordering::Relaxed)).for_each(|work| work());
        let spawned = std::thread::Builder::new().name("inference-loader".to_owned()).spawn(body);
        let thread = spawned.map_err(|error| InferenceError::Device { device: device.to_owned(), reason: error.to_string() })?;
        Ok(Self { works: Some(works), is_over, thread: Some(thread) })
    }

    /// Does a work after those that were given before, inside the span that it is given in, and then hands over what came of it. A panic is an error of
    /// this work alone.
    pub(super) fn load<T: 'static>(
        &self,
        work: impl FnOnce() -> Result<T, InferenceError> + Send + 'static,
        done: impl FnOnce(Result<T, InferenceError>) + Send + 'static,
    ) {
        let span = Span::current();
        let work =
            move || span.in_scope(|| done(catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(panicked(panic.as_ref())))));
        if let Some(works) = &self.works {
            let _ = works.send(Box::new(work)); // The thread lives as long as its handle.
        }
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.works.take();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the loader's thread panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_while_loading_is_an_error_of_that_work_alone() {
        let loader = Loader::start("cpu").expect("a thread");
        let (sender, results) = channel();
        for number in 0..3 {
            let sender = sender.clone();
            let work = move || {
                assert_ne!(number, 1, "a file that nobody can bear");
                Ok(number)
            };
            loader.load(work, move |result| sender.send(result.map_err(|error| error.to_string())).expect("somebody waits"));
        }
        let results: Vec<_> = results.iter().take(3).collect();
        assert_eq!((&results[0], &results[2]), (&Ok(0), &Ok(2)));
        assert!(results[1].as_ref().is_err_and(|error| error.contains("a file that nobody can bear")), "{results:?}");
    }
}
