//! Reads the text as far as its meaning is ours.

use inference::{
    catalogue::limits::{MAX_GUIDANCE, MAX_STEPS},
    sampler::SamplerChoice,
    task::{AdapterUse, MIN_STOP, Seed, StopAt, TextToImage},
};

use super::{
    fields, json, names,
    recipe::{NotRead, Recipe, Said, number, size, stem},
    second_pass::SecondPass,
};
use crate::prompt;

/// Fields that only tell how another program was set up, or what we tell by other means.
const QUIET: [&str; 2] = ["Version", "Model hash"];
/// Most characters of a note.
const MAX_NOTE: usize = 200;

/// Reads a `parameters` text.
///
/// # Errors
/// It is JSON that is not read.
pub fn read(text: &str) -> Result<Recipe, NotRead> {
    let text = text.trim_matches(['\0', ' ', '\n', '\r', '\t']);
    let (words, found) = fields::split(text);
    // JSON may hold such a line too, and a prompt may begin as JSON does.
    if let Some(read) = json::read(text, found.is_empty()) {
        return read;
    }
    let (prompt, negative) = match words.split_once("\nNegative prompt:") {
        _ if words.starts_with("Negative prompt:") => ("", words.strip_prefix("Negative prompt:")),
        Some((prompt, negative)) => (prompt, Some(negative)),
        None => (words, None),
    };
    let mut recipe = Recipe::of(prompt.trim(), negative.map(str::trim));
    recipe.take_all(found.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    recipe.notes.extend(found.strays.iter().map(|stray| shortened(stray)));
    Ok(recipe)
}

fn shortened(note: &str) -> String {
    match note.char_indices().nth(MAX_NOTE) {
        Some((place, _)) => format!("{}…", &note[..place]),
        None => note.to_owned(),
    }
}

impl Recipe {
    pub(super) fn of(prompt: &str, negative: Option<&str>) -> Self {
        let negative_prompt = negative.map(str::to_owned);
        let base = TextToImage { prompt: prompt.to_owned(), negative_prompt, n_images: 1, ..TextToImage::default() };
        Self { base, said: Said::default(), model: None, strength: None, notes: Vec::new() }
    }

    /// Takes fields over by A1111's names, and notes what is not understood.
    pub(super) fn take_all<'a>(&mut self, fields: impl IntoIterator<Item = (&'a str, &'a str)>) {
        let (mut second, mut automatic) = (SecondPass::default(), None);
        for (name, value) in fields {
            // What it means depends on the sampler, which may stand behind it.
            if matches!(name, "Schedule type" | "Scheduler") && value == "Automatic" {
                automatic = Some(value);
            } else if !second.take(name, value) && !self.take(name, value) && !QUIET.contains(&name) {
                self.note(name, value);
            }
        }
        if let Some(value) = automatic.filter(|_| self.said.schedule.is_none()) {
            self.said.schedule = names::schedule(value, self.said.sampler);
        }
        second.finish(self);
    }

    pub(super) fn note(&mut self, name: &str, value: &str) {
        self.notes.push(shortened(&format!("{name}: {value}")));
    }

    /// Takes a field over; `false` if its meaning is not ours.
    fn take(&mut self, name: &str, value: &str) -> bool {
        let Self { base, said, .. } = self;
        match name {
            "Steps" => set(&mut said.steps, value.parse().ok().filter(|steps| (1..=MAX_STEPS).contains(steps))),
            "Sampler" => self.take_sampler(value),
            "Schedule type" | "Scheduler" => {
                // Older programs say it with the sampler too.
                let found = names::schedule(value, said.sampler);
                set(&mut said.schedule, found)
            }
            "CFG scale" => set(&mut said.guidance_scale, number(value).filter(|scale| (0.0..=MAX_GUIDANCE).contains(scale))),
            "Seed" => set(&mut said.seed, value.parse().ok().map(Seed)),
            "Size" => set(&mut said.size, size(value)),
            "Model" => {
                self.model = Some(value.to_owned()).filter(|name| !name.is_empty());
                true
            }
            "Clip skip" => set(&mut said.clip_skip, value.parse().ok().filter(|skip| (1..=prompt::MAX_CLIP_SKIP + 1).contains(skip))),
            "Denoising strength" => set(&mut self.strength, number(value).filter(|strength| *strength > 0.0 && *strength <= 1.0)),
            "CFG rescale" => put(&mut base.guidance_rescale, number(value).filter(|share| (0.0..=1.0).contains(share))),
            "Guidance interval" => put(&mut base.guidance_interval, interval(value)),
            "Tiling" => put(&mut base.seamless, value.to_lowercase().parse().ok()),
            "Stopped after" => put(&mut base.stop_at, stop_at(value).map(Some)),
            // Ours, whose names are no files.
            "Adapter" => {
                let found = value.rsplit_once(" at ").and_then(|(name, weight)| Some(AdapterUse::new(name, number(weight)?)));
                base.adapters.extend(found.clone());
                found.is_some()
            }
            "Lora weights" => self.take_adapters(value.split(", ").map(|pair| pair.rsplit_once(": "))),
            _ => false,
        }
    }

    /// Menus may show the schedule behind the sampler: `DPM++ 2M Karras`.
    fn take_sampler(&mut self, value: &str) -> bool {
        let Ok(SamplerChoice { sampler, schedule }) = value.parse() else { return false };
        self.said.sampler = Some(sampler);
        self.said.schedule = self.said.schedule.or(schedule);
        true
    }

    /// Takes pairs of name and weight over if all are such.
    pub(super) fn take_adapters<'a>(&mut self, pairs: impl Iterator<Item = Option<(&'a str, &'a str)>>) -> bool {
        let read = |pair: Option<(&str, &str)>| {
            let (name, weight) = pair?;
            Some(AdapterUse::new(stem(name.trim()), number(weight.trim())?)).filter(|used| !used.name.is_empty())
        };
        let Some(found) = pairs.map(read).collect::<Option<Vec<_>>>() else { return false };
        self.base.adapters.extend(found);
        true
    }
}

fn set<T>(place: &mut Option<T>, value: Option<T>) -> bool {
    let is_understood = value.is_some();
    *place = value.or(place.take());
    is_understood
}

fn put<T>(place: &mut T, value: Option<T>) -> bool {
    let is_understood = value.is_some();
    if let Some(value) = value {
        *place = value;
    }
    is_understood
}

fn stop_at(value: &str) -> Option<StopAt> {
    match value.split_once(' ') {
        Some((steps, "steps")) => steps.parse().ok().filter(|steps| (1..=MAX_STEPS).contains(steps)).map(StopAt::Steps),
        _ => value.strip_suffix('%')?.parse().ok().filter(|percent| (MIN_STOP..=100).contains(percent)).map(StopAt::Percent),
    }
}

fn interval(text: &str) -> Option<(f64, f64)> {
    let (from, to) = text.split_once(" to ")?;
    Some((number(from)?, number(to)?)).filter(|(from, to)| 0.0 <= *from && from < to && *to <= 1.0)
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
