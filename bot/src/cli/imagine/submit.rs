//! From the options, or the picture that is drawn again, to the engine's task.

use std::path::Path;

use anyhow::{Context, bail};
use image::DynamicImage;
use inference::{
    catalogue::{
        ModelCard,
        limits::{MAX_IMAGES, MAX_STEPS},
    },
    engine::Submission,
    sampler::Sampler,
    schedule::ScheduleKind,
    task::{Hires, ImageSize, ImageToImage, Inpaint, Note, Role, Seed, SkippedFor, StopAt, Task, TaskKind, TextToImage, Upscale},
};

use super::{args::ImagineArgs, from::Recalled, prepare::Prepared};
use crate::{
    config, messages, models, pictures,
    pictures::hashes,
    prompt::{self, Aspect, Filled, HIRES_STRENGTH, MASKED_STRENGTH, ModelDefaults, ParseContext, PromptError, Start},
    system::random::random_seed,
};

/// Strength of a change when nobody says otherwise.
const STRENGTH: f64 = 0.6;
/// Most pixels of a start picture whose size is kept, as a multiple of the model's own size.
const MAX_KEPT: f64 = 2.25;
/// Pictures when nobody says otherwise.
const COUNT: u32 = 4;

/// A picture file and what metadata names it by.
struct Given {
    picture: DynamicImage,
    sha256: String,
}

impl Given {
    fn size(&self) -> ImageSize {
        ImageSize::new(self.picture.width(), self.picture.height())
    }
}

/// What to hand to the engine; reads the start picture and its mask. Adds to the notes of `prepared`.
///
/// # Errors
/// One sentence: which option or file is wrong.
pub fn submission(args: &ImagineArgs, prepared: &mut Prepared, info: &ModelCard) -> anyhow::Result<Submission> {
    let init = args.init.as_deref().map(open).transpose()?;
    let mask = args.mask.as_deref().map(open).transpose()?;
    let recalled = prepared.recalled.as_ref().map(|recalled| recalled.task.clone());
    if let Some(task) = &recalled {
        for note in check_sources(task, init.as_ref(), mask.as_ref())? {
            prepared.notes.push(note);
        }
    }
    if let (Some(TaskKind::Upscale(Upscale { passes, .. })), Some(source)) = (recalled.as_ref().map(|task| &task.kind), &init) {
        let task = Task::upscale(Upscale { size: source.size(), passes: *passes }, source.sha256.clone());
        return Ok(Submission::new(task).with(Role::Init, source.picture.to_rgb8()));
    }
    let model = suited(prepared, info, init.as_ref());
    let seed = args.seed.map_or_else(random_seed, Seed);
    let mut base = drawing(args, prepared, info, &model, seed);
    let line = fill(args, prepared, &model, base.seed)?;
    if let Some(line) = &line {
        line.onto(&mut base);
        // Nobody else waits here.
        let speed = line.shown("speed").map(|shown| Note::ForeignParameter { name: shown.to_owned() });
        prepared.notes.extend(messages::note_sentences(&line.parsed.notes.iter().cloned().chain(speed).collect::<Vec<_>>()));
    }
    base.model = Some(prepared.known.entry.name.clone());
    let said = Flags { line: line.as_ref() };
    said.apply(args, &mut base, &model)?;
    if !prepared.adapters.is_empty() {
        base.adapters.clone_from(&prepared.adapters);
    }
    let Some(init) = init else { return Ok(Submission::new(Task::from(base))) };
    let mut strength = line.as_ref().and_then(|line| line.parsed.strength).or_else(|| recalled.as_ref().and_then(Task::strength));
    said.put_strength(&mut strength, args)?;
    let (source, source_size, size) = (init.sha256.clone(), init.size(), base.size);
    let picture = pictures::fitted(&init.picture, size).into_rgb8();
    let Some(mask) = mask else {
        let task = Task::image_to_image(ImageToImage { base, strength: strength.unwrap_or(STRENGTH) }, source);
        return Ok(Submission::new(task).with(Role::Init, picture));
    };
    if mask.size() != source_size && mask.size() != size {
        bail!("the mask has {} pixels; it must have as many as the start picture, {source_size}, or as is drawn, {size}", mask.size());
    }
    let task = Task::inpaint(Inpaint { base, strength: strength.unwrap_or(MASKED_STRENGTH) }, source, mask.sha256);
    Ok(Submission::new(task).with(Role::Init, picture).with(Role::Mask, pictures::mask(&mask.picture, size)))
}

