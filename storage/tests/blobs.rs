//! Blobs in a local folder.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::fs;

use bytes::Bytes;
use storage::{BlobKey, BlobStore, LocalBlobs, StorageError, Timestamp};

/// SHA-256 of "abc": FIPS 180-2, appendix B.1.
const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

#[tokio::test]
async fn bytes_are_stored_under_their_hash() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = LocalBlobs::open(&folder.path().join("new/blobs")).unwrap();
    let key = blobs.put(Bytes::from_static(b"abc")).await.unwrap();
    assert_eq!(key.as_str(), ABC);
    assert_eq!(fs::read(folder.path().join("new/blobs/ba").join(ABC)).unwrap(), b"abc");
    assert_eq!(blobs.get(&key).await.unwrap(), "abc");
    assert_eq!(blobs.put(Bytes::from_static(b"abc")).await.unwrap(), key, "again");
    let empty = blobs.put(Bytes::new()).await.unwrap();
    assert_eq!(blobs.get(&empty).await.unwrap(), "");

    let again = LocalBlobs::open(&folder.path().join("new/blobs")).unwrap();
    assert_eq!(again.get(&key).await.unwrap(), "abc", "after a restart");
}

#[tokio::test]
async fn many_puts_of_the_same_bytes_are_one_blob() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = std::sync::Arc::new(LocalBlobs::open(folder.path()).unwrap());
    let bytes = Bytes::from(vec![7; 300_000]);
    let put = |_| {
        let (blobs, bytes) = (blobs.clone(), bytes.clone());
        tokio::spawn(async move { blobs.put(bytes).await.unwrap() })
    };
    let puts: Vec<_> = (0..20).map(put).collect();
    for put in puts {
        assert_eq!(blobs.get(&put.await.unwrap()).await.unwrap(), bytes);
    }
    let key = blobs.put(bytes).await.unwrap();
    let names: Vec<_> = fs::read_dir(folder.path().join(&key.as_str()[..2])).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, [key.as_str()], "no half-written files stay");
}

#[tokio::test]
async fn a_blob_of_the_wrong_length_is_written_anew() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = LocalBlobs::open(folder.path()).unwrap();
    let key = blobs.put(Bytes::from_static(b"abc")).await.unwrap();
    fs::write(folder.path().join("ba").join(ABC), "a").unwrap();
    blobs.put(Bytes::from_static(b"abc")).await.unwrap();
    assert_eq!(blobs.get(&key).await.unwrap(), "abc");
}

#[tokio::test]
async fn a_missing_blob_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = LocalBlobs::open(folder.path()).unwrap();
    let key = blobs.put(Bytes::from_static(b"abc")).await.unwrap();
    assert!(blobs.has(&key).await.unwrap());
    fs::remove_file(folder.path().join("ba").join(ABC)).unwrap();
    assert!(!blobs.has(&key).await.unwrap());
    let error = blobs.get(&key).await.unwrap_err();
    assert!(matches!(&error, StorageError::MissingBlob(missing) if missing == ABC), "{error:?}");
}

/// Every blob of a store.
async fn all(blobs: &LocalBlobs) -> Vec<BlobKey> {
    let mut keys = Vec::new();
    for first in 0..=u8::MAX {
        keys.extend(blobs.list(first).await.unwrap());
    }
    keys
}

#[tokio::test]
async fn what_is_marked_stays_until_it_is_collected_and_a_put_takes_the_mark_away() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = LocalBlobs::open(folder.path()).unwrap();
    let (early, late) = (Timestamp(1_700_000_000_123), Timestamp(1_700_000_000_124));
    let abc = Bytes::from_static(b"abc");
    let key = blobs.put(abc.clone()).await.unwrap();
    let other = blobs.put(Bytes::from_static(b"other")).await.unwrap();
    assert!(!blobs.collect(&key, late).await.unwrap(), "not marked");
    assert!(blobs.marks().await.unwrap().is_empty());

    blobs.mark(&key, early).await.unwrap();
    blobs.mark(&key, late).await.unwrap();
    assert_eq!(blobs.marks().await.unwrap(), [(key.clone(), early)], "a mark keeps its time");
    assert_eq!(blobs.get(&key).await.unwrap(), abc, "it is there");
    assert_eq!(blobs.put(abc.clone()).await.unwrap(), key);
    assert!(blobs.marks().await.unwrap().is_empty());
    assert!(!blobs.collect(&key, late).await.unwrap());

    blobs.mark(&key, late).await.unwrap();
    assert!(!blobs.collect(&key, early).await.unwrap(), "not for long enough");
    blobs.unmark(&key).await.unwrap();
    blobs.unmark(&key).await.unwrap();
    assert!(!blobs.collect(&key, late).await.unwrap());

    blobs.mark(&key, early).await.unwrap();
    let again = LocalBlobs::open(folder.path()).unwrap();
    assert_eq!(again.marks().await.unwrap(), [(key.clone(), early)], "after a restart");
    assert!(again.collect(&key, early).await.unwrap());
    assert!(!again.has(&key).await.unwrap());
    assert!(!again.collect(&key, early).await.unwrap(), "once");
    assert_eq!((all(&again).await, again.marks().await.unwrap().len()), (vec![other], 0));
    assert_eq!(again.put(abc.clone()).await.unwrap(), key);
    assert_eq!(again.get(&key).await.unwrap(), abc);
}

