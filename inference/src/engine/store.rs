//! The parts of models on a device thread, and the tasks that wait for them. What is in memory when is said by [`Residency`].

mod begin;
mod load;
mod places;
mod ready;

use std::{
    cell::RefCell,
    collections::HashMap,
    path::PathBuf,
    rc::Rc,
    sync::{Arc, mpsc::Sender},
};

use candle_core::{DType, Device};

use self::places::Places;
pub(crate) use self::ready::Ready;
use super::{
    DeviceChoice, EngineConfig, Event,
    loader::Loader,
    loading::{self, Loaded, Read, Source},
    memory,
    message::{Command, Message, PartKey, WaitingRoom},
    needs::{self, Need},
    placement,
    residency::{Residency, Step, TaskId},
};
use crate::{
    batcher::{Batcher, Parts},
    catalogue::{Catalogue, PartKind, UpscalerCard},
    error::InferenceError,
    state::DeviceClass,
    task::{AdapterUse, Task, TextToImage},
    telemetry,
    trajectory::Facts,
};

/// The parts that a task needs in all of its phases.
fn fixed(needed: &[(PartKey, u64)]) -> Vec<PartKey> {
    needed.iter().map(|(key, _)| *key).filter(|key| matches!(key, PartKey::Adapter(_) | PartKey::Set(_))).collect()
}

/// Somebody who waits for parts.
enum Waiting {
    Task {
        command: Box<Command>,
        ready: Ready,
    },
    /// The model that is loaded before there is any task.
    Usual,
}

/// The parts of models on a device thread.
pub(crate) struct Store {
    /// Of the device, for metrics.
    label: String,
    preview_every: u32,
    device: Device,
    dtype: DType,
    budget: u64,
    messages: Sender<Message>,
    room: Arc<WaitingRoom>,
    loader: Loader,
    residency: Residency<PartKey>,
    places: Places,
    /// What the loader has looked at.
    opened: HashMap<PartKey, Read>,
    waiting: HashMap<TaskId, Waiting>,
    over: Rc<RefCell<Vec<TaskId>>>,
    /// Whether other parts are in memory than when somebody asked.
    is_moved: bool,
    /// How loading the usual model went.
    usual: Option<Result<(), Arc<InferenceError>>>,
    next_task: TaskId,
}

impl Store {
    /// A store without any part.
    pub(super) fn open(
        (config, choice, place): (&EngineConfig, DeviceChoice, usize),
        messages: Sender<Message>,
        room: Arc<WaitingRoom>,
    ) -> Result<Self, InferenceError> {
        let (device, (dtype, _)) = (placement::open(choice)?, placement::dtype(choice, config.precision));
        let budget = memory::budget(choice, config.n_alike(choice), config.memory_bytes);
        let loader = Loader::start(&choice.to_string())?;
        let (residency, over) = (Residency::new(budget), Rc::default());
        Ok(Self {
            label: placement::label(&config.devices, place, config.precision),
            preview_every: config.preview_every,
            device,
            dtype,
            budget,
            messages,
            room,
            loader,
            residency,
            places: Places::default(),
            opened: HashMap::new(),
            waiting: HashMap::new(),
            over,
            is_moved: true,
            usual: None,
            next_task: 0,
        })
    }

    /// Bytes that parts may take.
    pub(super) fn budget(&self) -> u64 {
        self.budget
    }

    /// What its numbers depend on.
    pub(super) fn class(&self) -> DeviceClass {
        DeviceClass::of(&self.device, self.dtype)
    }

    /// Begins to load the first model of a catalogue and its super-resolution network.
    pub(super) fn want_usual(&mut self, catalogue: &Catalogue) -> Result<(), InferenceError> {
        let task = Task::from(TextToImage::default());
        catalogue.model(None).ok_or(InferenceError::NoModels)?;
        let (mut needed, _) = self.resolve(&task, catalogue)?;
        needs::check(&task, catalogue, self.budget)?;
        if let Some((number, n_bytes)) = self.upscaler(catalogue) {
            needed.push((PartKey::Upscaler(number), n_bytes));
        }
        self.wait_for(needed, Waiting::Usual);
        Ok(())
    }

