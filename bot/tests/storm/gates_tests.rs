//! Each gate finds what it is there for, and nothing else.

use inference::task::{StopAt, Task, TextToImage};

use super::{
    evidence::{Evidence, Image, Job},
    gates::{GATES, verdict},
    heard::Asked,
    message::{Button, Message},
};

const JOB: &str = "0123456789abcdef0123456789abcdef";
/// A job that goes on where that one was stopped.
const REST: &str = "0123456789abcdef0123456789abcdee";

fn job() -> Job {
    let image = Image { number: 0, blob: "b".repeat(64), kept: Some("b".repeat(64)) };
    Job {
        id: JOB.to_owned(),
        interaction: 7,
        action: "imagine".to_owned(),
        status: "done".to_owned(),
        epoch: 2,
        attempts: 1,
        row_pixels: 1000,
        n_images: 1,
        debits: vec![1000],
        corrections: vec![0],
        delivery: Some("delivered".to_owned()),
        images: vec![image],
        ..Job::default()
    }
}

fn shown() -> Message {
    shown_of(70, JOB)
}

fn shown_of(id: u64, job: &str) -> Message {
    let button = Button { custom_id: format!("1:reroll:{job}:0"), action: "reroll".to_owned(), job: job.to_owned() };
    Message {
        id,
        interaction: Some(7),
        text: "a frog\n-# Finished after 2 s".to_owned(),
        n_files: 1,
        buttons: vec![button],
        ..Message::default()
    }
}

/// A job that was asked for, drawn and shown, and a press that got a word.
fn fair() -> Evidence {
    let word =
        Message { id: 80, interaction: Some(8), is_alone: true, text: "That is already being drawn.".to_owned(), ..Message::default() };
    let asked = |what: &str| Asked { what: what.to_owned(), acknowledged: Some(5) };
    Evidence {
        jobs: [(JOB.to_owned(), job())].into(),
        asked: [(7, asked("imagine")), (8, asked("1:upscale")), (9, Asked::default())].into(),
        messages: [(70, shown()), (80, word)].into(),
        n_lives: 3,
        ..Evidence::default()
    }
}

#[test]
fn where_all_is_well_no_gate_says_anything() {
    assert_eq!(verdict(&fair()), Vec::<String>::new());
    let mut stopped = fair();
    let job = stopped.jobs.get_mut(JOB).expect("it is there");
    (job.status, job.corrections, job.images, job.epoch, job.attempts) = ("cancelled".to_owned(), vec![-400], Vec::new(), 0, 0);
    assert_eq!(verdict(&stopped), Vec::<String>::new());
    let mut less = fair();
    let job = less.jobs.get_mut(JOB).expect("it is there");
    // Of three pictures one was left out, and may have made some steps; the others were stopped.
    (job.n_images, job.culled, job.is_stopped, job.not_made, job.left_out) = (3, 0b10, true, 300, 200);
    job.images.push(Image { number: 2, ..job.images[0].clone() });
    job.stops = [(0, (3, 8)), (2, (4, 8))].into();
    less.messages.get_mut(&70).expect("it is there").text = "a frog\n-# Stopped at step 4 of 8, after 2 s".to_owned();
    for correction in [-500, -400, -300] {
        less.jobs.get_mut(JOB).expect("it is there").corrections = vec![correction];
        assert_eq!(verdict(&less), Vec::<String>::new());
    }
    let rest =
        Job { id: REST.to_owned(), action: "continue".to_owned(), parent: Some(JOB.to_owned()), n_images: 3, ..less.jobs[JOB].clone() };
    let rest = Job {
        interaction: 9,
        corrections: vec![0],
        culled: 0,
        is_stopped: false,
        not_made: 0,
        left_out: 0,
        stops: Default::default(),
        ..rest
    };
    less.messages.insert(71, shown_of(71, REST));
    less.jobs.insert(REST.to_owned(), rest);
    assert_eq!(verdict(&less), Vec::<String>::new());
    let mut deleted = fair();
    let job = deleted.jobs.get_mut(JOB).expect("it is there");
    (job.is_deleted, job.images) = (true, Vec::new());
    deleted.messages.remove(&70);
    assert_eq!(verdict(&deleted), Vec::<String>::new());
}

