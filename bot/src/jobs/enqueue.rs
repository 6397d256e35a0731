//! The one door: every job enters here, through limits and quota, in one transaction.

use std::sync::Arc;

use inference::{
    state::Place,
    task::{Input, Note, Task},
};
use storage::{
    Admission, Appeal, AppealId, AppealState, AuditEntry, BlobKey, Delivery, DrawRules, EVERYWHERE, Enqueued, GuildId, JobId, JobInput,
    JobStatus, JobStore, Limits, NewJob, PressKey, RoleId, StorageError, Tier, UserId,
};
use tracing::{Instrument, Span};

use crate::{
    config::Config,
    discord::Whereabouts,
    error::BotError,
    jobs::{blocklists::Blocklists, board::Board, limits, live::Live, parents, span, speed::Speed},
    messages::{Around, UserError},
    models::Models,
    pictures::render::{self, Renderer},
    policy::{
        self,
        book::Noted,
        decide::{Asker, Wanted, decide},
    },
    system::{clock::Clock, disk, metrics},
};

/// A wish that was understood.
pub struct Request {
    /// The interaction's id: the same interaction twice is one job.
    pub key: String,
    /// Set for a button: the same press twice is one job while it lives.
    pub press: Option<PressKey>,
    /// The guild that pays; in direct messages the user's id.
    pub guild: GuildId,
    /// Who asks.
    pub user: UserId,
    /// Their roles where it is asked.
    pub roles: Vec<RoleId>,
    /// How it takes its turns.
    pub speed: Speed,
    /// `imagine`, `blend`, `variation`, `upscale`, `reroll`, `remix`, `continue`, or the word of what is made of a picture ([`After`](super::after::After)).
    pub action: &'static str,
    /// What to make.
    pub task: Task,
    /// What the person who asks should know of what they typed.
    pub notes: Vec<Note>,
    /// The job and picture that this one comes from.
    pub parent: Option<(JobId, u32)>,
    /// Where its pictures begin, one place for each that is drawn; empty for all of them from their beginning.
    pub begins: Vec<Place>,
    /// Where the answer goes.
    pub delivery: Delivery,
}

/// The one door.
pub struct Door {
    /// The configuration.
    pub config: Arc<Config>,
    /// Remembers.
    pub jobs: Arc<dyn JobStore>,
    /// What can be drawn with.
    pub models: Arc<Models>,
    /// Makes messages of stored jobs.
    pub renderer: Arc<Renderer>,
    /// Where unfinished jobs stand.
    pub board: Arc<Board>,
    /// Words that prompts may not say.
    pub blocklists: Blocklists,
    /// Knows where channels are.
    pub whereabouts: Whereabouts,
    /// Tells the time.
    pub clock: Clock,
}

