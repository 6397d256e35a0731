//! Broken connections: going on where it stopped, within a pull and in the next one.

use std::fs;

use crate::pull::hub::{Fault, File, Hub, weights};

const TINY: &str = "tiny.safetensors";
const UNET: &str = "unet/diffusion_pytorch_model.safetensors";

fn from(start: usize) -> Option<String> {
    Some(format!("bytes={start}-"))
}

async fn hub_with(faults: impl IntoIterator<Item = Fault>) -> Hub {
    let hub = Hub::open().await;
    hub.put(TINY, File::large(weights(1, 4000)).with(faults));
    hub
}

fn tiny(hub: &Hub) -> Vec<u8> {
    fs::read(hub.models().path().join(TINY)).expect("the file is there")
}

#[tokio::test]
async fn a_broken_connection_goes_on_where_it_stopped() {
    let hub = hub_with([Fault::Cut(1000), Fault::Cut(500)]).await;
    hub.pull(&hub.asked("ada/tiny", Some(TINY))).await.expect("the third attempt is whole");
    assert_eq!(tiny(&hub), hub.bytes(TINY));
    let calls: Vec<_> = hub.calls().into_iter().filter(|call| !call.is_hub).collect();
    let ranges: Vec<_> = calls.iter().map(|call| call.range.clone()).collect();
    assert_eq!(ranges, [None, from(1000), from(1500)]);
    assert!(calls[1].if_range.is_some() && calls[1].if_range == calls[2].if_range, "{calls:?}");
    assert_eq!(hub.names(), [TINY]);
}

#[tokio::test]
async fn the_next_pull_goes_on_where_the_last_one_gave_up() {
    let hub = Hub::open().await;
    hub.change(UNET, |file| *file = file.clone().with([Fault::Cut(700), Fault::Cut(300)]));
    let pull = hub.asked("ada/tiny", None);
    let error = format!("{:#}", hub.pull_as(&pull, "", 1).await.expect_err("it breaks twice"));
    assert!(error.starts_with("given up after 2 attempts: lost the connection to 127.0.0.1:"), "{error}");
    assert_eq!(hub.names(), ["tiny.part"]);
    hub.calls();
    hub.pull(&pull).await.expect("all is well now");
    let calls = hub.calls();
    let of = |path: &str| {
        calls.iter().filter(|call| !call.is_hub && call.path.ends_with(path)).map(|call| call.range.clone()).collect::<Vec<_>>()
    };
    assert_eq!(of(UNET), [from(1000)]);
    let folder = hub.models().path().join("tiny");
    assert_eq!(fs::read(folder.join(UNET)).expect("the file"), hub.bytes(UNET));
    let left = fs::read_dir(folder.join("unet")).expect("a folder").count();
    assert_eq!((hub.names(), left), (vec!["tiny".to_owned()], 2), "no part and no note is left");
}

#[tokio::test]
async fn finished_files_of_a_broken_pull_are_compared_and_not_asked_for_again() {
    let hub = Hub::open().await;
    let vae = "vae/diffusion_pytorch_model.safetensors";
    hub.change(vae, |file| *file = file.clone().with([Fault::Cut(10)]));
    let pull = hub.asked("ada/tiny", None);
    hub.pull_as(&pull, "", 0).await.expect_err("it breaks");
    // Meanwhile the repository got a new U-Net of the same length, and the variant that was tried before left a file.
    let changed = weights(99, 4000);
    fs::write(hub.models().path().join("tiny.part/unet/old.safetensors.part"), "x").expect("a file");
    hub.calls();
    hub.pull(&pull).await.expect("all is well now");
    assert_eq!(hub.ranges(UNET), Vec::<Option<String>>::new());
    assert!(!hub.models().path().join("tiny/unet/old.safetensors.part").exists());
    fs::remove_dir_all(hub.models().path().join("tiny")).expect("a folder");
    hub.change(vae, |file| *file = file.clone().with([Fault::Cut(10)]));
    hub.pull_as(&pull, "", 0).await.expect_err("it breaks again");
    hub.put(UNET, File::large(changed.clone()));
    hub.pull(&pull).await.expect("all is well now");
    assert_eq!(fs::read(hub.models().path().join("tiny").join(UNET)).expect("the file"), changed);
}

#[tokio::test]
async fn a_server_without_ranges_begins_again() {
    let hub = hub_with([Fault::Cut(1000), Fault::Cut(2000)]).await;
    hub.change(TINY, |file| file.honours_range = false);
    hub.pull(&hub.asked("ada/tiny", Some(TINY))).await.expect("the third attempt is whole");
    assert_eq!(hub.ranges(TINY), [None, from(1000), from(2000)]);
    assert_eq!(tiny(&hub), hub.bytes(TINY));
}