#[test]
fn each_gate_finds_what_it_is_there_for() {
    let mut met = Vec::new();
    let mut check = |expected: &[&'static str], names: &str, change: fn(&mut Evidence, &mut Job)| {
        let mut evidence = fair();
        let mut job = job();
        change(&mut evidence, &mut job);
        evidence.jobs.insert(JOB.to_owned(), job);
        let told: Vec<(&str, Vec<String>)> =
            GATES.iter().map(|(name, gate)| (*name, gate(&evidence))).filter(|(_, told)| !told.is_empty()).collect();
        assert_eq!(told.iter().map(|(name, _)| *name).collect::<Vec<_>>(), expected, "{told:?}");
        assert!(told[0].1[0].contains(names), "{told:?} should name {names}");
        met.extend(expected.iter().copied());
    };
    let [end, word, twice, told, stuck, nameless, pictures, step, on, ledger, counted, done, described] = GATES.map(|(name, _)| name);
    check(&[end], JOB, |_, job| job.delivery = Some("pending".to_owned()));
    check(&[end], "1 interactions", |evidence, _| evidence.n_received = 1);
    check(&[end, done], JOB, |_, job| (job.status, job.corrections) = ("leased".to_owned(), Vec::new()));
    check(&[word], "interaction 8", |evidence, _| drop(evidence.messages.remove(&80)));
    check(&[word, stuck], "interaction 8", |evidence, _| evidence.messages.get_mut(&80).expect("there").is_thinking = true);
    check(&[twice], "[70, 71]", |evidence, _| drop(evidence.messages.insert(71, Message { id: 71, ..shown() })));
    check(&[told], JOB, |evidence, _| drop(evidence.messages.remove(&70)));
    check(&[stuck], "none", |evidence, _| {
        let text = "a frog\n-# Queued: next in line".to_owned();
        evidence.messages.insert(71, Message { id: 71, text, ..Message::default() });
    });
    check(&[stuck], "[70]", |evidence, _| {
        let text = "a frog\n-# Drawing 1 of 2 steps".to_owned();
        evidence.messages.insert(71, Message { id: 71, text, ..shown() });
    });
    check(&[nameless], "message 71", |evidence, _| {
        evidence.messages.insert(71, Message { id: 71, buttons: Vec::new(), ..shown() });
    });
    check(&[pictures], JOB, |_, job| job.images.clear());
    check(&[pictures], JOB, |_, job| job.images[0].kept = None);
    check(&[pictures], JOB, |_, job| job.images[0].kept = Some("c".repeat(64)));
    check(&[pictures], JOB, |_, job| (job.n_images, job.culled) = (3, 0b10));
    check(&[step], "(8, 8)", |_, job| (job.is_stopped, job.stops) = (true, [(0, (8, 8))].into()));
    check(&[step], "nobody stopped", |evidence, job| {
        job.stops = [(0, (3, 8))].into();
        evidence.messages.get_mut(&70).expect("there").text = "a frog\n-# Stopped at step 3 of 8".to_owned();
    });
    check(&[step], "message 70", |_, job| (job.is_stopped, job.stops) = (true, [(0, (3, 8))].into()));
    check(&[on], JOB, |evidence, job| {
        let asked = Task::from(TextToImage { stop_at: Some(StopAt::Percent(40)), ..TextToImage::default() });
        (job.action, job.stops, job.task) = ("continue".to_owned(), [(0, (3, 8))].into(), Some(asked));
        evidence.messages.get_mut(&70).expect("there").text = "a frog\n-# Stopped at step 3 of 8".to_owned();
    });
    check(&[ledger], JOB, |_, job| job.not_made = 300);
    check(&[ledger], JOB, |_, job| (job.corrections, job.left_out) = (vec![-500], 400));
    check(&[ledger], JOB, |_, job| job.corrections = vec![-500]);
    check(&[ledger], JOB, |_, job| job.corrections = vec![0, 0]);
    check(&[ledger], JOB, |_, job| job.debits.clear());
    check(&[ledger, done], JOB, |_, job| job.status = "failed".to_owned());
    check(&[counted], JOB, |_, job| job.epoch = 4);
    check(&[counted], JOB, |_, job| job.attempts = 3);
    check(&[counted, done], JOB, |_, job| {
        (job.status, job.corrections) = ("failed".to_owned(), vec![-1000]);
        job.error = Some(r#"{"kind":"out_of_attempts","attempts":1}"#.to_owned());
    });
    check(&[done], JOB, |_, job| (job.status, job.corrections) = ("failed".to_owned(), vec![-1000]));
    check(&[described], "POST", |evidence, _| evidence.violations.push("request POST /channels".to_owned()));
    assert!(GATES.iter().all(|(name, _)| met.contains(name)), "every gate was met: {met:?}");
}
