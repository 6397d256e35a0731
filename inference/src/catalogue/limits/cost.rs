//! What a task costs before it runs.

use super::{Chunks, DECODE_ROWS, ENCODE_ROWS, Limits, UPSCALE_ROWS};
use crate::{
    sampler::Plan,
    state::{PassKind, Place},
    task::{Enlarger, Hires, ImageSize, Task, TaskKind, TextToImage, glimpses},
};

/// A task's passes, and how long its prompts are.
struct Passes<'a> {
    limits: &'a Limits,
    base: &'a TextToImage,
    first: (ImageSize, Plan),
    second: Option<(Hires, ImageSize, Plan)>,
    length: usize,
}

impl Limits {
    /// What a task whose prompts take so many chunks costs in row-megapixels; a finished task's usage is the same.
    pub(crate) fn cost(&self, task: &Task, chunks: Chunks) -> f64 {
        self.cost_from(task, chunks, &vec![None; task.n_images() as usize])
    }

    /// The same of a task of which only these pictures are drawn, each from its beginning or from a place of its own.
    pub(crate) fn cost_from(&self, task: &Task, chunks: Chunks, begins: &[Option<Place>]) -> f64 {
        let base = match (&task.kind, task.base()) {
            (TaskKind::Upscale(task), _) => {
                return task.sources(self.upscale_factor.unwrap_or(1)).map(|size| size.megapixels() * UPSCALE_ROWS).sum();
            }
            (_, Some(base)) => base,
            (_, None) => return 0.0,
        };
        let passes = self.passes(task, base, chunks);
        let spans: Vec<(u32, u32)> = begins.iter().map(|begin| passes.span(begin.as_ref())).collect();
        let n_first = passes.n_first();
        let is_begun_in_first = spans.iter().any(|(from, _)| *from < n_first);
        let n_encodings = match task.kind {
            // What stays of the source is needed in every step.
            TaskKind::Inpaint(_) if is_begun_in_first => 2.0,
            TaskKind::ImageToImage(_) if begins.iter().any(Option::is_none) => 1.0,
            _ => 0.0,
        };
        // Each pass with steps to make encodes the prompts, once for all pictures.
        let has_steps_in_second = spans.iter().any(|(from, until)| from < until && *until > n_first);
        let n_passes = f64::from(u8::from(is_begun_in_first) + u8::from(has_steps_in_second));
        let pictures = alike(&spans).map(|(span, n_alike)| n_alike * passes.cost(span)).sum::<f64>();
        // Of a study that goes on, the first picture is missing still: it is the last to be finished.
        let looking = spans.first().filter(|_| !base.study.is_empty()).map_or(0.0, |(_, until)| passes.looking(*until));
        pictures + looking + base.size.megapixels() * n_encodings * ENCODE_ROWS + n_passes * chunks.encoding(self.rules.prices)
    }

    /// Whether a task's pictures come to their second pass; one that is stopped before it has none.
    pub(crate) fn reaches_second(&self, task: &Task, base: &TextToImage) -> bool {
        let passes = self.passes(task, base, Chunks::ONE);
        passes.span(None).1 > passes.n_first()
    }

    fn passes<'a>(&'a self, task: &Task, base: &'a TextToImage, chunks: Chunks) -> Passes<'a> {
        Passes {
            limits: self,
            base,
            first: (base.size, self.plan(task, base)),
            second: base.hires.map(|hires| (hires, self.hires_size(base, hires), self.hires_plan(base, hires))),
            length: chunks.longest(),
        }
    }
}

impl Passes<'_> {
    fn n_first(&self) -> u32 {
        n_steps(&self.first.1)
    }

    /// Steps of a picture, all passes together, that are done where it begins, and after which it is handed out: at least one more.
    fn span(&self, begin: Option<&Place>) -> (u32, u32) {
        let n_done = |plan: &Plan, step: u32| step.saturating_sub(plan.start as u32).min(n_steps(plan));
        let each = self.n_first() + self.second.as_ref().map_or(0, |(_, _, plan)| n_steps(plan));
        let from = match (begin, &self.second) {
            (None, _) => 0,
            (Some(Place { pass: PassKind::First, step }), _) => n_done(&self.first.1, *step),
            (Some(Place { pass: PassKind::Second, step }), Some((_, _, plan))) => self.n_first() + n_done(plan, *step),
            (Some(Place { pass: PassKind::Second, .. }), None) => each,
        };
        (from, self.base.stops_after(each).max(from + 1).min(each))
    }

    /// Of one picture.
    fn cost(&self, (from, until): (u32, u32)) -> f64 {
        let (size, plan) = &self.first;
        let (small, n_first) = (size.megapixels(), self.n_first());
        let row_price = |megapixels: f64| self.limits.rules.prices.row(megapixels, self.length);
        let rows = self.rows(plan, from, until) * row_price(small);
        let Some((hires, size, plan)) = self.second.as_ref().filter(|_| until > n_first) else { return small * (rows + DECODE_ROWS) };
        let large = size.megapixels();
        let between = match hires.enlarger {
            _ if from > n_first => 0.0,
            Enlarger::Latent => 0.0,
            Enlarger::Network => small * (DECODE_ROWS + UPSCALE_ROWS) + large * ENCODE_ROWS,
        };
        let second = self.rows(plan, from.saturating_sub(n_first), until - n_first) * row_price(large);
        small * rows + between + large * (second + DECODE_ROWS)
    }

    /// What it costs to decode what is looked at of a picture that is handed out after so many steps.
    fn looking(&self, until: u32) -> f64 {
        let n_first = self.n_first();
        let large = self.second.as_ref().map_or(self.first.0, |(_, size, _)| *size).megapixels();
        let at = |step: u32| if step < n_first { self.first.0.megapixels() } else { large };
        let end = if until > n_first { large } else { self.first.0.megapixels() };
        glimpses(until).into_iter().map(|step| (2.0 * at(step) + end) * DECODE_ROWS).sum()
    }

    /// Network rows of one picture's pass between two of its steps, counted from its start.
    fn rows(&self, plan: &Plan, from: u32, until: u32) -> f64 {
        let (base, n_steps) = (self.base, plan.n_steps());
        let is_guided = self.limits.is_guided(base);
        let rows = |step: usize| plan.calls_of(step) * if is_guided && base.guides_at(step, n_steps) { 2 } else { 1 };
        let place = |step: u32| (plan.start + step as usize).min(n_steps);
        (place(from)..place(until)).map(rows).sum::<usize>() as f64
    }
}

/// Steps from a plan's start to its end.
fn n_steps(plan: &Plan) -> u32 {
    (plan.n_steps() - plan.start) as u32
}

/// Each different one with how often it is there.
fn alike(spans: &[(u32, u32)]) -> impl Iterator<Item = ((u32, u32), f64)> {
    let first = |(place, span): &(usize, &(u32, u32))| !spans[..*place].contains(span);
    spans.iter().enumerate().filter(first).map(|(_, span)| (*span, spans.iter().filter(|other| *other == span).count() as f64))
}
