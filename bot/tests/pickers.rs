//! What people look things up with: `/model`, `/lora`, `/style`, `/help`.

use crate::{leaks::copy_folder, quotas::answer, support::*};
use sandbox::Visitor;
use serde_json::{Value, json};

const SMALL: &str = "--images 1 --steps 1 --seed 7";
const OTHER: &str = "Second studio/general";
/// Where the bot is used by those who installed it alone.
const CLUB: &str = crate::quotas::CLUB;

async fn slash(person: &Visitor, channel: &str, command: &str, options: &[(&str, Value)]) -> Value {
    let asked = person.slash(channel, command, options).await.expect("sent");
    answer(person, channel, &asked).await
}

async fn change(
    person: &Visitor,
    channel: &str,
    message: &Value,
    component: &str,
    values: &[&str],
    is_so: impl Fn(&Value) -> bool,
) -> Value {
    person.select(id(message), component, values).await.expect("sent");
    let is_it = |messages: &[Value]| messages.iter().find(|found| id(found) == id(message) && is_so(found)).cloned();
    person.wait_for(channel, PATIENCE, is_it).await.expect("it changes")
}

async fn grid_of(person: &Visitor, channel: &str, words: &str) -> String {
    let asked = person.slash(channel, "imagine", &prompt(&format!("{words} {SMALL}"))).await.expect("sent");
    let message = answer(person, channel, &asked).await;
    assert!(is_grid(&message), "{}", content(&message));
    content(&message).to_owned()
}

/// A studio with a second model beside which a picture lies: the built-in one once more.
async fn studio() -> (Studio, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let other = folder.path().join("dreamy");
    copy_folder(&atelier::models::starter().expect("it is there").model, &other);
    image::RgbImage::from_pixel(20, 10, image::Rgb([255, 0, 0])).save(folder.path().join("dreamy.png")).expect("written");
    let studio = Studio::open(Mode::Plain, |config| {
        config.defaults.steps = 1;
        config.limits.max_looks_per_minute = 1000;
        config.aliases.insert("dreamy".into(), atelier::config::AliasConfig { path: other, ..Default::default() });
    })
    .await;
    (studio, folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_is_looked_up_and_chosen_for_oneself_and_by_managers_for_a_channel() {
    let (studio, _folder) = studio().await;
    let (ada, linus) = (&studio.ada, studio.visitor("linus").await);
    let list = slash(&linus, CHANNEL, "model", &[]).await;
    assert!(content(&list).starts_with("**There are 2 models.**"), "{}", content(&list));
    let card = change(&linus, CHANNEL, &list, "1:pick-model:0:0", &["dreamy"], |message| content(message).starts_with("**dreamy**")).await;
    assert!(content(&card).contains("`--model dreamy`") && !content(&card).contains("your default"), "{}", content(&card));
    assert!(!buttons(&card).iter().flatten().any(|label| label == "Default in this channel"), "managers only");
    assert_eq!(picture(&linus, &card).await.dimensions(), (20, 10), "the sample that lies beside it");
    let card = change(&linus, CHANNEL, &card, "Use as my default", &[], |message| content(message).contains("your default here")).await;
    for channel in [CHANNEL, OTHER, "dm"] {
        assert!(grid_of(&linus, channel, "a frog").await.contains("--model dreamy"), "{channel}");
    }
    assert!(!grid_of(&linus, CHANNEL, "a frog --model starter").await.contains("--model dreamy"));
    assert!(!grid_of(ada, CHANNEL, "a frog").await.contains("--model dreamy"));
    change(&linus, CHANNEL, &card, "No default of mine", &[], |message| !content(message).contains("your default here")).await;
    assert!(!grid_of(&linus, CHANNEL, "a frog").await.contains("--model dreamy"));

    let card = slash(ada, CHANNEL, "model", &[("name", json!("dream"))]).await;
    change(ada, CHANNEL, &card, "Default in this channel", &[], |message| content(message).contains("your default here")).await;
    assert!(grid_of(&linus, CHANNEL, "a frog").await.contains("--model dreamy"));
    assert!(!grid_of(&linus, OTHER, "a frog").await.contains("--model dreamy"), "another channel");
    let offered = linus.autocomplete(CHANNEL, "model", &[("name", json!("dre"))], "name").await.expect("suggested");
    assert_eq!(offered.first().map(|choice| choice["value"].clone()), Some(json!("dreamy")));
    let gone = slash(&linus, CHANNEL, "model", &[("name", json!("misty"))]).await;
    assert_eq!(content(&gone), "`misty` is not there, or not any more.");
    let none = slash(&linus, CLUB, "lora", &[]).await;
    assert_eq!(content(&none), "There are no LoRAs here. The person who runs me can add some.");
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_style_is_a_persons_or_a_guilds_and_what_is_said_stands_before_it() {
    let studio = Studio::open(Mode::Plain, |config| {
        config.defaults.steps = 1;
        config.limits.max_looks_per_minute = 1000;
    })
    .await;
    let (ada, linus) = (&studio.ada, studio.visitor("linus").await);
    let set = async |person: &Visitor, value: &str, for_server: bool| {
        let options = [("name", json!("neon")), ("value", json!(value)), ("for_server", json!(for_server))];
        content(&slash(person, CHANNEL, "style set", &options).await).to_owned()
    };
    assert_eq!(set(&linus, "x", true).await, "Only people who may manage this server can do that.");
    assert_eq!(set(ada, "neon lights --ar 3:2", true).await, "Kept: `--style neon` adds `neon lights --ar 3:2` from now on.");
    let told = grid_of(&linus, CHANNEL, "a frog --style neon").await;
    assert!(told.contains("a frog neon lights") && told.contains("--ar 3:2"), "{told}");
    let told = grid_of(&linus, CHANNEL, "a frog --style neon --ar 1:1").await;
    assert!(told.contains("a frog neon lights") && !told.contains("--ar 3:2"), "{told}");
    let told = grid_of(&linus, "dm", "a frog --style neon").await;
    assert!(!told.contains("neon lights") && told.contains("`--style` has no meaning here"), "{told}");
    set(&linus, "my own", false).await;
    assert!(grid_of(&linus, CHANNEL, "a frog --style neon").await.contains("a frog my own"), "a person's own stands before it");
    let list = slash(&linus, CHANNEL, "style list", &[]).await;
    assert!(content(&list).contains("• `--style neon`: `my own`"), "{}", content(&list));
    let taken = slash(&linus, CHANNEL, "style set", &[("name", json!("raw")), ("value", json!("x"))]).await;
    assert!(content(&taken).contains("`--style raw` has a meaning of its own"), "{}", content(&taken));
    slash(&linus, CHANNEL, "style remove", &[("name", json!("neon"))]).await;
    assert!(grid_of(&linus, CHANNEL, "a frog --style neon").await.contains("neon lights"), "the server's is there again");
    studio.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn examples_of_help_are_drawn_where_they_are_pressed() {
    let studio = Studio::open(Mode::Plain, |config| config.defaults.steps = 1).await;
    let linus = studio.visitor("linus").await;
    for channel in [CHANNEL, "dm", CLUB] {
        let help = slash(&linus, channel, "help", &[]).await;
        assert!(content(&help).starts_with("**I draw what you describe**") && content(&help).chars().count() <= 2000);
        let label = buttons(&help)[0][0].clone();
        let pressed = linus.press(id(&help), &label).await.expect("sent");
        let grid = answer(&linus, channel, &pressed).await;
        assert!(is_grid(&grid) && content(&grid).contains(label.trim_end_matches('…')), "{channel}: {grid}");
    }
    studio.close().await;
}
