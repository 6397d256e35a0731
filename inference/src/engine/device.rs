//! The device thread: loads models, takes tasks in and runs batches until the last handle is gone.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, TryRecvError},
    },
};

use candle_core::{DType, Device};
use tokio::sync::mpsc;

use super::{
    Counters, DeviceChoice, EngineConfig, Event, Meter, Precision, Submission,
    handle::MAX_WAITING,
    store::{Ready, Store},
};
use crate::{
    batcher::{Batcher, panicked},
    catalogue::Catalogue,
    error::InferenceError,
    task::TaskKind,
    trajectory::{Events, Job},
};

/// A task for the device thread.
pub(super) struct Command {
    /// What there was when the task was checked.
    pub(super) catalogue: Arc<Catalogue>,
    pub(super) submission: Submission,
    pub(super) events: mpsc::Sender<Event>,
    pub(super) meter: Arc<Meter>,
}

impl Command {
    fn events(&self) -> Events {
        Events::new(self.events.clone(), self.submission.task.n_images())
    }
}

/// The body of the thread.
pub(super) fn run(
    config: &EngineConfig,
    catalogue: &Arc<Catalogue>,
    commands: &Receiver<Command>,
    ready: &SyncSender<Result<(), InferenceError>>,
    counters: Arc<Counters>,
    alive: Arc<()>,
) {
    let mut store = match Store::open(config, catalogue) {
        Ok(store) => store,
        Err(error) => {
            let _ = ready.send(Err(error)); // Nobody waits: nothing to tell.
            return;
        }
    };
    if ready.send(Ok(())).is_err() {
        return;
    }
    let mut batcher = Batcher::new(counters, config.max_batch_rows);
    let mut waiting = VecDeque::new();
    // Dropped before the tasks are when this thread panics: those who wait for them learn that the engine is gone.
    let _alive = alive;
    loop {
        // Idle, the thread sleeps until a task comes; busy, it only looks, and not even that while many wait for their models.
        let command = match waiting.len() {
            MAX_WAITING.. => Err(TryRecvError::Empty),
            0 if !batcher.is_busy() => commands.recv().map_err(|_| TryRecvError::Disconnected),
            _ => commands.try_recv(),
        };
        match command {
            Ok(command) => {
                waiting.push_back(command);
                start(&mut waiting, &mut store, &mut batcher);
            }
            Err(TryRecvError::Empty) => {
                batcher.turn();
                start(&mut waiting, &mut store, &mut batcher);
            }
            Err(TryRecvError::Disconnected) => break,
        }
    }
    batcher.stop();
    waiting.into_iter().for_each(|command| command.events().failed(InferenceError::Stopped));
}

/// Starts the tasks that wait, in their order, as far as their models have room. What is only enlarged needs none and passes those that wait for some.
fn start(waiting: &mut VecDeque<Command>, store: &mut Store, batcher: &mut Batcher) {
    waiting.retain(|command| {
        let is_cancelled = command.meter.is_cancelled();
        if is_cancelled {
            command.events().failed(InferenceError::Cancelled);
        }
        !is_cancelled
    });
    let mut has_room = true;
    while let Some(at) = waiting.iter().position(|command| has_room || matches!(command.submission.task.kind, TaskKind::Upscale(_))) {
        let next = &waiting[at];
        // A panic while one model loads must not end the thread, and with it everybody's tasks.
        let loading = || {
            next.events().may_send(Event::Loading);
        };
        let networks = || store.networks(&next.submission.task, &next.catalogue, loading);
        let found = next.meter.span().in_scope(|| catch_unwind(AssertUnwindSafe(networks)));
        let found = found.unwrap_or_else(|panic| Err(panicked(panic.as_ref())));
        if matches!(found, Ok(None)) {
            if !std::mem::take(&mut has_room) {
                break;
            }
            continue;
        }
        let Some(command) = waiting.remove(at) else { break };
        let events = command.events();
        let Command { submission, meter, .. } = command;
        match found {
            Ok(Some(Ready { parts, facts, notes })) => {
                let notes = notes.of(&submission.task);
                if !notes.is_empty() {
                    // Nothing but `Loading` stands before it, so there is room.
                    events.may_send(Event::Notes(notes));
                }
                let job = Job { submission, parts, facts, events, meter };
                batcher.start(job.ticket(), async move |caller| job.run(&caller).await);
            }
            Ok(None) => {}
            Err(error) => events.failed(error),
        }
    }
}

/// The type that networks compute in, and its name.
pub(super) fn dtype(config: &EngineConfig) -> (DType, &'static str) {
    match (config.precision, config.device) {
        (Precision::F32, _) | (Precision::Bf16 | Precision::F16, DeviceChoice::Cpu) => (DType::F32, "f32"),
        (Precision::Bf16, DeviceChoice::Cuda(_)) => (DType::BF16, "bf16"),
        (Precision::F16, DeviceChoice::Cuda(_)) => (DType::F16, "f16"),
    }
}

/// For people.
pub(super) fn name(config: &EngineConfig) -> String {
    let (_, dtype) = dtype(config);
    match config.device {
        DeviceChoice::Cpu => format!("cpu ({dtype})"),
        DeviceChoice::Cuda(n) => format!("cuda:{n} ({dtype})"),
    }
}

#[cfg(feature = "cuda")]
pub(super) fn open(choice: DeviceChoice) -> Result<Device, InferenceError> {
    match choice {
        DeviceChoice::Cpu => Ok(Device::Cpu),
        DeviceChoice::Cuda(n) => {
            Device::new_cuda(n).map_err(|error| InferenceError::Device { device: format!("cuda:{n}"), reason: error.to_string() })
        }
    }
}

#[cfg(not(feature = "cuda"))]
pub(super) fn open(choice: DeviceChoice) -> Result<Device, InferenceError> {
    match choice {
        DeviceChoice::Cpu => Ok(Device::Cpu),
        DeviceChoice::Cuda(n) => {
            let reason = "this build has no CUDA; build with `--features cuda`".into();
            Err(InferenceError::Device { device: format!("cuda:{n}"), reason })
        }
    }
}
