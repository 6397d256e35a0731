//! What a loaded model can be asked for, and what a task costs before it runs.

mod cost;
mod inputs;

use serde::{Deserialize, Serialize};

use crate::{
    error::InvalidTask,
    family::{GuidanceRule, Prices, Rules},
    sampler::{Plan, Sampler},
    schedule::{Asked, ScheduleConfig},
    task::{Enlarger, Hires, ImageSize, MAX_CHAOS, MAX_WEIRD, MIN_STOP, Setting, StopAt, Task, TaskKind, TextToImage, Upscale},
};

/// Most denoising steps.
pub const MAX_STEPS: u32 = 1000;
/// Strongest guidance.
pub const MAX_GUIDANCE: f64 = 30.0;
/// Most pictures in one task.
pub const MAX_IMAGES: u32 = 16;
/// Most layers of the text encoder that may be left out.
pub const MAX_CLIP_SKIP: u32 = 12;
/// Most adapters of a task; each one costs a little of every step.
pub const MAX_ADAPTERS: usize = 16;
/// Strongest weight of an adapter.
pub const MAX_ADAPTER_WEIGHT: f64 = 10.0;
/// Most enlargement of a second pass.
pub const MAX_HIRES: f64 = 4.0;
/// Most passes of an enlargement, one after the other.
pub const MAX_UPSCALE_PASSES: u32 = 4;
/// Pixels along a side of what schedules take for one token.
const TOKEN_SIDE: u32 = 16;
/// Longest side that any model is asked for, and that goes through the super-resolution network.
const MAX_SIDE: u32 = 2048;

// Measured with the starter model on a CPU by `examples/time_engine.rs`. A larger model's decoder is dearer (about three rows for Stable
// Diffusion 1 by its operations), which is little beside its dozens of rows.

/// A VAE encoding costs as much as so many U-Net rows of that size.
pub(crate) const ENCODE_ROWS: f64 = 0.5;
/// A VAE decoding costs as much as so many U-Net rows of that size.
pub(crate) const DECODE_ROWS: f64 = 1.5;
/// A super-resolution costs as much as so many U-Net rows of the source's size.
pub(crate) const UPSCALE_ROWS: f64 = 2.0;

/// How long a pass's prompts are, in the family's own unit: chunks of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chunks {
    /// Of the prompt.
    pub(crate) prompt: usize,
    /// Of the negative prompt; 1 where there is none.
    pub(crate) negative: usize,
    /// Of the prompt's other parts, if it has several: the first number is the longest one's.
    pub(crate) others: usize,
}

impl Chunks {
    /// Of prompts of a few words.
    pub(crate) const ONE: Self = Self { prompt: 1, negative: 1, others: 0 };

    /// Of a prompt whose texts have these lengths.
    pub(crate) fn of(texts: &[usize], negative: usize) -> Self {
        let prompt = texts.iter().copied().max().unwrap_or(1);
        Self { prompt, negative, others: texts.iter().sum::<usize>().saturating_sub(prompt) }
    }

    /// The longer one's; the shorter one is filled up to it.
    pub(crate) fn longest(self) -> usize {
        self.prompt.max(self.negative)
    }

    /// What encoding them costs beyond the first ones, in row-megapixels.
    pub(crate) fn encoding(self, prices: Prices) -> f64 {
        (self.prompt + self.others + self.negative).saturating_sub(2) as f64 * prices.encoding
    }
}

/// What a model can be asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Limits {
    pub(crate) rules: Rules,
    pub(crate) max_side: u32,
    /// Enlargement of the super-resolution network, which is no part of the model.
    #[serde(skip)]
    pub(crate) upscale_factor: Option<u32>,
    pub(crate) schedule: ScheduleConfig,
    /// The schedule as the inpainting pipeline takes it.
    pub(crate) inpaint_schedule: ScheduleConfig,
}

