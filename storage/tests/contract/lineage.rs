//! What was made from what.

use storage::{JobId, NewJob};

use super::support::*;

pub async fn what_comes_from_a_job_is_found_while_it_can_be_shown(backend: &impl Backend) {
    let store = backend.open().await;
    let done = async |parent: Option<(JobId, u32)>| {
        let id = created(&*store, NewJob { parent, ..job(1, 1) }).await;
        let lease = claimed(&*store).await;
        finish(&*store, &lease, &[image(0, blob(1))], NOON).await;
        id
    };
    let root = done(None).await;
    let (first, second) = (done(Some((root, 0))).await, done(Some((root, 3))).await);
    let other = done(Some((first, 0))).await;
    let waiting = created(&*store, NewJob { parent: Some((root, 1)), ..job(1, 1) }).await;
    let of = async |id, n| store.children(id, n).await.unwrap().iter().map(|job| job.id).collect::<Vec<_>>();
    assert_eq!(of(root, 10).await, [first, second], "not {waiting}, which is not done, nor {other}");
    assert_eq!(of(root, 1).await, [first]);
    assert_eq!((of(first, 10).await, of(other, 10).await, of(JobId::new(), 10).await), (vec![other], vec![], vec![]));
    store.delete(first, NOON).await.unwrap();
    assert_eq!((of(root, 10).await, of(first, 10).await), (vec![second], vec![other]));
}
