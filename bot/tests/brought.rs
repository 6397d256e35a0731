//! Pictures that people bring: attached, linked or addressed, and what is drawn from them.

use std::io::Cursor;

use crate::support::*;
use image::{ImageFormat, Rgb, RgbImage};
use inference::task::{ImageSize, Role, Task};
use sandbox::Visitor;
use serde_json::{Value, json};
use storage::{BlobKey, GuildId, HistoryFilter, Job};

in_both_modes! {
    a_picture_is_drawn_from_and_goes_with_everything_that_is_made_of_it,
    a_picture_is_taken_in_direct_messages_and_where_only_a_person_installed_the_bot,
    a_link_leads_to_the_picture_of_a_message_that_both_may_see,
}

const GUILD: u64 = 1_000_000_000_000_000_100;
const LINUS: u64 = 1_000_000_000_000_000_013;
/// One small picture.
const SMALL: &str = "--images 1 --steps 2 --seed 7";

/// Three wide to two high, red on the left.
pub(crate) fn wide() -> RgbImage {
    RgbImage::from_fn(120, 80, |x, _| Rgb(if x < 60 { [200, 20, 30] } else { [20, 40, 220] }))
}

pub(crate) fn png(picture: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    picture.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).expect("a PNG file");
    bytes
}

fn upload(picture: &RgbImage) -> Value {
    Visitor::file("mine.png", "image/png", &png(picture))
}

/// What has ended for somebody, newest first.
pub(crate) async fn jobs_of(studio: &Studio, guild: u64) -> Vec<Job> {
    let filter = HistoryFilter { guild: GuildId(guild), user: None, channels: None };
    studio.running.bot.app.jobs.history(filter, 0, 50).await.expect("readable").0
}

fn task(job: &Job) -> Task {
    serde_json::from_value(job.task.clone()).expect("a task")
}

async fn kept(studio: &Studio, task: &Task, role: &Role) -> RgbImage {
    let key = BlobKey::parse(task.input(role).expect("an input")).expect("a key");
    let bytes = studio.running.bot.app.blobs.get(&key).await.expect("it is kept");
    image::load_from_memory(&bytes).expect("a picture").into_rgb8()
}

/// The text of the answer to an interaction.
pub(crate) async fn answer(person: &Visitor, channel: &str, interaction: &str) -> Value {
    let is_answer = |message: &&Value| message["interaction_metadata"]["id"] == interaction && !content(message).is_empty();
    person.wait_for(channel, PATIENCE, |messages| messages.iter().rev().find(is_answer).cloned()).await.expect("it is answered")
}

pub(crate) async fn grid_of(person: &Visitor, channel: &str, interaction: &str) -> Value {
    let is_it = |message: &&Value| message["interaction_metadata"]["id"] == interaction && is_grid(message);
    person.wait_for(channel, PATIENCE, |messages| messages.iter().find(is_it).cloned()).await.expect("it is drawn")
}

async fn a_picture_is_drawn_from_and_goes_with_everything_that_is_made_of_it(mode: Mode) {
    let studio = Studio::open(mode, |_| {}).await;
    let ada = &studio.ada;
    let options = [("prompt", json!(format!("a fox --iw 3 {SMALL}"))), ("image", upload(&wide()))];
    let asked = ada.slash(CHANNEL, "imagine", &options).await.expect("sent");
    let grid = grid_of(ada, CHANNEL, &asked.0).await;
    let said = content(&grid).to_owned();
    assert!(said.starts_with("**a fox** · from a picture `--iw 3 --ar 3:2"), "{said}");
    let first = task(&jobs_of(&studio, GUILD).await[0]);
    assert_eq!((first.word(), first.strength(), first.source_size()), ("image_to_image", Some(0.25), Some(ImageSize::new(80, 48))));
    assert!(kept(&studio, &first, &Role::Init).await == wide(), "as it was brought");

    // Most of it stays: the left is red still, and the right blue.
    let drawn = picture(ada, &grid).await;
    let mean = |left: bool, channel: usize| {
        let half = drawn.enumerate_pixels().filter(|(x, ..)| (*x < drawn.width() / 2) == left);
        half.map(|(_, _, pixel)| f64::from(pixel.0[channel])).sum::<f64>()
    };
    assert!(mean(true, 0) > mean(true, 2) && mean(false, 2) > mean(false, 0), "it is like the picture");

    let again = ada.press(id(&grid), "🔄").await.expect("sent");
    let redrawn = grid_of(ada, CHANNEL, &again.0).await;
    assert!(content(&redrawn).contains("from a picture `--iw 3"), "{}", content(&redrawn));
    let second = task(&jobs_of(&studio, GUILD).await[0]);
    assert_eq!((&second.inputs, second.strength()), (&first.inputs, first.strength()));

    let seq = ada.seq().await.expect("the stand-in counts");
    ada.press(id(&redrawn), "✏️").await.expect("sent");
    let opened = |kind: &str, data: &Value| (kind == "modal").then(|| data.clone());
    let form = ada.wait_for_event(seq, PATIENCE, opened).await.expect("a form opens");
    let fields: Vec<_> = form["components"].as_array().expect("rows").iter().map(|row| &row["components"][0]).collect();
    let parameters = fields.last().and_then(|field| field["value"].as_str()).expect("parameters").to_owned();
    assert!(parameters.starts_with("--iw 3 --ar 3:2"), "{parameters}");
    let changed = parameters.replace("--iw 3", "--iw 1");
    let sent = ada.submit(&form, &[("prompt0", "a green fox"), ("parameters0", changed.as_str())]).await.expect("the form is taken");
    let remixed = grid_of(ada, CHANNEL, &sent.0).await;
    assert!(content(&remixed).starts_with("**a green fox** · from a picture `--iw 1 --ar 3:2"), "{}", content(&remixed));
    let third = task(&jobs_of(&studio, GUILD).await[0]);
    assert_eq!((&third.inputs, third.strength()), (&first.inputs, Some(0.5)));

    let varied = ada.press(id(&remixed), "V1").await.expect("sent");
    let varied = grid_of(ada, CHANNEL, &varied.0).await;
    assert!(content(&varied).starts_with("**Variation of [picture 1]("), "{}", content(&varied));
    studio.close().await;
}

