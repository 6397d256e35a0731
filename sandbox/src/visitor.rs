use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
    fmt,
    time::{Duration, Instant},
};

/// One poll waits this long at most.
const POLL: Duration = Duration::from_secs(20);

/// Names one use of a command, a component or a form.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InteractionId(pub String);

impl fmt::Display for InteractionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Why a person could not do something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VisitorError {
    /// The stand-in does not answer.
    #[error("the sandbox does not answer")]
    Http(#[from] reqwest::Error),
    /// The stand-in refused.
    #[error("{status}: {sentence}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The reason, as the page shows it.
        sentence: String,
    },
    /// Nothing of this name is there.
    #[error("there is no {0}")]
    Missing(String),
    /// What was waited for did not happen.
    #[error("it did not happen within {0:?}")]
    TimedOut(Duration),
}

/// One of the sandbox's people, played over HTTP by a test. The sandbox may run in this process or in another.
#[derive(Clone, Debug)]
pub struct Visitor {
    client: Client,
    base: String,
    user: String,
}

/// Whether a reaction comes or goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// It is added.
    Added,
    /// It is taken away.
    Removed,
}

impl Visitor {
    /// Enters as `ada`, `grace` or `linus`.
    ///
    /// # Errors
    /// When nothing answers at `url`, or there is no such person.
    pub async fn connect(url: &str, name: &str) -> Result<Self, VisitorError> {
        // A proxy of the environment must never see loopback traffic.
        let client = Client::builder().no_proxy().timeout(POLL + Duration::from_secs(10)).build()?;
        let mut visitor = Self { client, base: url.trim_end_matches('/').to_owned(), user: String::new() };
        let state = answer(visitor.client.get(format!("{}/sandbox/api/state", visitor.base))).await?;
        let known = state["users"].as_array().and_then(|users| users.iter().find(|user| user["username"] == name));
        visitor.user = text(known.ok_or_else(|| VisitorError::Missing(format!("person {name}")))?, "id");
        Ok(visitor)
    }

    /// This person's user id.
    pub fn user_id(&self) -> &str {
        &self.user
    }

    /// Everything the page shows at first: people, guilds, the bot and its commands. See `PAGE_API.md`.
    ///
    /// # Errors
    /// When the sandbox does not answer.
    pub async fn state(&self) -> Result<Value, VisitorError> {
        self.get("/state", &[]).await
    }

    /// Uses a slash command; `"settings show"` names a sub-command. `channel` is an id, a name of the first guild such as
    /// `general`, `GUILD/NAME`, `dm`, or `dm/NAME` for what people have among themselves: a group's name, or the other person's.
    ///
    /// # Errors
    /// When the command or channel is unknown, or an option does not fit.
    pub async fn slash(&self, channel: &str, command: &str, options: &[(&str, Value)]) -> Result<InteractionId, VisitorError> {
        let body = self.use_of(channel, command, options).await?;
        self.interaction("/commands", &body).await
    }

    /// Uses a command of the menu of a message or a person.
    ///
    /// # Errors
    /// As [`Visitor::slash`].
    pub async fn menu(&self, channel: &str, command: &str, target: &str) -> Result<InteractionId, VisitorError> {
        let mut body = self.use_of(channel, command, &[]).await?;
        body["target"] = json!(target);
        self.interaction("/commands", &body).await
    }

    /// An option's value that uploads a file.
    pub fn file(filename: &str, content_type: &str, bytes: &[u8]) -> Value {
        json!({ "filename": filename, "content_type": content_type, "data": STANDARD.encode(bytes) })
    }

    /// The suggestions for the option `focused` while it is typed.
    ///
    /// # Errors
    /// As [`Visitor::slash`], and when the bot does not answer within 3 seconds.
    pub async fn autocomplete(
        &self,
        channel: &str,
        command: &str,
        options: &[(&str, Value)],
        focused: &str,
    ) -> Result<Vec<Value>, VisitorError> {
        let mut body = self.use_of(channel, command, options).await?;
        body["focused"] = json!(focused);
        let answer = self.post("/autocomplete", &body).await?;
        Ok(answer["choices"].as_array().cloned().unwrap_or_default())
    }