impl Limits {
    /// The longest side: four times the model's own, as far as [`MAX_SIDE`].
    pub(crate) fn max_side(native: ImageSize, size_multiple: u32) -> u32 {
        (native.width.max(native.height) * 4).min(MAX_SIDE) / size_multiple * size_multiple
    }

    pub(crate) fn check(&self, task: &Task) -> Result<(), InvalidTask> {
        inputs::check(task)?;
        if let TaskKind::Upscale(task) = &task.kind {
            return self.check_upscale(task);
        }
        if let Some(strength) = task.strength()
            && !(strength > 0.0 && strength <= 1.0)
        {
            return Err(InvalidTask::Strength(strength));
        }
        let Some(base) = task.base() else { return Ok(()) };
        if !(1..=MAX_STEPS).contains(&base.steps) {
            return Err(InvalidTask::Steps { found: base.steps, max: MAX_STEPS });
        }
        if !(0.0..=MAX_GUIDANCE).contains(&base.guidance_scale) {
            return Err(InvalidTask::Guidance { found: base.guidance_scale, max: MAX_GUIDANCE });
        }
        if !(0.0..=1.0).contains(&base.guidance_rescale) {
            return Err(InvalidTask::GuidanceRescale(base.guidance_rescale));
        }
        let (from, to) = base.guidance_interval;
        if !(0.0 <= from && from < to && to <= 1.0) {
            return Err(InvalidTask::GuidanceInterval { from, to });
        }
        if let Some(StopAt::Percent(found)) = base.stop_at
            && !(MIN_STOP..=100).contains(&found)
        {
            return Err(InvalidTask::StopAt { found, min: MIN_STOP });
        }
        if let Some(way) = base.study.iter().find(|way| !(0.0..=MAX_GUIDANCE).contains(&way.guidance_scale)) {
            return Err(InvalidTask::Guidance { found: way.guidance_scale, max: MAX_GUIDANCE });
        }
        let n_ways = base.study.len() as u32;
        if n_ways > 0 && n_ways != base.n_images {
            return Err(InvalidTask::Count { found: base.n_images, max: n_ways });
        }
        let n_readings = base.readings.len() as u32;
        if n_readings > 0 && (n_readings != base.n_images || n_ways > 0) {
            return Err(InvalidTask::Count { found: base.n_images, max: n_readings });
        }
        if base.clip_skip > MAX_CLIP_SKIP {
            return Err(InvalidTask::ClipSkip { found: base.clip_skip, max: MAX_CLIP_SKIP });
        }
        if !(1..=MAX_IMAGES).contains(&base.n_images) {
            return Err(InvalidTask::Count { found: base.n_images, max: MAX_IMAGES });
        }
        if self.rules.sees_mask && !matches!(task.kind, TaskKind::Inpaint(_)) {
            return Err(InvalidTask::NeedsMask);
        }
        let prediction = self.schedule.prediction;
        if !base.sampler.fits(prediction) {
            let fitting: Vec<&str> = Sampler::ALL.into_iter().filter(|other| other.fits(prediction)).map(Sampler::name).collect();
            return Err(InvalidTask::Sampler { sampler: base.sampler.to_string(), fitting: fitting.join(", ") });
        }
        if base.seamless && !self.rules.reads(Setting::Seamless) {
            return Err(InvalidTask::Seamless);
        }
        self.check_reading(base)?;
        self.check_size(base.size, self.rules.size_multiple)?;
        if base.hires.is_some() && matches!(task.kind, TaskKind::Inpaint(_)) {
            return Err(InvalidTask::HiresOfMask);
        }
        base.hires.map_or(Ok(()), |hires| self.check_hires(base, hires))
    }

    /// How the prompt is read beside its words.
    fn check_reading(&self, base: &TextToImage) -> Result<(), InvalidTask> {
        if base.chaos > MAX_CHAOS {
            return Err(InvalidTask::Chaos(base.chaos));
        }
        if base.weird > MAX_WEIRD {
            return Err(InvalidTask::Weird(base.weird));
        }
        let is_unread = |setting: &Setting| setting.is_asked(base, &[]) && !self.rules.reads(*setting);
        match Setting::MUST_BE_READ.into_iter().find(is_unread) {
            Some(setting) => Err(InvalidTask::Unread { setting }),
            None => Ok(()),
        }
    }

