//! What people, channels and guilds chose, as it holds for one person in one place: the person's own stands before the channel's, and that before
//! the guild's. What a line says stands before all of them, and a model's own behind.

use inference::sampler::SamplerChoice;
use serde_json::{Value, json};
use storage::{Choice, Choices, Chooser, GuildId, StorageError, UserId};

use crate::prompt::{Aspect, Personal};

/// Pieces or sets of one person, or sets of a guild, that are kept.
pub const MAX_OWN: u32 = 20;

/// What is chosen by its name, with one value each.
const USUAL: &str = "usual";
/// Pieces of a line by their names.
const OPTION: &str = "option";
/// Sets of words and parameters by their names.
const STYLE: &str = "style";
/// What is added to each line, under the empty name.
const SUFFIX: &str = "suffix";

/// How much a variation changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variation {
    /// A little.
    Subtle,
    /// Much.
    Strong,
}

impl Variation {
    /// Its word, as it is kept.
    pub fn word(self) -> &'static str {
        match self {
            Self::Subtle => "subtle",
            Self::Strong => "strong",
        }
    }

    /// How much of the picture is drawn anew.
    pub fn strength(self) -> f64 {
        match self {
            Self::Subtle => 0.35,
            Self::Strong => 0.8,
        }
    }
}

/// One thing that can be chosen.
#[derive(Clone, Debug, PartialEq)]
pub enum One {
    /// What draws.
    Model(Option<String>),
    /// What is added to it.
    Lora(Option<String>),
    /// Width to height.
    Aspect(Option<Aspect>),
    /// How one noise level goes to the next.
    Sampler(Option<SamplerChoice>),
    /// How much V changes.
    Variation(Option<Variation>),
    /// Whether V and 🔄 open a form first.
    Remix(bool),
    /// Whether answers are for their person alone.
    Private(bool),
}

/// What was chosen, as far as it was; nothing of it need be there any more.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chosen {
    /// What draws.
    pub model: Option<String>,
    /// An adapter, where a line names none.
    pub lora: Option<String>,
    /// Width to height.
    pub aspect: Option<Aspect>,
    /// How one noise level goes to the next.
    pub sampler: Option<SamplerChoice>,
    /// How much V changes.
    pub variation: Option<Variation>,
    /// Whether V and 🔄 open a form first.
    pub is_remix: Option<bool>,
    /// Whether answers are for their person alone.
    pub is_private: Option<bool>,
    /// Own words.
    pub personal: Personal,
}

impl Chosen {
    /// Of what was chosen, the nearest first.
    fn of(choices: Vec<Choice>) -> Self {
        let mut chosen = Self::default();
        let mut last = None;
        for Choice { topic, name, value, .. } in choices {
            if last.as_ref() == Some(&(topic.clone(), name.clone())) {
                continue;
            }
            let text = value.as_str().map(str::to_owned);
            match (topic.as_str(), name.as_str()) {
                (USUAL, "model") => chosen.model = text,
                (USUAL, "lora") => chosen.lora = text,
                (USUAL, "aspect") => chosen.aspect = text.and_then(|text| text.parse().ok()),
                (USUAL, "sampler") => chosen.sampler = text.and_then(|text| text.parse().ok()),
                (USUAL, "variation") => {
                    chosen.variation = [Variation::Subtle, Variation::Strong].into_iter().find(|one| value == one.word());
                }
                (USUAL, "remix") => chosen.is_remix = value.as_bool(),
                (USUAL, "private") => chosen.is_private = value.as_bool(),
                (OPTION, _) => chosen.personal.options.extend(text.map(|text| (name.clone(), text))),
                (STYLE, _) => chosen.personal.styles.extend(text.map(|text| (name.clone(), text))),
                (SUFFIX, _) => chosen.personal.suffix = text,
                _ => {}
            }
            last = Some((topic, name));
        }
        chosen
    }
}

/// Whose choices hold for a person in a channel, the nearest first; without a guild in direct messages.
fn nearest(user: UserId, guild: Option<GuildId>, channel: u64) -> Vec<Chooser> {
    let of_place = guild.map(|guild| [Chooser::Channel(channel), Chooser::Guild(guild)]);
    [Chooser::Person(user)].into_iter().chain(of_place.into_iter().flatten()).collect()
}

/// What holds for a person in a channel of the guild that pays, or where their own id stands in for it.
///
/// # Errors
/// The store cannot be read.
pub async fn here<S: Choices + ?Sized>(store: &S, user: UserId, payer: GuildId, channel: u64) -> Result<Chosen, StorageError> {
    let guild = Some(payer).filter(|payer| payer.0 != user.0);
    Ok(Chosen::of(store.choices(&nearest(user, guild, channel)).await?))
}

/// What one of them chose.
///
/// # Errors
/// The store cannot be read.
pub async fn own<S: Choices + ?Sized>(store: &S, of: Chooser) -> Result<Chosen, StorageError> {
    Ok(Chosen::of(store.choices(&[of]).await?))
}

