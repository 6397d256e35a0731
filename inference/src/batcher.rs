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

use self::queue::{Answer, Call, Queue, Work};
use crate::{
    engine::{Counters, Meter},
    error::InferenceError,
    limits,
    networks::{Networks, Prompt, PromptRequest, Rows},
    trajectory::{Events, Job},
};

/// Most pixels in one VAE batch: its activations are by far the largest.
const MAX_VAE_PIXELS: f64 = 1024.0 * 1024.0;

/// A picture's way to the networks of its model; each call suspends it until the batch with its row has run.
#[derive(Clone)]
pub(crate) struct Caller {
    queue: Rc<RefCell<Queue>>,
    networks: Rc<dyn Networks>,
    meter: Arc<Meter>,
    task: u64,
    picture: u32,
    /// Pixels of a picture for each of its latents.
    pixels_per_latent: f64,
    is_seamless: bool,
}

impl Caller {
    /// The same way, for another picture of the task.
    pub(crate) fn for_picture(&self, picture: u32) -> Self {
        Self { picture, ..self.clone() }
    }

    /// Chunks of 77 tokens that a prompt takes.
    pub(crate) fn n_chunks(&self, prompt: &str) -> Result<usize, InferenceError> {
        self.networks.n_chunks(prompt)
    }

    /// Encodes a prompt.
    pub(crate) async fn prompt(&self, request: PromptRequest) -> Result<Rc<Prompt>, InferenceError> {
        match self.call(Work::Prompt(request), 0.0, usize::MAX).await? {
            Answer::Prompt(prompt) => Ok(prompt),
            Answer::Tensor(_) => Err(InferenceError::Internal { what: "a prompt was answered with a tensor" }),
        }
    }

    /// The U-Net's raw output for one row `[1, c, h, w]`.
    pub(crate) async fn predict(&self, latents: &Tensor, timestep: f64, prompt: &Rc<Prompt>) -> Result<Tensor, InferenceError> {
        let cost = area(latents)? * self.pixels_per_latent / 1e6 * limits::row_price(prompt.n_chunks);
        let work = Work::Predict { latents: self.rows(latents), timestep, prompt: prompt.clone() };
        self.call_tensor(work, cost, usize::MAX).await
    }

    /// Mean and standard deviation of a picture's scaled latents.
    pub(crate) async fn encode_image(&self, pixels: &Tensor) -> Result<(Tensor, Tensor), InferenceError> {
        let n_pixels = area(pixels)?;
        let (cost, most_rows) = (n_pixels / 1e6 * limits::ENCODE_ROWS, vae_rows(n_pixels));
        let both = self.call_tensor(Work::Encode(self.rows(pixels)), cost, most_rows).await?;
        let channels = both.dim(1)? / 2;
        Ok((both.narrow(1, 0, channels)?, both.narrow(1, channels, channels)?))
    }

    /// The picture of scaled latents, in -1..1.
    pub(crate) async fn decode(&self, latents: &Tensor) -> Result<Tensor, InferenceError> {
        let n_pixels = area(latents)? * self.pixels_per_latent;
        let (cost, most_rows) = (n_pixels / 1e6 * limits::DECODE_ROWS, vae_rows(n_pixels));
        self.call_tensor(Work::Decode(self.rows(latents)), cost, most_rows).await
    }

    /// A picture in 0..1, enlarged.
    pub(crate) async fn upscale(&self, pixels: &Tensor) -> Result<Tensor, InferenceError> {
        let cost = area(pixels)? / 1e6 * limits::UPSCALE_ROWS;
        self.call_tensor(Work::Upscale(pixels.clone()), cost, 1).await
    }

    fn rows(&self, tensor: &Tensor) -> Rows {
        Rows { tensor: tensor.clone(), is_seamless: self.is_seamless }
    }

    async fn call_tensor(&self, work: Work, cost: f64, most_rows: usize) -> Result<Tensor, InferenceError> {
        match self.call(work, cost, most_rows).await? {
            Answer::Tensor(tensor) => Ok(tensor),
            Answer::Prompt(_) => Err(InferenceError::Internal { what: "a row was answered with a prompt" }),
        }
    }

    async fn call(&self, work: Work, cost: f64, most_rows: usize) -> Result<Answer, InferenceError> {
        let (reply, answer) = oneshot::channel();
        let (networks, meter) = (self.networks.clone(), self.meter.clone());
        let call = Call { networks, work, picture: (self.task, self.picture), cost, most_rows, meter, reply };
        self.queue.borrow_mut().push(call);
        answer.await.map_err(|_| InferenceError::Internal { what: "a call was not answered" })?.map_err(InferenceError::Shared)
    }
}

