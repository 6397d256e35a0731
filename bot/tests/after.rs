//! What goes on from a finished picture: enlarged ones, variations of them, files, and ❌ that asks.

use crate::support::*;
use inference::task::Task;
use serde_json::Value;
use storage::{GuildId, HistoryFilter, Job};

in_both_modes! {
    an_enlarged_picture_says_what_it_is_and_goes_on,
    a_second_press_shows_what_was_made_and_where,
    a_deletion_asks_and_what_is_kept_is_as_it_was,
}

/// What has ended in the first guild, newest first.
async fn history(studio: &Studio) -> Vec<Job> {
    let state = studio.ada.state().await.expect("readable");
    let guild = GuildId(state["guilds"][0]["id"].as_str().and_then(|id| id.parse().ok()).expect("a guild"));
    studio.running.bot.app.jobs.history(HistoryFilter { guild, user: None, channels: None }, 0, 100).await.expect("readable").0
}

fn task(job: &Job) -> Task {
    serde_json::from_value(job.task.clone()).expect("a task")
}

/// Waits for the n-th message for which `check` holds.
async fn seen(studio: &Studio, n: usize, check: impl Fn(&Value) -> bool) -> Value {
    let find = |messages: &[Value]| messages.iter().filter(|message| check(message)).nth(n - 1).cloned();
    studio.ada.wait_for(CHANNEL, PATIENCE, find).await.expect("it comes")
}

/// Where the links of a message lead.
fn links(message: &Value) -> Vec<&str> {
    content(message).split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect()
}

async fn an_enlarged_picture_says_what_it_is_and_goes_on(mode: Mode) {
    let studio = Studio::open(mode, |_| {}).await;
    let ada = &studio.ada;
    ada.slash(CHANNEL, "imagine", &prompt("a *frog* --ar 3:2 --seed 7 --no leaves")).await.expect("sent");
    let grid = nth_grid(ada, 1).await;
    ada.press(id(&grid), "U2").await.expect("sent");
    let enlarged = seen(&studio, 1, |message| content(message).contains(" pixels · enlarged from ")).await;
    let line = r"**a \*frog\*** · Image #2 `--ar 3:2 --seed 8 --no leaves` · <@";
    assert!(content(&enlarged).starts_with(line), "{}", content(&enlarged));
    let [link] = links(&enlarged)[..] else { panic!("{enlarged}") };
    assert!(link.contains(grid["channel_id"].as_str().expect("a channel")), "{link}");
    let rows = buttons(&enlarged);
    assert_eq!(rows[1], ["Vary (Subtle)", "Vary (Strong)", "Vary (Region)", "V2", "🔄"]);
    assert_eq!(rows[rows.len() - 1], ["❤️", "🎞️", "🔎", "❌"]);

    // On from the enlarged picture as from the grid.
    ada.press(id(&enlarged), "V2").await.expect("sent");
    let varied = seen(&studio, 2, is_grid).await;
    let heading = format!(r"**Variation of [picture 2]({link}) of a \*frog\*** `--ar 3:2 --seed ");
    assert!(content(&varied).starts_with(&heading), "{}", content(&varied));
    ada.press(id(&enlarged), "🔄").await.expect("sent");
    let again = seen(&studio, 3, is_grid).await;
    assert!(content(&again).starts_with(r"**a \*frog\*** `--ar 3:2 --seed "), "{}", content(&again));
    let jobs = history(&studio).await;
    let images = studio.running.bot.app.jobs.images(jobs[3].id).await.expect("readable");
    assert_eq!(task(&jobs[1]).source(), Some(images[1].blob.as_str()), "the picture itself, not the larger one");
    assert_eq!((jobs[0].action.as_str(), task(&jobs[0]).n_images()), ("reroll", 4));

    // 🔄 of a variation is of the same picture.
    ada.press(id(&varied), "🔄").await.expect("sent");
    let again = seen(&studio, 4, is_grid).await;
    assert!(content(&again).starts_with(&heading), "{}", content(&again));

    // Its file, and those of the grid to the bit.
    ada.press(id(&grid), "Download").await.expect("sent");
    let files = told(ada, "The pictures' files").await;
    for (n, image) in images.iter().enumerate() {
        let kept = studio.running.bot.app.blobs.get(&image.blob).await.expect("kept");
        assert_eq!(ada.attachment_bytes(&files, n).await.expect("served"), kept);
    }
    ada.press(id(&enlarged), "Download").await.expect("sent");
    let file = told(ada, "The picture's file").await;
    assert_eq!(picture(ada, &file).await, picture(ada, &enlarged).await);

    // Without its grid it still can be varied, from what is left.
    delete(ada, &grid).await;
    ada.press(id(&enlarged), "V2").await.expect("sent");
    let varied = seen(&studio, 4, is_grid).await;
    assert!(content(&varied).starts_with(r"**Variation of picture 2 of a \*frog\***"), "{}", content(&varied));
    studio.close().await;
}