    /// Presses the button with this label, emoji or custom id under the message with this id.
    ///
    /// # Errors
    /// When the message or the button is not there.
    pub async fn press(&self, message_id: &str, button: &str) -> Result<InteractionId, VisitorError> {
        self.select(message_id, button, &[]).await
    }

    /// Chooses values in the menu with this custom id.
    ///
    /// # Errors
    /// As [`Visitor::press`].
    pub async fn select(&self, message_id: &str, component: &str, values: &[&str]) -> Result<InteractionId, VisitorError> {
        let message = self.message(message_id).await?;
        let custom_id =
            custom_id(&message["components"], component).ok_or_else(|| VisitorError::Missing(format!("component {component}")))?;
        let body = json!({ "user": self.user, "message": message_id, "custom_id": custom_id, "values": values });
        self.interaction("/components", &body).await
    }

    /// Sends a form; `modal` is the data of the event that opened it. A field's value is a text, a list of the chosen values, `true`
    /// or `false` for a checkbox, or a list of what [`Visitor::file`] makes.
    ///
    /// # Errors
    /// When the form is gone or a field does not fit.
    pub async fn submit<T: Clone + Into<Value>>(&self, modal: &Value, fields: &[(&str, T)]) -> Result<InteractionId, VisitorError> {
        let fields: serde_json::Map<String, Value> =
            fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into())).collect();
        let body = json!({ "user": self.user, "interaction": modal["interaction"], "custom_id": modal["custom_id"], "fields": fields });
        self.interaction("/modals", &body).await
    }

    /// Writes a message.
    ///
    /// # Errors
    /// When the channel is unknown or the text too long.
    pub async fn say(&self, channel: &str, content: &str) -> Result<Value, VisitorError> {
        let channel = self.channel(channel).await?;
        self.post("/messages", &json!({ "user": self.user, "channel": channel, "content": content })).await
    }

    /// Reacts to a message with an emoji, or takes the reaction away.
    ///
    /// # Errors
    /// When the message is gone or may not be reacted to.
    pub async fn react(&self, message_id: &str, emoji: &str, reaction: Reaction) -> Result<Value, VisitorError> {
        let add = reaction == Reaction::Added;
        self.post("/reactions", &json!({ "user": self.user, "message": message_id, "emoji": emoji, "add": add })).await
    }

    /// One message that this person sees.
    ///
    /// # Errors
    /// When it is gone.
    pub async fn message(&self, message_id: &str) -> Result<Value, VisitorError> {
        self.get(&format!("/messages/{message_id}"), &[]).await
    }

    /// The newest messages of a channel, oldest first, with this person's ephemeral ones.
    ///
    /// # Errors
    /// When the channel is unknown.
    pub async fn messages(&self, channel: &str) -> Result<Vec<Value>, VisitorError> {
        let channel = self.channel(channel).await?;
        let messages = self.get(&format!("/channels/{channel}/messages"), &[("limit", "200".to_owned())]).await?;
        Ok(messages.as_array().cloned().unwrap_or_default())
    }

    /// Waits until `check` finds what it looks for among a channel's messages; it is asked again after every event.
    ///
    /// # Errors
    /// [`VisitorError::TimedOut`] when it does not.
    pub async fn wait_for<T>(
        &self,
        channel: &str,
        timeout: Duration,
        mut check: impl FnMut(&[Value]) -> Option<T>,
    ) -> Result<T, VisitorError> {
        let deadline = Instant::now() + timeout;
        let mut seq = self.seq().await?;
        loop {
            if let Some(found) = check(&self.messages(channel).await?) {
                return Ok(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(VisitorError::TimedOut(timeout));
            }
            seq = match self.events(seq, left).await {
                Ok((seq, _)) => seq,
                // Events were lost between two polls; the messages are read anew anyway.
                Err(VisitorError::Refused { status: 410, .. }) => self.seq().await?,
                Err(error) => return Err(error),
            };
        }
    }

    /// Waits for an event after `seq` for which `check` gives something, such as a form that opens.
    ///
    /// # Errors
    /// [`VisitorError::TimedOut`] when none comes.
    pub async fn wait_for_event<T>(
        &self,
        mut seq: u64,
        timeout: Duration,
        mut check: impl FnMut(&str, &Value) -> Option<T>,
    ) -> Result<T, VisitorError> {
        let deadline = Instant::now() + timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(VisitorError::TimedOut(timeout));
            }
            let (next, events) = self.events(seq, left).await?;
            seq = next;
            let found = events.iter().find_map(|event| check(event["type"].as_str().unwrap_or_default(), &event["data"]));
            if let Some(found) = found {
                return Ok(found);
            }
        }
    }

    /// Where to start listening for what happens from now on.
    ///
    /// # Errors
    /// When the sandbox does not answer.
    pub async fn seq(&self) -> Result<u64, VisitorError> {
        Ok(self.state().await?["seq"].as_u64().unwrap_or(0))
    }

    /// The events after `seq` and where to go on; at once if there are any, else as they come, at the latest after `wait`.
    ///
    /// # Errors
    /// [`VisitorError::Refused`] with status 410 when `seq` is too old.
    pub async fn events(&self, seq: u64, wait: Duration) -> Result<(u64, Vec<Value>), VisitorError> {
        let wait_ms = wait.min(POLL).as_millis();
        let answer = self.get("/events/poll", &[("after", seq.to_string()), ("timeout_ms", wait_ms.to_string())]).await?;
        let events = answer["events"].as_array().cloned().unwrap_or_default();
        Ok((answer["seq"].as_u64().unwrap_or(seq), events))
    }

    /// Waits until the bot is connected and has registered the command.
    ///
    /// # Errors
    /// [`VisitorError::TimedOut`] when it does not.
    pub async fn wait_for_command(&self, name: &str, timeout: Duration) -> Result<(), VisitorError> {
        let deadline = Instant::now() + timeout;
        loop {
            let state = self.state().await?;
            let is_known = state["commands"].as_array().is_some_and(|commands| commands.iter().any(|command| command["name"] == name));
            if is_known && state["bot"]["online"] == true {
                return Ok(());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(VisitorError::TimedOut(timeout));
            }
            self.events(state["seq"].as_u64().unwrap_or(0), left).await?;
        }
    }

    /// The bytes of a message's attachment.
    ///
    /// # Errors
    /// When there is no such attachment, or its address no longer works.
    pub async fn attachment_bytes(&self, message: &Value, index: usize) -> Result<Bytes, VisitorError> {
        let url = message["attachments"][index]["url"].as_str().ok_or_else(|| VisitorError::Missing(format!("attachment {index}")))?;
        // What stands in front of the stand-in for bots is not there for people.
        let place = url.find("/attachments/").map_or(url, |place| &url[place..]);
        let url = if place == url { url.to_owned() } else { format!("{}{place}", self.base) };
        let response = self.client.get(url).send().await?;
        match response.status() {
            StatusCode::OK => Ok(response.bytes().await?),
            status => Err(VisitorError::Refused { status: status.as_u16(), sentence: response.text().await? }),
        }
    }

    async fn use_of(&self, channel: &str, command: &str, options: &[(&str, Value)]) -> Result<Value, VisitorError> {
        let state = self.state().await?;
        let (root, sub_commands) = command.split_once(' ').unwrap_or((command, ""));
        // A menu command's name may hold spaces itself.
        let named = |name: &str| state["commands"].as_array().and_then(|all| all.iter().find(|command| command["name"] == name).cloned());
        let (known, sub_commands) = match named(command) {
            Some(known) => (Some(known), ""),
            None => (named(root), sub_commands),
        };
        let known = known.ok_or_else(|| VisitorError::Missing(format!("command {command}")))?;
        let mut options = json!(options.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect::<Vec<_>>());
        for sub_command in sub_commands.split_whitespace().rev() {
            options = json!([{ "name": sub_command, "options": options }]);
        }
        let channel = channel_in(&state, channel)?;
        Ok(json!({ "user": self.user, "channel": channel, "command": known["id"], "options": options }))
    }

    async fn channel(&self, channel: &str) -> Result<String, VisitorError> {
        if channel.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(channel.to_owned());
        }
        channel_in(&self.state().await?, channel)
    }

    async fn interaction(&self, path: &str, body: &Value) -> Result<InteractionId, VisitorError> {
        Ok(InteractionId(text(&self.post(path, body).await?, "interaction")))
    }

    async fn get(&self, path: &str, query: &[(&str, String)]) -> Result<Value, VisitorError> {
        let request = self.client.get(format!("{}/sandbox/api{path}", self.base));
        answer(request.query(&[("user", &self.user)]).query(query)).await
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Value, VisitorError> {
        answer(self.client.post(format!("{}/sandbox/api{path}", self.base)).json(body)).await
    }
}

