//! What comes when all is well.

use std::fs;

use crate::pull::hub::{COMMIT, File, Hub, hex, weights};

const UNET: &str = "unet/diffusion_pytorch_model.safetensors";
const HALF: &str = "unet/diffusion_pytorch_model.fp16.safetensors";

#[tokio::test]
async fn a_repository_becomes_a_folder_of_what_the_engine_reads() {
    let hub = Hub::open().await;
    let pulled = hub.pull_as(&hub.asked("ada/tiny", None), "hf_secret", 0).await.expect("all is well");
    let folder = hub.models().path().join("tiny");
    assert_eq!((pulled.name.as_str(), &pulled.path, pulled.n_files, pulled.was_there), ("tiny", &folder, 10, false));
    assert_eq!(hub.names(), ["tiny"], "nothing is left beside it");
    for path in ["model_index.json", "tokenizer/merges.txt", UNET, "vae/config.json", "text_encoder/model.safetensors"] {
        assert_eq!(fs::read(folder.join(path)).expect(path), hub.bytes(path), "{path}");
    }
    for path in ["README.md", "tiny.safetensors", HALF, "unet/diffusion_pytorch_model.bin"] {
        assert!(!folder.join(path).exists(), "{path}");
    }
    let calls = hub.calls();
    assert_eq!(calls[0].path, "/api/models/ada/tiny/revision/main");
    assert!(calls[1].path.starts_with(&format!("/ada/tiny/resolve/{COMMIT}/")), "{calls:?}");
    for call in calls {
        let expected = call.is_hub.then(|| "Bearer hf_secret".to_owned());
        assert_eq!(call.authorization, expected, "the token goes to the hub alone: {}", call.path);
    }
    let again = hub.pull(&hub.asked("ada/tiny", None)).await.expect("it is there");
    assert!(again.was_there && again.size_bytes == pulled.size_bytes);
    assert_eq!(hub.calls().len(), 1, "only the list is asked for");
}

#[tokio::test]
async fn variant_revision_and_name_can_be_chosen() {
    let hub = Hub::open().await;
    let mut pull = hub.asked("ada/tiny@refs/pr/1", None);
    (pull.name, pull.variant) = (Some("half".into()), Some("fp16".into()));
    hub.pull(&pull).await.expect("all is well");
    let folder = hub.models().path().join("half");
    assert_eq!(fs::read(folder.join(HALF)).expect("the half"), hub.bytes(HALF));
    assert!(!folder.join(UNET).exists(), "one precision is enough");
}

#[tokio::test]
async fn one_file_of_a_repository_is_compared_with_the_hubs_hash() {
    let hub = Hub::open().await;
    for source in ["ada/tiny", &format!("{}/ada/tiny/blob/main/tiny.safetensors", hub.url)] {
        let file = (source == "ada/tiny").then_some("tiny.safetensors");
        let pulled = hub.pull(&hub.asked(source, file)).await.expect("all is well");
        assert_eq!(fs::read(&pulled.path).expect("the file"), hub.bytes("tiny.safetensors"));
        assert_eq!((pulled.unchecked_sha256, pulled.was_there), (None, source != "ada/tiny"), "{source}");
    }
    assert_eq!(hub.names(), ["tiny.safetensors"]);
}

#[tokio::test]
async fn a_file_at_an_address_gets_its_name_and_its_hash_is_told() {
    let hub = Hub::open().await;
    hub.put("dir/My style.safetensors", File::large(weights(9, 100)));
    // Spaces are encoded in addresses; this server takes paths as they come.
    hub.put("dir/My%20style.safetensors", File::large(weights(9, 100)));
    let pulled = hub.pull(&hub.asked(&hub.cdn("dir/My style.safetensors"), None)).await.expect("all is well");
    assert_eq!((pulled.name.as_str(), hub.names()), ("My style", vec!["My style.safetensors".to_owned()]));
    assert_eq!(pulled.unchecked_sha256.expect("nobody vouched").to_string(), hex(&weights(9, 100)));
    let mut pull = hub.asked(&hub.cdn("tiny.safetensors"), None);
    pull.name = Some("other".into());
    pull.sha256 = Some(hex(&hub.bytes("tiny.safetensors")).parse().expect("64 digits"));
    let pulled = hub.pull(&pull).await.expect("all is well");
    assert_eq!((pulled.unchecked_sha256, hub.names().len()), (None, 2));
    assert!(hub.pull(&pull).await.expect("it is there").was_there);
}

#[tokio::test]
async fn a_mirror_that_tells_no_hashes_is_enough() {
    let hub = Hub::open().await;
    for path in [UNET, "vae/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors"] {
        // As a plain mirror does: no redirect and no mark.
        hub.change(path, |file| (file.is_large, file.etag) = (false, None));
    }
    hub.pull(&hub.asked("ada/tiny", None)).await.expect("all is well");
    assert_eq!(fs::read(hub.models().path().join("tiny").join(UNET)).expect("the file"), hub.bytes(UNET));
}

#[tokio::test]
async fn a_transformer_is_pulled_where_its_pipeline_is_known_and_refused_before_it_comes_where_it_is_not() {
    let hub = Hub::open().await;
    hub.remove_folder("unet");
    hub.put("transformer/config.json", File::small("{}"));
    hub.put("transformer/diffusion_pytorch_model.safetensors", File::large(weights(9, 4000)));
    let pulled = hub.pull(&hub.asked("ada/tiny", None)).await.expect("all is well");
    assert!(pulled.path.join("transformer/diffusion_pytorch_model.safetensors").is_file());

    hub.put("model_index.json", File::small("{\"_class_name\": \"OtherPipeline\"}"));
    let mut pull = hub.asked("ada/tiny", None);
    pull.name = Some("other".into());
    hub.calls();
    let error = hub.pull(&pull).await.expect_err("nobody draws with it").to_string();
    assert_eq!(error, "ada/tiny is made for OtherPipeline, which the engine does not know");
    assert_eq!(hub.calls().len(), 2, "the list and the index");
    assert_eq!(hub.names(), ["tiny"], "nothing is left of it");
}