async fn a_picture_is_taken_in_direct_messages_and_where_only_a_person_installed_the_bot(mode: Mode) {
    let studio = Studio::open(mode, |_| {}).await;
    let linus = studio.visitor("linus").await;
    for channel in ["dm", "Book club/general"] {
        let options = [("prompt", json!(format!("a fox {SMALL}"))), ("image", upload(&wide()))];
        let asked = linus.slash(channel, "imagine", &options).await.expect("sent");
        let grid = grid_of(&linus, channel, &asked.0).await;
        assert!(content(&grid).starts_with("**a fox** · from a picture"), "{channel}: {}", content(&grid));
        let task = task(&jobs_of(&studio, LINUS).await[0]);
        assert!(kept(&studio, &task, &Role::Init).await == wide(), "{channel}");
    }
    studio.close().await;
}

/// Somebody writes a message with a picture; its link.
pub(crate) async fn posted(studio: &Studio, person: &Visitor, channel: &str, file: &[u8]) -> Value {
    let state = person.state().await.expect("readable");
    let guilds = state["guilds"].as_array().into_iter().flatten();
    let channels = guilds.flat_map(|guild| guild["channels"].as_array().into_iter().flatten());
    let channel =
        channels.clone().find(|known| known["name"] == channel).map_or_else(|| state["dm"]["id"].clone(), |found| found["id"].clone());
    let file = Visitor::file("theirs.png", "image/png", file);
    let body = json!({ "user": person.user_id(), "channel": channel, "content": "look", "attachments": [file] });
    let client = reqwest::Client::builder().no_proxy().build().expect("a plain client");
    let sent = client.post(format!("{}/sandbox/api/messages", studio.running.stand_in.url())).json(&body).send().await.expect("sent");
    sent.json().await.expect("a message")
}

fn link(studio: &Studio, mode: Mode, guild: &str, message: &Value) -> String {
    let site = if mode == Mode::Plain { studio.running.stand_in.url() } else { "https://discord.com" };
    format!("{site}/channels/{guild}/{}/{}", message["channel_id"].as_str().expect("a channel"), id(message))
}

