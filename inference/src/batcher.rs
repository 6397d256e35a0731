//! The batcher: polls every trajectory on the device thread, and sends the rows that wait through the networks as batches.

mod compute;
mod queue;
#[cfg(test)]
mod tests;
mod texts;
mod watch;

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
use tracing::{Instrument, Span};

use self::{
    compute::compute,
    queue::{Answer, Call, Queue, Work},
    watch::{Unseen, Watch},
};
use crate::{
    adapter::AdapterSet,
    catalogue::limits,
    engine::{Counters, Meter},
    error::{InferenceError, InvalidTask},
    family::{AttentionMaps, Conditioning, Denoiser, Prepared, Prices, PromptRequest, Row, Text, Told},
    ops::Padding,
    part::{PartId, Slot},
    trajectory::Events,
    upscale::Upscaler,
    vae::Vae,
};

/// Most pixels in one VAE batch: its activations are by far the largest.
const MAX_VAE_PIXELS: f64 = 1024.0 * 1024.0;

/// The places of a model's parts; calls wait for those that are not in memory.
pub(crate) struct Parts {
    pub(crate) text: Rc<Slot<Text>>,
    pub(crate) denoiser: Rc<Slot<Denoiser>>,
    pub(crate) vae: Rc<Slot<Vae>>,
    pub(crate) upscaler: Option<Rc<Slot<Upscaler>>>,
    /// How many times smaller than pictures the latents are.
    pub(crate) vae_factor: usize,
}

/// A prompt that is ready for every step.
#[derive(Clone)]
pub(crate) struct Prompt {
    pub(crate) prepared: Arc<Prepared>,
    /// In the family's own unit.
    pub(crate) length: usize,
    /// What changes the denoiser for its rows.
    pub(crate) adapters: AdapterSet,
    /// Who notes what the network looks at of it.
    pub(crate) maps: Option<Rc<AttentionMaps>>,
}

/// A picture's way to the parts of its model; each call suspends it until the batch with its row has run.
#[derive(Clone)]
pub(crate) struct Caller {
    queue: Rc<RefCell<Queue>>,
    parts: Rc<Parts>,
    meter: Arc<Meter>,
    task: u64,
    picture: u32,
    padding: Padding,
    prices: Prices,
    watch: Rc<Watch>,
}

impl Caller {
    /// The same way, for another picture of the task.
    pub(crate) fn for_picture(&self, picture: u32) -> Self {
        Self { picture, watch: Rc::default(), ..self.clone() }
    }

    /// Encodes a prompt and makes it ready for the denoiser.
    pub(crate) async fn prompt(&self, request: PromptRequest, told: Told) -> Result<Prompt, InferenceError> {
        let length = request.length;
        let conditioning = self.conditioning(request).await?;
        self.prepared((conditioning, length), told).await
    }

    /// Encodes a prompt once and makes it ready for the denoiser as each of several pictures reads it.
    pub(crate) async fn prompts(&self, request: PromptRequest, readings: Vec<Told>) -> Result<Vec<Rc<Prompt>>, InferenceError> {
        let length = request.length;
        let conditioning = self.conditioning(request).await?;
        let mut prompts = Vec::new();
        for told in readings {
            prompts.push(Rc::new(self.prepared((conditioning.clone(), length), told).await?));
        }
        Ok(prompts)
    }

    async fn prepared(&self, (conditioning, length): (Arc<Conditioning>, usize), told: Told) -> Result<Prompt, InferenceError> {
        let adapters = told.adapters.clone();
        let work = Work::Prepare { denoiser: self.parts.denoiser.clone(), conditioning, told };
        match self.call(work, 0.0, usize::MAX).await? {
            Answer::Prepared(prepared) => Ok(Prompt { prepared, length, adapters, maps: None }),
            _ => Err(InferenceError::Internal { what: "a prompt was answered with something else" }),
        }
    }

    async fn conditioning(&self, request: PromptRequest) -> Result<Arc<Conditioning>, InferenceError> {
        match self.call(Work::Prompt { text: self.parts.text.clone(), request }, 0.0, usize::MAX).await? {
            Answer::Conditioning(conditioning) => Ok(conditioning),
            _ => Err(InferenceError::Internal { what: "a text was answered with something else" }),
        }
    }

    /// The denoiser's raw output for one row `[1, c, h, w]`.
    pub(crate) async fn predict(&self, latents: &Tensor, timestep: f64, prompt: &Prompt) -> Result<Tensor, InferenceError> {
        let megapixels = self.n_pixels(latents)? / 1e6;
        let cost = megapixels * self.prices.row(megapixels, prompt.length);
        let (prepared, adapters, maps) = (prompt.prepared.clone(), prompt.adapters.clone(), prompt.maps.clone());
        let row = Row { latents: latents.clone(), timestep, prepared, adapters, padding: self.padding, maps };
        self.call_tensor(Work::Predict { denoiser: self.parts.denoiser.clone(), row }, cost, usize::MAX).await
    }

