//! Reads the text as far as its meaning is ours.

use inference::{
    sampler::Sampler,
    schedule::ScheduleKind,
    task::{Enlarger, Hires, ImageSize, Seed, TextToImage},
};

use super::names;
use crate::prompt::{self, HIRES_STRENGTH, MAX_HIRES};

/// A line with fewer fields belongs to the prompt.
const MIN_FIELDS: usize = 3;
/// Fields that only tell how another program was set up, or what we tell by other means.
const QUIET: [&str; 2] = ["Version", "Model hash"];

/// What a text asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    /// What is drawn; what the text does not say is as in [`TextToImage::default`], but the model is never set.
    pub base: TextToImage,
    /// The model's name.
    pub model: Option<String>,
    /// Sampler and schedule, if the text says them.
    pub how: (Option<Sampler>, Option<ScheduleKind>),
    /// How much of a source picture was replaced.
    pub strength: Option<f64>,
    /// What was not understood, each as it stands in the text.
    pub notes: Vec<String>,
}

/// Reads a `parameters` text.
pub fn read(text: &str) -> Read {
    let (words, last) = text.trim_end().rsplit_once('\n').unwrap_or(("", text));
    let fields = fields(last);
    let (words, fields) = if fields.len() < MIN_FIELDS { (text, Vec::new()) } else { (words, fields) };
    let (prompt, negative) = match words.split_once("\nNegative prompt:") {
        Some((prompt, negative)) => (prompt, Some(negative.trim().to_owned())),
        None => (words, words.strip_prefix("Negative prompt:").map(|negative| negative.trim().to_owned())),
    };
    let prompt = if words.starts_with("Negative prompt:") { "" } else { prompt.trim() };
    let base = TextToImage { prompt: prompt.to_owned(), negative_prompt: negative, n_images: 1, ..TextToImage::default() };
    let mut read = Read { base, model: None, how: (None, None), strength: None, notes: Vec::new() };
    let mut passes = SecondPass::default();
    for (name, value) in fields {
        if !read.take(&mut passes, &name, &value) && !QUIET.contains(&name.as_str()) {
            read.notes.push(format!("{name}: {value}"));
        }
    }
    if let Some(scale) = passes.scale {
        let strength = read.strength.unwrap_or(HIRES_STRENGTH);
        read.base.hires = Some(Hires { scale, strength, steps: passes.steps, enlarger: passes.enlarger });
    }
    let (sampler, schedule) = read.how;
    read.base.sampler = sampler.unwrap_or(read.base.sampler);
    read.base.schedule = schedule.unwrap_or(read.base.schedule);
    read
}

/// The fields of a second pass as they come.
#[derive(Default)]
struct SecondPass {
    scale: Option<f64>,
    steps: Option<u32>,
    enlarger: Enlarger,
}

impl Read {
    /// Takes a field over; `false` if its meaning is not ours.
    fn take(&mut self, second: &mut SecondPass, name: &str, value: &str) -> bool {
        let base = &mut self.base;
        match name {
            "Steps" => set(&mut base.steps, value.parse().ok().filter(|steps| (1..=inference::limits::MAX_STEPS).contains(steps))),
            "Sampler" => self.take_sampler(value),
            "Schedule type" => match names::schedule(value) {
                Some(schedule) => {
                    self.how.1 = Some(schedule);
                    true
                }
                None => false,
            },
            "CFG scale" => {
                set(&mut base.guidance_scale, number(value).filter(|scale| (0.0..=inference::limits::MAX_GUIDANCE).contains(scale)))
            }
            "Seed" => set(&mut base.seed, value.parse().ok().map(Seed)),
            "Size" => set(&mut base.size, size(value)),
            "Model" => {
                self.model = Some(value.to_owned());
                true
            }
            // Theirs counts the layers from the end, ours those beyond the model's own rule.
            "Clip skip" => set(
                &mut base.clip_skip,
                value.parse::<u32>().ok().filter(|skip| (1..=prompt::MAX_CLIP_SKIP + 1).contains(skip)).map(|skip| skip - 1),
            ),
            "Denoising strength" => {
                self.strength = number(value).filter(|strength| *strength > 0.0 && *strength <= 1.0);
                self.strength.is_some()
            }
            "CFG rescale" => set(&mut base.guidance_rescale, number(value).filter(|share| (0.0..=1.0).contains(share))),
            "Tiling" => {
                base.seamless = value == "True";
                matches!(value, "True" | "False")
            }
            "Hires upscale" => {
                second.scale = number(value).filter(|scale| *scale > 1.0 && *scale <= MAX_HIRES);
                second.scale.is_some()
            }
            "Hires steps" => {
                second.steps = value.parse().ok().filter(|steps| *steps > 0);
                second.steps.is_some() || value == "0"
            }
            "Hires upscaler" => {
                let is_network = !value.starts_with("Latent");
                second.enlarger = if is_network { Enlarger::Network } else { Enlarger::Latent };
                matches!(value, "Latent" | "Network")
            }
            _ => false,
        }
    }

