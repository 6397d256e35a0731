//! Every sentence that a user reads.

mod failure;
mod notes;
mod user_error;

use std::time::Duration;

use inference::task::Note;
use storage::{JobId, JobStatus, Limits, QuotaOf, QuotaStatus, Timestamp};

pub use failure::failure;
pub use notes::sentences as note_sentences;
pub use user_error::UserError;

use crate::{
    answer::{Answer, Button, Embed, File, Label, Style},
    buttons::custom_id::ButtonAction,
    printable::printable,
};

/// Most characters in a field of an embed.
const MAX_FIELD: usize = 1024;

/// Shown for our own faults; the cause is in the log.
pub const INTERNAL_ERROR: &str = "Something went wrong on my side. It was written to my log; please try again.";

/// Shown for our own faults while a job was drawn.
pub fn internal_error(job: JobId) -> String {
    format!("Something went wrong on my side while drawing (job `{job}`). It was written to my log and costs nothing; please try again.")
}

/// What a job's messages begin with.
#[derive(Clone, Debug, PartialEq)]
pub struct Heading {
    /// The prompt, or what is done with a picture.
    pub title: String,
    /// The parameters, to copy.
    pub parameters: String,
    /// Who asked.
    pub user: u64,
    /// What the person who asked should know.
    pub notes: Vec<Note>,
}

impl Heading {
    /// The line that tells the notes, with its line break.
    fn told(&self) -> String {
        notes::line(&self.notes)
    }

    fn line(&self) -> String {
        format!("**{}**{} · <@{}>", shorten(&escape(&self.title), 1000), self.code(500), self.user)
    }

    /// The parameters as code, at most so long; a negative prompt can be as long as a prompt.
    fn code(&self, max_chars: usize) -> String {
        if self.parameters.is_empty() {
            String::new()
        } else {
            format!(" `{}`", shorten(&printable(&self.parameters).replace('`', "'"), max_chars))
        }
    }
}

/// A job that waits.
pub fn queued(heading: &Heading, job: JobId, place: u32) -> Answer {
    let place = match place {
        1 => "next in line".to_owned(),
        n => format!("place {n} in the queue"),
    };
    Answer {
        content: format!("{}\n-# Queued: {place}{}", heading.line(), heading.told()),
        buttons: vec![vec![cancel_button(job)]],
        ..Answer::default()
    }
}

/// A job whose model is read into memory.
pub fn loading(heading: &Heading, job: JobId) -> Answer {
    Answer {
        content: format!("{}\n-# Loading the model…{}", heading.line(), heading.told()),
        buttons: vec![vec![cancel_button(job)]],
        ..Answer::default()
    }
}

/// A job that is being drawn; `preview` shows what is there.
pub fn drawing(heading: &Heading, job: JobId, done: u32, total: u32, left: Option<Duration>, preview: Option<Vec<u8>>) -> Answer {
    let percent = (done * 100).checked_div(total).unwrap_or(0);
    let left = left.map(|left| format!(" · {} left", duration(left))).unwrap_or_default();
    let content =
        format!("{}\n-# Drawing {} {percent} % · {done} of {total} steps{left}{}", heading.line(), bar(done, total), heading.told());
    let files = preview
        .map(|bytes| File {
            name: crate::grid::PREVIEW_FILE_NAME.into(),
            bytes,
            description: format!("Preview after {done} of {total} steps"),
        })
        .into_iter()
        .collect();
    Answer { content, files, buttons: vec![vec![cancel_button(job)]], ..Answer::default() }
}

/// A job that was asked to stop.
pub fn cancelling(heading: &Heading) -> Answer {
    Answer::text(format!("{}\n-# Cancelling …", heading.line()))
}

/// A job that was stopped.
pub fn cancelled(heading: &Heading) -> Answer {
    Answer::text(format!("{}\n-# Cancelled. What was not computed costs nothing.", heading.line()))
}

/// A job that ended without a picture.
pub fn failed(heading: &Heading, error: &str) -> Answer {
    Answer::text(format!("{}\n-# No picture this time; it costs nothing.\n{}", heading.line(), shorten(error, 300)))
}

