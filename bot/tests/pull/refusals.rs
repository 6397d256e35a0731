//! Wrong bytes and refusals: one sentence each, and nothing wrong is left behind.

use std::fs;

use indicatif::ProgressBar;

use crate::pull::hub::{Fault, File, Hub, hex, weights};

const TINY: &str = "tiny.safetensors";

/// Status, headers, token, and parts of the sentence.
type Case<'a> = (u16, &'a [(&'static str, &'a str)], &'a str, &'a [&'a str]);

/// The sentence, as a person sees it.
async fn refused(hub: &Hub, source: &str, file: Option<&str>, token: &str) -> String {
    let error = hub.pull_as(&hub.asked(source, file), token, 0).await.expect_err("it is refused");
    atelier::cli::sentence(&error)
}

#[tokio::test]
async fn wrong_bytes_are_deleted() {
    let hub = Hub::open().await;
    hub.change(TINY, |file| *file = file.clone().with([Fault::WrongBytes]));
    let error = refused(&hub, "ada/tiny", Some(TINY), "").await;
    assert!(error.starts_with("tiny.safetensors came with wrong bytes and was deleted: its sha256 is "), "{error}");
    assert!(error.ends_with(&format!("instead of {}", hex(&hub.bytes(TINY)))), "{error}");
    assert_eq!(hub.names(), Vec::<String>::new());
    hub.pull(&hub.asked("ada/tiny", Some(TINY))).await.expect("the second time they are right");
}

#[tokio::test]
async fn wrong_bytes_in_a_folder_leave_no_model() {
    let hub = Hub::open().await;
    let unet = "unet/diffusion_pytorch_model.safetensors";
    hub.change(unet, |file| *file = file.clone().with([Fault::Cut(1000), Fault::WrongBytes]));
    let error = format!("{:#}", hub.pull(&hub.asked("ada/tiny", None)).await.expect_err("the rest is wrong"));
    assert!(error.contains("diffusion_pytorch_model.safetensors came with wrong bytes"), "{error}");
    assert_eq!(hub.names(), ["tiny.part"]);
    assert!(!hub.models().path().join("tiny.part").join(format!("{unet}.part")).exists());
    hub.pull(&hub.asked("ada/tiny", None)).await.expect("the second time they are right");
}

#[tokio::test]
async fn the_hash_that_a_person_gives_is_kept_to() {
    let hub = Hub::open().await;
    let other = hex(b"other");
    let mut pull = hub.asked(&hub.cdn(TINY), None);
    pull.sha256 = Some(other.parse().expect("64 digits"));
    let error = format!("{:#}", hub.pull(&pull).await.expect_err("another file"));
    assert!(error.contains(&format!("instead of {other}")), "{error}");
    let mut pull = hub.asked("ada/tiny", Some(TINY));
    pull.sha256 = Some(other.parse().expect("64 digits"));
    hub.calls();
    let error = format!("{:#}", hub.pull(&pull).await.expect_err("the hub has another"));
    assert_eq!(error, format!("the hub has {TINY} with the sha256 {}, not {other}", hex(&hub.bytes(TINY))));
    assert_eq!(hub.ranges(TINY).len(), 0, "that is known before the download");
    assert_eq!(hub.names(), Vec::<String>::new());
}

#[tokio::test]
async fn a_wrong_length_is_noticed() {
    let hub = Hub::open().await;
    hub.change(TINY, |file| file.listed_bytes = Some(5000));
    let error = refused(&hub, "ada/tiny", Some(TINY), "").await;
    assert!(error.contains("bytes instead of 5000"), "{error}");
    hub.change(TINY, |file| file.listed_bytes = Some(50));
    let error = refused(&hub, "ada/tiny", Some(TINY), "").await;
    assert!(error.contains("bytes instead of 50"), "{error}");
    // A server that nobody can contradict but the file's own header.
    hub.put("short.safetensors", File::large(weights(1, 4000)).with([Fault::Short(9)]));
    let error = refused(&hub, &hub.cdn("short.safetensors"), None, "").await;
    assert!(
        error.contains("short.safetensors came with wrong bytes") && error.contains("is cut off") && error.contains("download it again"),
        "{error}"
    );
    assert_eq!(hub.names(), Vec::<String>::new());
}

#[tokio::test]
async fn what_is_no_model_is_not_kept() {
    let hub = Hub::open().await;
    hub.put("page.safetensors", File::small("<!DOCTYPE html><title>Log in</title>"));
    hub.put("old.safetensors", File::large(b"PK\x03\x04 a pickle by another name".to_vec()));
    for (name, expected) in [("page.safetensors", "is a web page"), ("old.safetensors", "is a pickle")] {
        let error = refused(&hub, &hub.cdn(name), None, "").await;
        assert!(error.contains(expected), "{error}");
    }
    assert_eq!(hub.names(), Vec::<String>::new());
    let error = refused(&hub, "ada/tiny", Some("big.safetensors"), "").await;
    assert!(error.starts_with("ada/tiny has no file `big.safetensors`; its .safetensors files: "), "{error}");
    assert!(error.contains("tiny.safetensors") && !error.contains("b.txt"), "{error}");
}

#[tokio::test]
async fn every_refusal_says_what_to_do() {
    let hub = Hub::open().await;
    let gated = [("x-error-code", "GatedRepo")];
    let page = format!("{}/ada/tiny", hub.url);
    let bad = [("x-error-message", "Invalid credentials in Authorization header")];
    let cases: [Case; 10] = [
        (401, &gated, "", &["ada/tiny is gated: accept its licence at ", &page, "/settings/tokens and set HF_TOKEN to it"]),
        (403, &gated, "hf_x", &["the account of HF_TOKEN has no access: accept its licence at ", &page]),
        (401, &[], "", &["has no ada/tiny, or it is private: check the name at ", &page, "set HF_TOKEN to it"]),
        (401, &[], "hf_x", &["has no ada/tiny, or the token in HF_TOKEN may not see it"]),
        (401, &bad, "hf_x", &["does not know the token in HF_TOKEN; make a new one at "]),
        (403, &[], "", &["refuses ada/tiny without a token"]),
        (403, &[], "hf_x", &["refuses ada/tiny to the token in HF_TOKEN"]),
        (404, &[], "", &["has no ada/tiny; check the name at ", &page]),
        (418, &[], "", &["answered with status 418"]),
        (301, &[("location", "http://203.0.113.1/")], "hf_x", &["sends on to 203.0.113.1, which is not https; it is not followed"]),
    ];
    for (status, headers, token, expected) in cases {
        hub.next_answer(status, headers);
        let error = refused(&hub, "ada/tiny", None, token).await;
        assert!(expected.iter().all(|part| error.contains(part)) && !error.contains("hf_x"), "{status}: {error}");
    }
    assert_eq!(hub.calls().len(), 10, "a refusal is not asked for again");
    // The list of a gated model is open, its files are not.
    let locked = Fault::Status(401, vec![("x-error-code", "GatedRepo".into())]);
    hub.change("model_index.json", |file| *file = file.clone().with([locked]));
    let error = refused(&hub, "ada/tiny", None, "").await;
    assert!(error.starts_with("ada/tiny is gated: accept its licence at "), "{error}");
    let error = refused(&hub, "ada/tiny@nope", None, "").await;
    assert!(error.contains("ada/tiny has no revision `nope`"), "{error}");
    let error = refused(&hub, "ada/nothing", None, "").await;
    assert!(error.contains("has no ada/nothing, or it is private"), "{error}");
    let error = refused(&hub, &hub.cdn("none.safetensors"), None, "").await;
    assert!(error.starts_with("there is no none.safetensors at 127.0.0.1:"), "{error}");
    hub.put("mine.safetensors", File::large(weights(1, 10)).with([Fault::Status(401, Vec::new())]));
    let error = refused(&hub, &hub.cdn("mine.safetensors"), None, "hf_x").await;
    assert!(error.contains("wants a login for mine.safetensors"), "{error}");
    hub.put("loop.safetensors", File::large(Vec::new()).with(vec![Fault::Status(302, vec![("location", "/loop.safetensors".into())]); 20]));
    let error = refused(&hub, &hub.cdn("loop.safetensors"), None, "").await;
    assert!(error.contains("sends on more than 10 times"), "{error}");
    assert_eq!(hub.names(), Vec::<String>::new(), "not even an empty part");
}

#[tokio::test]
async fn a_download_for_which_there_is_no_room_does_not_begin() {
    let hub = Hub::open().await;
    hub.change("unet/diffusion_pytorch_model.safetensors", |file| file.listed_bytes = Some(1 << 60));
    hub.change(TINY, |file| file.listed_bytes = Some(1 << 60));
    for file in [None, Some(TINY)] {
        let error = refused(&hub, "ada/tiny", file, "").await;
        assert!(error.starts_with("10995116") && error.contains("make room, or set `models.dir`"), "{error}");
    }
    assert_eq!((hub.calls().len(), hub.names()), (2, Vec::new()), "only the list was asked for");
}

#[tokio::test]
async fn a_download_that_does_not_say_its_length_stops_before_the_disk_is_full() {
    let hub = Hub::open().await;
    hub.put("endless.safetensors", File::large(weights(1, 10)).with([Fault::Unsized(4096)]));
    let part = hub.models().path().join("endless.safetensors.part");
    let client = hub.client("", 5).with_free_space(move |_| Ok(400 - fs::metadata(&part).map_or(0, |data| data.len() >> 20).min(400)));
    let pull = hub.asked(&hub.cdn("endless.safetensors"), None);
    let error = pull.run(&client, &hub.models(), &ProgressBar::hidden()).await.expect_err("it does not fit").to_string();
    assert!(error.starts_with("320 MiB are needed in ") && error.contains("MiB are free; make room"), "{error}");
    assert_eq!(hub.names(), Vec::<String>::new(), "what came is given back");
}

#[tokio::test]
async fn a_configuration_that_does_not_end_is_given_up() {
    let hub = Hub::open().await;
    hub.change("unet/config.json", |file| {
        file.listed_bytes = None;
        *file = file.clone().with([Fault::Unsized(4096)]);
    });
    let error = refused(&hub, "ada/tiny", None, "").await;
    assert!(error.contains("config.json"), "{error}");
    assert!(!hub.models().path().join("tiny.part/unet/config.json.part").exists());
}

#[tokio::test]
async fn what_is_there_is_not_overwritten_and_names_stay_in_the_folder() {
    let hub = Hub::open().await;
    fs::create_dir_all(hub.models().path().join("tiny/unet")).expect("a folder");
    fs::write(hub.models().path().join("style.safetensors"), "mine").expect("a file");
    let error = refused(&hub, "ada/tiny", None, "").await;
    assert!(error.contains("is there already and is another or a changed model; choose another name with `--as`"), "{error}");
    let error = refused(&hub, "ada/tiny", Some(TINY), "").await;
    assert!(error.contains("a folder") && error.contains("is there already"), "{error}");
    let mut pull = hub.asked("ada/tiny", Some(TINY));
    pull.name = Some("style".into());
    let error = hub.pull(&pull).await.expect_err("another file").to_string();
    assert!(error.contains("style.safetensors is there already; choose another name"), "{error}");
    assert_eq!(fs::read(hub.models().path().join("style.safetensors")).expect("the file"), b"mine");
    for name in ["../evil", "/tmp/evil", "a/b", "..", "evil.part", ".evil"] {
        pull.name = Some(name.into());
        let error = hub.pull(&pull).await.expect_err(name).to_string();
        assert!(error.contains("cannot be a model's name"), "{error}");
    }
    assert_eq!(hub.names(), ["style.safetensors", "tiny"]);
    assert_eq!(fs::read_dir(hub.root.path()).expect("a folder").count(), 1);
}
