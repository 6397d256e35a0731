//! A message as the gates look at it.

use serde_json::Value;

/// Waits for the bot: "thinking…".
const LOADING: u64 = 1 << 7;
/// For one person alone.
const EPHEMERAL: u64 = 1 << 6;
/// How the last line of a job begins that has not ended.
const UNFINISHED: [&str; 4] = ["-# Queued", "-# Drawing", "-# Loading the model", "-# Cancelling"];

/// What buttons of a job do that has not ended.
const OF_UNFINISHED: [&str; 3] = ["cancel", "stop", "cull"];

/// A message of the bot.
#[derive(Clone, Debug, Default)]
pub struct Message {
    pub id: u64,
    /// The interaction that it answers.
    pub interaction: Option<u64>,
    pub is_alone: bool,
    pub is_thinking: bool,
    pub text: String,
    pub n_files: usize,
    /// What its buttons do, each with the job that it is about.
    pub buttons: Vec<Button>,
}

/// A button of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Button {
    pub custom_id: String,
    pub action: String,
    pub job: String,
}

impl Message {
    /// A message of the bot; `None` for those of people.
    pub fn read(message: &Value) -> Option<Self> {
        let flags = message["flags"].as_u64().unwrap_or_default();
        let number = |value: &Value| value.as_str().and_then(|text| text.parse().ok());
        let rows = message["components"].as_array().into_iter().flatten();
        let custom_ids =
            rows.flat_map(|row| row["components"].as_array().into_iter().flatten()).filter_map(|one| one["custom_id"].as_str());
        (message["author"]["bot"] == true).then(|| Self {
            id: number(&message["id"]).expect("messages have ids"),
            interaction: number(&message["interaction_metadata"]["id"]),
            is_alone: flags & EPHEMERAL != 0,
            is_thinking: flags & LOADING != 0,
            text: message["content"].as_str().unwrap_or_default().to_owned(),
            n_files: message["attachments"].as_array().map_or(0, Vec::len),
            buttons: custom_ids.filter_map(Button::read).collect(),
        })
    }

    /// Whether it says that something is still to come.
    pub fn is_unfinished(&self) -> bool {
        self.is_thinking || self.text.lines().any(|line| UNFINISHED.iter().any(|begun| line.starts_with(begun)))
    }

    /// The job whose ending it shows to everybody.
    pub fn shows(&self) -> Option<&str> {
        let of_ended = self.buttons.iter().find(|button| !OF_UNFINISHED.contains(&button.action.as_str()));
        of_ended.filter(|_| !self.is_alone && !self.is_unfinished()).map(|button| button.job.as_str())
    }
}

impl Button {
    /// `version:action:job:index`.
    fn read(custom_id: &str) -> Option<Self> {
        let [_, action, job, _] = custom_id.split(':').collect::<Vec<_>>()[..] else { return None };
        let is_job = job.len() == 32 && job.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_job.then(|| Self { custom_id: custom_id.to_owned(), action: action.to_owned(), job: job.to_owned() })
    }
}
