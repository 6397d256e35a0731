//! `/show`: whose pictures are shown again, where, and to whom.

use crate::support::*;
use sandbox::Visitor;
use serde_json::{Value, json};
use storage::{GuildId, HistoryFilter};

in_both_modes! {
    a_job_is_shown_again_with_its_buttons_to_those_who_may_see_it,
}

const GUILD: u64 = 1_000_000_000_000_000_100;
const STUDIO: u64 = 1_000_000_000_000_000_200;
const SMALL: &str = "--images 1 --steps 1 --seed 7";

async fn drawn(studio: &Studio, person: &Visitor, channel: &str, guild: u64, words: &str) -> String {
    person.slash(channel, "imagine", &prompt(&format!("{words} {SMALL}"))).await.expect("sent");
    let is_it = |message: &&Value| is_grid(message) && content(message).contains(words);
    person.wait_for(channel, PATIENCE, |messages| messages.iter().find(is_it).map(|_| ())).await.expect("it is drawn");
    let filter = HistoryFilter { guild: GuildId(guild), user: None, channels: None };
    studio.running.bot.app.jobs.history(filter, 0, 1).await.expect("readable").0[0].id.to_string()
}

/// The answer to `/show`.
async fn show(person: &Visitor, channel: &str, job: &str) -> Value {
    let asked = person.slash(channel, "show", &[("job", json!(job))]).await.expect("sent");
    let is_answer = |message: &&Value| message["interaction_metadata"]["id"] == asked.0.as_str() && !content(message).is_empty();
    person.wait_for(channel, PATIENCE, |messages| messages.iter().rev().find(is_answer).cloned()).await.expect("it is answered")
}

fn is_for_one(message: &Value) -> bool {
    message["flags"].as_u64().unwrap_or_default() & 64 == 64
}

async fn a_job_is_shown_again_with_its_buttons_to_those_who_may_see_it(mode: Mode) {
    let studio = Studio::open(mode, |_| {}).await;
    let (ada, grace, linus) = (&studio.ada, studio.visitor("grace").await, studio.visitor("linus").await);
    let public = drawn(&studio, ada, CHANNEL, GUILD, "a frog").await;
    let hidden = drawn(&studio, &grace, "Second studio/general", STUDIO, "a robot").await;
    let direct = drawn(&studio, &linus, "dm", linus.user_id().parse().expect("an id"), "a fox").await;

    // Others' of a channel that both see, one's own; with its picture and buttons that work.
    for (person, channel, job, words) in
        [(&linus, CHANNEL, &public, "a frog"), (&grace, "Second studio/general", &hidden, "a robot"), (&linus, "dm", &direct, "a fox")]
    {
        let shown = show(person, channel, job).await;
        assert!(is_grid(&shown) && !is_for_one(&shown) && content(&shown).contains(words), "{shown}");
        assert!(picture(person, &shown).await.width() > 0);
    }
    let again = show(&linus, CHANNEL, &public).await;
    linus.press(id(&again), "V1").await.expect("sent");
    let is_varied = |message: &&Value| is_grid(message) && content(message).contains("Variation of");
    linus.wait_for(CHANNEL, PATIENCE, |messages| messages.iter().find(is_varied).map(|_| ())).await.expect("it is drawn");

    // Nobody learns whether there is another.
    for (person, channel, job) in [
        (&linus, CHANNEL, hidden.as_str()),
        (&linus, CHANNEL, direct.as_str()),
        (ada, "dm", direct.as_str()),
        (ada, "Second studio/general", public.as_str()),
        (&linus, "dm", public.as_str()),
        (ada, CHANNEL, "01890000000070008000000000000000"),
        (ada, CHANNEL, "a frog"),
    ] {
        let refused = show(person, channel, job).await;
        let words = format!("I have no job `{job}` that I could show you here.");
        assert!(is_for_one(&refused) && content(&refused).starts_with(&words), "{refused}");
    }

    // What the person drew here is offered while they type.
    let names = async |person: &Visitor, typed: &str| {
        let choices = person.autocomplete(CHANNEL, "show", &[("job", json!(typed))], "job").await.expect("suggested");
        choices.iter().map(|choice| (choice["name"].as_str().unwrap_or_default().to_owned(), choice["value"].clone())).collect::<Vec<_>>()
    };
    let offered = names(ada, "").await;
    assert!(matches!(&offered[..], [(name, value)] if name.starts_with("a frog · …") && *value == json!(public)), "{offered:?}");
    assert_eq!(names(ada, "FROG").await, offered);
    assert_eq!(names(ada, "robot").await, []);
    assert_eq!(names(&linus, "").await.len(), 1, "their variation");

    // Deleted, it is gone from here too.
    let grid = ada.messages(CHANNEL).await.expect("readable").into_iter().find(is_grid).expect("the grid");
    delete(ada, &grid).await;
    let refused = show(ada, CHANNEL, &public).await;
    assert_eq!((is_for_one(&refused), content(&refused)), (true, "Those pictures were deleted."));
    studio.close().await;
}
