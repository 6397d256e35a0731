//! What people mark.

use storage::{Favourite, GuildId, JobId, MAX_FAVOURITES, Marked, Timestamp, UserId};

use super::support::*;

pub async fn a_mark_is_its_persons_own_until_it_is_taken_away(backend: &impl Backend) {
    let store = backend.open().await;
    let (ada, grace) = (UserId(11), UserId(12));
    let mut jobs = Vec::new();
    for n in 0..2 {
        let id = created(&*store, job(5, 7)).await;
        assert_eq!(store.mark(ada, (id, 0), NOON).await.unwrap(), Marked::NoPicture, "not before it is done");
        let lease = claimed(&*store).await;
        finish(&*store, &lease, &[image(0, blob(n)), image(2, blob(10 + n))], NOON).await;
        jobs.push(id);
    }
    for (user, picture, ms) in [(ada, (jobs[0], 2), 1), (ada, (jobs[1], 0), 3), (ada, (jobs[0], 0), 2), (grace, (jobs[0], 2), 9)] {
        assert_eq!(store.mark(user, picture, at(ms)).await.unwrap(), Marked::Yes);
    }
    assert_eq!(store.mark(ada, (jobs[0], 2), at(50)).await.unwrap(), Marked::Yes, "twice is once, from the first time on");
    assert_eq!(store.mark(ada, (jobs[0], 1), NOON).await.unwrap(), Marked::NoPicture);
    assert_eq!(store.mark(ada, (JobId::new(), 0), NOON).await.unwrap(), Marked::NoPicture);
    let of = |(job, index), ms| Favourite { job, index, marked: at(ms), guild: GuildId(5), user: UserId(7), channel: 7 };
    drop(store);
    let store = backend.open().await;
    let all = [of((jobs[1], 0), 3), of((jobs[0], 0), 2), of((jobs[0], 2), 1)];
    assert_eq!(store.favourites(ada).await.unwrap(), all, "the newest mark first");
    assert!(store.unmark(ada, (jobs[0], 0)).await.unwrap());
    assert!(!store.unmark(ada, (jobs[0], 0)).await.unwrap() && !store.unmark(ada, (JobId::new(), 0)).await.unwrap());
    assert_eq!(store.favourites(ada).await.unwrap(), [of((jobs[1], 0), 3), of((jobs[0], 2), 1)]);
    assert_eq!(store.favourites(grace).await.unwrap(), [of((jobs[0], 2), 9)]);
    assert!(store.favourites(UserId(13)).await.unwrap().is_empty());

    // With its job it goes, whoever marked it, and comes back to nobody.
    store.delete(jobs[0], NOON).await.unwrap();
    assert_eq!(store.favourites(ada).await.unwrap(), [of((jobs[1], 0), 3)]);
    assert!(store.favourites(grace).await.unwrap().is_empty());
    assert_eq!(store.mark(ada, (jobs[0], 2), NOON).await.unwrap(), Marked::NoPicture);
    for item in store.outbox(at(DAY_MS), 10).await.unwrap() {
        store.delivered(item.job, None).await.unwrap();
    }
    assert_eq!(store.forget(Timestamp(i64::MAX), 10, NOON).await.unwrap(), 2);
    assert!(store.favourites(ada).await.unwrap().is_empty(), "forgotten with what was drawn");
    assert_eq!(store.mark(ada, (jobs[1], 0), NOON).await.unwrap(), Marked::NoPicture);
}

pub async fn one_person_marks_so_many_pictures(backend: &impl Backend) {
    let store = backend.open().await;
    let (ada, id) = (UserId(11), created(&*store, job(5, 7)).await);
    let lease = claimed(&*store).await;
    for index in 0..=MAX_FAVOURITES {
        store.record_image(&lease, &storage::NewImage { index, ..image(1, blob(1)) }).await.unwrap();
    }
    finish(&*store, &lease, &[], NOON).await;
    for index in 0..MAX_FAVOURITES {
        assert_eq!(store.mark(ada, (id, index), NOON).await.unwrap(), Marked::Yes, "{index}");
    }
    assert_eq!(store.mark(ada, (id, MAX_FAVOURITES), NOON).await.unwrap(), Marked::TooMany);
    assert_eq!(store.mark(ada, (id, 0), NOON).await.unwrap(), Marked::Yes, "it is marked already");
    assert_eq!(store.mark(UserId(12), (id, MAX_FAVOURITES), NOON).await.unwrap(), Marked::Yes);
    store.unmark(ada, (id, 5)).await.unwrap();
    assert_eq!(store.mark(ada, (id, MAX_FAVOURITES), NOON).await.unwrap(), Marked::Yes);
    assert_eq!(store.favourites(ada).await.unwrap().len(), MAX_FAVOURITES as usize);
}