    /// The numbers of latents `[1, c, h, w]`, which are read with those of the pictures that are as far.
    pub(crate) async fn read(&self, latents: &Tensor) -> Result<Vec<f32>, InferenceError> {
        match self.call(Work::Read { latents: latents.clone() }, 0.0, usize::MAX).await? {
            Answer::Floats(numbers) => Ok(numbers),
            _ => Err(InferenceError::Internal { what: "numbers were answered with something else" }),
        }
    }

    /// Mean and standard deviation of a picture's scaled latents.
    pub(crate) async fn encode_image(&self, pixels: &Tensor) -> Result<(Tensor, Tensor), InferenceError> {
        let n_pixels = area(pixels)?;
        let (cost, most_rows) = (n_pixels / 1e6 * limits::ENCODE_ROWS, vae_rows(n_pixels));
        let work = Work::Encode { vae: self.parts.vae.clone(), pixels: pixels.clone(), padding: self.padding };
        let both = self.call_tensor(work, cost, most_rows).await?;
        let channels = both.dim(1)? / 2;
        Ok((both.narrow(1, 0, channels)?, both.narrow(1, channels, channels)?))
    }

    /// The picture of scaled latents, in -1..1.
    pub(crate) async fn decode(&self, latents: &Tensor) -> Result<Tensor, InferenceError> {
        let n_pixels = self.n_pixels(latents)?;
        let (cost, most_rows) = (n_pixels / 1e6 * limits::DECODE_ROWS, vae_rows(n_pixels));
        let work = Work::Decode { vae: self.parts.vae.clone(), latents: latents.clone(), padding: self.padding };
        self.call_tensor(work, cost, most_rows).await
    }

    /// A picture in 0..1, enlarged.
    pub(crate) async fn upscale(&self, pixels: &Tensor) -> Result<Tensor, InferenceError> {
        let upscaler = self.parts.upscaler.clone().ok_or(InvalidTask::NoUpscaler)?;
        let cost = area(pixels)? / 1e6 * limits::UPSCALE_ROWS;
        self.call_tensor(Work::Upscale { upscaler, pixels: pixels.clone() }, cost, 1).await
    }

    /// Pixels of a picture of these latents.
    fn n_pixels(&self, latents: &Tensor) -> Result<f64, InferenceError> {
        Ok(area(latents)? * (self.parts.vae_factor as f64).powi(2))
    }

    async fn call_tensor(&self, work: Work, cost: f64, most_rows: usize) -> Result<Tensor, InferenceError> {
        match self.call(work, cost, most_rows).await? {
            Answer::Tensor(tensor) => Ok(tensor),
            _ => Err(InferenceError::Internal { what: "a row was answered with something else" }),
        }
    }

    async fn call(&self, work: Work, cost: f64, most_rows: usize) -> Result<Answer, InferenceError> {
        let (reply, answer) = oneshot::channel();
        let meter = self.meter.clone();
        let call = Call { work, picture: (self.task, self.picture), place: 0, watch: self.watch.clone(), cost, most_rows, meter, reply };
        self.queue.borrow_mut().push(call);
        let answer = answer.await.map_err(|_| InferenceError::Internal { what: "a call was not answered" })?;
        answer.map_err(|error| match *error {
            InferenceError::NotANumber { index, step } => InferenceError::NotANumber { index, step },
            _ => InferenceError::Shared(error),
        })
    }
}

fn area(tensor: &Tensor) -> Result<f64, InferenceError> {
    let (_, _, height, width) = tensor.dims4()?;
    Ok((height * width) as f64)
}

fn vae_rows(n_pixels: f64) -> usize {
    (MAX_VAE_PIXELS / n_pixels) as usize
}

/// What a task needs on its way through the batcher.
pub(crate) struct Ticket {
    pub(crate) parts: Rc<Parts>,
    pub(crate) meter: Arc<Meter>,
    pub(crate) events: Events,
    pub(crate) n_images: u32,
    /// What lies beyond its pictures' edges.
    pub(crate) padding: Padding,
    /// What its prompts' length makes of its rows' cost.
    pub(crate) prices: Prices,
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
    /// The last denoised batch, whose numbers nobody has looked at.
    unseen: RefCell<Option<Unseen>>,
    pool: LocalPool,
    running: Vec<Running>,
    next_task: u64,
}

impl Batcher {
    pub(crate) fn new(counters: Arc<Counters>, max_rows: usize) -> Self {
        let (queue, pool) = (Rc::default(), LocalPool::new());
        Self { counters, max_rows: max_rows.max(1), queue, unseen: RefCell::default(), pool, running: Vec::new(), next_task: 0 }
    }

