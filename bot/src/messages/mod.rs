//! Every sentence that a user reads.

mod after;
mod brought;
mod connection;
mod describe;
mod explain;
mod failure;
mod forms;
mod heading;
mod help;
mod history;
mod info;
mod marks;
mod menu;
mod moderation;
mod notes;
mod panel;
mod parts;
mod pick;
mod pictures;
mod policy;
mod prefer;
mod privacy;
mod progress;
mod queue;
mod quota;
mod receipt;
mod received;
mod rules;
#[cfg(test)]
mod sentences;
mod several;
mod shortened;
mod speed;
mod tour;
mod user_error;
mod words;

use storage::JobId;

pub use after::{CELLS, cells};
pub use connection::{Identity, NO_GATEWAY, cannot_reach, cannot_start_yet, connected, invite, not_registered, reached_again, ready};
pub use describe::{described, guessed};
pub use explain::{Explanation, explain_buttons, explained};
pub use failure::failure;
pub use forms::{as_file, form, reopen_button};
pub use heading::{Heading, Made, Source};
pub use help::help;
pub use history::{HistoryEntry, history, job_choice, without_pictures};
pub use info::{Info, about_network, about_shift, info};
pub use marks::{Deleting, MarkedPicture, favourites, film, marked, tell_seeds, tree, unmarked};
pub use menu::{parameters, which_picture};
pub use moderation::{
    AUDIT_PAGE, appeal, appeal_answer, appeal_buttons, appeal_decided, audit, blocked_words, moderators, moderators_asked, report, reported,
};
pub use notes::sentences as note_sentences;
pub use panel::{AS_USUAL, ASPECTS, Panel, panel, privacy};
pub use parts::remix_button;
pub use pick::{Picked, PickerPage, WHAT_WAS_SHOWN, picker};
pub use pictures::{
    Drawn, Enlarged, Instead, Shown, buttons, files, grid, not_taken, picture, sent_here_instead, sent_privately, tell_lost,
};
pub use policy::{DrawDone, OwnerDone, draw_rules, owner_done, said_of, subject_of};
pub use prefer::{Changed, all_preferred, preferred, styles};
pub use privacy::{EXPORTED, ask_to_erase, erased, export, kept_all};
pub use progress::{Drawing, N_PLACES, cancelled, cancelling, drawing, failed, held, loading, queued};
pub use queue::{QueueView, Queued, queue};
pub use quota::{Chosen, Terms, quota, settings, small};
pub use receipt::{Receipt, receipt, tell_compared};
pub use received::{ENDING, INTERRUPTED, MAX_REFUSAL, TAKEN_BACK, about_earlier, in_our_words};
pub use rules::{Done, left_of, rules};
pub use several::{left, queued_all, several};
pub use shortened::{shortened, shortened_buttons};
pub use speed::speed;
pub use tour::{TourPage, TourTold, tour, tour_button};
pub use user_error::{Around, UserError};
pub use words::shorten;

/// Stands for the prompt of a picture of which it is not known any more.
pub const UNTITLED: &str = "A picture";

/// Shown for our own faults; the cause is in the log.
pub const INTERNAL_ERROR: &str = "Something went wrong on my side. It was written to my log; please try again.";

/// Shown for our own faults while a job was drawn.
pub fn internal_error(job: JobId) -> String {
    format!("Something went wrong on my side while drawing (job `{job}`). It was written to my log and costs nothing; please try again.")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use inference::task::Note;
    use storage::Timestamp;

    use super::*;
    use crate::answer::File;

    #[test]
    fn every_message_of_the_longest_prompt_fits_discord() {
        let notes = (0..40).map(|i| Note::WordNotLearned { word: format!("{i}{}", "`*".repeat(500)) }).collect();
        let source = Source { number: 4, link: Some(format!("https://discord.com/channels/{0}/{0}/{0}", u64::MAX)) };
        let heading = Heading {
            title: "*_".repeat(3000),
            made: Made::Varied(Some(source.clone())),
            parameters: format!("--no {} --seed 7", "`x".repeat(3000)),
            user: u64::MAX,
            notes,
            is_relaxed: true,
        };
        let job = JobId::new();
        let file = || File { name: "grid.png".into(), bytes: Vec::new(), description: String::new() };
        let answers = [
            queued(&heading, job, 400, Some(Duration::from_secs(500))),
            drawing(
                &heading,
                job,
                Drawing { done: 399, total: 400, left: Some(Duration::from_secs(500)), culled: &[true; 4], is_stopping: false },
                None,
            ),
            failed(&heading, job, &"e".repeat(4000)),
            cancelled(&heading, job),
            grid(&heading, job, Drawn { indices: &[0, 1, 2, 3], stopped: Some((399, 400)) }, Some(1e6), file()),
            picture(
                &Heading { made: Made::Enlarged(Some(source)), ..heading.clone() },
                job,
                Enlarged { number: Some(4), size: (2048, 2048), can_grow: true },
                file(),
            ),
        ];
        for mut answer in answers {
            sent_here_instead(&mut answer);
            assert!(answer.content.chars().count() <= 2000, "{}", answer.content.chars().count());
        }
        let entry = |_| HistoryEntry {
            job: JobId::new(),
            heading: Some(heading.clone()),
            user: 7,
            finished: Timestamp(0),
            link: Some("https://discord.com/".repeat(4)),
            without_pictures: Some("cancelled"),
            thumbnail: None,
        };
        let page = history((0..5).map(entry).collect(), 5, None, None);
        let total: usize = page.embeds.iter().map(|embed| embed.description.chars().count()).sum();
        assert!(total <= 6000, "{total}");
    }

    #[test]
    fn words_of_a_person_do_not_act_as_markdown() {
        let heading = Heading {
            title: "**bold** <@1> [link](http://x) Discord.gg/x a.b c:d \u{202e}r\u{200b}t".into(),
            made: Made::Drawn,
            parameters: String::new(),
            user: 7,
            notes: Vec::new(),
            is_relaxed: false,
        };
        assert_eq!(
            cancelled(&heading, JobId::new()).content.lines().next(),
            Some(r"**\*\*bold\*\* \<@1\> \[link\](http\://x) Discord\.gg/x a.b c:d rt** · <@7>")
        );
    }
}