/// A finished grid with its buttons.
pub fn grid(heading: &Heading, job: JobId, n_images: u32, seconds: Option<f64>, file: File) -> Answer {
    let took =
        seconds.map(|seconds| format!("-# Finished after {}", duration(Duration::from_secs_f64(seconds.max(0.0))))).unwrap_or_default();
    let row = |letter: char, action: fn(JobId, u32) -> ButtonAction| {
        (0..n_images).map(|index| text_button(&format!("{letter}{}", index + 1), action(job, index))).collect::<Vec<_>>()
    };
    let mut upscales = row('U', |job, index| ButtonAction::Upscale { job, index });
    upscales.push(emoji_button("🔄", ButtonAction::Reroll { job }));
    let mut variations = row('V', |job, index| ButtonAction::Variation { job, index });
    variations.push(emoji_button("❌", ButtonAction::Delete { job }));
    Answer {
        content: format!("{}\n{took}{}", heading.line(), heading.told()),
        files: vec![file],
        buttons: vec![upscales, variations],
        ..Answer::default()
    }
}

/// One picture at its full size.
pub fn picture(heading: &Heading, job: JobId, size: (u32, u32), file: File) -> Answer {
    let content = format!("{}\n-# {} × {} pixels{}", heading.line(), size.0, size.1, heading.told());
    Answer { content, files: vec![file], buttons: vec![vec![emoji_button("❌", ButtonAction::Delete { job })]], ..Answer::default() }
}

/// A finished job whose pictures Discord does not take.
pub fn not_taken(heading: &Heading) -> Answer {
    Answer::text(format!("{}\n-# Finished, but Discord did not take the pictures. They are in /history.", heading.line()))
}

/// Added to a message that could not be put where its job was asked for.
pub fn sent_here_instead(answer: &mut Answer) {
    answer.content.push_str("\n-# I could not post this where you asked for it, so here it is.");
}

/// What to show of one finished job in a history.
pub struct HistoryEntry {
    /// Prompt, parameters and owner.
    pub heading: Heading,
    /// When it was finished.
    pub finished: Timestamp,
    /// Where its message is.
    pub link: Option<String>,
    /// Why there are no pictures, if there are none.
    pub without_pictures: Option<&'static str>,
    /// A small picture (JPEG).
    pub thumbnail: Option<Vec<u8>>,
}

/// How a job ended that has no pictures.
pub fn without_pictures(status: JobStatus) -> Option<&'static str> {
    (status != JobStatus::Done).then(|| user_error::status_word(status))
}

/// One page of past jobs.
pub fn history(entries: Vec<HistoryEntry>, offset: u32, previous: Option<ButtonAction>, next: Option<ButtonAction>) -> Answer {
    if entries.is_empty() {
        return Answer::text(if offset == 0 { "Nothing was drawn here yet. Try /imagine." } else { "There is nothing further back." });
    }
    let mut answer = Answer::text(format!("Jobs {} to {}, newest first", offset + 1, offset + entries.len() as u32));
    for (position, entry) in entries.into_iter().enumerate() {
        let thumbnail = entry.thumbnail.map(|bytes| {
            let name = format!("{}.jpg", position + 1);
            answer.files.push(File { name: name.clone(), bytes, description: shorten(&printable(&entry.heading.title), 200) });
            name
        });
        let link = entry.link.map(|link| format!(" · [open]({link})")).unwrap_or_default();
        let ended = entry.without_pictures.map(|why| format!(" · {why}")).unwrap_or_default();
        let description = format!(
            "**{}**\n{}\n<@{}> · {}{ended}{link}",
            shorten(&escape(&entry.heading.title), 300),
            entry.heading.code(300),
            entry.heading.user,
            relative(entry.finished)
        );
        answer.embeds.push(Embed { description, thumbnail, ..Embed::default() });
    }
    let page = |label: &str, action: Option<ButtonAction>| {
        // Custom ids must differ, also those of buttons that cannot be pressed.
        let mut button = text_button(label, action.unwrap_or(ButtonAction::Reroll { job: JobId::new() }));
        button.is_disabled = action.is_none();
        button
    };
    if previous.is_some() || next.is_some() {
        answer.buttons = vec![vec![page("◀ Newer", previous), page("Older ▶", next)]];
    }
    answer
}

