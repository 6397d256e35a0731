//! What is wrong with a prompt, in one sentence that its writer can act on.

use inference::{
    sampler::Sampler,
    schedule::ScheduleKind,
    task::{ImageSize, MIN_STOP},
};

use super::{
    GUIDANCE, MAX_ASPECT, MAX_CHARACTERS, MAX_CLIP_SKIP, MAX_HIRES, MAX_PICTURE_WEIGHT, MAX_WEIGHT, ZOOM, lookup::known, parameter::Key,
    ranking::and_list, table::PARAMETERS, wildcards::WildcardError,
};

/// What is wrong with a prompt. `shown` is what was written, such as `--ar 0:2` or `aspect: 0:2`.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PromptError {
    /// There are no words outside the parameters.
    #[error("The prompt is empty: say what to draw, such as `a fox in snow`.")]
    Empty,
    /// Too few words for one of them to be left out.
    #[error("There is nothing to shorten: give me a prompt of two words or more.")]
    TooShort,
    /// Too many characters.
    #[error("The {what} has {found} characters: {MAX_CHARACTERS} is the most.")]
    TooLong {
        /// `prompt` or `negative prompt`.
        what: &'static str,
        /// Characters.
        found: usize,
    },
    /// No parameter has this name.
    #[error("`{name}` is not a parameter{} I know {}.", hint(near.map(|near| format!("--{near}")).as_deref()), known())]
    Unknown {
        /// The name with its dashes.
        name: String,
        /// The known name that is most like it, if one is.
        near: Option<&'static str>,
    },
    /// A parameter stands alone.
    #[error("`--{name}` needs a value, such as `--{name} {example}`.")]
    NoValue {
        /// The name without dashes.
        name: String,
        /// A value.
        example: &'static str,
    },
    /// Words behind a parameter's value.
    #[error("`{words}` stands after `{after}`: write the prompt first and the parameters last.")]
    Stray {
        /// The words.
        words: String,
        /// The parameter before them.
        after: String,
    },
    /// The negative prompt of an option holds a parameter.
    #[error("`{name}` stands in the negative prompt: write parameters after the prompt.")]
    InNegative {
        /// The parameter with its dashes.
        name: String,
    },
    /// One option, two values.
    #[error("`{first}` and `{second}` contradict each other: keep one.")]
    Twice {
        /// What came first.
        first: String,
        /// What came second.
        second: String,
    },
    /// Not two whole numbers.
    #[error("`{shown}`: the aspect must be two whole numbers, such as 3:2.")]
    NotAnAspect {
        /// What was written.
        shown: String,
    },
    /// A side below 1.
    #[error("`{shown}`: both sides must be at least 1.")]
    AspectSide {
        /// What was written.
        shown: String,
    },
    /// Too wide or too tall.
    #[error("`{shown}`: {MAX_ASPECT}:1 is the limit, either way.")]
    AspectLimit {
        /// What was written.
        shown: String,
    },
    /// Not a number of pixels.
    #[error("`{shown}`: a side must be a whole number of pixels, at least 1.")]
    Side {
        /// What was written.
        shown: String,
    },
    /// Not a share of change.
    #[error("`{shown}`: the strength must be a number above 0 and at most 1.")]
    Strength {
        /// What was written.
        shown: String,
    },
    /// Not a weight of a picture.
    #[error("`{shown}`: the weight of the picture must be a number from 0 to {MAX_PICTURE_WEIGHT}.")]
    PictureWeight {
        /// What was written.
        shown: String,
    },
    /// A start picture that is too long or too tall to be drawn from in its own shape.
    #[error(
        "The picture has {size} pixels, and {MAX_ASPECT}:1 is the limit, either way: choose a shape, such as `--ar 3:1`; its middle is taken."
    )]
    PictureShape {
        /// Its size.
        size: ImageSize,
    },
    /// A share of change without a picture that would change.
    #[error("`{shown}` says how much of a start picture changes, and there is none here.")]
    NeedsPicture {
        /// What was written.
        shown: String,
    },
    /// Not a seed.
    #[error("`{shown}`: the seed must be a whole number from 0 to {max}.")]
    Seed {
        /// What was written.
        shown: String,
        /// Largest seed.
        max: u64,
    },
    /// Not a number of steps.
    #[error("`{shown}`: the steps must be a whole number from 1 to {max}.")]
    Steps {
        /// What was written.
        shown: String,
        /// Most steps.
        max: u32,
    },
    /// Not a guidance scale.
    #[error("`{shown}`: the guidance must be a number from 0 to 30.")]
    Guidance {
        /// What was written.
        shown: String,
    },
    /// Not a number of pictures.
    #[error("`{shown}`: the number of pictures must be 1 to {max}.")]
    Images {
        /// What was written.
        shown: String,
        /// Most pictures.
        max: u32,
    },
    /// Not a sampler.
    #[error("`{shown}`: there is no such sampler{} The samplers are {}.", hint(*near), and_list(&Sampler::ALL.map(Sampler::name)))]
    Sampler {
        /// What was written.
        shown: String,
        /// The name that was meant, if one is like it.
        near: Option<&'static str>,
    },
    /// Not a schedule.
    #[error("`{shown}`: there is no such schedule{} The schedules are {}.", hint(*near), and_list(&ScheduleKind::ALL.map(ScheduleKind::name)))]
    Schedule {
        /// What was written.
        shown: String,
        /// The name that was meant, if one is like it.
        near: Option<&'static str>,
    },
    /// Not a model.
    #[error("`{shown}`: there is no such model; there are {known}.")]
    UnknownModel {
        /// What was written.
        shown: String,
        /// Those that there are, the nearest first.
        known: String,
    },
    /// A model that is not there any more.
    #[error("`{shown}`: this model is no longer there; there are {known}.")]
    ModelGone {
        /// What was written.
        shown: String,
        /// Those that there are, the nearest first.
        known: String,
    },
    /// Not a number of layers.
    #[error("`{shown}`: the layers to skip must be a whole number from 0 to {MAX_CLIP_SKIP}.")]
    ClipSkip {
        /// What was written.
        shown: String,
    },
    /// Not a share.
    #[error("`{shown}`: the rescaling must be a number from 0 to 1.")]
    Rescale {
        /// What was written.
        shown: String,
    },
    /// Not an enlargement.
    #[error("`{shown}`: the enlargement must be a number above 1 and at most {MAX_HIRES}.")]
    Hires {
        /// What was written.
        shown: String,
    },
    /// Not how many times smaller a picture is shown.
    #[error("`{shown}`: the zoom must be a number from {} to {}.", ZOOM.start(), ZOOM.end())]
    Zoom {
        /// What was written.
        shown: String,
    },
    /// A speed that there is not.
    #[error("`{shown}`: a job is `fast` or `relax`.")]
    Speed {
        /// The words that asked for it.
        shown: String,
    },
    /// Not a share of the steps.
    #[error("`{shown}`: drawing can stop at {MIN_STOP} to 100 per cent of the steps.")]
    Stop {
        /// What was written.
        shown: String,
    },
    /// A line that asks for more grids than one may.
    #[error("That would be {found} grids, and {max} are the most for one prompt.")]
    TooManyJobs {
        /// Grids.
        found: u64,
        /// The most.
        max: u32,
    },
    /// Braces in braces in braces.
    #[error("Braces can stand in braces {max} times, and no deeper.")]
    TooDeep {
        /// How many times.
        max: usize,
    },
    /// Several grids where one is drawn.
    #[error("That would be {n} grids, and this draws one at a time.")]
    Several {
        /// Grids.
        n: usize,
    },
    /// A list of words.
    #[error(transparent)]
    Wildcard(#[from] WildcardError),
    /// Parts of the prompt that cannot be drawn.
    #[error("That cannot be drawn: {0}.")]
    Parts(String),
    /// A value that the parameter's row of the table does not allow.
    #[error("`{shown}`: the value of `--{name}` must be {range}.")]
    Range {
        /// What was written.
        shown: String,
        /// The parameter's first spelling.
        name: &'static str,
        /// What it may be.
        range: &'static str,
    },
    /// So many times the model's steps are too many.
    #[error("`{shown}`: that would be {steps} steps, and {max} are the most.")]
    Quality {
        /// What was written.
        shown: String,
        /// Steps that it would be.
        steps: u32,
        /// Most steps.
        max: u32,
    },
    /// More or less guidance of a model that has none.
    #[error("`{shown}` changes the guidance, and {model} is drawn without any; `--cfg` sets it.")]
    NoGuidance {
        /// What was written.
        shown: String,
        /// The model.
        model: String,
    },
    /// So much more guidance is too much.
    #[error("`{shown}`: that would be a guidance of {scale}, and {} is the most.", GUIDANCE.end())]
    TooMuchGuidance {
        /// What was written.
        shown: String,
        /// Guidance scale that it would be.
        scale: f64,
    },
    /// Not an adapter.
    #[error("`{shown}`: there is no such LoRA; {known}.")]
    UnknownLora {
        /// What was written.
        shown: String,
        /// Those that there are as a clause, the nearest first.
        known: String,
    },
    /// An adapter that is not there any more.
    #[error("`{shown}`: this LoRA is no longer there.")]
    LoraGone {
        /// What was written.
        shown: String,
    },
    /// Not a weight of an adapter.
    #[error("`{shown}`: the weight must be a number from -{MAX_WEIGHT} to {MAX_WEIGHT}.")]
    LoraWeight {
        /// What was written.
        shown: String,
    },
}

impl PromptError {
    pub(super) fn out_of_range(key: Key, shown: String) -> Self {
        let row = PARAMETERS.iter().find(|parameter| parameter.key == key);
        Self::Range { shown, name: row.map_or("", |row| row.name()), range: row.map_or("", |row| row.range) }
    }
}

/// What follows what was not understood, up to the end of its sentence.
fn hint(near: Option<&str>) -> String {
    near.map_or_else(|| ".".to_owned(), |near| format!("; did you mean `{near}`?"))
}