    fn check_upscale(&self, task: &Upscale) -> Result<(), InvalidTask> {
        let factor = self.upscale_factor.ok_or(InvalidTask::NoUpscaler)?;
        if !(1..=MAX_UPSCALE_PASSES).contains(&task.passes) {
            return Err(InvalidTask::Passes { found: task.passes, max: MAX_UPSCALE_PASSES });
        }
        self.check_size(task.size, 1)?;
        match task.sources(factor).find(|size| size.width.max(size.height) > MAX_SIDE) {
            Some(ImageSize { width, height }) => Err(InvalidTask::Size { width, height, multiple: 1, min: 1, max: MAX_SIDE }),
            None => Ok(()),
        }
    }

    fn check_hires(&self, base: &TextToImage, hires: Hires) -> Result<(), InvalidTask> {
        if !(hires.scale > 1.0 && hires.scale <= MAX_HIRES) {
            return Err(InvalidTask::HiresScale { found: hires.scale, max: MAX_HIRES });
        }
        if !(hires.strength > 0.0 && hires.strength <= 1.0) {
            return Err(InvalidTask::Strength(hires.strength));
        }
        if let Some(found) = hires.steps.filter(|steps| !(1..=MAX_STEPS).contains(steps)) {
            return Err(InvalidTask::Steps { found, max: MAX_STEPS });
        }
        if hires.enlarger == Enlarger::Network && self.upscale_factor.is_none() {
            return Err(InvalidTask::NoUpscaler);
        }
        self.check_size(self.hires_size(base, hires), self.rules.size_multiple)
    }

    fn check_size(&self, size: ImageSize, multiple: u32) -> Result<(), InvalidTask> {
        let ImageSize { width, height } = size;
        let is_side = |side: u32| side.is_multiple_of(multiple) && (multiple..=self.max_side).contains(&side);
        if is_side(width) && is_side(height) {
            return Ok(());
        }
        Err(InvalidTask::Size { width, height, multiple, min: multiple, max: self.max_side })
    }

    /// Size of the second pass: the nearest that the model can draw.
    pub(crate) fn hires_size(&self, base: &TextToImage, hires: Hires) -> ImageSize {
        hires.size(base.size, self.rules.size_multiple)
    }

    /// Sizes of a picture after each of its passes.
    pub(crate) fn sizes(&self, task: &Task) -> Vec<ImageSize> {
        match (&task.kind, task.base()) {
            (TaskKind::Upscale(task), _) => {
                let factor = self.upscale_factor.unwrap_or(1);
                task.sources(factor).map(|size| ImageSize::new(size.width * factor, size.height * factor)).collect()
            }
            (_, Some(base)) => {
                let second = base.hires.filter(|_| self.reaches_second(task, base));
                std::iter::once(base.size).chain(second.map(|hires| self.hires_size(base, hires))).collect()
            }
            (_, None) => Vec::new(),
        }
    }

    /// Whether a step of the task takes two network rows.
    pub(crate) fn is_guided(&self, base: &TextToImage) -> bool {
        self.rules.guidance.is_on(base.guidance_scale)
    }

    /// The steps of a task's (first) pass; a step count out of range counts as the nearest in range.
    pub(crate) fn plan(&self, task: &Task, base: &TextToImage) -> Plan {
        let schedule = if matches!(task.kind, TaskKind::Inpaint(_)) { &self.inpaint_schedule } else { &self.schedule };
        self.plan_of(schedule, base, base.size, (base.steps, task.strength()))
    }

    /// The steps of the second pass.
    pub(crate) fn hires_plan(&self, base: &TextToImage, hires: Hires) -> Plan {
        let steps = hires.steps.unwrap_or(base.steps);
        self.plan_of(&self.schedule, base, self.hires_size(base, hires), (steps, Some(hires.strength)))
    }