/// What `/info` tells.
pub struct Info {
    /// The model's name and whether it is the built-in one.
    pub model: String,
    /// Whether the model is the built-in demonstration.
    pub is_starter: bool,
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
    /// Jobs that run.
    pub running: u32,
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
    if info.is_starter {
        description.push_str(
            "This is the small built-in model, a demonstration: it draws emoji-like pictures of single things. \
             Try *a frog*, *a strawberry*, *a pumpkin at night*, *a robot in space*. The README tells how to use a real checkpoint.",
        );
    }
    let queue = match (info.queued, info.running) {
        (0, 0) => "empty".to_owned(),
        (queued, running) => format!("{queued} waiting, {running} running"),
    };
    let mut fields = vec![
        ("Queue".into(), queue),
        (
            "Model".into(),
            format!("{} · {} million parameters · {} · {}", info.model, info.n_parameters / 1_000_000, info.native_size, info.prediction),
        ),
        ("Device".into(), info.device.clone()),
        ("Pictures now".into(), info.drawing.to_string()),
    ];
    if let Some(rows) = info.rows_per_call {
        fields.push(("Rows per network call".into(), format!("{rows:.1}")));
    }
    if info.models.len() > 1 {
        fields.push(("Models (`--model NAME`)".into(), shorten(&info.models.join(", "), MAX_FIELD)));
    }
    if !info.loras.is_empty() {
        fields.push(("LoRAs (`<lora:NAME:0.8>` in the prompt)".into(), shorten(&escape(&info.loras.join(", ")), MAX_FIELD)));
    }
    let embed =
        Embed { title: Some("Atelier".into()), description, fields, footer: Some(format!("version {}", info.version)), ..Embed::default() };
    Answer { embeds: vec![embed], ..Answer::default() }
}

/// What is left of a day, of everything that bounds a person; the least first.
pub fn quota(quotas: &[(QuotaOf, QuotaStatus)], cost_of_default: f64) -> Answer {
    let Some(((of, quota), others)) = quotas.split_first() else { return Answer::text("There is no limit here.") };
    let left = quota.left();
    let jobs = if cost_of_default > 0.0 { (left / cost_of_default).floor() } else { 0.0 };
    let mut text = format!(
        "{} {} of {} row-megapixels are left {} for today: about {} more /imagine with the usual settings.\n",
        bar((left * 1000.0) as u32, (quota.limit * 1000.0) as u32),
        number(left),
        number(quota.limit),
        whose(*of),
        number(jobs),
    );
    if !others.is_empty() {
        let others: Vec<_> =
            others.iter().map(|(of, quota)| format!("{} of {} {}", number(quota.left()), number(quota.limit), whose(*of))).collect();
        text.push_str(&format!("-# That is the least; there are also {}.\n", others.join(", ")));
    }
    text.push_str(&format!(
        "-# New ones come {}. A row-megapixel is one pass of the network over a million pixels.",
        relative(quota.resets)
    ));
    Answer::text(text)
}

fn whose(quota: QuotaOf) -> &'static str {
    match quota {
        QuotaOf::Guild => "here",
        QuotaOf::Member => "for you here",
        QuotaOf::User => "for you in all places together",
        QuotaOf::Host => "for everybody together",
    }
}

/// A guild's settings as they are now.
pub fn settings(limits: &Limits, shares_history: bool, is_changed: bool) -> Answer {
    let share = limits.daily_row_megapixels_per_member.map_or("0 (no share of their own)".to_owned(), number);
    Answer::text(format!(
        "{}: `daily_quota` {} row-megapixels a day for this server, `daily_quota_per_person` {share}, `jobs_at_once` {} for each person, \
         `history_everyone` {shares_history}.",
        if is_changed { "Saved" } else { "Now" },
        number(limits.daily_row_megapixels),
        limits.max_active_per_user
    ))
}

fn text_button(label: &str, action: ButtonAction) -> Button {
    Button { custom_id: action.to_string(), label: Label::Text(label.to_owned()), style: Style::Secondary, is_disabled: false }
}

fn emoji_button(emoji: &'static str, action: ButtonAction) -> Button {
    Button { custom_id: action.to_string(), label: Label::Emoji(emoji), style: Style::Secondary, is_disabled: false }
}

fn cancel_button(job: JobId) -> Button {
    emoji_button("❌", ButtonAction::Cancel { job })
}

/// Ten squares, filled by share.
fn bar(done: u32, total: u32) -> String {
    let n_filled = if total == 0 { 0 } else { (u64::from(done) * 10 / u64::from(total)).min(10) as usize };
    format!("`{}{}`", "█".repeat(n_filled), "░".repeat(10 - n_filled))
}

fn duration(duration: Duration) -> String {
    match duration.as_secs_f64() {
        seconds if seconds < 1.0 => "under a second".into(),
        seconds if seconds < 90.0 => format!("{seconds:.0} s"),
        seconds if seconds < 5400.0 => format!("{:.0} min", seconds / 60.0),
        seconds => format!("{:.1} h", seconds / 3600.0),
    }
}