async fn answer(request: RequestBuilder) -> Result<Value, VisitorError> {
    let response = request.send().await?;
    let status = response.status();
    if status.is_success() {
        return Ok(response.json().await?);
    }
    let body = response.text().await?;
    let sentence = serde_json::from_str::<Value>(&body).ok().and_then(|body| body["error"].as_str().map(str::to_owned)).unwrap_or(body);
    Err(VisitorError::Refused { status: status.as_u16(), sentence })
}

fn channel_in(state: &Value, wanted: &str) -> Result<String, VisitorError> {
    if wanted.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(wanted.to_owned());
    }
    if wanted == "dm" {
        return Ok(text(&state["dm"], "id"));
    }
    if let Some(name) = wanted.strip_prefix("dm/") {
        let private = state["private"].as_array().map(Vec::as_slice).unwrap_or_default();
        let is_named = |channel: &&Value| match channel["name"].as_str() {
            Some(known) => known == name,
            None => channel["recipients"][0]["username"] == name,
        };
        let found = private.iter().find(is_named);
        return found.map(|channel| text(channel, "id")).ok_or_else(|| VisitorError::Missing(format!("channel {wanted}")));
    }
    let guilds = state["guilds"].as_array().map(Vec::as_slice).unwrap_or_default();
    let (guild, name) = match wanted.rsplit_once('/') {
        Some((guild, name)) => (guilds.iter().find(|known| known["name"] == guild), name),
        None => (guilds.first(), wanted),
    };
    let channels = guild.and_then(|guild| guild["channels"].as_array());
    let found = channels.and_then(|channels| channels.iter().find(|channel| channel["name"] == name));
    found.map(|channel| text(channel, "id")).ok_or_else(|| VisitorError::Missing(format!("channel {wanted}")))
}

/// The custom id of the component with this label or custom id.
fn custom_id(components: &Value, wanted: &str) -> Option<String> {
    components.as_array()?.iter().find_map(|component| {
        let is_wanted = [&component["label"], &component["custom_id"], &component["emoji"]["name"]].into_iter().any(|name| name == wanted);
        let own = component["custom_id"].as_str().filter(|_| is_wanted).map(str::to_owned);
        let accessory = component.get("accessory").and_then(|accessory| custom_id(&json!([accessory]), wanted));
        own.or(accessory).or_else(|| custom_id(&component["components"], wanted))
    })
}

fn text(object: &Value, field: &str) -> String {
    object[field].as_str().unwrap_or_default().to_owned()
}
