//! Queue, model and device.

use inference::catalogue::ModelCard;

use super::words::{escape, shorten};
use crate::answer::{Answer, Embed};

/// Most characters in a field of an embed.
const MAX_FIELD: usize = 1024;

/// What a model's network predicts and who says so, which guidance is none where that is not as usual, and how its schedule is shifted where its own
/// files do not say it.
pub fn about_network(card: &ModelCard) -> String {
    let off = if card.guidance_off == 0.0 { "; guidance 0 is off" } else { "" };
    let shift = about_shift(card).map(|shift| format!("; {shift}")).unwrap_or_default();
    format!("predicts {} ({}){off}{shift}", card.prediction, card.prediction_said_by)
}

/// How a model's schedule is shifted and what says so, where its own files do not.
pub fn about_shift(card: &ModelCard) -> Option<String> {
    let (shift, said_by) = (card.shift?, card.shift_said_by.as_ref()?);
    Some(format!("shift {shift} ({said_by})"))
}

/// What `/info` tells.
pub struct Info {
    /// The model's name and whether it is the built-in one.
    pub model: String,
    /// Prompts that the built-in demonstration draws well; none for another model.
    pub examples: Vec<String>,
    /// Such as `64×64`.
    pub native_size: String,
    /// What the network predicts and what says so.
    pub prediction: String,
    /// Every model that may be named, with its native size, the usual one first.
    pub models: Vec<String>,
    /// The adapters that may be named.
    pub loras: Vec<String>,
    /// Network parameters.
    pub n_parameters: u64,
    /// Such as `cpu (f32)`.
    pub device: String,
    /// Jobs that wait.
    pub queued: u32,
    /// Pictures on their way.
    pub drawing: u64,
    /// Rows per network call so far.
    pub rows_per_call: Option<f64>,
    /// Program version.
    pub version: &'static str,
}

/// Queue, model and device.
pub fn info(info: &Info) -> Answer {
    let mut description = String::new();
    if !info.examples.is_empty() {
        description = format!(
            "This is the small built-in model, a demonstration: it draws emoji-like pictures of common things. \
             Try *{}*. The README tells how to use a real checkpoint.",
            info.examples.join("*, *")
        );
    }
    let mut fields = vec![
        ("Now".into(), now(info)),
        ("Model".into(), format!("{}\n{} million parameters\n{} pixels", info.model, info.n_parameters / 1_000_000, info.native_size)),
        ("Runs on".into(), info.device.clone()),
    ];
    if info.models.len() > 1 {
        fields.push(("Models (`--model NAME`)".into(), shorten(&info.models.join(", "), MAX_FIELD)));
    }
    if !info.loras.is_empty() {
        fields.push(("LoRAs (`<lora:NAME:0.8>` in the prompt)".into(), shorten(&escape(&info.loras.join(", ")), MAX_FIELD)));
    }
    let embed = Embed { title: Some("Atelier".into()), description, fields, footer: Some(footer(info)), ..Embed::default() };
    Answer { embeds: vec![embed], ..Answer::default() }
}

/// What is being done and what waits.
fn now(info: &Info) -> String {
    let count = |n: u64, one: &str, many: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {many}") };
    let drawing = match info.drawing {
        0 => "Nothing is being drawn.".to_owned(),
        n => format!("{} being drawn.", count(n, "picture is", "pictures are")),
    };
    let waiting = match info.queued {
        0 => "Nobody waits.".to_owned(),
        n => format!("{}.", count(n.into(), "job waits", "jobs wait")),
    };
    format!("{drawing}\n{waiting}")
}

/// What only few want to know.
fn footer(info: &Info) -> String {
    let rows = info.rows_per_call.map(|rows| format!(" · {rows:.1} rows in a call of the network")).unwrap_or_default();
    format!("Version {} · {}{rows}", info.version, info.prediction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn info_lists_models_and_adapters_and_fits_discord() {
        let mut about = Info {
            model: "starter model".into(),
            examples: vec!["a frog".into(), "two penguins on grass".into()],
            native_size: "64×64".into(),
            prediction: "predicts v (its scheduler_config.json)".into(),
            models: vec!["starter (64×64)".into()],
            loras: Vec::new(),
            n_parameters: 21_000_000,
            device: "cpu (f32)".into(),
            queued: 0,
            drawing: 0,
            rows_per_call: None,
            version: "0.1.0",
        };
        let embed = |about: &Info| info(about).embeds.remove(0);
        let idle = embed(&about);
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let expected = [
            field("Now", "Nothing is being drawn.\nNobody waits."),
            field("Model", "starter model\n21 million parameters\n64×64 pixels"),
            field("Runs on", "cpu (f32)"),
        ];
        assert_eq!(
            (idle.fields, idle.footer.as_deref()),
            (expected.to_vec(), Some("Version 0.1.0 · predicts v (its scheduler_config.json)"))
        );
        (about.drawing, about.queued, about.rows_per_call) = (1, 2, Some(15.75));
        let busy = embed(&about);
        assert_eq!(busy.fields[0].1, "1 picture is being drawn.\n2 jobs wait.");
        assert!(busy.footer.is_some_and(|footer| footer.ends_with(" · 15.8 rows in a call of the network")));
        let fields = |about: &Info| info(about).embeds[0].fields.clone();
        assert!(fields(&about).iter().all(|(name, _)| !name.contains("--model") && !name.contains("lora")), "one model is no choice");
        about.models.push("dreamy (512×512)".into());
        about.loras = vec!["ink_wash".into()];
        let shown = fields(&about);
        assert!(shown.contains(&("Models (`--model NAME`)".into(), "starter (64×64), dreamy (512×512)".into())), "{shown:?}");
        assert!(shown.contains(&("LoRAs (`<lora:NAME:0.8>` in the prompt)".into(), r"ink\_wash".into())), "{shown:?}");
        about.models = (0..200).map(|n| format!("model-{n} (512×512)")).collect();
        about.loras = (0..200).map(|n| format!("adapter_{n}")).collect();
        let answer = info(&about);
        let lengths = answer.embeds[0].fields.iter().map(|(name, value)| (name.chars().count(), value.chars().count()));
        assert!(lengths.clone().all(|(name, value)| name <= 256 && value <= 1024));
        assert!(lengths.map(|(name, value)| name + value).sum::<usize>() + answer.embeds[0].description.chars().count() < 6000);
    }
}