/// Whether the pictures are there that a recalled task was drawn from; notes if they are others.
fn check_sources(task: &Task, init: Option<&Given>, mask: Option<&Given>) -> anyhow::Result<Vec<String>> {
    let mut notes = Vec::new();
    for (role, given, what, option) in [(Role::Init, init, "another picture", "--init"), (Role::Mask, mask, "a mask", "--mask")] {
        let Some(hash) = task.input(&role) else { continue };
        let named = if hash.is_empty() { String::new() } else { format!(" (SHA-256 {})", hash.chars().take(10).collect::<String>()) };
        let Some(given) = given else {
            bail!("the picture was drawn from {what}{named}, which its metadata does not hold: name the file with {option}");
        };
        if !hash.is_empty() && given.sha256 != hash {
            notes.push(format!("the picture was drawn from {what}{named} other than that of {option}, so it will differ"));
        }
    }
    Ok(notes)
}

fn open(path: &Path) -> anyhow::Result<Given> {
    let read = || {
        let (picture, bytes) = pictures::read_file(path)?;
        anyhow::Ok(Given { picture, sha256: hashes::of_bytes(&bytes) })
    };
    read().with_context(|| format!("cannot read the picture {}", path.display()))
}

/// What suits the model. The start picture's size is kept where the model draws it well, else its shape as well as the model's area allows.
fn suited(prepared: &Prepared, info: &ModelCard, init: Option<&Given>) -> ModelDefaults {
    let mut model = models::suited(&prepared.config, &prepared.known, info);
    if let Some(size) = init.map(Given::size) {
        let is_size = |side: u32| side.is_multiple_of(info.size_multiple) && side <= info.max_side;
        let is_kept = is_size(size.width) && is_size(size.height) && size.megapixels() <= MAX_KEPT * info.native_size.megapixels();
        match Aspect::new(size.width.into(), size.height.into()) {
            _ if is_kept => model.native_size = size,
            Some(aspect) => model.native_size = prompt::size_of_aspect(aspect, &model),
            None => {}
        }
    }
    model
}

/// What is drawn before what the prompt's parameters and the flags say.
fn drawing(args: &ImagineArgs, prepared: &mut Prepared, info: &ModelCard, model: &ModelDefaults, seed: Seed) -> TextToImage {
    if let Some(Recalled { task, said, .. }) = &prepared.recalled
        && let Some(base) = task.base()
    {
        let Some(said) = said else { return base.clone() };
        if let Some(n) = said.clip_skip.filter(|n| *n > 1 && args.clip_skip.is_none() && !info.is_clip_alone) {
            prepared.notes.push(format!("left out: Clip skip: {n}, which other programs do not do with the text encoders of this model"));
        }
        return said.complete(base.clone(), model, info.is_clip_alone, seed);
    }
    model.drawing(seed, COUNT)
}

/// The prompt's parameters, checked.
fn fill(args: &ImagineArgs, prepared: &mut Prepared, model: &ModelDefaults, seed: Seed) -> anyhow::Result<Option<Filled>> {
    let Some(line) = prepared.line.take() else { return Ok(None) };
    let context = ParseContext {
        models: vec![model.clone()],
        loras: prepared.things.adapters.iter().map(|file| file.name.clone()).collect(),
        gone: prompt::Gone::default(),
        max_steps: MAX_STEPS,
        n_images: COUNT,
        max_images: MAX_IMAGES,
        start: if args.init.is_some() { Start::There } else { Start::Nothing },
        strength: STRENGTH,
        random_seed: seed,
        seed_offset: 0,
        // As many pictures as one job may have.
        max_jobs: MAX_IMAGES / COUNT,
        wildcards: config::wildcards(&prepared.config.prompts.wildcards)?,
        usual: prompt::Usual::default(),
        personal: prompt::Personal::default(),
        max_seed: u64::MAX,
    };
    Ok(Some(line.fill(&context)?))
}

/// The flags, beside what the prompt says.
struct Flags<'a> {
    line: Option<&'a Filled>,
}

