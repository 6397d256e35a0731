//! What a task was drawn from, as it is typed, and what no words say of it.

use inference::task::{Task, TextToImage};

use crate::{app::App, jobs::drafts::Typed, policy::Venue, prompt};

/// What a task was drawn from, as it is typed; `None` where nothing was.
pub(crate) fn typed_of(app: &App, task: &Task, venue: Venue) -> Option<Typed> {
    let (base, context) = (task.base()?, app.models.parse_context());
    let negative = prompt::own_negative(base, &context).unwrap_or_default();
    Some(Typed::new(&base.prompt, negative, prompt::describe_task_without_negative(task, &context), venue).whole())
}

/// What no parameter says stays as it was.
pub(super) fn keep_unsaid(base: &mut TextToImage, old: &TextToImage) {
    base.adapters = old.adapters.clone();
    base.guidance_interval = old.guidance_interval;
    base.clip_skip_of = old.clip_skip_of;
    base.hires = match (base.hires, old.hires) {
        (Some(new), Some(old)) if new.scale == old.scale => Some(old),
        (new, _) => new,
    };
}