/// What a delete and a job that draws the same picture do at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_put_beside_a_collect_leaves_the_blob_there() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = std::sync::Arc::new(LocalBlobs::open(folder.path()).unwrap());
    let bytes = Bytes::from_static(b"the same picture");
    let key = blobs.put(bytes.clone()).await.unwrap();
    let (mut n_collected, mut n_kept) = (0, 0);
    for round in 0..400 {
        let old = Timestamp(1000 + round);
        blobs.mark(&key, old).await.unwrap();
        let collect = tokio::spawn({
            let (blobs, key) = (blobs.clone(), key.clone());
            async move { blobs.collect(&key, old).await.unwrap() }
        });
        let put = tokio::spawn({
            let (blobs, bytes) = (blobs.clone(), bytes.clone());
            async move { blobs.put(bytes).await.unwrap() }
        });
        // Another delete marks it anew, which is no reason to remove it now.
        let mark = tokio::spawn({
            let (blobs, key) = (blobs.clone(), key.clone());
            async move { blobs.mark(&key, Timestamp(1_000_000)).await.unwrap() }
        });
        put.await.unwrap();
        mark.await.unwrap();
        match collect.await.unwrap() {
            true => n_collected += 1,
            false => n_kept += 1,
        }
        assert_eq!(blobs.get(&key).await.unwrap(), bytes, "round {round}");
        blobs.unmark(&key).await.unwrap();
    }
    assert_eq!(n_collected + n_kept, 400);
    assert_eq!(all(&blobs).await, [key]);
}

#[tokio::test]
async fn what_kills_left_behind_is_removed_or_taken_back_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = LocalBlobs::open(folder.path()).unwrap();
    let key = blobs.put(Bytes::from_static(b"abc")).await.unwrap();
    let other = blobs.put(Bytes::from_static(b"other")).await.unwrap();
    assert_eq!(blobs.recover().await.unwrap(), 0);
    let file = folder.path().join("ba").join(ABC);
    // A put stages beside its place; what is being removed is elsewhere for a moment.
    for name in [format!("{ABC}#1"), format!("{}#27", "ba".repeat(32))] {
        fs::write(folder.path().join("ba").join(name), "hal").unwrap();
    }
    fs::create_dir_all(folder.path().join("leaving")).unwrap();
    fs::rename(&file, folder.path().join("leaving").join(ABC)).unwrap();
    let blobs = LocalBlobs::open(folder.path()).unwrap();
    assert_eq!(blobs.recover().await.unwrap(), 3);
    assert_eq!(blobs.get(&key).await.unwrap(), "abc");
    let names: Vec<_> = fs::read_dir(folder.path().join("ba")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, [ABC]);
    let mut keys = all(&blobs).await;
    keys.sort_by_key(BlobKey::to_string);
    let mut expected = vec![key, other];
    expected.sort_by_key(BlobKey::to_string);
    assert_eq!(keys, expected);
    assert_eq!(blobs.recover().await.unwrap(), 0);
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = LocalBlobs::open(&file.path().join("blobs")).unwrap_err();
    assert!(matches!(error, StorageError::BlobFolder { .. }), "{error:?}");
}

#[test]
fn keys_are_64_lower_case_hexadecimal_digits() {
    let check = |text: &str, is_key: bool| assert_eq!(BlobKey::parse(text).is_ok(), is_key, "{text:?}");
    check(ABC, true);
    check(&"0".repeat(64), true);
    check("", false);
    check(&ABC[1..], false);
    check(&format!("{ABC}0"), false);
    check(&ABC.to_uppercase(), false);
    check(&"g".repeat(64), false);
    check(&format!("../{}", &ABC[3..]), false);
    check(&"é".repeat(32), false);
    assert_eq!(BlobKey::parse("x").unwrap_err().to_string(), "`x` is not a blob key");
}