async fn a_link_leads_to_the_picture_of_a_message_that_both_may_see(mode: Mode) {
    let studio = Studio::open(mode, |_| {}).await;
    let (ada, linus, grace) = (&studio.ada, studio.visitor("linus").await, studio.visitor("grace").await);
    let guild = GUILD.to_string();
    let asked = ada.slash(CHANNEL, "imagine", &prompt(&format!("a frog {SMALL}"))).await.expect("sent");
    let grid = grid_of(ada, CHANNEL, &asked.0).await;
    let shown = picture(ada, &grid).await;

    // The message of ours, and the file's own address.
    let address = grid["attachments"][0]["url"].as_str().expect("an address").to_owned();
    for start in [link(&studio, mode, &guild, &grid), format!("<{address}>")] {
        let asked = ada.slash(CHANNEL, "imagine", &prompt(&format!("{start} a fox {SMALL}"))).await.expect("sent");
        let drawn = grid_of(ada, CHANNEL, &asked.0).await;
        assert!(content(&drawn).starts_with("**a fox** · from a picture"), "{}", content(&drawn));
        assert!(kept(&studio, &task(&jobs_of(&studio, GUILD).await[0]), &Role::Init).await == shown, "{start}");
    }

    // In direct messages Discord shows the bot what people send.
    let direct = posted(&studio, &linus, "dm", &png(&wide())).await;
    let line = format!("{} a fox {SMALL}", link(&studio, mode, "@me", &direct));
    let asked = linus.slash("dm", "imagine", &prompt(&line)).await.expect("sent");
    grid_of(&linus, "dm", &asked.0).await;
    assert!(kept(&studio, &task(&jobs_of(&studio, LINUS).await[0]), &Role::Init).await == wide());

    // Everything else is refused, to the person alone, and what was typed is kept.
    let n_jobs = jobs_of(&studio, GUILD).await.len();
    let theirs = ada.say(CHANNEL, "just words").await.expect("said");
    let hidden = posted(&studio, &grace, "moderators", &png(&wide())).await;
    let after_dark = posted(&studio, &linus, "after-dark", &png(&wide())).await;
    let gone = link(&studio, mode, &guild, &grid).replace(id(&grid), "1000000000000009999");
    for (start, words) in [
        (link(&studio, mode, &guild, &theirs), "That message shows me no picture."),
        (link(&studio, mode, &guild, &hidden), "I take pictures only from messages of this server"),
        (link(&studio, mode, &guild, &after_dark), "I take pictures only from messages of this server"),
        (link(&studio, mode, "@me", &direct), "I take pictures only from messages of this server"),
        (gone, "I cannot see that message"),
        ("https://example.org/a.png".into(), "`https://example.org/a.png` is not an address that I take pictures from"),
        ("http://169.254.169.254/latest".into(), "is not an address that I take pictures from"),
        (format!("{address} {address}"), "I can change one picture at a time"),
        (address.replace("ex=", "ex=1"), "The picture is not there any more"),
    ] {
        let asked = linus.slash(CHANNEL, "imagine", &prompt(&format!("{start} a fox {SMALL}"))).await.expect("sent");
        let refusal = answer(&linus, CHANNEL, &asked.0).await;
        assert!(content(&refusal).contains(words), "{start}: {}", content(&refusal));
        assert_eq!(
            (refusal["flags"].as_u64().unwrap_or_default() & 64, buttons(&refusal)),
            (64, vec![vec!["Remix".to_owned()]]),
            "{start}"
        );
    }
    assert_eq!(jobs_of(&studio, GUILD).await.len(), n_jobs, "nothing was drawn of it");
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mask_says_which_part_is_drawn_anew() {
    let studio = Studio::open(Mode::Plain, |_| {}).await;
    let ada = &studio.ada;
    let mask = RgbImage::from_fn(120, 80, |x, _| Rgb(if x < 60 { [0; 3] } else { [255; 3] }));
    let prompt = ("prompt", json!(format!("a fox {SMALL}")));
    let options = [prompt.clone(), ("image", upload(&wide())), ("mask", upload(&mask))];
    let asked = ada.slash(CHANNEL, "imagine", &options).await.expect("sent");
    let grid = grid_of(ada, CHANNEL, &asked.0).await;
    assert!(content(&grid).starts_with("**a fox** · from a picture `--ar 3:2"), "{}", content(&grid));
    let drawn = task(&jobs_of(&studio, GUILD).await[0]);
    assert_eq!((drawn.word(), drawn.strength()), ("inpaint", Some(1.0)));
    assert!(kept(&studio, &drawn, &Role::Init).await == wide() && kept(&studio, &drawn, &Role::Mask).await == mask);

    let square = RgbImage::new(64, 64);
    let png_of = |width, height| upload(&RgbImage::new(width, height));
    let long = Visitor::file("a.png", "image/png", b"\x89PNG\r\n\x1a\n");
    for (given, words) in [
        (vec![("mask", upload(&mask))], "A mask says which part of a picture is drawn anew, and there is no picture"),
        (vec![("image", upload(&wide())), ("mask", upload(&square))], "The picture has 120×80 pixels and the mask 64×64"),
        (vec![("image", png_of(300, 10))], "14:1 is the limit"),
        (vec![("image", long)], "cut off"),
        (vec![("image", Visitor::file("a.txt", "text/plain", b"hello, this is text"))], "I read PNG, JPEG, WebP and GIF"),
    ] {
        let options = [vec![prompt.clone()], given].concat();
        let asked = ada.slash(CHANNEL, "imagine", &options).await.expect("sent");
        let refusal = answer(ada, CHANNEL, &asked.0).await;
        assert!(content(&refusal).contains(words), "{words}: {}", content(&refusal));
        assert_eq!(buttons(&refusal), [["Remix"]], "{words}");
    }
    assert_eq!(jobs_of(&studio, GUILD).await.len(), 1, "nothing was drawn of these");

    // What was refused for another reason is drawn from its picture once the form says it right.
    let options = [("prompt", json!("a fox --sede 7")), ("image", upload(&wide()))];
    let asked = ada.slash(CHANNEL, "imagine", &options).await.expect("sent");
    let refusal = answer(ada, CHANNEL, &asked.0).await;
    let seq = ada.seq().await.expect("the stand-in counts");
    ada.press(id(&refusal), "Remix").await.expect("sent");
    let form = ada.wait_for_event(seq, PATIENCE, |kind, data| (kind == "modal").then(|| data.clone())).await.expect("a form opens");
    let sent = ada.submit(&form, &[("prompt0", format!("a fox {SMALL}").as_str())]).await.expect("the form is taken");
    grid_of(ada, CHANNEL, &sent.0).await;
    assert!(kept(&studio, &task(&jobs_of(&studio, GUILD).await[0]), &Role::Init).await == wide());
    studio.close().await;
}
