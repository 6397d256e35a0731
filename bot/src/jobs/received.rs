//! What was heard and is not answered yet: noted before it is acknowledged, so that no end of the process leaves anybody without a word.

use std::{
    collections::HashSet,
    mem,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use storage::{JobStore, Received};
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio_util::task::{TaskTracker, task_tracker::TaskTrackerToken};

use crate::{jobs::drafts::Typed, system::log::chain};

/// An acknowledgement waits so long for its note and no longer: what is not acknowledged is surely lost.
const NOTE_WITHIN: Duration = Duration::from_secs(1);

/// How an interaction was acknowledged before its work began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Promise {
    /// By a public message that waits.
    Message,
    /// By a message that waits, for its person alone.
    Alone,
    /// Without a new message.
    Silence,
}

/// What somebody asked for, as far as it can be done or said later.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    /// Pictures, with the command: Discord has seen to it that this person may.
    Imagine(Typed),
    /// Pictures, with a form.
    Form(Typed),
    /// Something that can be asked for again as it was.
    Again,
    /// It is refused, and this has yet to be said.
    Refused {
        /// The sentence.
        content: String,
        /// What the button under it opens.
        draft: Option<String>,
    },
}

/// What a note holds; see [`Received::wish`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wish {
    /// How it was acknowledged.
    pub promise: Promise,
    /// What was asked.
    pub asked: Asked,
}

impl Wish {
    /// Whether a message that was promised and shows something is the answer. A refusal to everybody is never said there.
    pub fn is_answered_by_its_message(&self) -> bool {
        match self.promise {
            Promise::Message => !matches!(self.asked, Asked::Refused { .. }),
            Promise::Alone => true,
            Promise::Silence => false,
        }
    }
}

/// Takes notes of what is heard. Those of one moment share a commit.
pub struct Receiving {
    jobs: Arc<dyn JobStore>,
    in_hand: Mutex<HashSet<String>>,
    changes: Mutex<Vec<Change>>,
    /// Whoever holds it writes what all have brought until then.
    turn: Arc<Semaphore>,
    /// Rung when a handler ends without having answered.
    pub left: Notify,
    /// Handlers that have promised something, and writes on their way; awaited at the end.
    pub handlers: TaskTracker,
}

enum Change {
    Note(Box<Received>, oneshot::Sender<bool>),
    /// Both stay in hand until they are written: nobody else may see to them before.
    Amend(InHand, serde_json::Value),
    Forget(InHand),
}

impl Receiving {
    /// Nothing is in hand yet.
    pub fn new(jobs: Arc<dyn JobStore>) -> Self {
        Self {
            jobs,
            in_hand: Mutex::default(),
            changes: Mutex::default(),
            turn: Arc::new(Semaphore::new(1)),
            left: Notify::new(),
            handlers: TaskTracker::new(),
        }
    }

    /// Takes something in hand and notes it; `None` while another handling of the same interaction has it.
    pub async fn take(self: &Arc<Self>, heard: Received, promise: Promise, asked: Asked) -> Option<InHand> {
        let key = heard.key.clone();
        if !lock(&self.in_hand).insert(key.clone()) {
            return None;
        }
        let token = self.handlers.token();
        let mut hand = InHand { key, promise, is_new: false, is_settled: false, receiving: self.clone(), _token: token };
        let Ok(wish) = serde_json::to_value(Wish { promise, asked }) else { return Some(hand) };
        let (told, noted) = oneshot::channel();
        self.change(Change::Note(Box::new(Received { wish, ..heard }), told));
        match tokio::time::timeout(NOTE_WITHIN, noted).await {
            Ok(Ok(is_new)) => hand.is_new = is_new,
            _ => tracing::error!("a wish was not noted in time: a crash just now would leave it without an answer"),
        }
        Some(hand)
    }

    /// What handlers are at work on.
    pub fn in_hand(&self) -> HashSet<String> {
        lock(&self.in_hand).clone()
    }

    /// Whether a handler is at work on it.
    pub fn is_in_hand(&self, key: &str) -> bool {
        lock(&self.in_hand).contains(key)
    }

    fn change(self: &Arc<Self>, change: Change) {
        lock(&self.changes).push(change);
        let own = self.clone();
        self.handlers.spawn(async move {
            let Ok(_turn) = own.turn.acquire().await else { return };
            let changes = mem::take(&mut *lock(&own.changes));
            own.write(changes).await;
        });
    }

    async fn write(&self, changes: Vec<Change>) {
        let (mut heard, mut told, mut amended, mut forgotten) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for change in changes {
            match change {
                Change::Note(received, tell) => {
                    heard.push(*received);
                    told.push(tell);
                }
                Change::Amend(hand, wish) => amended.push((hand, wish)),
                Change::Forget(hand) => forgotten.push(hand),
            }
        }
        let note = async {
            if !heard.is_empty() {
                for (tell, is_new) in told.into_iter().zip(self.jobs.receive(&heard).await?) {
                    // Nobody waits any more where the note came too late.
                    let _ = tell.send(is_new);
                }
            }
            Ok(())
        };
        let end = async {
            for (hand, wish) in &amended {
                self.jobs.amend_received(&hand.key, wish).await?;
            }
            let keys: Vec<String> = forgotten.iter().map(|hand| hand.key.clone()).collect();
            if keys.is_empty() { Ok(()) } else { self.jobs.forget_received(&keys).await }
        };
        let written: [Result<(), storage::StorageError>; 2] = [note.await, end.await];
        for error in written.into_iter().filter_map(Result::err) {
            tracing::error!(error = %chain(&error), "what is heard and answered cannot be noted");
        }
    }
}

/// Something that was heard, while a handler is at work on it. Left without an end, it is swept up.
pub struct InHand {
    key: String,
    promise: Promise,
    is_new: bool,
    is_settled: bool,
    receiving: Arc<Receiving>,
    _token: TaskTrackerToken,
}

impl InHand {
    /// How it was acknowledged.
    pub fn promise(&self) -> Promise {
        self.promise
    }

    /// It has its job, with which its note went.
    pub fn has_job(mut self) {
        self.is_settled = true;
    }

    /// It was answered, or nobody was promised an answer.
    pub fn answered(mut self) {
        self.is_settled = true;
        let receiving = self.receiving.clone();
        receiving.change(Change::Forget(self));
    }

    /// Another handling of it was quicker. What that one noted stays.
    pub fn elsewhere(mut self) {
        self.is_settled = true;
        if self.is_new {
            self.answered();
        }
    }

    /// Its refusal could not be said yet: it is kept in place of what was asked, and said later.
    pub fn refused(self, content: String, draft: Option<String>) {
        let wish = Wish { promise: self.promise, asked: Asked::Refused { content, draft } };
        if let Ok(wish) = serde_json::to_value(wish) {
            let receiving = self.receiving.clone();
            receiving.change(Change::Amend(self, wish));
        }
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        lock(&self.receiving.in_hand).remove(&self.key);
        if !self.is_settled {
            self.receiving.left.notify_one();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
