//! What people typed and did not get drawn.

use storage::{Draft, DraftId, MAX_DRAFTS, UserId};

use super::support::*;

fn draft(user: u64, text: &str, ms: i64) -> Draft {
    let content = serde_json::json!({ "prompt": [text] });
    Draft { id: DraftId::new(), user: UserId(user), content, created: at(ms) }
}

pub async fn a_draft_is_read_as_it_was_kept_also_after_a_restart<B: Backend>(backend: &B) {
    let store = backend.open().await;
    let kept: Vec<Draft> =
        ["a frog", "", "\n a\r\n\tfrog \u{202e}", "`\"'\\ --ar 0:2", &"🐸".repeat(6000)].map(|text| draft(u64::MAX, text, 0)).into();
    for draft in &kept {
        store.keep_draft(draft).await.unwrap();
    }
    drop(store);
    let store = backend.open().await;
    for draft in &kept {
        assert_eq!(store.draft(draft.id).await.unwrap().as_ref(), Some(draft));
    }
    assert_eq!(store.draft(DraftId::new()).await.unwrap(), None);
}

pub async fn drafts_are_forgotten_by_their_age(backend: &impl Backend) {
    let store = backend.open().await;
    let (old, new) = (draft(1, "old", 0), draft(1, "new", 1));
    for draft in [&new, &old] {
        store.keep_draft(draft).await.unwrap();
    }
    assert_eq!(store.forget_drafts(at(0)).await.unwrap(), 0);
    assert_eq!(store.forget_drafts(at(1)).await.unwrap(), 1);
    assert_eq!((store.draft(old.id).await.unwrap(), store.draft(new.id).await.unwrap()), (None, Some(new)));
}

pub async fn one_person_keeps_the_newest_drafts(backend: &impl Backend) {
    let store = backend.open().await;
    let other = draft(2, "of another person", 0);
    store.keep_draft(&other).await.unwrap();
    let kept: Vec<Draft> = (0..MAX_DRAFTS + 2).map(|n| draft(1, &n.to_string(), 0)).collect();
    for draft in &kept {
        store.keep_draft(draft).await.unwrap();
    }
    for (n, draft) in kept.iter().enumerate() {
        assert_eq!(store.draft(draft.id).await.unwrap().is_some(), n >= 2, "{n}");
    }
    assert!(store.draft(other.id).await.unwrap().is_some());
}
