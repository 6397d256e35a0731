//! Every spelling of every parameter.

use super::ranking::and_list;

/// Which option a parameter sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Negative,
    Aspect,
    Width,
    Height,
    Strength,
    PictureWeight,
    Seed,
    Steps,
    Guidance,
    Sampler,
    Schedule,
    Images,
    Model,
    ClipSkip,
    Rescale,
    Hires,
    Stop,
    Seamless,
    Speed,
}

/// Every spelling of every parameter, and a value to show. The command line takes each of them as a flag too, but for the speed: there nobody waits.
pub(super) const EXAMPLES: [(&str, Key, &str); 28] = [
    ("no", Key::Negative, "text, people"),
    ("negative", Key::Negative, "text, people"),
    ("neg", Key::Negative, "text, people"),
    ("ar", Key::Aspect, "3:2"),
    ("aspect", Key::Aspect, "3:2"),
    ("width", Key::Width, "96"),
    ("height", Key::Height, "96"),
    ("seed", Key::Seed, "7"),
    ("steps", Key::Steps, "30"),
    ("cfg", Key::Guidance, "7.5"),
    ("guidance", Key::Guidance, "7.5"),
    ("sampler", Key::Sampler, "euler"),
    ("schedule", Key::Schedule, "karras"),
    ("images", Key::Images, "2"),
    ("count", Key::Images, "2"),
    ("model", Key::Model, "dreamy"),
    ("clip-skip", Key::ClipSkip, "1"),
    ("rescale", Key::Rescale, "0.7"),
    ("guidance-rescale", Key::Rescale, "0.7"),
    ("hires", Key::Hires, "2"),
    ("stop", Key::Stop, "60"),
    ("tile", Key::Seamless, ""),
    ("seamless", Key::Seamless, ""),
    ("fast", Key::Speed, ""),
    ("relax", Key::Speed, ""),
    ("speed", Key::Speed, "relax"),
    ("iw", Key::PictureWeight, "1"),
    ("strength", Key::Strength, "0.5"),
];

/// The parameters that there are, each by its first spelling, as code. The strength is left out: `--iw` says the same.
pub(super) fn known() -> String {
    let first = |place: usize| EXAMPLES[..place].iter().all(|(_, key, _)| *key != EXAMPLES[place].1);
    let names: Vec<_> = (0..EXAMPLES.len())
        .filter(|place| first(*place) && EXAMPLES[*place].1 != Key::Strength)
        .map(|place| format!("`--{}`", EXAMPLES[place].0))
        .collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    and_list(&names)
}