/// All that one of them chose, for whoever wants to take it along.
///
/// # Errors
/// The store cannot be read.
pub async fn exported<S: Choices + ?Sized>(store: &S, of: Chooser) -> Result<Value, StorageError> {
    let all = store.choices(&[of]).await?;
    Ok(all.into_iter().map(|Choice { topic, name, value, .. }| json!({ "topic": topic, "name": name, "value": value })).collect())
}

/// Chooses one thing, or with `None` leaves it to whoever is further away.
///
/// # Errors
/// The store cannot be written.
pub async fn choose<S: Choices + ?Sized>(store: &S, of: Chooser, one: One) -> Result<(), StorageError> {
    let (name, value) = match one {
        One::Model(model) => ("model", model.map(Value::from)),
        One::Lora(lora) => ("lora", lora.map(Value::from)),
        One::Aspect(aspect) => ("aspect", aspect.map(|aspect| aspect.to_string().into())),
        One::Sampler(sampler) => ("sampler", sampler.map(|sampler| sampler.to_string().into())),
        One::Variation(variation) => ("variation", variation.map(|variation| variation.word().into())),
        One::Remix(is_remix) => ("remix", Some(is_remix.into())),
        One::Private(is_private) => ("private", Some(is_private.into())),
    };
    match value {
        Some(value) => keep(store, of, (USUAL, name), value).await.map(drop),
        None => store.forget_choice(of, USUAL, name).await.map(drop),
    }
}

/// Leaves everything that can be chosen in a panel to whoever is further away.
///
/// # Errors
/// The store cannot be written.
pub async fn reset<S: Choices + ?Sized>(store: &S, of: Chooser) -> Result<(), StorageError> {
    for choice in store.choices(&[of]).await?.into_iter().filter(|choice| choice.topic == USUAL) {
        store.forget_choice(of, USUAL, &choice.name).await?;
    }
    Ok(())
}

async fn keep<S: Choices + ?Sized>(store: &S, of: Chooser, (topic, name): (&str, &str), value: Value) -> Result<bool, StorageError> {
    store.choose(&Choice { of, topic: topic.to_owned(), name: name.to_owned(), value }, MAX_OWN).await
}

/// Own words of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Words {
    /// Pieces of a line.
    Option,
    /// Sets of words and parameters.
    Style,
    /// What is added to each line; it has no name.
    Suffix,
}

impl Words {
    fn topic(self) -> &'static str {
        match self {
            Self::Option => OPTION,
            Self::Style => STYLE,
            Self::Suffix => SUFFIX,
        }
    }
}

/// Keeps own words under a name; `false` where there are [`MAX_OWN`] others already.
///
/// # Errors
/// The store cannot be written.
pub async fn keep_words<S: Choices + ?Sized>(store: &S, of: Chooser, kind: Words, name: &str, piece: &str) -> Result<bool, StorageError> {
    keep(store, of, (kind.topic(), name), piece.into()).await
}

/// Takes own words back; whether there were any.
///
/// # Errors
/// The store cannot be written.
pub async fn forget_words<S: Choices + ?Sized>(store: &S, of: Chooser, kind: Words, name: &str) -> Result<bool, StorageError> {
    store.forget_choice(of, kind.topic(), name).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(of: Chooser, topic: &str, name: &str, value: impl Into<Value>) -> Choice {
        Choice { of, topic: topic.into(), name: name.into(), value: value.into() }
    }

    #[test]
    fn the_nearest_choice_holds_and_what_cannot_be_read_is_none() {
        let whose = nearest(UserId(1), Some(GuildId(2)), 3);
        assert_eq!(whose, [Chooser::Person(UserId(1)), Chooser::Channel(3), Chooser::Guild(GuildId(2))]);
        assert_eq!(nearest(UserId(1), None, 3), [Chooser::Person(UserId(1))]);
        let [person, channel, guild] = whose[..] else { panic!("three of them") };
        let chosen = Chosen::of(vec![
            choice(person, "option", "mine", "--ar 3:2"),
            choice(person, "style", "neon", "mine"),
            choice(guild, "style", "neon", "the guild's"),
            choice(guild, "style", "wash", "the guild's"),
            choice(channel, "usual", "aspect", "3:2"),
            choice(guild, "usual", "aspect", "1:1"),
            choice(guild, "usual", "model", "dreamy"),
            choice(person, "usual", "private", true),
            choice(guild, "usual", "private", false),
            choice(person, "usual", "sampler", "nothing of that name"),
            choice(person, "usual", "variation", "strong"),
            choice(person, "of a later version", "x", 7),
        ]);
        let own = |pairs: &[(&str, &str)]| pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect::<Vec<_>>();
        assert_eq!(
            chosen,
            Chosen {
                model: Some("dreamy".into()),
                lora: None,
                aspect: "3:2".parse().ok(),
                sampler: None,
                variation: Some(Variation::Strong),
                is_remix: None,
                is_private: Some(true),
                personal: Personal {
                    options: own(&[("mine", "--ar 3:2")]),
                    styles: own(&[("neon", "mine"), ("wash", "the guild's")]),
                    suffix: None,
                },
            }
        );
    }
}
