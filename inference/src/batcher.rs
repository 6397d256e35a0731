//! The batcher: polls every trajectory on the device thread, and sends the rows that wait through the networks as batches.

mod queue;
#[cfg(test)]
mod tests;

use std::{
    any::Any,
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::{Rc, Weak},
    sync::Arc,
    time::Instant,
};

use candle_core::Tensor;
use futures::{
    FutureExt,
    channel::oneshot,
    executor::LocalPool,
    future::{AbortHandle, abortable},
    task::LocalSpawnExt,
};

use self::queue::{Call, Queue, Work};
use crate::{
    engine::{Counters, Meter},
    error::InferenceError,
    limits,
    networks::Networks,
    trajectory::{Events, Job},
};

/// Most pixels in one VAE batch: its activations are by far the largest.
const MAX_VAE_PIXELS: f64 = 1024.0 * 1024.0;

/// A picture's way to the networks; each call suspends it until the batch with its row has run.
#[derive(Clone)]
pub(crate) struct Caller {
    queue: Rc<RefCell<Queue>>,
    meter: Arc<Meter>,
    task: u64,
    picture: u32,
    megapixels: f64,
}

impl Caller {
    /// The same way, for another picture of the task.
    pub(crate) fn for_picture(&self, picture: u32) -> Self {
        Self { picture, ..self.clone() }
    }

    /// Embeds a prompt: `[1, tokens, d]`.
    pub(crate) async fn encode_text(&self, prompt: &str) -> Result<Tensor, InferenceError> {
        self.call(Work::Text(prompt.into()), 0.0, usize::MAX).await
    }

    /// The U-Net's raw output for one row.
    pub(crate) async fn predict(&self, latents: &Tensor, timestep: f64, context: &Tensor) -> Result<Tensor, InferenceError> {
        let work = Work::Predict { latents: latents.clone(), timestep, context: context.clone() };
        self.call(work, self.megapixels, usize::MAX).await
    }

    /// Mean and standard deviation of a picture's latents, before scaling.
    pub(crate) async fn encode_image(&self, pixels: &Tensor) -> Result<(Tensor, Tensor), InferenceError> {
        let both = self.call(Work::Encode(pixels.clone()), self.megapixels * limits::ENCODE_ROWS, self.vae_rows()).await?;
        let channels = both.dim(1)? / 2;
        Ok((both.narrow(1, 0, channels)?, both.narrow(1, channels, channels)?))
    }

    /// The picture of scaled latents, in -1..1.
    pub(crate) async fn decode(&self, latents: &Tensor) -> Result<Tensor, InferenceError> {
        self.call(Work::Decode(latents.clone()), self.megapixels * limits::DECODE_ROWS, self.vae_rows()).await
    }

    /// A picture in 0..1, enlarged.
    pub(crate) async fn upscale(&self, pixels: &Tensor) -> Result<Tensor, InferenceError> {
        self.call(Work::Upscale(pixels.clone()), self.megapixels * limits::UPSCALE_ROWS, 1).await
    }

    fn vae_rows(&self) -> usize {
        (MAX_VAE_PIXELS / (self.megapixels * 1e6)) as usize
    }

    async fn call(&self, work: Work, cost: f64, most_rows: usize) -> Result<Tensor, InferenceError> {
        let (reply, answer) = oneshot::channel();
        let call = Call { work, picture: (self.task, self.picture), cost, most_rows, meter: self.meter.clone(), reply };
        self.queue.borrow_mut().push(call);
        answer.await.map_err(|_| InferenceError::Stopped)?.map_err(InferenceError::Shared)
    }
}

/// A task on its way.
struct Running {
    meter: Arc<Meter>,
    events: Rc<Events>,
    abort: AbortHandle,
    alive: Weak<()>,
}

/// Drives all trajectories of one device.
pub(crate) struct Batcher<N> {
    networks: N,
    counters: Arc<Counters>,
    max_rows: usize,
    queue: Rc<RefCell<Queue>>,
    pool: LocalPool,
    running: Vec<Running>,
    next_task: u64,
}

impl<N: Networks> Batcher<N> {
    pub(crate) fn new(networks: N, counters: Arc<Counters>, max_rows: usize) -> Self {
        let (queue, pool) = (Rc::default(), LocalPool::new());
        Self { networks, counters, max_rows: max_rows.max(1), queue, pool, running: Vec::new(), next_task: 0 }
    }

    /// Takes a job in; its first rows go with the next batch.
    pub(crate) fn start(&mut self, job: Job) {
        let (meter, events) = (job.meter.clone(), Rc::new(job.events.clone()));
        let caller = self.caller(&job);
        let token = Rc::new(());
        let alive = Rc::downgrade(&token);
        let active = self.counters.activate(job.task.n_images());
        let reporter = events.clone();
        let (future, abort) = abortable(async move {
            let outcome = AssertUnwindSafe(job.run(&caller)).catch_unwind().await;
            let outcome = outcome.unwrap_or_else(|panic| Err(panicked(panic.as_ref())));
            drop(active);
            match outcome {
                Ok(()) => reporter.done(caller.meter.usage()),
                Err(error) => reporter.failed(error),
            }
            drop(token);
        });
        match self.pool.spawner().spawn_local(future.map(|_| ())) {
            Ok(()) => self.running.push(Running { meter, events, abort, alive }),
            Err(_) => events.failed(InferenceError::Stopped),
        }
    }

