//! What every part of the running bot shares.

use std::sync::{Arc, OnceLock};

use storage::{BlobStore, JobStore};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    config::Config,
    discord::{Caller, Link, Messenger, Responder},
    intake::Intake,
    jobs::{board::Board, drafts::Drafts, enqueue::Door, received::Receiving},
    messages::Identity,
    models::Models,
    pictures::{explain::tour::Tour, guess::Guesser, render::Renderer},
    policy::{Looks, permits::Permits},
    system::clock::Clock,
};

/// What commands and buttons share. The loops take parts of it ([`crate::jobs::Loops`]).
pub struct App {
    /// The configuration.
    pub config: Arc<Config>,
    /// What can be drawn with.
    pub models: Arc<Models>,
    /// Where every job enters.
    pub door: Arc<Door>,
    /// Fetches the pictures that people bring.
    pub intake: Arc<Intake>,
    /// Guesses what pictures of others could have been drawn from, where that is configured.
    pub guesser: Option<Guesser>,
    /// Makes messages of stored jobs.
    pub renderer: Arc<Renderer>,
    /// Draws the newcomer's tour.
    pub tour: Tour,
    /// Where unfinished jobs stand.
    pub board: Arc<Board>,
    /// What was heard and is not answered yet.
    pub receiving: Arc<Receiving>,
    /// What people typed and did not get drawn.
    pub drafts: Arc<Drafts>,
    /// Remembers.
    pub jobs: Arc<dyn JobStore>,
    /// Keeps pictures.
    pub blobs: Arc<dyn BlobStore>,
    /// Who looked how often.
    pub looks: Looks,
    /// Tells the time.
    pub clock: Clock,
    /// Asks Discord what the library hides.
    pub caller: Caller,
    /// Whether Discord can be reached.
    pub link: Link,
    /// Who the bot is; set when it is connected for the first time.
    pub identity: OnceLock<Identity>,
    /// Answers interactions.
    pub responder: Responder,
    /// Sends.
    pub messenger: Messenger,
    /// What guilds say of who may draw.
    pub permits: Permits,
    /// Becomes true when the commands are registered.
    pub is_registered: watch::Sender<bool>,
    /// Cancelled once, when the program ends.
    pub shutdown: CancellationToken,
    /// Short tasks that handlers leave behind; awaited at the end.
    pub tasks: TaskTracker,
}
