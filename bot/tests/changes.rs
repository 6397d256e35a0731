//! Models and LoRAs that come, change and go while the bot runs.

use std::{fs, path::Path, time::Duration};

use crate::{notes::write_lora_of, support::*};
use atelier::models;
use image::RgbImage;
use sandbox::{Clock, ManualClock};
use serde_json::{Value, json};

in_both_modes! {
    what_is_dropped_changed_and_removed_is_used_and_told_without_a_restart,
}

/// Who looks less than a second after the last look sees what was there then.
const A_WHILE: Duration = Duration::from_secs(2);

/// Something in the models folder.
#[derive(Clone, Copy, Debug)]
enum Thing {
    Lora,
    Model,
}

impl Thing {
    /// How a person asks for it.
    fn line(self, name: &str) -> String {
        match self {
            Self::Lora => format!("<lora:{name}> a frog --images 1 --seed 7 --steps 3"),
            Self::Model => format!("a frog --model {name} --images 1 --seed 7 --steps 3"),
        }
    }

    /// Puts the first or the second version of it into a folder, under a name that no program looks at until it is whole.
    fn put(self, folder: &Path, name: &str, version: u64) {
        match self {
            Self::Lora => {
                let part = folder.join("lora.part");
                write_lora_of(&part, if version == 1 { 0.2 } else { -0.6 });
                set_modified(&part, version);
                fs::rename(part, folder.join(format!("{name}.safetensors"))).expect("renamed");
            }
            Self::Model => {
                let (part, whole) = (folder.join(".part"), folder.join(name));
                crate::family_models::copy(&models::starter().expect("the starter").model, &part);
                let unet = part.join("unet/diffusion_pytorch_model.safetensors");
                let mut bytes = fs::read(&unet).expect("weights");
                if version == 2 {
                    // Numbers near the end change their signs.
                    let end = bytes.len() - 4096;
                    bytes[end - (1 << 20)..end].chunks_exact_mut(4).for_each(|number| number[3] ^= 0x80);
                }
                fs::write(&unet, bytes).expect("written");
                set_modified(&unet, version);
                self.remove(folder, name);
                fs::rename(part, whole).expect("renamed");
            }
        }
    }

    fn remove(self, folder: &Path, name: &str) {
        // The first time nothing is there.
        let _ = match self {
            Self::Lora => fs::remove_file(folder.join(format!("{name}.safetensors"))),
            Self::Model => fs::remove_dir_all(folder.join(name)),
        };
    }

    fn kind(self) -> &'static str {
        match self {
            Self::Lora => "LoRA",
            Self::Model => "model",
        }
    }
}

/// However coarse the file system's clock is.
fn set_modified(path: &Path, version: u64) {
    let file = fs::File::options().append(true).open(path).expect("a file");
    file.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(1_000_000 + version)).expect("ours");
}

async fn nth_picture(studio: &Studio, n: usize) -> RgbImage {
    let ada = &studio.ada;
    picture(ada, &nth_grid(ada, n).await).await
}

async fn what_is_dropped_changed_and_removed_is_used_and_told_without_a_restart(mode: Mode) {
    let (folder, own) = (tempfile::tempdir().expect("a temporary folder"), tempfile::tempdir().expect("a temporary folder"));
    let usual = own.path().join("usual");
    crate::family_models::copy(&models::starter().expect("the starter").model, &usual);
    let clock = ManualClock::new();
    let change = |config: &mut atelier::config::Config| {
        config.models.dir = folder.path().to_owned();
        config.model.path.clone_from(&usual);
    };
    let studio = Studio::open_with_clock(mode, Clock::Manual(clock.clone()), change).await;
    let (ada, mut n_drawn) = (&studio.ada, 0);
    for thing in [Thing::Lora, Thing::Model] {
        let name = format!("new {}", thing.kind());
        let line = match thing {
            Thing::Lora => thing.line(&name),
            Thing::Model => thing.line(&format!("\"{name}\"")),
        };
        ada.slash(CHANNEL, "imagine", &prompt(&line)).await.expect("sent");
        told(ada, &format!("there is no such {}", thing.kind())).await;

        thing.put(folder.path(), &name, 1);
        clock.advance(A_WHILE);
        ada.slash(CHANNEL, "imagine", &prompt(&line)).await.expect("sent");
        let first = nth_picture(&studio, n_drawn + 1).await;
        let option = thing.kind().to_lowercase();
        let typed = [("prompt", json!("a frog")), (option.as_str(), json!("NEW"))];
        let suggested = ada.autocomplete(CHANNEL, "imagine", &typed, &option).await.expect("suggestions come");
        assert_eq!(suggested[0]["value"], name, "{thing:?}: it is suggested");

        thing.put(folder.path(), &name, 2);
        clock.advance(A_WHILE);
        ada.slash(CHANNEL, "imagine", &prompt(&line)).await.expect("sent");
        let second = nth_picture(&studio, n_drawn + 2).await;
        assert!(first != second, "{thing:?}: the changed one is loaded");

        thing.put(folder.path(), &name, 1);
        clock.advance(A_WHILE);
        let beside = [("prompt", json!("a frog --images 1 --seed 7 --steps 3")), (option.as_str(), json!(name))];
        ada.slash(CHANNEL, "imagine", &beside).await.expect("sent");
        assert!(first == nth_picture(&studio, n_drawn + 3).await, "{thing:?}: as it was, named beside the prompt");
        n_drawn += 3;

        thing.remove(folder.path(), &name);
        clock.advance(A_WHILE);
        ada.slash(CHANNEL, "imagine", &prompt(&line)).await.expect("sent");
        let told = told(ada, &format!("this {} is no longer there", thing.kind())).await;
        assert!(!content(&told).contains(folder.path().to_str().expect("UTF-8")), "{told}");
    }
    // The others go on.
    ada.slash(CHANNEL, "imagine", &prompt("a frog --images 1")).await.expect("sent");
    let grid: Value = nth_grid(ada, n_drawn + 1).await;
    assert!(is_grid(&grid));
    // The usual model is no other one because it is gone.
    fs::remove_dir_all(&usual).expect("it is there");
    clock.advance(A_WHILE);
    ada.slash(CHANNEL, "imagine", &prompt("a frog --images 1")).await.expect("sent");
    told(ada, "`usual`: this model is no longer there").await;
    studio.close().await;
}
