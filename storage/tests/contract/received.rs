//! What was heard and has neither a job nor an answer yet.

use storage::{Delivery, Enqueued, GuildId, NewJob, Received, UserId};

use super::support::*;

fn heard(key: &str, ms: i64) -> Received {
    Received {
        key: key.into(),
        guild: GuildId(u64::MAX),
        user: UserId(u64::MAX - 1),
        delivery: Delivery {
            channel: u64::MAX - 2,
            token: "secret".into(),
            token_expires: at(ms + 900_000),
            message: None,
            is_private: false,
        },
        wish: serde_json::json!({ "asked": { "imagine": "🐸 `\"\n" } }),
        created: at(ms),
    }
}

pub async fn what_was_heard_is_kept_until_it_is_answered_also_after_a_restart(backend: &impl Backend) {
    let store = backend.open().await;
    let all = [heard("b", 5), heard("a", 0), heard("c", 9)];
    assert_eq!(store.receive(&all).await.unwrap(), [true; 3]);
    drop(store);
    let store = backend.open().await;
    assert_eq!(store.received(9).await.unwrap(), all, "in the order of their arrival");
    assert_eq!(store.received(2).await.unwrap(), all[..2]);
    let wish = serde_json::json!({ "asked": "another" });
    store.amend_received("a", &wish).await.unwrap();
    store.amend_received("nobody's", &wish).await.unwrap();
    store.forget_received(&["b".into(), "c".into(), "nobody's".into()]).await.unwrap();
    assert_eq!(store.received(9).await.unwrap(), [Received { wish, ..all[1].clone() }]);
}

pub async fn what_was_heard_twice_is_noted_once(backend: &impl Backend) {
    let store = backend.open().await;
    assert_eq!(store.receive(&[heard("a", 0), heard("a", 1), heard("b", 0)]).await.unwrap(), [true, false, true]);
    assert_eq!(store.receive(&[heard("a", 2)]).await.unwrap(), [false]);
    assert_eq!(store.received(9).await.unwrap(), [heard("a", 0), heard("b", 0)]);
    store.forget_received(&["a".into()]).await.unwrap();
    assert_eq!(store.receive(&[heard("a", 3)]).await.unwrap(), [true]);
}

pub async fn a_job_takes_the_place_of_its_note_and_a_refusal_does_not(backend: &impl Backend) {
    let store = backend.open().await;
    store.receive(&[heard("a", 0), heard("b", 0)]).await.unwrap();
    let asked = |key: &str| NewJob { key: key.into(), ..job(1, 1) };
    let none = storage::Limits { max_queued: 0, ..ROOMY };
    assert!(matches!(store.enqueue(asked("a"), &none, NOON).await.unwrap(), Enqueued::Refused(_)));
    assert_eq!(store.received(9).await.unwrap().len(), 2);
    assert!(matches!(store.enqueue(asked("a"), &ROOMY, NOON).await.unwrap(), Enqueued::Created(_)));
    assert_eq!(store.received(9).await.unwrap(), [heard("b", 0)]);
    assert_eq!(store.receive(&[heard("a", 1)]).await.unwrap(), [false], "it has its job");
    assert_eq!(store.received(9).await.unwrap(), [heard("b", 0)]);
    assert!(matches!(store.enqueue(asked("a"), &ROOMY, NOON).await.unwrap(), Enqueued::SameKey(_)));
}