fn number(value: f64) -> String {
    if value >= 100.0 || value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.1}") }
}

fn relative(time: Timestamp) -> String {
    format!("<t:{}:R>", time.0 / 1000)
}

/// Keeps a person's words from acting as markdown or as a link, and from hiding or turning what stands beside them.
fn escape(text: &str) -> String {
    let text = printable(text);
    let mut escaped = String::with_capacity(text.len());
    for (place, character) in text.char_indices() {
        let is_of_link = match character {
            ':' => text[place..].starts_with("://"),
            // Invitations are links without a scheme too.
            '.' => ["discord", "discordapp"].iter().any(|host| ends_with(&text[..place], host)),
            _ => false,
        };
        if is_of_link || matches!(character, '\\' | '*' | '_' | '~' | '`' | '|' | '>' | '[' | ']' | '<' | '#') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// Whether a text ends with an ASCII word, in whatever case.
fn ends_with(text: &str, word: &str) -> bool {
    text.len().checked_sub(word.len()).and_then(|start| text.get(start..)).is_some_and(|end| end.eq_ignore_ascii_case(word))
}

/// At most so many characters of a text.
pub fn shorten(text: &str, max_chars: usize) -> String {
    if text.chars().count() <= max_chars {
        return text.to_owned();
    }
    let cut: String = text.chars().take(max_chars - 2).collect();
    format!("{} …", cut.trim_end_matches('\\'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_of_the_longest_prompt_fits_discord() {
        let notes = (0..40).map(|i| Note::WordNotLearned { word: format!("{i}{}", "`*".repeat(500)) }).collect();
        let heading =
            Heading { title: "*_".repeat(3000), parameters: format!("--no {} --seed 7", "`x".repeat(3000)), user: u64::MAX, notes };
        let job = JobId::new();
        let file = || File { name: "grid.png".into(), bytes: Vec::new(), description: String::new() };
        let answers = [
            queued(&heading, job, 400),
            drawing(&heading, job, 399, 400, Some(Duration::from_secs(500)), None),
            failed(&heading, &"e".repeat(4000)),
            cancelled(&heading),
            grid(&heading, job, 4, Some(1e6), file()),
            picture(&heading, job, (256, 256), file()),
        ];
        for mut answer in answers {
            sent_here_instead(&mut answer);
            assert!(answer.content.chars().count() <= 2000, "{}", answer.content.chars().count());
        }
        let entry = |_| HistoryEntry {
            heading: heading.clone(),
            finished: Timestamp(0),
            link: Some("https://discord.com/".repeat(4)),
            without_pictures: Some("cancelled"),
            thumbnail: None,
        };
        let page = history((0..5).map(entry).collect(), 5, None, None);
        let total: usize = page.embeds.iter().map(|embed| embed.description.chars().count()).sum();
        assert!(total <= 6000, "{total}");
    }

    #[test]
    fn info_lists_models_and_adapters_and_fits_discord() {
        let mut about = Info {
            model: "starter model".into(),
            is_starter: true,
            native_size: "64×64".into(),
            prediction: "predicts v (its scheduler_config.json)".into(),
            models: vec!["starter (64×64)".into()],
            loras: Vec::new(),
            n_parameters: 21_000_000,
            device: "cpu (f32)".into(),
            queued: 0,
            running: 0,
            drawing: 0,
            rows_per_call: None,
            version: "0.1.0",
        };
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

    #[test]
    fn words_of_a_person_do_not_act_as_markdown() {
        let heading = Heading {
            title: "**bold** <@1> [link](http://x) Discord.gg/x a.b c:d \u{202e}r\u{200b}t".into(),
            parameters: String::new(),
            user: 7,
            notes: Vec::new(),
        };
        assert_eq!(
            cancelled(&heading).content.lines().next(),
            Some(r"**\*\*bold\*\* \<@1\> \[link\](http\://x) Discord\.gg/x a.b c:d rt** · <@7>")
        );
    }

    #[test]
    fn a_grid_of_one_picture_has_one_of_each_button() {
        let heading = Heading { title: "a frog".into(), parameters: "--seed 7".into(), user: 1, notes: Vec::new() };
        let file = File { name: "grid.png".into(), bytes: Vec::new(), description: String::new() };
        let answer = grid(&heading, JobId::new(), 1, None, file);
        assert_eq!(answer.buttons.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2]);
    }
}
