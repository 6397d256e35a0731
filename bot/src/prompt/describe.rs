//! A task as the parameters that give it again.

use inference::task::{ImageSize, Task, TaskKind, TextToImage};

use super::{Aspect, MASKED_STRENGTH, ModelDefaults, ParseContext, picture, size_of_aspect};
use crate::models::name::quoted;

/// Aspects that people know; the first that gives a size names it.
const COMMON: [(u64, u64); 10] = [(1, 1), (3, 2), (16, 9), (4, 3), (5, 4), (2, 1), (21, 9), (3, 1), (7, 1), (14, 1)];
/// Longest side in the search for an aspect that nobody knows by name.
const MAX_TERM: u64 = 64;

/// The parameters that, after the prompt, give this task again: what differs from the defaults, and always the seed.
///
/// A size that no aspect gives is named by its sides.
pub fn describe(task: &TextToImage, context: &ParseContext) -> String {
    let parameters = describe_without_negative(task, context);
    match own_negative(task, context) {
        Some(negative_prompt) => format!("{parameters} --no {negative_prompt}"),
        None => parameters,
    }
}

/// The same of a whole task, with how much of its start picture changes; empty for one that draws nothing.
pub fn describe_task(task: &Task, context: &ParseContext) -> String {
    let parameters = describe_task_without_negative(task, context);
    match task.base().and_then(|base| own_negative(base, context)) {
        Some(negative_prompt) => format!("{parameters} --no {negative_prompt}"),
        None => parameters,
    }
}

/// The same without the negative prompt.
pub fn describe_task_without_negative(task: &Task, context: &ParseContext) -> String {
    let Some(base) = task.base() else { return String::new() };
    let usual = if matches!(task.kind, TaskKind::Inpaint(_)) { MASKED_STRENGTH } else { context.strength };
    let strength = task.strength().filter(|strength| *strength != usual).map(|strength| format!("{} ", picture::shown(strength)));
    format!("{}{}", strength.unwrap_or_default(), describe_without_negative(base, context))
}

/// The negative prompt of a task, where it is not its model's own.
pub fn own_negative<'a>(task: &'a TextToImage, context: &ParseContext) -> Option<&'a str> {
    let model = context.model_or_first(task.model.as_deref());
    task.negative_prompt.as_deref().filter(|_| task.negative_prompt != model.negative_prompt)
}

/// The same without the negative prompt.
pub fn describe_without_negative(task: &TextToImage, context: &ParseContext) -> String {
    let mut parts = Vec::new();
    let model = context.model_or_first(task.model.as_deref());
    if let Some(name) = task.model.as_deref().filter(|name| *name != context.models[0].name) {
        parts.push(format!("--model {}", quoted(name)));
    }
    if task.negative_prompt.is_none() && model.negative_prompt.is_some() {
        parts.push("--raw".to_owned());
    }
    if task.size != model.native_size {
        parts.push(match aspect_of_size(task.size, model) {
            Some(aspect) => format!("--ar {aspect}"),
            None => format!("--width {} --height {}", task.size.width, task.size.height),
        });
    }
    if task.steps != model.steps {
        parts.push(format!("--steps {}", task.steps));
    }
    if task.guidance_scale != model.guidance_scale {
        parts.push(format!("--cfg {}", task.guidance_scale));
    }
    if task.guidance_rescale != 0.0 {
        parts.push(format!("--rescale {}", task.guidance_rescale));
    }
    if task.chaos > 0 {
        parts.push(format!("--chaos {}", task.chaos));
    }
    if task.weird > 0 {
        parts.push(format!("--weird {}", task.weird));
    }
    if task.sampler != model.sampler {
        parts.push(format!("--sampler {}", task.sampler));
    }
    if task.schedule != model.schedule {
        parts.push(format!("--schedule {}", task.schedule));
    }
    if task.clip_skip != model.clip_skip {
        parts.push(format!("--clip-skip {}", task.clip_skip));
    }
    if let Some(hires) = task.hires {
        parts.push(format!("--hires {}", hires.scale));
    }
    if let Some(stop_at) = task.stop_at {
        parts.push(format!("--stop {}", stop_at.percent(task.steps)));
    }
    if task.seamless {
        parts.push("--tile".to_owned());
    }
    if task.n_images != context.n_images {
        parts.push(format!("--images {}", task.n_images));
    }
    parts.push(format!("--seed {}", task.seed));
    parts.join(" ")
}

fn aspect_of_size(size: ImageSize, model: &ModelDefaults) -> Option<Aspect> {
    let gives_size = |aspect: &Aspect| size_of_aspect(*aspect, model) == size;
    let own = Aspect::new(size.width.into(), size.height.into());
    let turned = |(width, height): (u64, u64)| if size.width < size.height { (height, width) } else { (width, height) };
    let common = COMMON.into_iter().map(turned).filter_map(|(width, height)| Aspect::new(width, height));
    common.chain(own).find(gives_size).or_else(|| {
        // Only near the longest side does a size's own aspect give another size.
        let terms = (1..=MAX_TERM).flat_map(|short| (short..=MAX_TERM).map(move |long| (long, short)));
        terms.map(turned).filter_map(|(width, height)| Aspect::new(width, height)).find(gives_size)
    })
}
