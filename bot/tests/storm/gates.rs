//! What must hold when a storm is over. Each gate says what is wrong, job by job.

use std::collections::BTreeMap;

use super::evidence::{Evidence, Image, Job};

/// The answers that are promises: a message, now or later.
const MESSAGES: [u64; 2] = [4, 5];
/// A job is given up after so many attempts.
const MAX_ATTEMPTS: u32 = 3;
/// What the sum of shares may differ from the whole, in row-pixels.
const ROUNDING: i64 = 16;
/// What a job is asked for with that goes on where another was stopped.
const CONTINUE: &str = "continue";
/// Of those that nobody stopped, so many end with pictures, in hundredths.
const MIN_DONE: usize = 95;

/// A gate: what it is called, and what is wrong.
pub type Gate = (&'static str, fn(&Evidence) -> Vec<String>);

/// All of them.
pub const GATES: [Gate; 13] = [
    ("everything comes to an end", left_over),
    ("what was acknowledged has a job or a word", without_job_or_word),
    ("no ending is delivered twice", delivered_twice),
    ("every ending is told", untold),
    ("no message is stuck", stuck),
    ("pictures are shown with the buttons of their job", nameless_pictures),
    ("what is done has its pictures", done_without_picture),
    ("what is stopped shows the step", stops_untold),
    ("what goes on is drawn to its end", goes_on),
    ("the ledger equals its closed form", ledger),
    ("attempts and epochs are counted", attempts_and_epochs),
    ("at least 95 % of the jobs end done", too_few_done),
    ("Discord's description is kept to", violations),
];

/// What every gate says.
pub fn verdict(evidence: &Evidence) -> Vec<String> {
    let told = GATES.iter().map(|(name, gate)| (name, gate(evidence))).filter(|(_, faults)| !faults.is_empty());
    told.map(|(name, faults)| format!("{name}: {} times not\n  {}", faults.len(), faults.join("\n  "))).collect()
}

/// Work that is not done yet.
pub fn left_over(evidence: &Evidence) -> Vec<String> {
    let noted = (evidence.n_received != 0).then(|| format!("{} interactions are noted and have come to nothing", evidence.n_received));
    let open = evidence.jobs.values().filter_map(|job| match (job.has_ended(), job.delivery.as_deref()) {
        (false, _) => Some(format!("{} has not ended", job.named())),
        (true, None) => Some(format!("{} ended without a delivery", job.named())),
        (true, Some("delivered")) => None,
        (true, Some(state)) => Some(format!("the delivery of {} is {state}", job.named())),
    });
    noted.into_iter().chain(open).collect()
}

fn without_job_or_word(evidence: &Evidence) -> Vec<String> {
    let has_job = |id: &u64| evidence.jobs.values().any(|job| job.interaction == *id);
    let has_word = |id: &u64| evidence.messages.values().any(|message| message.interaction == Some(*id) && !message.is_thinking);
    let promised = evidence.asked.iter().filter(|(_, asked)| asked.acknowledged.is_some_and(|kind| MESSAGES.contains(&kind)));
    let broken = promised.filter(|(id, _)| !has_job(id) && !has_word(id));
    broken.map(|(id, asked)| format!("interaction {id} ({}) was acknowledged and has neither", asked.what)).collect()
}

fn delivered_twice(evidence: &Evidence) -> Vec<String> {
    let shown = messages_of_endings(evidence);
    let twice = shown.iter().filter(|(_, messages)| messages.len() > 1);
    twice.map(|(job, messages)| format!("{} is shown by the messages {messages:?}", name(evidence, job))).collect()
}

fn untold(evidence: &Evidence) -> Vec<String> {
    let shown = messages_of_endings(evidence);
    let ended = evidence.jobs.values().filter(|job| job.has_ended() && !job.is_deleted);
    ended.filter(|job| !shown.contains_key(job.id.as_str())).map(|job| format!("no message shows the end of {}", job.named())).collect()
}

fn stuck(evidence: &Evidence) -> Vec<String> {
    let shown = messages_of_endings(evidence);
    let unfinished = evidence.messages.values().filter(|message| message.is_unfinished());
    let told = unfinished.map(|message| {
        let asked = evidence.jobs.values().find(|job| message.interaction == Some(job.interaction));
        let named = message.buttons.first().and_then(|button| evidence.jobs.get(&button.job));
        let job = named.or(asked).map_or("no job".to_owned(), Job::named);
        let beside = named.or(asked).and_then(|job| shown.get(job.id.as_str()));
        let beside = beside.map_or("none".to_owned(), |messages| format!("{messages:?}"));
        let text = if message.is_thinking { "thinking…" } else { message.text.as_str() };
        format!("message {} of {job} still says {text:?}; its ending is shown by: {beside}", message.id)
    });
    told.collect()
}

/// Who is shown pictures again is shown them alone.
fn nameless_pictures(evidence: &Evidence) -> Vec<String> {
    let public = evidence.messages.values().filter(|message| message.n_files > 0 && !message.is_alone);
    let nameless = public.filter(|message| message.shows().is_none() && !message.is_unfinished());
    nameless.map(|message| format!("message {} has pictures of nobody knows which job: {:?}", message.id, message.text)).collect()
}

fn done_without_picture(evidence: &Evidence) -> Vec<String> {
    let done = evidence.jobs.values().filter(|job| job.status == "done" && !job.is_deleted);
    let told = done.flat_map(|job| {
        let numbers: Vec<u32> = job.images.iter().map(|image| image.number).collect();
        let wanted = wanted(evidence, job);
        let is_wanted = |number: &u32| wanted.contains(number) || job.is_culled(*number);
        let is_whole = wanted.iter().all(|number| numbers.contains(number)) && numbers.iter().all(is_wanted) && !numbers.is_empty();
        let missing = (!is_whole).then(|| format!("{} should have the pictures {wanted:?} and has {numbers:?}", job.named()));
        let is_wrong = |image: &&Image| image.kept.as_deref() != Some(&image.blob);
        let wrong = job.images.iter().filter(is_wrong).map(|image| match &image.kept {
            None => format!("the file {} of picture {} of {} is not there", image.blob, image.number, job.named()),
            Some(hash) => format!("the file {} of picture {} of {} has the hash {hash}", image.blob, image.number, job.named()),
        });
        missing.into_iter().chain(wrong).collect::<Vec<_>>()
    });
    told.collect()
}

/// The pictures that a job must have when it is done: those that nobody left out, and of one that goes on those that were stopped. Where what it
/// goes on from was deleted meanwhile, whatever it has is right.
fn wanted(evidence: &Evidence, job: &Job) -> Vec<u32> {
    let parent = job.parent.as_ref().filter(|_| job.action == CONTINUE).and_then(|parent| evidence.jobs.get(parent));
    let all: Vec<u32> = match parent {
        Some(parent) if parent.is_deleted => job.images.iter().map(|image| image.number).collect(),
        Some(parent) => parent.stops.keys().copied().collect(),
        None => (0..job.n_images).collect(),
    };
    all.into_iter().filter(|number| !job.is_culled(*number)).collect()
}

/// A job whose pictures were stopped says at which step, and that is one before their end and, where it was told in advance, no later.
fn stops_untold(evidence: &Evidence) -> Vec<String> {
    let done = evidence.jobs.values().filter(|job| job.status == "done" && !job.is_deleted && !job.stops.is_empty());
    let told = done.flat_map(|job| {
        let is_place = |(done, total): &(u32, u32)| (1..*total).contains(done);
        let places = (!job.stops.values().all(is_place)).then(|| format!("{} was stopped at {:?}", job.named(), job.stops));
        let asked = job.is_stopped || job.task.as_ref().is_some_and(|task| task.base().is_some_and(|base| base.stop_at.is_some()));
        let unasked = (!asked).then(|| format!("nobody stopped {}", job.named()));
        let line = job.stops.values().max().map(|(done, total)| format!("-# Stopped at step {done} of {total}")).unwrap_or_default();
        let shown = evidence.messages.values().filter(|message| message.shows() == Some(&job.id) && message.n_files > 0);
        let silent: Vec<String> = shown
            .filter(|message| !message.text.contains(&line))
            .map(|message| format!("message {} of {} does not say {line:?}: {:?}", message.id, job.named(), message.text))
            .collect();
        places.into_iter().chain(unasked).chain(silent).collect::<Vec<_>>()
    });
    told.collect()
}

/// A job that goes on where another was stopped ends with whole pictures, unless somebody stopped it too, or removed what it goes on from.
fn goes_on(evidence: &Evidence) -> Vec<String> {
    let going_on = evidence.jobs.values().filter(|job| job.action == CONTINUE && job.status == "done" && !job.is_stopped);
    going_on.filter(|job| !job.stops.is_empty()).map(|job| format!("{} was stopped at {:?}", job.named(), job.stops)).collect()
}

/// One debit of the quote; one correction when it ended, so that what is done costs its quote less the steps that stopped pictures did not make
/// and that of pictures left out, what failed nothing, and what was cancelled nothing beyond.
fn ledger(evidence: &Evidence) -> Vec<String> {
    let is_right = |job: &&Job| {
        let net = job.debits.iter().chain(&job.corrections).sum::<i64>();
        let is_price = match job.status.as_str() {
            // What it was stopped at went with it.
            "done" if job.is_deleted && job.is_stopped => (0..=job.row_pixels + ROUNDING).contains(&net),
            "done" => {
                let most = job.row_pixels - job.not_made;
                (most - job.left_out - ROUNDING..=most + ROUNDING).contains(&net)
            }
            "failed" => net == 0,
            "cancelled" => (0..=job.row_pixels + ROUNDING).contains(&net),
            _ => net == job.row_pixels,
        };
        job.debits == [job.row_pixels] && job.corrections.len() == usize::from(job.has_ended()) && is_price
    };
    let wrong = evidence.jobs.values().filter(|job| !is_right(job));
    let told = |job: &Job| {
        let Job { row_pixels, debits, corrections, .. } = job;
        format!("{} was quoted {row_pixels}, debited {debits:?} and corrected by {corrections:?}", job.named())
    };
    wrong.map(told).collect()
}

/// A job is leased once in each life of the bot at most, once more where it is handed back while it is claimed, and is given up after three
/// attempts and no sooner.
fn attempts_and_epochs(evidence: &Evidence) -> Vec<String> {
    let is_right = |job: &&Job| {
        let is_given_up = job.error.as_deref().is_some_and(|error| error.contains("out_of_attempts"));
        job.attempts <= MAX_ATTEMPTS.min(job.epoch)
            && job.epoch <= evidence.n_lives + evidence.n_orderly
            && (job.status != "done" || job.epoch > 0)
            && (!is_given_up || job.attempts == MAX_ATTEMPTS)
    };
    let wrong = evidence.jobs.values().filter(|job| !is_right(job));
    wrong.map(|job| format!("{} cannot be after {} lives of the bot ({:?})", job.named(), evidence.n_lives, job.error)).collect()
}

fn too_few_done(evidence: &Evidence) -> Vec<String> {
    // Whoever deletes what another job goes on from stops that one.
    let is_cut_off = |job: &Job| {
        let parent = job.parent.as_ref().and_then(|parent| evidence.jobs.get(parent));
        job.action == CONTINUE && job.status == "failed" && parent.is_some_and(|parent| parent.is_deleted)
    };
    let asked: Vec<&Job> = evidence.jobs.values().filter(|job| job.status != "cancelled" && !is_cut_off(job)).collect();
    let others: Vec<&&Job> = asked.iter().filter(|job| job.status != "done").collect();
    if (asked.len() - others.len()) * 100 >= asked.len() * MIN_DONE {
        return Vec::new();
    }
    others.iter().map(|job| format!("{} did not end done ({:?})", job.named(), job.error)).collect()
}

fn violations(evidence: &Evidence) -> Vec<String> {
    evidence.violations.clone()
}

/// The messages that show a job's ending to everybody, by job.
fn messages_of_endings(evidence: &Evidence) -> BTreeMap<&str, Vec<u64>> {
    let mut shown: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for message in evidence.messages.values() {
        if let Some(job) = message.shows() {
            shown.entry(job).or_default().push(message.id);
        }
    }
    shown
}

fn name(evidence: &Evidence, job: &str) -> String {
    evidence.jobs.get(job).map_or_else(|| format!("job {job}, which nobody knows,"), Job::named)
}
