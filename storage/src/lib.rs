//! What was recorded: jobs, pictures, quotas and deliveries. Knows no Discord type, no tensor and no prompt syntax.
//!
//! [`JobStore`] (which is [`Queue`], [`Checkpoints`], [`Outbox`], [`History`], [`Guilds`] and [`Ledger`]) and [`BlobStore`] are the borders; [`SqliteStore`] and [`LocalBlobs`] are what stands behind them in a single process.
//! `tests/contract` is the meaning of both, run against every implementation.

#![warn(missing_docs)]

mod blobs;
mod checkpoints;
mod choices;
mod cost;
mod drafts;
mod enqueue;
mod error;
mod failure;
mod favourites;
mod guilds;
mod ids;
mod images;
mod jobs;
mod local_blobs;
mod moderation;
mod outbox;
mod pace;
mod policy;
mod privacy;
mod quota;
mod received;
mod sqlite;
mod states;
mod store;
pub mod turns;
mod zone;

pub use blobs::BlobStore;

pub use checkpoints::{Checkpoint, CheckpointLimits, Checkpoints, Kept};
pub use choices::{Choice, Choices, Chooser};
pub use drafts::{Draft, MAX_DRAFTS};
pub use enqueue::{Enqueued, JobInput, Limits, NewJob, PressKey, Refusal, RunningLimits};
pub use error::StorageError;
pub use failure::Failure;
pub use favourites::{Favourite, Favourites, MAX_FAVOURITES, Marked};
pub use guilds::GuildSettings;
pub use ids::*;
pub use images::{NewImage, Provenance};
pub use jobs::{Backlog, Beside, Cancelled, Delivery, HistoryFilter, HistoryPage, Job, JobStatus, Lease, Less, QueueStatus, Written};
pub use local_blobs::LocalBlobs;
pub use moderation::{Appeal, AppealState, BlockedWord, MAX_APPEALS, MAX_WORDS, Moderation};
pub use outbox::OutboxItem;
pub use policy::{Admission, AuditEntry, DrawRule, DrawRules, DrawSubject, DrawTerms, EVERYWHERE, MAX_AUDIT, Pause, Policy};
pub use privacy::{Erased, Privacy};
pub use quota::{Period, QuotaOf, QuotaRule, QuotaStatus, Spender, Subject};
pub use received::{Received, Reception};
pub use sqlite::SqliteStore;
pub use states::{KeptState, States};
pub use store::{Guilds, History, JobStore, Ledger, Outbox, Queue};
pub use turns::Tier;
pub use zone::Zone;