impl Door {
    /// The limits that hold for a person in a guild, or in direct messages, where their id stands in for it.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn limits(&self, guild: GuildId, user: UserId) -> Result<Limits, StorageError> {
        limits::of_place(&*self.jobs, &self.config.limits, guild, user).await
    }

    /// Enqueues a job; its message is kept up to date from here on.
    ///
    /// # Errors
    /// A `UserError` names the limit or the value in the way; nothing was changed then.
    pub async fn enqueue(&self, request: Request) -> Result<JobId, BotError> {
        let span = span::before(request.user, request.guild, request.task.word());
        self.enter(request).instrument(span).await
    }

    async fn enter(&self, request: Request) -> Result<JobId, BotError> {
        let quote = if request.begins.is_empty() {
            self.models.check(&request.task).await?
        } else {
            self.models.check_rest(&request.task, &request.begins).await?
        };
        self.check_disk().await?;
        if request.guild.0 != request.user.0 {
            policy::check_guild(&self.config.limits, request.guild.0)?;
        }
        let row_megapixels = quote.cost;
        let asker = self.asker(&request);
        let base = request.task.base();
        let offered = self.models.offered();
        let model = base.and_then(|base| offered.catalogue.model(base.model.as_deref())).map(|card| card.name.clone());
        let is_adult = self.is_adult(&request, model.as_deref()).await?;
        let wanted = Wanted { model: model.as_deref(), is_adult, row_megapixels };
        let said = base.map(|base| (base.prompt.clone(), base.negative_prompt.clone().unwrap_or_default())).unwrap_or_default();
        let admission = self.judge(&asker, Some((&wanted, &said))).await?;
        limits::check_size(
            &self.config.limits,
            &self.config.devices().unwrap_or_default(),
            self.models.cost_of_default(),
            &request.task,
            row_megapixels,
        )?;
        let limits = self.limits(request.guild, request.user).await?;
        let only = self.jobs.guild_settings(request.guild).await?.only_tier;
        let tier = request.speed.tier(self.jobs.speed(request.guild, request.user).await?, only)?;
        let input = |input: &Input| Ok(JobInput { role: input.role.to_string(), blob: BlobKey::parse(&input.blob)? });
        let inputs = request.task.inputs.iter().map(input).collect::<Result<_, StorageError>>()?;
        let mut heading = self.renderer.heading(request.user.0, &request.task, request.parent, request.action).await;
        heading.notes.extend(request.notes.iter().cloned());
        heading.is_relaxed = tier == Tier::Relax;
        let live = Live::new(heading, request.delivery.clone(), render::picture_size(&request.task), request.task.n_images())
            .costing(row_megapixels);
        let job = NewJob {
            key: request.key,
            press: request.press,
            guild: request.guild,
            user: request.user,
            roles: request.roles,
            action: request.action.to_owned(),
            tier,
            model: model.clone(),
            row_megapixels,
            task: serde_json::to_value(&request.task)?,
            parent: request.parent,
            notes: if request.notes.is_empty() { None } else { Some(serde_json::to_value(&request.notes)?) },
            inputs,
            delivery: request.delivery,
            admission,
        };
        let mut entered = self.jobs.enqueue(job.clone(), &limits, self.clock.now()).await?;
        while entered == Enqueued::JudgedByOldRules {
            let admission = self.judge(&asker, Some((&wanted, &said))).await?;
            entered = self.jobs.enqueue(NewJob { admission, ..job.clone() }, &limits, self.clock.now()).await?;
        }
        match entered {
            Enqueued::Created(id) => {
                Span::current().record("job.id", tracing::field::display(id));
                // The dispatcher may have been quicker: its entry is the newer one.
                self.board.live.entry(id).or_insert(live);
                if self.jobs.job(id).await?.is_none_or(|job| job.status.is_final()) {
                    self.board.live.remove(&id);
                }
                // Rung after the row is committed: dispatcher and progress read the database.
                self.board.queue.notify_one();
                self.board.progress.notify_one();
                tracing::info!("queued");
                Ok(id)
            }
            Enqueued::SameKey(id) => Ok(id),
            Enqueued::Pressed(id, JobStatus::Done) => {
                let link = self.jobs.job(id).await?.and_then(|job| self.renderer.link(&job));
                Err(UserError::AlreadyMade { job: id, link }.into())
            }
            Enqueued::Pressed(_, _) => Err(UserError::AlreadyDrawing.into()),
            Enqueued::JudgedByOldRules => unreachable!("it was judged again"),
            Enqueued::Refused(refusal) => {
                metrics::refused();
                let may_relax = limits.is_relax_free && tier == Tier::Fast && only != Some(Tier::Fast);
                Err(UserError::Refused(refusal, Around { time_zone: self.config.limits.time_zone.clone(), may_relax }).into())
            }
        }
    }

    /// Whether somebody may draw at all in a channel.
    ///
    /// # Errors
    /// A `UserError` says which rule is in the way.
    pub async fn may_draw(&self, user: UserId, roles: Vec<RoleId>, (payer, channel): (GuildId, u64)) -> Result<(), BotError> {
        let place = self.whereabouts.of((payer.0 != user.0).then_some(payer), channel);
        self.judge(&Asker { user, roles, place }, None).await.map(drop)
    }

    fn asker(&self, request: &Request) -> Asker {
        let payer = (request.guild.0 != request.user.0).then_some(request.guild);
        let place = self.whereabouts.of(payer, request.delivery.channel);
        Asker { user: request.user, roles: request.roles.clone(), place }
    }

    /// What the rules of who may draw, and of what prompts may say, are now. A refusal is written into the guild's book.
    async fn judge(&self, asker: &Asker, wanted: Option<(&Wanted<'_>, &(String, String))>) -> Result<Admission, BotError> {
        let guild = asker.place.guild.unwrap_or(EVERYWHERE);
        let DrawRules { revision, rules } = self.jobs.draw_rules_for(guild, asker.user).await?;
        let pauses = match decide(asker, wanted.map(|(wanted, _)| wanted), &rules) {
            Ok(pauses) => pauses,
            Err(reason) => {
                self.note_refusal(asker, &Noted::Refused { reason: reason.clone() }).await?;
                return Err(UserError::Rules(reason).into());
            }
        };
        let appeal = match wanted {
            Some((_, said)) => self.check_words(asker, said, revision).await?,
            None => None,
        };
        Ok(Admission { revision: Some(revision), pauses, appeal })
    }

    /// Whether a prompt and its negative prompt may be drawn; what lets them through, if something must.
    async fn check_words(&self, asker: &Asker, said: &(String, String), revision: u64) -> Result<Option<AppealId>, BotError> {
        let mut pass = None;
        for guild in [Some(EVERYWHERE), asker.place.guild].into_iter().flatten() {
            let Some(word) = self.blocklists.find(&*self.jobs, (guild, revision), said).await? else { continue };
            let line = if said.1.is_empty() { said.0.clone() } else { format!("{} --no {}", said.0, said.1) };
            if guild != EVERYWHERE {
                pass = self.jobs.approved(guild, asker.user, &line).await?;
                if pass.is_some() {
                    continue;
                }
            }
            self.note_refusal(asker, &Noted::Said { word: word.clone() }).await?;
            // Nobody here decides about words of all places.
            let can_ask = guild != EVERYWHERE && self.jobs.moderators(guild).await?.is_some();
            let appeal = can_ask.then(AppealId::new);
            if let Some(id) = appeal {
                let (user, state, created) = (asker.user, AppealState::Offered, self.clock.now());
                self.jobs.keep_appeal(&Appeal { id, guild, user, word: word.clone(), line, state, created }).await?;
            }
            return Err(UserError::Blocked { word, appeal }.into());
        }
        Ok(pass)
    }

    async fn note_refusal(&self, asker: &Asker, noted: &Noted) -> Result<(), BotError> {
        let (guild, what) = (asker.place.guild.unwrap_or(EVERYWHERE), serde_json::to_value(noted)?);
        metrics::refused();
        Ok(self.jobs.note_audit(&AuditEntry { guild, user: asker.user, at: self.clock.now(), is_change: false, what }).await?)
    }

    /// Whether a job is drawn with a model for adults, or enlarges what was.
    async fn is_adult(&self, request: &Request, model: Option<&str>) -> Result<bool, BotError> {
        if let Some(model) = model {
            return Ok(self.config.is_adult(model));
        }
        let Some((parent, _)) = request.parent else { return Ok(false) };
        let Some(parent) = self.jobs.job(parent).await?.filter(|parent| !parent.is_forgotten) else { return Ok(false) };
        let drawn = parents::drawn(&*self.jobs, parent).await?;
        Ok(drawn.and_then(|drawn| drawn.job.model).is_some_and(|model| self.config.is_adult(&model)))
    }

    async fn check_disk(&self) -> Result<(), BotError> {
        let (dir, floor) = (self.config.data.dir.clone(), self.config.data.min_free_mib);
        let free = tokio::task::spawn_blocking(move || disk::free_mib(&dir)).await?;
        match free {
            Ok(free) if free < floor => {
                tracing::error!(disk.free_mib = free, disk.floor_mib = floor, "the disk is nearly full; new jobs are refused");
                Err(UserError::DiskFull.into())
            }
            Ok(_) => Ok(()),
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "free disk space is unknown");
                Ok(())
            }
        }
    }
}
