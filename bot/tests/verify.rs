//! 🔎 and `/verify`: what made a picture, and that it is made again to the bit.

use crate::support::*;
use image::{Rgb, RgbImage};
use sandbox::Visitor;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use storage::{GuildId, HistoryFilter, Job};

in_both_modes! {
    a_receipt_names_the_file_and_all_that_made_it,
    one_picture_of_a_grid_is_drawn_again_to_the_bit_as_a_job_of_its_own,
}

const GUILD: u64 = 1_000_000_000_000_000_100;

/// What has ended in the first guild, newest first.
async fn history(studio: &Studio) -> Vec<Job> {
    let filter = HistoryFilter { guild: GuildId(GUILD), user: None, channels: None };
    studio.running.bot.app.jobs.history(filter, 0, 100).await.expect("readable").0
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The receipt of a picture, as its file says it.
async fn receipt(person: &Visitor, message: &Value) -> (String, Value) {
    let press = person.press(id(message), "🔎").await.expect("sent");
    let is_it = |message: &&Value| message["interaction_metadata"]["id"] == press.0.as_str() && content(message).starts_with("The receipt");
    let told = person.wait_for(CHANNEL, PATIENCE, |messages| messages.iter().find(is_it).cloned()).await.expect("it comes");
    assert_eq!(told["flags"].as_u64().unwrap_or_default() & 64, 64, "for the presser alone");
    let file = person.attachment_bytes(&told, 0).await.expect("served");
    (content(&told).to_owned(), serde_json::from_slice(&file).expect("JSON"))
}

async fn a_receipt_names_the_file_and_all_that_made_it(mode: Mode) {
    let studio = Studio::open(mode, |_| {}).await;
    let ada = &studio.ada;
    ada.slash(CHANNEL, "imagine", &prompt("a `frog` --seed 7 --no leaves")).await.expect("sent");
    let grid = nth_grid(ada, 1).await;
    ada.press(id(&grid), "U3").await.expect("sent");
    let enlarged = message_with(ada, " pixels · enlarged from ").await;
    let (text, file) = receipt(ada, &enlarged).await;
    let jobs = history(&studio).await;
    let images = studio.running.bot.app.jobs.images(jobs[1].id).await.expect("readable");

    // The file is the one that 📥 gives under the grid.
    ada.press(id(&grid), "Download").await.expect("sent");
    let files = told(ada, "The pictures' files").await;
    let sha256 = hex(&ada.attachment_bytes(&files, 2).await.expect("served"));
    assert_eq!((file["sha256"].as_str(), file["picture"].as_u64()), (Some(sha256.as_str()), Some(3)));
    assert_eq!(file["job"], json!(jobs[1].id.to_string()));
    for line in [format!("picture: 3 of job {}", jobs[1].id), format!("sha256: {sha256}"), "seed: 9".into(), "device: cpu (f32)".into()] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
    assert!(text.contains("Negative prompt: leaves") && text.contains("Steps: 6"), "{text}");
    let class = file["record"]["device_class"].as_object().expect("a class");
    assert!(class.contains_key("kernels") && class.contains_key("numbers"), "{class:?}");

    // Every part of the model by the hash of its file.
    let model = atelier::models::starter().expect("the starter").model;
    for (part, name) in [("text_encoder", "model"), ("vae", "diffusion_pytorch_model"), ("model", "diffusion_pytorch_model")] {
        let folder = if part == "model" { "unet" } else { part };
        let bytes = std::fs::read(model.join(folder).join(format!("{name}.safetensors"))).expect("the starter's weights");
        assert_eq!(file["weights"][part].as_str(), Some(hex(&bytes).as_str()), "{part}");
    }
    // What the network gave, at each of its six steps.
    let steps: Vec<String> = images[2].digests.iter().map(|digest| format!("{digest:016x}")).collect();
    assert_eq!((file["steps"].clone(), steps.len()), (json!(steps), 6));
    studio.close().await;
}

/// Draws a picture of a job again; the message of that.
async fn verify(person: &Visitor, options: &[(&str, Value)]) -> Value {
    let asked = person.slash(CHANNEL, "verify", options).await.expect("sent");
    let is_it = |message: &&Value| {
        let is_ended = content(message).contains("Drawn again to compare") || message["flags"].as_u64().unwrap_or_default() & 64 == 64;
        message["interaction_metadata"]["id"] == asked.0.as_str() && is_ended && !content(message).is_empty()
    };
    person.wait_for(CHANNEL, PATIENCE, |messages| messages.iter().rev().find(is_it).cloned()).await.expect("it is drawn")
}

async fn one_picture_of_a_grid_is_drawn_again_to_the_bit_as_a_job_of_its_own(mode: Mode) {
    let studio = Studio::open(mode, |_| {}).await;
    let (ada, app) = (&studio.ada, studio.running.bot.app.clone());
    ada.slash(CHANNEL, "imagine", &prompt("a frog --seed 7 --chaos 30 --sampler euler_a")).await.expect("sent");
    let grid = nth_grid(ada, 1).await;
    let drawn = history(&studio).await.remove(0);
    let number = drawn.id.to_string();
    let again = verify(ada, &[("job", json!(number)), ("picture", json!(3))]).await;
    assert!(content(&again).contains("**Identical** to picture 3, to the bit, at each of 6 steps."), "{again}");
    assert!(content(&again).contains("as a job that costs what it costs"), "{again}");
    let job = history(&studio).await.remove(0);
    let (old, new) = (app.jobs.images(drawn.id).await.expect("readable"), app.jobs.images(job.id).await.expect("readable"));
    assert_eq!((job.action.as_str(), job.parent, new.len()), ("verify", Some((drawn.id, 2)), 1));
    assert!(job.row_megapixels > 0.0 && new[0].digests == old[2].digests && new[0].digests != old[1].digests);

    // A variation, and an enlarged picture.
    ada.press(id(&grid), "V2").await.expect("sent");
    nth_grid(ada, 3).await;
    let varied = history(&studio).await.remove(0);
    let again = verify(ada, &[("job", json!(varied.id.to_string()))]).await;
    assert!(content(&again).contains("Variation") && content(&again).contains("**Identical** to picture 1, to the bit"), "{again}");
    ada.press(id(&grid), "U1").await.expect("sent");
    message_with(ada, " pixels · enlarged from ").await;
    let enlarged = history(&studio).await.remove(0);
    let again = verify(ada, &[("job", json!(enlarged.id.to_string()))]).await;
    assert!(content(&again).contains("**Identical** to picture 1, to the bit"), "{again}");

    // A file that was changed is not what comes out; its steps were.
    let key = old[0].blob.to_string();
    let path = find(&app.config.data.dir, &key).expect("the file");
    let mut changed = image::load_from_memory(&std::fs::read(&path).expect("readable")).expect("a picture").into_rgb8();
    let Rgb([red, green, blue]) = *changed.get_pixel(5, 5);
    changed.put_pixel(5, 5, Rgb([red ^ 128, green, blue]));
    write(&changed, &path);
    let again = verify(ada, &[("job", json!(number)), ("picture", json!(1))]).await;
    let sentence =
        "**Not identical** to picture 1: it differs by up to 128 of 255 in a pixel; what the network gave is the same at all 6 steps";
    assert!(content(&again).contains(sentence), "{again}");

    // Nobody draws what they may not see, or what is not there.
    let stranger = verify(ada, &[("job", json!("01890000000070008000000000000000"))]).await;
    assert!(content(&stranger).starts_with("I have no job `"), "{stranger}");
    let none = verify(ada, &[("job", json!(number)), ("picture", json!(9))]).await;
    assert_eq!(content(&none), "That job has no picture 9.");
    studio.close().await;
}

/// The file of a name, wherever it lies in a folder.
fn find(folder: &std::path::Path, name: &str) -> Option<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?.filter_map(Result::ok).map(|entry| entry.path());
    entries.into_iter().find_map(|path| match path.is_dir() {
        true => find(&path, name),
        false => path.file_name().is_some_and(|found| found.to_string_lossy().starts_with(name)).then_some(path),
    })
}

fn write(picture: &RgbImage, path: &std::path::Path) {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).expect("a file");
    std::fs::write(path, bytes.into_inner()).expect("written");
}