    fn plan_of(&self, schedule: &ScheduleConfig, base: &TextToImage, size: ImageSize, (steps, strength): (u32, Option<f64>)) -> Plan {
        let n_tokens = (size.width / TOKEN_SIDE * (size.height / TOKEN_SIDE)) as usize;
        let asked = Asked {
            kind: base.schedule,
            n_steps: steps.clamp(1, MAX_STEPS) as usize,
            strength,
            n_tokens,
            is_consistency_model: self.rules.guidance == GuidanceRule::Input,
            eta: 0.0,
        };
        base.sampler.plan(schedule, &asked)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use candle_core::{Device, Tensor};

    use super::*;
    use crate::family::toy;

    #[test]
    fn what_a_family_cannot_do_is_refused() {
        let schedule = ScheduleConfig::parse("{}", Path::new("scheduler_config.json")).expect("defaults");
        let check = |rules: Rules, base: TextToImage| {
            let (inpaint_schedule, schedule) = (schedule.clone(), schedule.clone());
            Limits { rules, max_side: 64, upscale_factor: None, schedule, inpaint_schedule }.check(&base.into())
        };
        let base = TextToImage { size: ImageSize::new(8, 8), ..TextToImage::default() };
        assert_eq!(check(toy::rules(), base.clone()), Ok(()));
        for (percent, is_place) in [(0, false), (9, false), (10, true), (60, true), (100, true), (101, false), (u32::MAX, false)] {
            let found = check(toy::rules(), TextToImage { stop_at: Some(StopAt::Percent(percent)), ..base.clone() });
            assert_eq!(found, if is_place { Ok(()) } else { Err(InvalidTask::StopAt { found: percent, min: 10 }) });
        }
        let seamless = TextToImage { seamless: true, ..base.clone() };
        assert_eq!(check(toy::rules(), seamless.clone()), Ok(()));
        assert_eq!(check(Rules { unread: vec![Setting::Seamless], ..toy::rules() }, seamless), Err(InvalidTask::Seamless));
        assert_eq!(check(Rules { sees_mask: true, ..toy::rules() }, base.clone()), Err(InvalidTask::NeedsMask));
        let odd = Rules { size_multiple: 16, ..toy::rules() };
        assert!(matches!(check(odd, base), Err(InvalidTask::Size { multiple: 16, .. })));
    }

    /// Where the configuration shifts by the picture's size, a larger one keeps more noise for longer: also that of a second pass.
    #[test]
    fn each_pass_is_planned_for_its_own_size() {
        let json = r#"{"_class_name": "FlowMatchEulerDiscreteScheduler", "use_dynamic_shifting": true}"#;
        let schedule = ScheduleConfig::parse(json, Path::new("scheduler_config.json")).expect("a configuration");
        let limits = Limits { rules: toy::rules(), max_side: 2048, upscale_factor: None, inpaint_schedule: schedule.clone(), schedule };
        let hires = Hires { scale: 2.0, strength: 1.0, steps: None, enlarger: Enlarger::Latent };
        let base = |side: u32| TextToImage {
            size: ImageSize::new(side, side),
            steps: 4,
            sampler: Sampler::FlowEuler,
            hires: Some(hires),
            ..TextToImage::default()
        };
        let (clean, noise) = (Tensor::new(0.0, &Device::Cpu).expect("zero"), Tensor::new(1.0, &Device::Cpu).expect("one"));
        let sigma = |plan: Plan| plan.noised_after(0, &clean, &noise).and_then(|noisy| Ok(noisy.to_scalar::<f64>()?)).expect("a sigma");
        let first = |side: u32| sigma(limits.plan(&base(side).into(), &base(side)));
        assert!(first(256) < first(512) && first(512) < first(1024), "{} {} {}", first(256), first(512), first(1024));
        assert_eq!(sigma(limits.hires_plan(&base(256), hires)), first(512));
    }
}