#[tokio::test]
async fn a_file_that_changed_meanwhile_is_not_mixed() {
    let hub = hub_with([Fault::Cut(1000)]).await;
    let pull = hub.asked(&hub.cdn(TINY), None);
    hub.pull_as(&pull, "", 0).await.expect_err("it breaks");
    hub.put(TINY, File::large(weights(2, 4000)));
    hub.pull(&pull).await.expect("all is well now");
    assert_eq!(tiny(&hub), weights(2, 4000));
    assert_eq!(hub.ranges(TINY), [None, from(1000)]);
    // Another server does not look at the mark that the request has.
    let hub = hub_with([Fault::Cut(1000)]).await;
    let pull = hub.asked(&hub.cdn(TINY), None);
    hub.pull_as(&pull, "", 0).await.expect_err("it breaks");
    hub.put(TINY, File { honours_if_range: false, ..File::large(weights(2, 4000)) });
    hub.pull(&pull).await.expect("all is well in the end");
    assert_eq!((tiny(&hub), hub.ranges(TINY)), (weights(2, 4000), vec![None, from(1000), None]));
}

#[tokio::test]
async fn bytes_that_nothing_vouches_for_are_not_continued() {
    for etag in [None, Some("W/\"weak\"".to_owned())] {
        let hub = hub_with([Fault::Cut(1000)]).await;
        hub.change(TINY, |file| file.etag = etag);
        hub.pull(&hub.asked(&hub.cdn(TINY), None)).await.expect("the second attempt is whole");
        assert_eq!(hub.ranges(TINY), [None, None]);
        assert_eq!(tiny(&hub), hub.bytes(TINY));
    }
    let hub = hub_with([Fault::Cut(1000)]).await;
    hub.change(TINY, |file| file.etag = None);
    hub.pull(&hub.asked("ada/tiny", Some(TINY))).await.expect("the second attempt is whole");
    assert_eq!(hub.ranges(TINY), [None, from(1000)], "the hub's hash will tell");
}

#[tokio::test]
async fn a_part_that_is_whole_already_is_only_compared() {
    let hub = hub_with([]).await;
    hub.change(TINY, |file| *file = file.clone().with([Fault::Cut(4000 + 200)]));
    // All bytes came, and then the program was killed: as an address, where only the server knows the length.
    let pull = hub.asked(&hub.cdn(TINY), None);
    hub.pull_as(&pull, "", 0).await.expect("a cut after the last byte is none");
    let models = hub.models().path().to_owned();
    fs::rename(models.join(TINY), models.join(format!("{TINY}.part"))).expect("a file");
    let note = serde_json::json!({ "url": atelier::pictures::hashes::of_bytes(hub.cdn(TINY).as_bytes()), "etag": "\"x\"" }).to_string();
    fs::write(models.join(format!("{TINY}.part.json")), note).expect("a file");
    hub.change(TINY, |file| file.etag = Some("\"x\"".into()));
    hub.calls();
    hub.pull(&pull).await.expect("all is there");
    assert_eq!((hub.ranges(TINY), tiny(&hub)), (vec![from(hub.bytes(TINY).len())], hub.bytes(TINY)));
}

#[tokio::test]
async fn a_busy_server_is_asked_again_and_given_up_in_the_end() {
    let busy = |status| Fault::Status(status, vec![("retry-after", "3600".into())]);
    let hub = hub_with([busy(503), busy(429), busy(500)]).await;
    hub.next_answer(502, &[]);
    hub.pull(&hub.asked("ada/tiny", Some(TINY))).await.expect("in the end it answers");
    let hub = hub_with(vec![busy(503); 9]).await;
    let error = format!("{:#}", hub.pull(&hub.asked("ada/tiny", Some(TINY))).await.expect_err("it never answers"));
    assert!(error.starts_with("given up after 6 attempts: 127.0.0.1:") && error.contains("503 Service Unavailable"), "{error}");
    assert_eq!(hub.ranges(TINY).len(), 6);
    let hub = hub_with(vec![Fault::Cut(0); 9]).await;
    hub.pull(&hub.asked("ada/tiny", Some(TINY))).await.expect_err("it always breaks");
    assert_eq!(hub.ranges(TINY).len(), 6);
}

#[tokio::test]
async fn two_pulls_do_not_write_the_same_file() {
    let hub = hub_with([Fault::Hang(1000)]).await;
    let pull = hub.asked("ada/tiny", Some(TINY));
    let second = async {
        hub.hanging().await;
        hub.pull(&pull).await
    };
    let error = tokio::select! {
        ended = hub.pull(&pull) => panic!("the first hangs: {ended:?}"),
        second = second => second.expect_err("the first is at it").to_string(),
    };
    assert!(error.starts_with("another pull is writing") && error.ends_with("tiny.safetensors.part; wait for it"), "{error}");
    // The first was dropped with the select. It is at the file until its last write, on another thread, is done.
    let pulled = loop {
        match hub.pull(&pull).await {
            Err(error) if error.to_string().starts_with("another pull") => tokio::task::yield_now().await,
            ended => break ended,
        }
    };
    pulled.expect("nobody else is at it");
    assert_eq!(tiny(&hub), hub.bytes(TINY));
}