    /// Takes a task in; its first rows go with the next batch.
    pub(crate) fn start<Body: Future<Output = Result<(), InferenceError>> + 'static>(
        &mut self,
        task: Ticket,
        body: impl FnOnce(Caller) -> Body,
    ) {
        let Ticket { meter, events, n_images, .. } = &task;
        let (meter, events) = (meter.clone(), Rc::new(events.clone()));
        let active = self.counters.activate(*n_images);
        let body = body(self.caller(task)).instrument(meter.span().clone());
        let token = Rc::new(());
        let alive = Rc::downgrade(&token);
        let (reporter, counted) = (events.clone(), meter.clone());
        let (future, abort) = abortable(async move {
            let outcome = AssertUnwindSafe(body).catch_unwind().await;
            let outcome = outcome.unwrap_or_else(|panic| Err(panicked(panic.as_ref())));
            drop(active);
            match outcome {
                Ok(()) => reporter.done(counted.usage()),
                Err(error) => reporter.failed(error),
            }
            drop(token);
        });
        match self.pool.spawner().spawn_local(future.map(|_| ())) {
            Ok(()) => self.running.push(Running { meter, events, abort, alive }),
            Err(_) => events.failed(InferenceError::Internal { what: "a task could not be begun" }),
        }
    }

    fn caller(&mut self, Ticket { parts, meter, padding, prices, .. }: Ticket) -> Caller {
        self.next_task += 1;
        Caller { queue: self.queue.clone(), parts, meter, task: self.next_task, picture: 0, padding, prices, watch: Rc::default() }
    }

    /// Drops cancelled tasks, lets every trajectory run to its next row, and runs one batch. False when nothing waits whose part is in memory.
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

    /// The parts that calls wait for, in memory or not; the one of the oldest call first.
    pub(crate) fn demands(&self) -> Vec<PartId> {
        self.queue.borrow_mut().demands()
    }

    /// Fails the calls that wait for a part, which cannot be loaded.
    pub(crate) fn fail(&self, part: PartId, error: &Arc<InferenceError>) {
        for call in self.queue.borrow_mut().take_calls(part) {
            let _ = call.reply.send(Err(error.clone())); // A cancelled trajectory has dropped its receiver.
        }
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
        task: Ticket,
        part: impl AsyncFnOnce(&Caller) -> Result<T, InferenceError> + 'static,
    ) -> Result<T, InferenceError> {
        let caller = self.caller(task);
        let future = async move { part(&caller).await };
        let answer = self.pool.spawner().spawn_local_with_handle(future);
        let mut answer = answer.map_err(|_| InferenceError::Internal { what: "a task could not be begun" })?;
        while self.turn() {}
        (&mut answer).now_or_never().unwrap_or(Err(InferenceError::Internal { what: "a task waits for nothing" }))
    }

    fn run(&self, batch: Vec<Call>) {
        let begin = Instant::now();
        let looked = self.unseen.take().map_or(Ok(()), |unseen| unseen.look());
        let (broken, batch): (Vec<Call>, Vec<Call>) = batch.into_iter().partition(|call| call.watch.broken_at().is_some());
        for call in broken {
            let (index, step) = (call.picture.1, call.watch.broken_at().unwrap_or_default());
            let _ = call.reply.send(Err(Arc::new(InferenceError::NotANumber { index, step }))); // As below.
        }
        if batch.is_empty() {
            return;
        }
        let span = span_of(&batch);
        let _inside = span.enter();
        let answer = catch_unwind(AssertUnwindSafe(|| looked.and_then(|()| compute(&batch))));
        let answer = answer.unwrap_or_else(|panic| Err(panicked(panic.as_ref())));
        self.counters.beat();
        let cost: f64 = batch.iter().map(|call| call.cost).sum();
        if matches!(batch[0].work, Work::Predict { .. }) {
            self.counters.network_call(batch.len(), begin.elapsed(), cost);
        }
        tracing::debug!(elapsed_ms = begin.elapsed().as_millis() as u64, is_done = answer.is_ok(), "computed");
        match answer {
            Ok(answers) => {
                self.unseen.replace(answers.sums.map(|sums| Unseen::of(sums, batch.iter().map(|call| call.watch.clone()))));
                for (answer, call) in answers.rows.into_iter().zip(batch) {
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

/// The span of a batch: inside that of the first row's task, and after those of the others.
fn span_of(batch: &[Call]) -> Span {
    let Some((first, others)) = batch.split_first() else { return Span::none() };
    let span = tracing::debug_span!(parent: first.meter.span(), "batch", work = first.work.word(), n_rows = batch.len());
    if !span.is_disabled() {
        others.iter().for_each(|call| {
            span.follows_from(call.meter.span());
        });
    }
    span
}

/// What a panic said, as an error.
pub(crate) fn panicked(panic: &(dyn Any + Send)) -> InferenceError {
    let reason = panic.downcast_ref::<&str>().map(ToString::to_string).or_else(|| panic.downcast_ref::<String>().cloned());
    InferenceError::Panicked { reason: reason.unwrap_or_else(|| "for no stated reason".into()) }
}
