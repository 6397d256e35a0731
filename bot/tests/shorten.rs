//! `/shorten`: what each word does, and shorter prompts that a press draws.

use crate::{
    brought::{answer, grid_of, jobs_of},
    support::*,
};
use inference::task::{Seed, Task};
use serde_json::Value;

in_both_modes! {
    a_prompt_is_told_word_by_word_and_its_shorter_ones_are_drawn,
}

const GUILD: u64 = 1_000_000_000_000_000_100;

fn task(jobs: &[storage::Job]) -> Task {
    serde_json::from_value(jobs[0].task.clone()).expect("a task")
}

async fn a_prompt_is_told_word_by_word_and_its_shorter_ones_are_drawn(mode: Mode) {
    let studio = Studio::open(mode, |_| {}).await;
    let ada = &studio.ada;
    let asked = ada.slash(CHANNEL, "shorten", &prompt("a very (red:1.2) frog --steps 7 --seed 7")).await.expect("sent");
    let is_told = |message: &&Value| message["interaction_metadata"]["id"] == asked.0 && content(message).contains("What each word does");
    let told = ada.wait_for(CHANNEL, PATIENCE, |messages| messages.iter().find(is_told).cloned()).await.expect("it is told");
    let lines: Vec<&str> = content(&told).lines().collect();
    let plain: String = lines[1].chars().filter(|c| !"*~\\".contains(*c)).collect();
    assert_eq!(plain, "a very (red:1.2) frog");
    let shorter: Vec<String> = lines
        .iter()
        .filter_map(|line| line.split_once(". ").filter(|(number, _)| number.len() == 1))
        .map(|(_, words)| words.to_owned())
        .collect();
    assert_eq!(buttons(&told), [vec!["1", "2", "3"], vec!["❌"]]);
    assert_eq!(shorter.len(), 3, "{}", content(&told));

    // One job, with a picture for each word, which costs what it costs.
    let jobs = jobs_of(&studio, GUILD).await;
    let found = task(&jobs);
    let base = found.base().expect("it draws");
    assert_eq!((jobs.len(), base.n_images, base.steps), (1, 5, 7));
    assert_eq!(base.readings[1..], ["very (red:1.2) frog", "a (red:1.2) frog", "a very frog", "a very (red:1.2)"]);
    assert!(jobs[0].row_megapixels > 0.0);

    // Told again, also by a bot that has only its database, and drawn.
    let press = ada.press(id(&told), "2").await.expect("sent");
    let grid = grid_of(ada, CHANNEL, &press.0).await;
    assert!(content(&grid).starts_with(&format!("**{}**", shorter[1])), "{} is not {}", content(&grid), shorter[1]);
    let drawn = task(&jobs_of(&studio, GUILD).await);
    let base = drawn.base().expect("it draws");
    assert_eq!((base.seed, base.steps, base.stop_at, base.readings.len()), (Seed(7), 7, None, 0));

    let asked = ada.slash(CHANNEL, "shorten", &prompt("frog --seed 7")).await.expect("sent");
    let refused = answer(ada, CHANNEL, &asked.0).await;
    assert!(content(&refused).contains("two words or more"), "{}", content(&refused));
    assert_eq!(jobs_of(&studio, GUILD).await.len(), 2);
    studio.close().await;
}
