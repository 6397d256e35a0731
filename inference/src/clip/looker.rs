//! A network of both kinds at work on a thread of its own.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::Arc,
    thread,
};

use image::RgbImage;
use tokio::sync::{mpsc, oneshot};

use super::{Clip, ClipFiles, Meaning};
use crate::error::InferenceError;

/// Wishes that wait at once; more are refused.
const MAX_WAITING: usize = 16;

/// A handle to the network's thread; cheap to clone. The numbers are loaded at the first wish and kept.
#[derive(Clone, Debug)]
pub struct Looker(mpsc::Sender<Wish>);

#[derive(Debug)]
struct Wish {
    what: What,
    answer: oneshot::Sender<Result<Vec<Meaning>, InferenceError>>,
}

#[derive(Debug)]
enum What {
    Words(Arc<[String]>),
    Picture(Box<RgbImage>),
}

impl Looker {
    /// Starts the thread for a folder as transformers writes it; headers and small files are checked at once.
    ///
    /// # Errors
    /// As [`ClipFiles::open`]; there is no thread to be had.
    pub fn start(folder: &Path) -> Result<Self, InferenceError> {
        let files = ClipFiles::open(folder)?;
        let (wishes, waiting) = mpsc::channel(MAX_WAITING);
        let thread = thread::Builder::new().name("inference-clip".to_owned()).spawn(move || work(&files, waiting));
        thread.map_err(|source| InferenceError::Device { device: "cpu".to_owned(), reason: source.to_string() })?;
        Ok(Self(wishes))
    }

    /// What each of these means.
    ///
    /// # Errors
    /// The numbers cannot be loaded, the network fails, or too many wait.
    pub async fn words(&self, words: Arc<[String]>) -> Result<Vec<Meaning>, InferenceError> {
        self.ask(What::Words(words)).await
    }

    /// What a picture means.
    ///
    /// # Errors
    /// As [`words`](Self::words).
    pub async fn picture(&self, picture: RgbImage) -> Result<Meaning, InferenceError> {
        let meanings = self.ask(What::Picture(Box::new(picture))).await?;
        meanings.into_iter().next().ok_or(InferenceError::Internal { what: "a picture without a meaning" })
    }

    async fn ask(&self, what: What) -> Result<Vec<Meaning>, InferenceError> {
        let (answer, answered) = oneshot::channel();
        self.0.try_send(Wish { what, answer }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => InferenceError::Busy,
            mpsc::error::TrySendError::Closed(_) => InferenceError::Stopped,
        })?;
        answered.await.map_err(|_| InferenceError::Stopped)?
    }
}

/// Answers wishes until nobody has a handle any more. One that nobody waits for is left out.
fn work(files: &ClipFiles, mut waiting: mpsc::Receiver<Wish>) {
    let mut loaded = None;
    while let Some(Wish { what, answer }) = waiting.blocking_recv() {
        if answer.is_closed() {
            continue;
        }
        let done = catch_unwind(AssertUnwindSafe(|| meanings(files, &mut loaded, &what)));
        let done = done.unwrap_or_else(|panic| Err(InferenceError::Panicked { reason: said(&*panic) }));
        // Whoever asked may have gone meanwhile.
        drop(answer.send(done));
    }
}

fn meanings(files: &ClipFiles, loaded: &mut Option<Clip>, what: &What) -> Result<Vec<Meaning>, InferenceError> {
    if loaded.is_none() {
        *loaded = Some(Clip::load(files)?);
    }
    let clip = loaded.as_ref().ok_or(InferenceError::Internal { what: "a network that was not loaded" })?;
    match what {
        What::Words(words) => words.iter().map(|words| clip.words(words)).collect(),
        What::Picture(picture) => Ok(vec![clip.picture(picture)?]),
    }
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}