    /// Older programs write the schedule behind the sampler: `DPM++ 2M Karras`.
    fn take_sampler(&mut self, value: &str) -> bool {
        let whole = names::sampler(value);
        let parted = || {
            let (sampler, schedule) = value.rsplit_once(' ')?;
            Some((names::sampler(sampler)?, names::schedule(schedule)?))
        };
        match (whole, parted()) {
            (Some(sampler), _) => self.how.0 = Some(sampler),
            (None, Some((sampler, schedule))) => self.how = (Some(sampler), self.how.1.or(Some(schedule))),
            (None, None) => return false,
        }
        true
    }
}

fn set<T>(place: &mut T, value: Option<T>) -> bool {
    let is_understood = value.is_some();
    if let Some(value) = value {
        *place = value;
    }
    is_understood
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

fn size(text: &str) -> Option<ImageSize> {
    let (width, height) = text.split_once('x')?;
    Some(ImageSize::new(width.parse().ok()?, height.parse().ok()?))
}

/// `Name: value` pairs between commas; a value in quotation marks is JSON and may hold commas.
fn fields(line: &str) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    let mut rest = line.trim();
    while let Some((name, after)) = rest.split_once(':') {
        let after = after.trim_start();
        let quoted = after.starts_with('"').then(|| serde_json::Deserializer::from_str(after).into_iter::<String>());
        let (value, n_bytes) = match quoted.map(|mut values| (values.next(), values.byte_offset())) {
            Some((Some(Ok(value)), n_bytes)) => (value, n_bytes),
            _ => {
                let n_bytes = after.find(',').unwrap_or(after.len());
                (after[..n_bytes].trim().to_owned(), n_bytes)
            }
        };
        fields.push((name.trim().to_owned(), value));
        rest = after[n_bytes..].trim_start_matches([',', ' ']);
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_another_program_is_read_as_far_as_it_is_ours() {
        let read = read(
            "masterpiece, (a fox:1.2)\nin snow\nNegative prompt: text,\nwatermark\nSteps: 20, Sampler: DPM++ 2M Karras, CFG scale: 6.5, \
             Seed: 4242, Size: 768x512, Model hash: 6ce0161689, Model: v1-5, Clip skip: 2, ENSD: 31337, Eta: 0.3, \
             Lora hashes: \"ink: 0123456789ab, b: 1\", Version: v1.10.1",
        );
        assert_eq!(read.base.prompt, "masterpiece, (a fox:1.2)\nin snow");
        assert_eq!(read.base.negative_prompt.as_deref(), Some("text,\nwatermark"));
        assert_eq!((read.base.steps, read.base.guidance_scale, read.base.seed), (20, 6.5, Seed(4242)));
        assert_eq!((read.base.size, read.base.clip_skip), (ImageSize::new(768, 512), 1));
        assert_eq!(read.how, (Some(Sampler::DpmPp2M), Some(ScheduleKind::Karras)));
        assert_eq!(read.model.as_deref(), Some("v1-5"));
        assert_eq!(read.notes, ["ENSD: 31337", "Eta: 0.3", "Lora hashes: ink: 0123456789ab, b: 1"]);
    }

    #[test]
    fn odd_texts_are_prompts_or_noted() {
        assert_eq!(read("a fox: red").base.prompt, "a fox: red");
        assert_eq!(read("").base.prompt, "");
        assert_eq!(read("Negative prompt: text\nSteps: 1, Seed: 2, Size: 8x8").base.negative_prompt.as_deref(), Some("text"));
        let odd = read("a\nSteps: 0, Sampler: Restart, Seed: -1, Size: wide, CFG scale: NaN, Hires upscale: 9, Clip skip: 0");
        let notes = ["Steps: 0", "Sampler: Restart", "Seed: -1", "Size: wide", "CFG scale: NaN", "Hires upscale: 9", "Clip skip: 0"];
        assert_eq!((odd.notes, odd.base.steps), (notes.map(str::to_owned).to_vec(), 25));
        let quoted = read("a\nSteps: 3, Seed: 2, Size: 8x8, Note: \"unfinished, x");
        assert_eq!(quoted.notes, ["Note: \"unfinished"]);
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in proptest::prelude::any::<String>(), line in "[A-Z a-z0-9:,\"x\\\\-]{0,60}") {
            read(&text);
            read(&format!("{text}\n{line}"));
        }
    }
}
