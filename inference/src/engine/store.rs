//! The parts of models on a device thread, and the tasks that wait for them. What is in memory when is said by [`Residency`].

mod places;

use std::{
    cell::RefCell,
    collections::HashMap,
    path::PathBuf,
    rc::Rc,
    sync::{Arc, mpsc::Sender},
    time::Instant,
};

use candle_core::{DType, Device};

use self::places::Places;
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
    adapter::{Adapter, AdapterSet, AdapterWeights},
    batcher::{Batcher, Parts},
    catalogue::{Catalogue, PartKind, UpscalerCard},
    error::InferenceError,
    part::Slot,
    state::DeviceClass,
    task::{AdapterUse, Note, Task, TextToImage},
    telemetry,
    text::mentions,
    trajectory::{Facts, Job},
};

/// Where a task's parts are, and what is to be known about its model.
pub(crate) struct Ready {
    pub(crate) parts: Rc<Parts>,
    pub(crate) facts: Rc<Facts>,
    source: Arc<Source>,
    /// The places of its adapters, what they are called, and how much of each.
    adapters: Vec<(Rc<Slot<Adapter>>, AdapterUse)>,
}

impl Ready {
    /// Its adapters, which are in memory from the beginning of a task to its end.
    pub(crate) fn adapters(&self) -> Result<Vec<(Arc<Adapter>, AdapterWeights)>, InferenceError> {
        let held = self.adapters.iter().map(|(slot, used)| Some((slot.get()?, used.weights())));
        held.collect::<Option<_>>().ok_or(InferenceError::Internal { what: "a task has begun without an adapter" })
    }

    /// What the person who asked should know.
    fn notes(&self, task: &Task) -> Vec<Note> {
        let Some(base) = task.base() else { return Vec::new() };
        let prompts = [base.prompt.as_str(), base.negative_prompt.as_deref().unwrap_or_default()];
        let words = self.source.unlearned().into_iter().filter(|word| prompts.iter().any(|prompt| mentions(prompt, word)));
        let adapters = self.adapters.iter().filter_map(|(slot, used)| slot.get()?.report().note(&used.name));
        adapters.chain(words.map(|word| Note::WordNotLearned { word })).collect()
    }
}

/// Most sets of adapters with layers of their own that stay in memory beside those in use.
const MAX_SETS: usize = 2;

/// The parts that a task needs in all of its phases.
fn fixed(needed: &[(PartKey, u64)]) -> Vec<PartKey> {
    needed.iter().map(|(key, _)| *key).filter(|key| matches!(key, PartKey::Adapter(_))).collect()
}