impl Flags<'_> {
    /// Replaces a value by a flag's, unless the prompt says otherwise.
    fn put<T: Clone + PartialEq>(
        &self,
        place: &mut T,
        flag: &str,
        given: &Option<T>,
        show: impl FnOnce(&T) -> String,
    ) -> Result<(), PromptError> {
        let Some(value) = given else { return Ok(()) };
        match self.line.and_then(|line| line.shown(flag)) {
            Some(first) if place != value => {
                let second = format!("--{flag} {}", show(value));
                Err(PromptError::Twice { first: first.to_owned(), second })
            }
            _ => {
                place.clone_from(value);
                Ok(())
            }
        }
    }

    /// The strength, which two flags and two parameters say.
    fn put_strength(&self, place: &mut Option<f64>, args: &ImagineArgs) -> Result<(), PromptError> {
        let weighted = args.iw.map(|weight| (prompt::strength_of_weight(weight), format!("--iw {weight}")));
        let Some((value, second)) = args.strength.map(|value| (value, format!("--strength {value}"))).or(weighted) else { return Ok(()) };
        let first = self.line.and_then(|line| line.shown("strength").or_else(|| line.shown("iw")));
        match first.filter(|_| *place != Some(value)) {
            Some(first) => Err(PromptError::Twice { first: first.to_owned(), second }),
            None => {
                *place = Some(value);
                Ok(())
            }
        }
    }

    /// What was given on the command line replaces what was there.
    fn apply(&self, args: &ImagineArgs, base: &mut TextToImage, model: &ModelDefaults) -> anyhow::Result<()> {
        if let (None, Some(prompt)) = (self.line, &args.prompt) {
            base.prompt.clone_from(prompt);
            base.has_parts = false;
        }
        let negative = args.negative.clone().map(Some);
        self.put(&mut base.negative_prompt, "negative", &negative, |text| text.clone().unwrap_or_default())?;
        self.put(&mut base.n_images, "count", &args.count, u32::to_string)?;
        self.put(&mut base.steps, "steps", &args.steps, u32::to_string)?;
        self.put(&mut base.guidance_scale, "guidance", &args.guidance, f64::to_string)?;
        self.put(&mut base.guidance_rescale, "guidance-rescale", &args.guidance_rescale, f64::to_string)?;
        base.guidance_interval = args.guidance_interval.unwrap_or(base.guidance_interval);
        let (sampler, schedule) = config::how(args.sampler, args.schedule)?;
        self.put(&mut base.sampler, "sampler", &sampler, Sampler::to_string)?;
        self.put(&mut base.schedule, "schedule", &schedule, ScheduleKind::to_string)?;
        if let Some(clip_skip) = args.clip_skip {
            self.put(&mut base.clip_skip, "clip-skip", &Some(clip_skip), u32::to_string)?;
            base.clip_skip_of = SkippedFor::Both;
        }
        self.put(&mut base.seed, "seed", &args.seed.map(Seed), Seed::to_string)?;
        self.size(args, &mut base.size, model)?;
        base.seamless |= args.seamless;
        let mut scale = base.hires.map(|hires| hires.scale);
        self.put(&mut scale, "hires", &args.hires.map(Some), |scale| scale.unwrap_or_default().to_string())?;
        base.hires = hires(args, base.hires)?;
        let stop = args.stop.map(|percent| Some(StopAt::Percent(percent)).filter(|_| percent < 100));
        let shown = |stop: &Option<StopAt>| stop.map_or(100, |stop| stop.percent(args.steps.unwrap_or(100))).to_string();
        self.put(&mut base.stop_at, "stop", &stop, shown)?;
        Ok(())
    }

    /// An aspect gives both sides, so it and a side exclude each other here as they do inside the prompt.
    fn size(&self, args: &ImagineArgs, size: &mut ImageSize, model: &ModelDefaults) -> Result<(), PromptError> {
        let said = |flags: &[&str]| flags.iter().find_map(|flag| self.line?.shown(flag)).map(str::to_owned);
        let flag = args.width.map(|n| format!("--width {n}")).or(args.height.map(|n| format!("--height {n}")));
        if let Some(aspect) = args.aspect {
            let asked = prompt::size_of_aspect(aspect, model);
            if let Some(first) = said(&["aspect", "width", "height"]).filter(|_| *size != asked) {
                return Err(PromptError::Twice { first, second: format!("--aspect {aspect}") });
            }
            *size = asked;
        } else if let (Some(first), Some(second)) = (said(&["aspect"]), flag) {
            return Err(PromptError::Twice { first, second });
        }
        self.put(&mut size.width, "width", &args.width, u32::to_string)?;
        self.put(&mut size.height, "height", &args.height, u32::to_string)
    }
}

fn hires(args: &ImagineArgs, earlier: Option<Hires>) -> anyhow::Result<Option<Hires>> {
    let Some(scale) = args.hires.or(earlier.map(|hires| hires.scale)) else {
        if args.hires_strength.is_some() || args.hires_steps.is_some() || args.hires_upscaler.is_some() {
            bail!("--hires-strength, --hires-steps and --hires-upscaler go with --hires");
        }
        return Ok(None);
    };
    Ok(Some(Hires {
        scale,
        strength: args.hires_strength.or(earlier.map(|hires| hires.strength)).unwrap_or(HIRES_STRENGTH),
        steps: args.hires_steps.or(earlier.and_then(|hires| hires.steps)),
        enlarger: args.hires_upscaler.or(earlier.map(|hires| hires.enlarger)).unwrap_or_default(),
    }))
}
