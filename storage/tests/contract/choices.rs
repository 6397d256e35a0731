//! What people, guilds and channels chose.

use serde_json::json;
use storage::{Choice, Chooser, GuildId, UserId};

use super::support::*;

fn choice(of: Chooser, topic: &str, name: &str, value: serde_json::Value) -> Choice {
    Choice { of, topic: topic.into(), name: name.into(), value }
}

pub async fn what_was_chosen_is_there_also_after_a_restart_and_is_one_of_its_name<B: Backend>(backend: &B) {
    let store = backend.open().await;
    // The same number is another one's as a person, a channel and a guild.
    let (person, channel, guild) = (Chooser::Person(UserId(u64::MAX)), Chooser::Channel(u64::MAX), Chooser::Guild(GuildId(u64::MAX)));
    let kept = [
        choice(person, "option", "mine", json!("--ar 3:2 🐸")),
        choice(person, "usual", "model", json!("dreamy")),
        choice(channel, "usual", "model", json!(null)),
        choice(guild, "usual", "model", json!({ "a": [1] })),
    ];
    for choice in &kept {
        assert!(store.choose(choice, 1).await.unwrap());
    }
    assert!(store.choose(&choice(person, "usual", "model", json!("other")), 1).await.unwrap(), "replaced, not added");
    drop(store);
    let store = backend.open().await;
    let all = store.choices(&[person, channel, guild, Chooser::Person(UserId(1))]).await.unwrap();
    let expected = [kept[0].clone(), choice(person, "usual", "model", json!("other")), kept[2].clone(), kept[3].clone()];
    assert_eq!(all, expected);
    assert_eq!(store.choices(&[channel]).await.unwrap(), [kept[2].clone()]);
    assert_eq!(store.choices(&[]).await.unwrap(), []);
    assert!(store.forget_choice(guild, "usual", "model").await.unwrap());
    assert!(!store.forget_choice(guild, "usual", "model").await.unwrap());
    assert_eq!(store.choices(&[person, channel, guild]).await.unwrap(), expected[..3]);
}

pub async fn so_many_of_a_topic_and_no_more(backend: &impl Backend) {
    let store = backend.open().await;
    let (me, other) = (Chooser::Person(UserId(1)), Chooser::Person(UserId(2)));
    for name in ["a", "b", "c"] {
        assert_eq!(store.choose(&choice(me, "option", name, json!(name)), 2).await.unwrap(), name != "c");
    }
    for same in [choice(me, "option", "b", json!("B")), choice(me, "style", "c", json!("c")), choice(other, "option", "c", json!("c"))] {
        assert!(store.choose(&same, 2).await.unwrap(), "{same:?}");
    }
    let mine: Vec<_> = store.choices(&[me]).await.unwrap().into_iter().map(|choice| choice.value).collect();
    assert_eq!(mine, [json!("a"), json!("B"), json!("c")]);
    assert!(store.forget_choice(me, "option", "a").await.unwrap());
    assert!(store.choose(&choice(me, "option", "c", json!("c")), 2).await.unwrap());
}
