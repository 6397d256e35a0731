//! ❤️ and `/favourites`: what somebody marked, and where they are shown it.

use crate::support::*;
use sandbox::Visitor;
use serde_json::{Value, json};

in_both_modes! {
    a_marked_picture_is_on_its_persons_sheet_until_the_mark_is_taken_away,
    a_sheet_shows_only_what_its_person_may_see_there,
    pages_turn_and_outlive_what_is_deleted,
}

const SINGLE: &str = "--images 1 --steps 1 --seed 7";
const STUDIO: &str = "Second studio/general";
const DARK: &str = "Second studio/after-dark";

/// The last message of a channel that a condition holds for.
async fn seen(person: &Visitor, channel: &str, check: impl Fn(&Value) -> bool) -> Value {
    let find = |messages: &[Value]| messages.iter().rev().find(|message| check(message)).cloned();
    person.wait_for(channel, PATIENCE, find).await.expect("it comes")
}

/// Draws one picture, whose message has ❤️.
async fn drawn(person: &Visitor, channel: &str, words: &str) -> Value {
    person.slash(channel, "imagine", &prompt(&format!("{words} {SINGLE}"))).await.expect("sent");
    seen(person, channel, |message| is_grid(message) && content(message).contains(words)).await
}

/// Presses ❤️ under a picture; what is said then.
async fn press_heart(person: &Visitor, channel: &str, message: &Value) -> String {
    let press = person.press(id(message), "❤️").await.expect("sent");
    answer_to(person, channel, &press.0).await
}

async fn answer_to(person: &Visitor, channel: &str, interaction: &str) -> String {
    let is_answer = |message: &Value| message["interaction_metadata"]["id"] == interaction && !content(message).is_empty();
    let answer = seen(person, channel, is_answer).await;
    assert_eq!(answer["flags"].as_u64().unwrap_or_default() & 64, 64, "for its person alone: {answer}");
    content(&answer).to_owned()
}

/// The sheet that `/favourites` answers with.
async fn favourites(person: &Visitor, channel: &str) -> Value {
    let asked = person.slash(channel, "favourites", &[]).await.expect("sent");
    seen(person, channel, |message| message["interaction_metadata"]["id"] == asked.0.as_str() && !content(message).is_empty()).await
}

/// The words of each marked picture on a sheet, in their order.
fn lines(sheet: &Value) -> Vec<String> {
    let words = |line: &str| line.split("` ").nth(1).and_then(|rest| rest.split(" · ").next()).map(str::to_owned);
    content(sheet).lines().skip(1).filter_map(words).collect()
}

async fn a_marked_picture_is_on_its_persons_sheet_until_the_mark_is_taken_away(mode: Mode) {
    let studio = Studio::open(mode, |_| {}).await;
    let (ada, linus) = (&studio.ada, studio.visitor("linus").await);
    assert!(content(&favourites(ada, CHANNEL).await).starts_with("You have marked nothing that I could show you here."));
    ada.slash(CHANNEL, "imagine", &prompt("a frog --seed 7 --steps 1")).await.expect("sent");
    let grid = nth_grid(ada, 1).await;
    assert!(!buttons(&grid).concat().contains(&"❤️".to_owned()), "which of the four?");
    ada.press(id(&grid), "U2").await.expect("sent");
    let enlarged = seen(ada, CHANNEL, |message| content(message).contains(" pixels · enlarged from ")).await;
    let robot = drawn(&linus, CHANNEL, "a robot").await;

    assert!(press_heart(ada, CHANNEL, &enlarged).await.starts_with("Marked."));
    assert!(press_heart(ada, CHANNEL, &robot).await.starts_with("Marked."));
    assert!(press_heart(&linus, CHANNEL, &robot).await.starts_with("Marked."));
    let sheet = favourites(ada, CHANNEL).await;
    assert_eq!(lines(&sheet), ["a robot", "a frog"], "{sheet}");
    assert_eq!(buttons(&sheet), [["1", "2"]]);
    let sheet_picture = picture(ada, &sheet).await;
    assert_eq!(sheet_picture.dimensions(), (2 * 200 + 8, 224 + 8));
    // The second field is the frog, smaller.
    let frog = picture(ada, &enlarged).await;
    let small = image::imageops::thumbnail(&frog, 192, 192);
    let field = image::imageops::crop_imm(&sheet_picture, 208, 8, 192, 192).to_image();
    let differs = small.iter().zip(field.iter()).map(|(one, other)| f64::from(one.abs_diff(*other))).sum::<f64>() / (192.0 * 192.0 * 3.0);
    assert!(differs < 12.0, "{differs}");

    // Opened, it is there with all its buttons, for everybody; as /show does it.
    ada.press(id(&sheet), "2").await.expect("sent");
    let n_frogs = |messages: &[Value]| messages.iter().filter(|message| content(message).contains(" pixels · enlarged from ")).count();
    linus.wait_for(CHANNEL, PATIENCE, |messages| (n_frogs(messages) == 2).then_some(())).await.expect("it is shown again");

    // Once more takes it away, and nobody else's.
    assert!(press_heart(ada, CHANNEL, &robot).await.starts_with("Not marked any more."));
    assert_eq!(lines(&favourites(ada, CHANNEL).await), ["a frog"]);
    assert_eq!(lines(&favourites(&linus, CHANNEL).await), ["a robot"]);
    studio.close().await;
}