async fn a_second_press_shows_what_was_made_and_where(mode: Mode) {
    let studio = Studio::open(mode, |config| config.limits.max_looks_per_minute = 1).await;
    let ada = &studio.ada;
    ada.slash(CHANNEL, "imagine", &prompt("a frog --seed 7")).await.expect("sent");
    let grid = nth_grid(ada, 1).await;
    ada.press(id(&grid), "U1").await.expect("sent");
    let enlarged = seen(&studio, 1, |message| content(message).contains(" pixels · enlarged from ")).await;
    let before = ada.seq().await.expect("the stand-in counts");
    let is_again = |message: &Value| content(message).starts_with("That was made before: [here it is](http");
    // As long as there is a look left, the picture itself; the link always.
    for (n, n_files) in [(1, 1), (2, 0)] {
        ada.press(id(&grid), "U1").await.expect("sent");
        let again = seen(&studio, n, is_again).await;
        assert_eq!(again["attachments"].as_array().map(Vec::len), Some(n_files), "{again}");
        assert_eq!((again["flags"].as_u64().unwrap_or(0) & 64, links(&again).len()), (64, 1), "{again}");
        if n_files > 0 {
            assert_eq!(picture(ada, &again).await, picture(ada, &enlarged).await);
        }
    }
    // Nothing was promised to everybody meanwhile.
    let (_, events) = ada.events(before, std::time::Duration::ZERO).await.expect("the events are kept");
    let is_public = |event: &&Value| event["type"] == "message_create" && event["data"]["flags"].as_u64().unwrap_or(0) & 64 == 0;
    assert_eq!(events.iter().filter(is_public).count(), 0, "{events:#?}");
    studio.close().await;
}

fn asks(message: &Value) -> bool {
    buttons(message).iter().flatten().any(|label| label == "Delete for good")
}

async fn a_deletion_asks_and_what_is_kept_is_as_it_was(mode: Mode) {
    let studio = Studio::open(mode, |_| {}).await;
    let (ada, grace, linus) = (&studio.ada, studio.visitor("grace").await, studio.visitor("linus").await);
    linus.slash(CHANNEL, "imagine", &prompt("a frog --seed 7")).await.expect("sent");
    let grid = nth_grid(ada, 1).await;
    ada.press(id(&grid), "U3").await.expect("sent");
    let enlarged = seen(&studio, 1, |message| content(message).contains(" pixels · enlarged from ")).await;
    for (message, owner) in [(&grid, &linus), (&enlarged, ada)] {
        let rows = buttons(message);
        let crossed: Vec<_> = rows.iter().filter(|row| row.iter().any(|label| label == "❌")).collect();
        assert!(matches!(&crossed[..], [row] if !row.iter().any(|label| label == "🔄" || label.starts_with('V'))), "{rows:?}");
        for person in [owner, &grace] {
            person.press(id(message), "❌").await.expect("sent");
            let asking = seen(&studio, 1, |found| id(found) == id(message) && asks(found)).await;
            let expected: Vec<_> = rows.iter().map(|row| row.iter().filter(|label| *label != "❌").cloned().collect::<Vec<_>>()).collect();
            let found = buttons(&asking);
            assert_eq!(found[..found.len() - 1], expected[..expected.len() - 1]);
            let kept = crossed[0].iter().filter(|label| *label != "❌").cloned();
            assert_eq!(found[found.len() - 1], kept.chain(["Keep".to_owned(), "Delete for good".to_owned()]).collect::<Vec<_>>());
            assert_eq!(asking["attachments"], message["attachments"]);
            person.press(id(message), "Keep").await.expect("sent");
            let kept = seen(&studio, 1, |found| id(found) == id(message) && !asks(found)).await;
            assert_eq!(
                (&kept["components"], &kept["attachments"], content(&kept)),
                (&message["components"], &message["attachments"], content(message))
            );
        }
    }
    // Others may neither ask nor answer.
    linus.press(id(&enlarged), "❌").await.expect("sent");
    ada.press(id(&enlarged), "❌").await.expect("sent");
    seen(&studio, 1, |found| id(found) == id(&enlarged) && asks(found)).await;
    for button in ["Keep", "Delete for good"] {
        linus.press(id(&enlarged), button).await.expect("sent");
    }
    let is_refusal = |message: &&Value| content(message).contains("or a moderator can do that");
    linus.wait_for(CHANNEL, PATIENCE, |messages| (messages.iter().filter(is_refusal).count() == 3).then_some(())).await.expect("refused");
    assert!(asks(&ada.message(id(&enlarged)).await.expect("it is there")));
    linus.press(id(&grid), "❌").await.expect("sent");
    seen(&studio, 1, |found| id(found) == id(&grid) && asks(found)).await;
    let of_grid = history(&studio).await.remove(1);
    linus.press(id(&grid), "Delete for good").await.expect("sent");
    ada.wait_for(CHANNEL, PATIENCE, |messages| (!messages.iter().any(is_grid)).then_some(())).await.expect("deleted");
    assert_eq!(history(&studio).await.len(), 1, "the enlarged one is there");
    // Whoever pressed ❌ at the same moment is not answered with buttons for nothing.
    let left = studio.running.bot.app.renderer.buttons(&of_grid, atelier::messages::Deleting::Asks).await.expect("readable");
    assert!(left.is_empty(), "{left:?}");
    studio.close().await;
}