    /// Takes in who waits for these parts.
    fn wait_for(&mut self, needed: Vec<(PartKey, u64)>, waiting: Waiting) {
        self.next_task += 1;
        let fixed = fixed(&needed);
        self.residency.arrived(self.next_task, needed, &fixed);
        for set in fixed.into_iter().filter(|key| matches!(key, PartKey::Set(_))) {
            self.residency.is_made_of(&set, &self.places.made_of(set));
        }
        self.waiting.insert(self.next_task, waiting);
    }

    /// How loading the usual model went; `None` while it goes on.
    pub(super) fn usual(&mut self) -> Option<Result<(), InferenceError>> {
        self.usual.take().map(|loaded| loaded.map_err(|error| Arc::try_unwrap(error).unwrap_or_else(InferenceError::Shared)))
    }

    /// Takes a task in, which begins when its parts are there.
    pub(super) fn take_in(&mut self, command: Box<Command>) {
        let span = command.meter.span().clone();
        match span.in_scope(|| self.resolve(&command.submission.task, &command.catalogue)) {
            Ok((needed, ready)) => self.wait_for(needed, Waiting::Task { command, ready }),
            Err(error) => self.refuse(&command, error),
        }
    }

    fn refuse(&self, command: &Command, error: InferenceError) {
        self.room.leave();
        command.events().failed(error);
    }

    /// The parts that a task needs, with their bytes, and their places.
    fn resolve(&mut self, task: &Task, catalogue: &Catalogue) -> Result<(Vec<(PartKey, u64)>, Ready), InferenceError> {
        let card = needs::card(task, catalogue)?;
        let (number, source) = self.places.source(card, catalogue);
        let mut adapters = Vec::new();
        for used in task.base().map(|base| base.all_adapters()).unwrap_or_default() {
            let card = catalogue.adapter(&used.name).ok_or_else(|| catalogue.unknown_adapter(&used.name))?;
            adapters.push((self.places.adapter(number, card), used));
        }
        let needs = needs::needs(task, catalogue, self.budget)?;
        let has = |wanted| needs.iter().any(|(need, _)| *need == wanted);
        let set = has(Need::Set).then(|| self.places.set(number, &adapters));
        let decoder = has(Need::Preview).then(|| self.places.decoder(number));
        let upscaler = self.upscaler(catalogue).map(|(number, _)| number);
        let key = |need| match need {
            Need::Part(PartKind::TextEncoders) => Some(PartKey::Text(number)),
            Need::Part(PartKind::Denoiser) => Some(PartKey::Denoiser(number)),
            Need::Part(PartKind::Vae) => Some(PartKey::Vae(number)),
            Need::Preview => Some(PartKey::Preview(number)),
            Need::Upscaler => upscaler.map(PartKey::Upscaler),
            Need::Adapter(place) => adapters.get(place).map(|(number, _): &(u32, AdapterUse)| PartKey::Adapter(*number)),
            Need::Set => set.map(PartKey::Set),
        };
        let needed = needs.into_iter().filter_map(|(need, n_bytes)| Some((key(need)?, n_bytes))).collect();
        let limits = card.limits(catalogue.upscale_factor());
        let (vae, preview) = self.places.vae(number);
        let parts = Rc::new(Parts {
            text: self.places.text(number),
            denoiser: self.places.denoiser(number),
            vae,
            upscaler: upscaler.map(|number| self.places.upscaler_slot(number)),
            vae_factor: limits.rules.vae_factor,
        });
        let files: Vec<PathBuf> = adapters.iter().map(|(number, _)| self.places.adapter_file(*number)).collect();
        let facts = Rc::new(Facts {
            limits,
            preview,
            decoder,
            preview_every: self.preview_every,
            device: self.device.clone(),
            device_class: self.class(),
            files: source.state_files(catalogue, &files),
        });
        let adapters = adapters.into_iter().map(|(number, used)| (self.places.adapter_slot(number), used)).collect();
        let set = set.map(|number| self.places.set_slot(number));
        Ok((needed, Ready { parts, facts, source, adapters, set }))
    }

    /// The super-resolution network of a catalogue, and its bytes.
    fn upscaler(&mut self, catalogue: &Catalogue) -> Option<(u32, u64)> {
        catalogue.upscaler().map(|card| (self.places.upscaler(card), needs::upscaler_bytes(card)))
    }

    /// The loader has looked at a part.
    pub(super) fn opened(&mut self, key: PartKey, read: Result<Read, InferenceError>, batcher: &Batcher) {
        match read {
            Ok(read) => {
                self.opened.insert(key, read);
                self.residency.opened(&key);
            }
            Err(error) => self.failed(key, error, batcher),
        }
    }