async fn a_sheet_shows_only_what_its_person_may_see_there(mode: Mode) {
    let studio = Studio::open(mode, |_| {}).await;
    let (ada, grace, linus) = (&studio.ada, studio.visitor("grace").await, studio.visitor("linus").await);
    let day = drawn(&grace, STUDIO, "by day").await;
    let night = drawn(&grace, DARK, "at night").await;
    let own = drawn(&linus, "dm", "in private").await;
    press_heart(&linus, STUDIO, &day).await;
    press_heart(&linus, DARK, &night).await;
    press_heart(&linus, "dm", &own).await;
    let shown = async |channel: &str| lines(&favourites(&linus, channel).await);
    assert_eq!(shown(STUDIO).await, ["by day"]);
    assert_eq!(shown(DARK).await, ["at night", "by day"]);
    assert_eq!(shown(CHANNEL).await, Vec::<String>::new(), "another guild's");
    assert_eq!(shown("dm").await, ["in private"]);

    // An old sheet opens nothing that its person may not see any more.
    let sheet = favourites(&linus, STUDIO).await;
    let margaret = studio.visitor("margaret").await;
    margaret.slash(STUDIO, "settings", &[("history_everyone", json!(false))]).await.expect("sent");
    seen(&margaret, STUDIO, |message| content(message).contains("/history shows one's own pictures only")).await;
    assert_eq!(shown(STUDIO).await, Vec::<String>::new());
    let press = linus.press(id(&sheet), "1").await.expect("sent");
    let is_refused =
        |message: &Value| message["interaction_metadata"]["id"] == press.0.as_str() && content(message).starts_with("I have no job `");
    seen(&linus, STUDIO, is_refused).await;
    assert!(content(&favourites(ada, STUDIO).await).starts_with("You have marked nothing"), "nobody sees another's");
    studio.close().await;
}

async fn pages_turn_and_outlive_what_is_deleted(mode: Mode) {
    let studio = Studio::open(mode, |config| config.limits.max_looks_per_minute = 1000).await;
    let ada = &studio.ada;
    let mut pictures = Vec::new();
    for n in 0..12 {
        let picture = drawn(ada, CHANNEL, &format!("frog {n}.")).await;
        press_heart(ada, CHANNEL, &picture).await;
        pictures.push(picture);
    }
    let sheet = favourites(ada, CHANNEL).await;
    let named = |range: std::ops::Range<usize>| range.rev().map(|n| format!("frog {n}.")).collect::<Vec<_>>();
    assert_eq!(lines(&sheet), named(2..12));
    assert_eq!(buttons(&sheet).iter().map(Vec::len).collect::<Vec<_>>(), [5, 5, 2]);
    ada.press(id(&sheet), "Older ▶").await.expect("sent");
    let turned = seen(ada, CHANNEL, |message| id(message) == id(&sheet) && lines(message) == named(0..2)).await;
    assert_eq!(buttons(&turned)[0], ["11", "12"]);

    // A deleted job takes its mark along, and the last page that there is is shown.
    for picture in &pictures[..2] {
        delete(ada, picture).await;
    }
    ada.press(id(&sheet), "◀ Newer").await.expect("sent");
    seen(ada, CHANNEL, |message| id(message) == id(&sheet) && lines(message) == named(2..12)).await;
    let fresh = favourites(ada, CHANNEL).await;
    assert_eq!(buttons(&fresh).iter().map(Vec::len).collect::<Vec<_>>(), [5, 5]);
    studio.close().await;
}