fn area(tensor: &Tensor) -> Result<f64, InferenceError> {
    let (_, _, height, width) = tensor.dims4()?;
    Ok((height * width) as f64)
}

fn vae_rows(n_pixels: f64) -> usize {
    (MAX_VAE_PIXELS / n_pixels) as usize
}

/// A task on its way.
struct Running {
    meter: Arc<Meter>,
    events: Rc<Events>,
    abort: AbortHandle,
    alive: Weak<()>,
}

/// Drives all trajectories of one device.
pub(crate) struct Batcher {
    counters: Arc<Counters>,
    max_rows: usize,
    queue: Rc<RefCell<Queue>>,
    pool: LocalPool,
    running: Vec<Running>,
    next_task: u64,
}

impl Batcher {
    pub(crate) fn new(counters: Arc<Counters>, max_rows: usize) -> Self {
        let (queue, pool) = (Rc::default(), LocalPool::new());
        Self { counters, max_rows: max_rows.max(1), queue, pool, running: Vec::new(), next_task: 0 }
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
            Err(_) => events.failed(InferenceError::Internal { what: "a task could not be begun" }),
        }
    }

    fn caller(&mut self, job: &Job) -> Caller {
        self.next_task += 1;
        Caller {
            queue: self.queue.clone(),
            networks: job.networks.clone(),
            meter: job.meter.clone(),
            task: self.next_task,
            picture: 0,
            pixels_per_latent: (job.facts.vae_factor as f64).powi(2),
            is_seamless: job.task.base().is_some_and(|base| base.seamless),
        }
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
        let answer = catch_unwind(AssertUnwindSafe(|| compute(&batch)));
        let answer = answer.unwrap_or_else(|panic| Err(panicked(panic.as_ref())));
        let cost: f64 = batch.iter().map(|call| call.cost).sum();
        if matches!(batch[0].work, Work::Predict { .. }) {
            self.counters.network_call(batch.len(), begin.elapsed(), cost);
        }
        match answer {
            Ok(answers) => {
                for (answer, call) in answers.into_iter().zip(batch) {
                    call.meter.add(call.cost);
                    let _ = call.reply.send(Ok(answer)); // A cancelled trajectory has dropped its receiver.
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

/// One batch through its network. Every row has the networks, the kind and the shape of the first.
fn compute(batch: &[Call]) -> Result<Vec<Answer>, InferenceError> {
    let networks = &batch[0].networks;
    let rows = || -> Result<Rows, InferenceError> {
        let rows: Vec<&Rows> = batch.iter().filter_map(|call| call.work.rows()).collect();
        let tensors: Vec<&Tensor> = rows.iter().map(|rows| &rows.tensor).collect();
        let tensor = if let [row] = tensors[..] { row.clone() } else { Tensor::cat(&tensors, 0)? };
        Ok(Rows { tensor, is_seamless: rows[0].is_seamless })
    };
    let answer = match &batch[0].work {
        Work::Prompt(_) => {
            let requests = batch.iter().filter_map(|call| if let Work::Prompt(request) = &call.work { Some(request) } else { None });
            return requests.map(|request| Ok(Answer::Prompt(Rc::new(networks.prompt(request)?)))).collect();
        }
        Work::Predict { .. } => {
            let row = |call: &Call| {
                if let Work::Predict { timestep, prompt, .. } = &call.work { Some((*timestep, prompt.clone())) } else { None }
            };
            let (timesteps, prompts): (Vec<f64>, Vec<Rc<Prompt>>) = batch.iter().filter_map(row).unzip();
            networks.predict(&rows()?, &timesteps, &prompts)?
        }
        Work::Encode(_) => {
            let (mean, deviation) = networks.encode_image(&rows()?)?;
            Tensor::cat(&[mean, deviation], 1)?
        }
        Work::Decode(_) => networks.decode(&rows()?)?,
        Work::Upscale(pixels) => networks.upscale(pixels)?,
    };
    (0..batch.len()).map(|row| Ok(Answer::Tensor(answer.narrow(0, row, 1)?))).collect()
}

/// What a panic said, as an error.
pub(crate) fn panicked(panic: &(dyn Any + Send)) -> InferenceError {
    let reason = panic.downcast_ref::<&str>().map(ToString::to_string).or_else(|| panic.downcast_ref::<String>().cloned());
    InferenceError::Panicked { reason: reason.unwrap_or_else(|| "for no stated reason".into()) }
}