    fn caller(&mut self, job: &Job) -> Caller {
        self.next_task += 1;
        let (queue, meter) = (self.queue.clone(), job.meter.clone());
        Caller { queue, meter, task: self.next_task, picture: 0, megapixels: job.megapixels() }
    }

    /// Whether a task is on its way.
    pub(crate) fn is_busy(&self) -> bool {
        !self.running.is_empty()
    }

    /// Drops cancelled tasks, lets every trajectory run to its next row, and runs one batch. False when nothing waits.
    pub(crate) fn turn(&mut self) -> bool {
        let (cancelled, running) = self.running.drain(..).partition(|task| task.meter.is_cancelled());
        self.running = running;
        self.end(cancelled, || InferenceError::Cancelled);
        self.pool.run_until_stalled();
        self.running.retain(|task| task.alive.strong_count() > 0);
        let batch = self.queue.borrow_mut().next_batch(self.max_rows);
        let Some(batch) = batch else { return false };
        self.run(batch);
        true
    }

    /// Fails every task: the engine ends.
    pub(crate) fn stop(&mut self) {
        let all = std::mem::take(&mut self.running);
        self.end(all, || InferenceError::Stopped);
    }

    /// Drops tasks, and only then tells their handles, so that whoever is told finds the engine free.
    fn end(&mut self, tasks: Vec<Running>, error: fn() -> InferenceError) {
        tasks.iter().for_each(|task| task.abort.abort());
        if !tasks.is_empty() {
            self.pool.run_until_stalled();
        }
        tasks.iter().for_each(|task| task.events.failed(error()));
    }

    /// Runs a part of a trajectory to its end.
    #[cfg(test)]
    pub(crate) fn drive<T: 'static>(
        &mut self,
        job: Job,
        part: impl AsyncFnOnce(&Job, &Caller) -> Result<T, InferenceError> + 'static,
    ) -> Result<T, InferenceError> {
        let caller = self.caller(&job);
        let future = async move { part(&job, &caller).await };
        let mut answer = self.pool.spawner().spawn_local_with_handle(future).map_err(|_| InferenceError::Stopped)?;
        while self.turn() {}
        (&mut answer).now_or_never().unwrap_or(Err(InferenceError::Stopped))
    }

    fn run(&self, batch: Vec<Call>) {
        let begin = Instant::now();
        let answer = catch_unwind(AssertUnwindSafe(|| compute(&self.networks, &batch)));
        let answer = answer.unwrap_or_else(|panic| Err(panicked(panic.as_ref())));
        let cost: f64 = batch.iter().map(|call| call.cost).sum();
        if matches!(batch[0].work, Work::Predict { .. }) {
            self.counters.network_call(batch.len(), begin.elapsed(), cost);
        }
        match answer {
            Ok(rows) => {
                for (row, call) in batch.into_iter().enumerate() {
                    call.meter.add(call.cost);
                    let answer = rows.narrow(0, row, 1).map_err(|error| Arc::new(error.into()));
                    let _ = call.reply.send(answer); // A cancelled trajectory has dropped its receiver.
                }
            }
            // One row's fault must not fail the others: each goes again alone.
            Err(_) if batch.len() > 1 => batch.into_iter().for_each(|call| self.run(vec![call])),
            Err(error) => {
                let error = Arc::new(error);
                for call in batch {
                    let _ = call.reply.send(Err(error.clone()));
                }
            }
        }
    }
}

/// One batch through its network. Every row has the kind and shape of the first.
fn compute(networks: &impl Networks, batch: &[Call]) -> Result<Tensor, InferenceError> {
    let rows = |pick: fn(&Work) -> Option<&Tensor>| -> Result<Tensor, InferenceError> {
        let rows: Vec<&Tensor> = batch.iter().filter_map(|call| pick(&call.work)).collect();
        Ok(if let [row] = rows[..] { row.clone() } else { Tensor::cat(&rows, 0)? })
    };
    let pixels_or_latents = || {
        rows(|work| match work {
            Work::Predict { latents: tensor, .. } | Work::Encode(tensor) | Work::Decode(tensor) | Work::Upscale(tensor) => Some(tensor),
            Work::Text(_) => None,
        })
    };
    match &batch[0].work {
        Work::Text(_) => {
            let prompt = |call: &'_ Call| if let Work::Text(prompt) = &call.work { Some(prompt.clone()) } else { None };
            let prompts: Vec<String> = batch.iter().filter_map(prompt).collect();
            networks.encode_text(&prompts.iter().map(String::as_str).collect::<Vec<_>>())
        }
        Work::Predict { .. } => {
            let timestep = |call: &Call| if let Work::Predict { timestep, .. } = call.work { Some(timestep) } else { None };
            let timesteps: Vec<f64> = batch.iter().filter_map(timestep).collect();
            let contexts = rows(|work| if let Work::Predict { context, .. } = work { Some(context) } else { None })?;
            networks.predict(&pixels_or_latents()?, &timesteps, &contexts)
        }
        Work::Encode(_) => {
            let (mean, deviation) = networks.encode_image(&pixels_or_latents()?)?;
            Ok(Tensor::cat(&[mean, deviation], 1)?)
        }
        Work::Decode(_) => networks.decode(&pixels_or_latents()?),
        Work::Upscale(_) => networks.upscale(&pixels_or_latents()?),
    }
}

fn panicked(panic: &(dyn Any + Send)) -> InferenceError {
    let reason = panic.downcast_ref::<&str>().map(ToString::to_string).or_else(|| panic.downcast_ref::<String>().cloned());
    InferenceError::Panicked { reason: reason.unwrap_or_else(|| "for no stated reason".into()) }
}