/// Tells the store that a task is over, when it is dropped.
struct Lease {
    id: TaskId,
    over: Rc<RefCell<Vec<TaskId>>>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.over.borrow_mut().push(self.id);
    }
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
    /// Of the device, for people.
    name: String,
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
    /// The adapters of tasks that wait for nothing else any more.
    made: Vec<(TaskId, Result<AdapterSet, InferenceError>)>,
    /// Sets of adapters with layers of their own, the last used last.
    sets: Vec<AdapterSet>,
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
        (config, choice): (&EngineConfig, DeviceChoice),
        messages: Sender<Message>,
        room: Arc<WaitingRoom>,
    ) -> Result<Self, InferenceError> {
        let (device, (dtype, _)) = (placement::open(choice)?, placement::dtype(choice, config.precision));
        let budget = memory::budget(choice, config.n_alike(choice), config.memory_bytes);
        let loader = Loader::start(&choice.to_string())?;
        let (residency, over) = (Residency::new(budget), Rc::default());
        Ok(Self {
            name: placement::name(choice, config.precision),
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
            made: Vec::new(),
            sets: Vec::new(),
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

    /// Begins to load the first model of a catalogue and its super-resolution network.
    pub(super) fn want_usual(&mut self, catalogue: &Catalogue) -> Result<(), InferenceError> {
        let task = Task::from(TextToImage::default());
        catalogue.model(None).ok_or(InferenceError::NoModels)?;
        let (mut needed, _) = self.resolve(&task, catalogue)?;
        needs::check(&task, catalogue, self.budget)?;
        if let Some((number, n_bytes)) = self.upscaler(catalogue) {
            needed.push((PartKey::Upscaler(number), n_bytes));
        }
        self.next_task += 1;
        self.residency.arrived(self.next_task, needed, &[]);
        self.waiting.insert(self.next_task, Waiting::Usual);
        Ok(())
    }

    /// How loading the usual model went; `None` while it goes on.
    pub(super) fn usual(&mut self) -> Option<Result<(), InferenceError>> {
        self.usual.take().map(|loaded| loaded.map_err(|error| Arc::try_unwrap(error).unwrap_or_else(InferenceError::Shared)))
    }

    /// Takes a task in, which begins when its parts are there.
    pub(super) fn take_in(&mut self, command: Box<Command>) {
        match self.resolve(&command.submission.task, &command.catalogue) {
            Ok((needed, ready)) => {
                self.next_task += 1;
                self.residency.arrived(self.next_task, needed.clone(), &fixed(&needed));
                self.waiting.insert(self.next_task, Waiting::Task { command, ready });
            }
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
        let upscaler = self.upscaler(catalogue).map(|(number, _)| number);
        let key = |need| match need {
            Need::Part(PartKind::TextEncoders) => Some(PartKey::Text(number)),
            Need::Part(PartKind::Denoiser) => Some(PartKey::Denoiser(number)),
            Need::Part(PartKind::Vae) => Some(PartKey::Vae(number)),
            Need::Upscaler => upscaler.map(PartKey::Upscaler),
            Need::Adapter(place) => adapters.get(place).map(|(number, _)| PartKey::Adapter(*number)),
        };
        let needed = needs::needs(task, catalogue)?.into_iter().filter_map(|(need, n_bytes)| Some((key(need)?, n_bytes))).collect();
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
            preview_every: self.preview_every,
            device: self.device.clone(),
            device_class: DeviceClass::of(&self.device, self.dtype),
            files: source.state_files(catalogue, &files),
        });
        let adapters = adapters.into_iter().map(|(number, used)| (self.places.adapter_slot(number), used)).collect();
        Ok((needed, Ready { parts, facts, source, adapters }))
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
        for (id, set) in std::mem::take(&mut self.made) {
            is_new = true;
            self.begin(id, set, batcher);
        }
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
                Step::Open(key) => self.look_at(key),
                Step::Read(key) => {
                    if let Some(read) = self.opened.remove(&key) {
                        let messages = self.messages.clone();
                        self.loader.load(
                            move || {
                                let begun = Instant::now();
                                let loaded = read()?;
                                telemetry::loaded(begun.elapsed());
                                Ok(Box::new(loaded))
                            },
                            move |loaded| {
                                let _ = messages.send(Message::Loaded(key, loaded)); // The device thread may be over.
                            },
                        );
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

    fn look_at(&self, key: PartKey) {
        let messages = self.messages.clone();
        let done = move |opened| {
            let _ = messages.send(Message::Opened(key, opened)); // As above.
        };
        let to = (self.device.clone(), self.dtype);
        let kind = match key {
            PartKey::Text(_) => PartKind::TextEncoders,
            PartKey::Denoiser(_) => PartKind::Denoiser,
            PartKey::Vae(_) => PartKind::Vae,
            PartKey::Upscaler(number) => {
                let file = self.places.upscaler_file(number);
                return self.loader.load(move || loading::open_upscaler(file, to.0), done);
            }
            PartKey::Adapter(number) => {
                let file = self.places.adapter_file(number);
                return match self.places.source_by(key) {
                    Some(source) => self.loader.load(move || source.open_adapter(file, to), done),
                    None => done(Err(InferenceError::Internal { what: "an adapter without a model" })),
                };
            }
        };
        match self.places.get(key).zip(self.places.source_by(key)) {
            Some((place, source)) => {
                let id = place.id();
                self.loader.load(move || source.open(kind, id, to), done);
            }
            None => done(Err(InferenceError::Internal { what: "a part without a place" })),
        }
    }

    /// A task has all that it needs; where its adapters need layers of their own, these are made first.
    fn start(&mut self, id: TaskId, batcher: &mut Batcher) {
        let uses = match self.waiting.get(&id) {
            Some(Waiting::Task { ready, .. }) => ready.adapters(),
            Some(Waiting::Usual) => {
                self.waiting.remove(&id);
                self.residency.ended(id);
                self.usual = Some(Ok(()));
                return;
            }
            None => return,
        };
        let uses = match uses {
            Ok(uses) => uses,
            Err(error) => return self.begin(id, Err(error), batcher),
        };
        if let Some(known) = self.sets.iter().position(|set| set.is_made_of(&uses)) {
            let set = self.sets.remove(known);
            self.sets.push(set.clone());
            return self.begin(id, Ok(set), batcher);
        }
        if uses.iter().all(|(adapter, _)| adapter.is_live()) {
            return self.begin(id, AdapterSet::new(uses), batcher);
        }
        if let Some(Waiting::Task { command, .. }) = self.waiting.get(&id) {
            command.events().may_send(Event::Loading);
        }
        let messages = self.messages.clone();
        let done = move |set| {
            let _ = messages.send(Message::Adapters(id, set)); // As above.
        };
        self.loader.load(move || AdapterSet::new(uses), done);
    }

    /// The loader has made the layers of a task's adapters.
    pub(super) fn made(&mut self, id: TaskId, set: Result<AdapterSet, InferenceError>) {
        if let Ok(set) = &set {
            self.sets.push(set.clone());
            self.sets.drain(..self.sets.len().saturating_sub(MAX_SETS));
        }
        self.made.push((id, set));
    }

    fn begin(&mut self, id: TaskId, set: Result<AdapterSet, InferenceError>, batcher: &mut Batcher) {
        let Some(Waiting::Task { command, ready }) = self.waiting.remove(&id) else { return };
        let lease = Lease { id, over: self.over.clone() };
        let adapters = match set {
            Ok(adapters) => adapters,
            Err(error) => return self.refuse(&command, error),
        };
        self.room.leave();
        let (events, notes) = (command.events(), ready.notes(&command.submission.task));
        if !notes.is_empty() {
            // Nothing but `Loading` stands before it, so there is room.
            events.may_send(Event::Notes(notes));
        }
        let Command { submission, meter, .. } = *command;
        let job = Job { submission, parts: ready.parts, adapters, facts: ready.facts, events, meter };
        batcher.start(job.ticket(), async move |caller| {
            let _lease = lease;
            job.run(&caller).await
        });
    }

    /// Files and folders of the models whose denoisers are in memory, if these are others than at the last time.
    pub(super) fn new_residents(&mut self) -> Option<Vec<PathBuf>> {
        if !std::mem::take(&mut self.is_moved) {
            return None;
        }
        telemetry::resident(&self.name, self.residency.n_bytes());
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
