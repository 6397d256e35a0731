//! The ways of an ending to its user: the job's message by the interaction's token while it lives, else by its id, else a new message in the
//! channel, else a direct message; of what is for one person alone nothing goes to the channel. Edits may be repeated; a new message is looked for before it is sent once more.

use std::sync::Arc;

use storage::{Delivery, Failure, Job, JobStatus, JobStore, OutboxItem, StorageError};

use crate::{
    answer::Answer,
    discord::{Later, Messenger, Seen, SendError, Way},
    jobs::board::Board,
    messages::{self, Instead},
    pictures::{self, render::Renderer, shown::EngineStopped},
    system::log::chain,
};

/// Sends endings.
pub struct Sending {
    /// Remembers.
    pub jobs: Arc<dyn JobStore>,
    /// Sends.
    pub messenger: Messenger,
    /// Makes messages of stored jobs.
    pub renderer: Arc<Renderer>,
    /// Where unfinished jobs stand.
    pub board: Arc<Board>,
}

/// How a try went that is not to be repeated.
pub(super) enum Sent {
    /// It reached its user.
    There {
        /// By which way.
        path: &'static str,
        /// The message that shows it, if it is the job's own.
        message: Option<u64>,
    },
    /// No way leads to its user, for these reasons.
    Nowhere(String),
}

impl Sent {
    fn edited((message, way): (u64, Way)) -> Self {
        let path = match way {
            Way::Token => "token",
            Way::Message => "message",
        };
        Self::There { path, message: Some(message) }
    }

    /// There is nobody to tell.
    const TO_NOBODY: Self = Self::There { path: "none", message: None };
    /// Its message was there and somebody removed it.
    const REMOVED: Self = Self::There { path: "removed", message: None };
}

impl Sending {
    /// Sends the last message of a job, and tells which of its pictures were lost and are missing there, or why another try is needed.
    pub(super) async fn send(&self, item: &OutboxItem) -> Result<(Sent, Vec<u32>), Later> {
        let Some(mut job) = self.living(item).await? else { return Ok((Sent::TO_NOBODY, Vec::new())) };
        if let Some(live) = self.board.live.get(&job.id) {
            job.delivery.message = job.delivery.message.or(live.delivery.message);
        }
        // A message that was tried and of which nothing was heard comes first: nothing else is sent before that is known.
        if let Some(channel) = item.posting
            && let Some(sent) = self.arrived(&job, channel, &self.look(&job, channel).await?).await
        {
            return Ok((sent, self.renderer.lost(&job).await.map_err(|error| Later::from(chain(error.as_ref())))?));
        }
        let Some((answer, lost)) = self.answer(&job, item).await? else { return Ok((Sent::TO_NOBODY, Vec::new())) };
        Ok((self.send_answer(&job, item, answer).await?, lost))
    }

    async fn send_answer(&self, job: &Job, item: &OutboxItem, answer: Answer) -> Result<Sent, Later> {
        let mut reasons = Vec::new();
        match self.messenger.edit(&job.delivery, &answer).await {
            Ok(edited) => return Ok(Sent::edited(edited)),
            Err(SendError::Transient(reason)) => return Err(reason),
            Err(SendError::Gone) if !job.delivery.is_private => return Ok(Sent::REMOVED),
            Err(error @ SendError::Refused(_)) => return self.send_elsewhere(job, answer, error.to_string()).await,
            Err(error) => reasons.push(error.to_string()),
        }
        // Its owner may have deleted it meanwhile: then its message is gone on purpose.
        if self.living(item).await?.is_none() {
            return Ok(Sent::TO_NOBODY);
        }
        if job.delivery.is_private {
            return self.send_directly(job, answer, reasons).await;
        }
        let channel = job.delivery.channel;
        let seen = self.look(job, channel).await?;
        if let Some(sent) = self.arrived(job, channel, &seen).await {
            return Ok(sent);
        }
        if let Some(sent) = self.fill(job, &seen.unfinished, &answer).await? {
            return Ok(sent);
        }
        match self.post(job, channel, &answer).await? {
            Ok(message) => Ok(Sent::There { path: "channel", message: Some(message) }),
            Err(error) => {
                reasons.push(error.to_string());
                self.send_directly(job, answer, reasons).await
            }
        }
    }

