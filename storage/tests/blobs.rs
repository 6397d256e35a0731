//! Blobs in a local folder.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::fs;

use bytes::Bytes;
use storage::{BlobKey, BlobStore, LocalBlobs, StorageError};

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
async fn a_missing_blob_is_named_and_can_be_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = LocalBlobs::open(folder.path()).unwrap();
    let key = blobs.put(Bytes::from_static(b"abc")).await.unwrap();
    blobs.delete(&key).await.unwrap();
    blobs.delete(&key).await.unwrap();
    let error = blobs.get(&key).await.unwrap_err();
    assert!(matches!(&error, StorageError::MissingBlob(missing) if missing == ABC), "{error:?}");
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