    /// The loader has read a part.
    pub(super) fn loaded(&mut self, key: PartKey, loaded: Result<Box<Loaded>, InferenceError>, batcher: &Batcher) {
        match loaded {
            Ok(loaded) => {
                self.places.fill(key, *loaded);
                self.is_moved = true;
                self.residency.loaded(&key);
            }
            Err(error) => self.failed(key, error, batcher),
        }
    }

    /// A part cannot be loaded: whoever waits for it is over.
    fn failed(&mut self, key: PartKey, error: InferenceError, batcher: &Batcher) {
        let error = Arc::new(error);
        self.places.forget_files(key);
        for id in self.residency.failed(&key) {
            match self.waiting.remove(&id) {
                Some(Waiting::Task { command, .. }) => self.refuse(&command, InferenceError::Shared(error.clone())),
                Some(Waiting::Usual) => self.usual = Some(Err(error.clone())),
                None => {}
            }
        }
        if let Some(place) = self.places.get(key) {
            batcher.fail(place.id(), &error);
        }
    }

    /// Lets go of the tasks that nobody wants any more before they began.
    pub(super) fn drop_cancelled(&mut self) {
        let is_cancelled = |waiting: &Waiting| matches!(waiting, Waiting::Task { command, .. } if command.meter.is_cancelled());
        let cancelled: Vec<TaskId> = self.waiting.iter().filter(|(_, waiting)| is_cancelled(waiting)).map(|(id, _)| *id).collect();
        for id in cancelled {
            self.residency.ended(id);
            if let Some(Waiting::Task { command, .. }) = self.waiting.remove(&id) {
                self.refuse(&command, InferenceError::Cancelled);
            }
        }
    }

    /// Does whatever is to be done now; whether the batcher has something new to do.
    pub(super) fn settle(&mut self, batcher: &mut Batcher) -> bool {
        let over: Vec<TaskId> = self.over.borrow_mut().drain(..).collect();
        let mut is_new = !over.is_empty();
        over.into_iter().for_each(|id| self.residency.ended(id));
        if self.residency.takes_demands() {
            let demands = batcher.demands();
            self.residency.demanded(demands.into_iter().filter_map(|id| Some(vec![self.places.key(id)?])).collect());
        }
        while let Some(step) = self.residency.next() {
            match step {
                Step::Loading(id) => {
                    if let Some(Waiting::Task { command, .. }) = self.waiting.get(&id) {
                        command.events().may_send(Event::Loading);
                    }
                }
                Step::Start(id) => {
                    is_new = true;
                    self.start(id, batcher);
                }
                // A set is made of what was looked at.
                Step::Open(key @ PartKey::Set(_)) => self.residency.opened(&key),
                Step::Open(key) => self.span_of(key).in_scope(|| self.look_at(key)),
                Step::Read(key) => {
                    let read = self.opened.remove(&key).or_else(|| self.places.to_be_made(key));
                    match read {
                        Some(read) => self.span_of(key).in_scope(|| self.read(key, read)),
                        None => self.failed(key, InferenceError::Internal { what: "a part is read that nobody has looked at" }, batcher),
                    }
                }
                Step::Drop(key) => {
                    self.opened.remove(&key);
                    self.places.clear(key);
                    self.is_moved = true;
                }
            }
        }
        self.places.tidy(|key| self.residency.knows(&key));
        is_new
    }

    /// Files and folders of the models whose denoisers are in memory, if these are others than at the last time.
    pub(super) fn new_residents(&mut self) -> Option<Vec<PathBuf>> {
        if !std::mem::take(&mut self.is_moved) {
            return None;
        }
        telemetry::resident(&self.label, self.residency.n_bytes());
        let denoisers = self.residency.residents().filter(|key| matches!(key, PartKey::Denoiser(_)));
        Some(denoisers.filter_map(|&key| Some(self.places.source_by(key)?.card.path.clone())).collect())
    }

    /// Fails the tasks that have not begun: the engine ends.
    pub(super) fn stop(&mut self) {
        for (_, waiting) in std::mem::take(&mut self.waiting) {
            if let Waiting::Task { command, .. } = waiting {
                self.refuse(&command, InferenceError::Stopped);
            }
        }
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::TestStore;