    /// The job, unless it was deleted.
    async fn living(&self, item: &OutboxItem) -> Result<Option<Job>, Later> {
        let job = self.jobs.job(item.job).await.map_err(|error| Later::from(chain(&error)))?;
        Ok(job.filter(|job| !job.is_deleted))
    }

    /// What tells how a job ended, and which pictures are missing there; `None` if it was deleted. A done job whose pictures are lost fails after all, and costs nothing.
    async fn answer(&self, job: &Job, item: &OutboxItem) -> Result<Option<(Answer, Vec<u32>)>, Later> {
        let error = match self.renderer.last_answer(job).await {
            Ok(answer) => return Ok(Some(answer)),
            Err(error) => error,
        };
        let Some(failure) = why_never_shown(&error) else { return Err(chain(error.as_ref()).into()) };
        let Some(now) = self.living(item).await? else { return Ok(None) };
        tracing::error!(job.id = %job.id, error = chain(error.as_ref()), "a finished job cannot be shown");
        if now.status == JobStatus::Done {
            self.jobs.lose(job.id, &failure).await.map_err(|error| Later::from(chain(&error)))?;
        }
        let heading = match serde_json::from_value(job.task.clone()) {
            Ok(task) => self.renderer.heading(job.user.0, &task, job.parent, &job.action).await,
            Err(_) => messages::Heading {
                title: job.action.clone(),
                made: messages::Made::Drawn,
                parameters: String::new(),
                user: job.user.0,
                notes: Vec::new(),
                is_relaxed: false,
            },
        };
        Ok(Some((messages::failed(&heading, job.id, &messages::failure(&failure, job.id)), Vec::new())))
    }

    /// What of a job stands in a channel; nothing where nobody can look: the nonce alone must do there.
    async fn look(&self, job: &Job, channel: u64) -> Result<Seen, Later> {
        match self.messenger.look(channel, job.id, job.created).await {
            Ok(seen) => Ok(seen),
            Err(SendError::Transient(reason)) => Err(reason),
            Err(_) => Ok(Seen::default()),
        }
    }

    /// Whether the ending was seen. What still says that the job waits must not stand beside it.
    async fn arrived(&self, job: &Job, channel: u64, seen: &Seen) -> Option<Sent> {
        let message = seen.ending?;
        for unfinished in &seen.unfinished {
            self.remove(job, channel, *unfinished).await;
        }
        let is_own = channel == job.delivery.channel;
        Some(Sent::There { path: if is_own { "channel" } else { "direct" }, message: is_own.then_some(message) })
    }

    /// Puts the ending into a message that still says that the job waits and of which nobody knew, and removes others.
    async fn fill(&self, job: &Job, unfinished: &[u64], answer: &Answer) -> Result<Option<Sent>, Later> {
        let Some((first, others)) = unfinished.split_first() else { return Ok(None) };
        let delivery = Delivery { token: String::new(), message: Some(*first), ..job.delivery.clone() };
        match self.messenger.edit(&delivery, answer).await {
            Ok(edited) => {
                for other in others {
                    self.remove(job, job.delivery.channel, *other).await;
                }
                Ok(Some(Sent::edited(edited)))
            }
            Err(SendError::Transient(reason)) => Err(reason),
            Err(SendError::Gone) => Ok(Some(Sent::REMOVED)),
            Err(_) => Ok(None),
        }
    }

    async fn remove(&self, job: &Job, channel: u64, message: u64) {
        if let Err(error) = self.messenger.remove(channel, message).await {
            tracing::warn!(job.id = %job.id, %error, "an old message of a job could not be removed");
        }
    }

    /// Posts a new message, after it was noted where. The outer error asks for another try.
    async fn post(&self, job: &Job, channel: u64, answer: &Answer) -> Result<Result<u64, SendError>, Later> {
        self.jobs.posting(job.id, channel).await.map_err(|error| Later::from(chain(&error)))?;
        match self.messenger.post(channel, job.id, answer).await {
            Err(SendError::Transient(reason)) => Err(reason),
            settled => Ok(settled),
        }
    }

    /// Discord does not take a message as it is, most often because of words in it: the job's message says so without them, and the pictures go to
    /// the person directly.
    async fn send_elsewhere(&self, job: &Job, answer: Answer, reason: String) -> Result<Sent, Later> {
        tracing::error!(job.id = %job.id, reason, "Discord does not take an answer as it is");
        let told = self.messenger.edit(&job.delivery, &messages::not_taken(job.user.0, job.id, Instead::Directly)).await;
        if let Err(SendError::Transient(reason)) = told {
            return Err(reason);
        }
        let message = told.ok().map(|(message, _)| message);
        match self.send_directly(job, answer, vec![reason]).await? {
            Sent::There { path, .. } => Ok(Sent::There { path, message }),
            nowhere @ Sent::Nowhere(_) => {
                match self.messenger.edit(&job.delivery, &messages::not_taken(job.user.0, job.id, Instead::History)).await {
                    Ok((message, _)) => Ok(Sent::There { path: "notice", message: Some(message) }),
                    Err(SendError::Transient(reason)) => Err(reason),
                    Err(_) => Ok(nowhere),
                }
            }
        }
    }

    async fn send_directly(&self, job: &Job, mut answer: Answer, mut reasons: Vec<String>) -> Result<Sent, Later> {
        match job.delivery.is_private {
            true => messages::sent_privately(&mut answer),
            false => messages::sent_here_instead(&mut answer),
        }
        let posted = match self.messenger.direct_channel(job.user.0).await {
            Ok(channel) => self.post(job, channel, &answer).await?,
            Err(SendError::Transient(reason)) => return Err(reason),
            Err(error) => Err(error),
        };
        match posted {
            Ok(_) => Ok(Sent::There { path: "direct", message: None }),
            Err(error) => {
                reasons.push(error.to_string());
                Ok(Sent::Nowhere(reasons.join("; ")))
            }
        }
    }
}

/// Why a job that has ended can never be shown; `None` where the same may work later.
fn why_never_shown(error: &anyhow::Error) -> Option<Failure> {
    if pictures::is_lost(error) {
        return Some(Failure::PicturesLost);
    }
    let is = |check: fn(&(dyn std::error::Error + 'static)) -> bool| error.chain().any(check);
    let may_pass = is(|cause| cause.is::<EngineStopped>() || cause.is::<StorageError>() || cause.is::<tokio::task::JoinError>());
    (!may_pass).then_some(Failure::Internal)
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;
    use crate::pictures::PictureError;

    #[test]
    fn only_what_is_really_lost_is_called_so() {
        let check = |error: anyhow::Error, expected: Option<Failure>| {
            assert_eq!(why_never_shown(&error), expected, "{error:?}");
            let told = Err::<(), _>(error).context("a picture of a job").expect_err("it is one");
            assert_eq!(why_never_shown(&told), expected, "{told:?}");
        };
        let gone = || StorageError::MissingBlob("ab".repeat(32));
        let no_json = serde_json::from_str::<u8>("x").expect_err("it is none");
        check(gone().into(), Some(Failure::PicturesLost));
        check(PictureError::TooManyBytes { found: 7, most: 6 }.into(), Some(Failure::PicturesLost));
        check(no_json.into(), Some(Failure::Internal));
        check(StorageError::DiskFull.into(), None);
        check(StorageError::InUse { path: "/srv".into() }.into(), None);
        check(EngineStopped.into(), None);
    }
}
