//! Why a person's wish is not granted.

use inference::error::InvalidTask;
use storage::{AppealId, JobId, JobStatus, Period, QuotaOf, Refusal, Tier, Timestamp};

use super::{
    brought::{and_list, not_taken},
    words::{number, relative},
};
use crate::{
    intake::NotTaken,
    policy::{decide::Reason, words::BadWord},
    system::printable::printable,
};

/// Why a person's wish is not granted: shown as written, to that person alone.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum UserError {
    /// A parameter of the prompt.
    #[error("{0}")]
    Prompt(#[from] crate::prompt::PromptError),
    /// A value that the engine refuses.
    #[error("That cannot be drawn: {0}.")]
    Task(#[from] InvalidTask),
    /// A limit.
    #[error("{}", refusal(.0, .1))]
    Refused(Refusal, Around),
    /// One job alone is larger than any may be.
    #[error(
        "That is {} times as large as one job may be ({} row-megapixels; {} are the most).{}",
        number(.cost / .limit),
        number(*.cost),
        number(*.limit),
        lower_what(.lower)
    )]
    JobTooLarge {
        /// What it would cost, in row-megapixels.
        cost: f64,
        /// The most.
        limit: f64,
        /// What makes it so costly.
        lower: Vec<&'static str>,
    },
    /// The host's switch for direct messages.
    #[error("The person who runs me has switched me off in direct messages. I work in servers that have added me.")]
    NoDirectMessages,
    /// The host's switch for installations of people.
    #[error("The person who runs me lets me work only where a server has added me, and this place has not.")]
    NoUserInstall,
    /// The host's list of guilds.
    #[error("I do not draw for this server: the person who runs me has chosen the servers that I work in.")]
    OtherGuild,
    /// A rule of who may draw.
    #[error("{}", super::policy::refused(.0))]
    Rules(Reason),
    /// A word that is blocked.
    #[error("`{}` may not be said in prompts here, so that is not drawn.", printable(word).replace('`', "'"))]
    Blocked {
        /// Which.
        word: String,
        /// What moderators can be asked with, where there are some.
        appeal: Option<AppealId>,
    },
    /// A word that cannot be blocked.
    #[error("{}", super::policy::bad_word(.0))]
    BadWord(BadWord),
    /// Nobody is asked in this guild.
    #[error("The people who manage this server have not said where moderators are asked. They can do that with /admin moderators.")]
    NoModerators,
    /// Their channel cannot be written to.
    #[error("I cannot write into the channel where moderators are asked. Please tell the people who manage this server.")]
    ModeratorsUnreachable,
    /// An appeal that was asked or decided before.
    #[error("That was asked or decided before.")]
    AppealDecided,
    /// An appeal that is not kept any more.
    #[error("That was too long ago: what was refused is not kept any more.")]
    AppealGone,
    /// Jobs that do not end, or endings that cannot be told.
    #[error("Your jobs have not ended yet, or I could not tell you yet how they ended. Please try again in a while; nothing was deleted.")]
    StillDrawing,
    /// Several grids of one line, where only a person installed the bot.
    #[error("Several grids at once work where a server has added me, and in direct messages with me. Here I draw one at a time.")]
    OneGridHere,
    /// Too many answers that cost no quota.
    #[error("You may ask me to show something {per_minute} times a minute. Please try again in {seconds} s.")]
    TooManyLooks {
        /// How many there are a minute.
        per_minute: u32,
        /// Until the next one.
        seconds: u32,
    },
    /// The disk is nearly full.
    #[error("My disk is nearly full, so I take no new jobs now. Please tell the person who runs me.")]
    DiskFull,
    /// A permission is missing where the command was used.
    #[error("I cannot answer here: I need the permission {0} in this channel. A moderator can give it to me.")]
    MissingPermission(String),
    /// The bot is in time-out, or may write nowhere in a channel.
    #[error("I cannot answer here: I am in time-out in this server, or may only read in this channel. A moderator can change that.")]
    MayOnlyRead,
    /// Discord would not let the presser use /imagine here.
    #[error("You may not use /imagine here, so you may not draw with my buttons either. The people who manage this server decide that.")]
    MayNotDraw,
    /// Discord did not say who may use /imagine.
    #[error("I could not ask Discord whether you may draw here. Please try again in a moment.")]
    PermitsUnknown,
    /// The guild's managers have switched it off.
    #[error("In this server I show everybody their own pictures only; its managers chose that. Try /history without `everyone`.")]
    HistoryNotShared,
    /// A `custom_id` that is not ours or of an older version.
    #[error("I do not know this button. It may come from an older version of me; please use /imagine again.")]
    UnknownButton,
    /// A button of a job that we have no record of.
    #[error("I have no record of that job, so this button does nothing.")]
    UnknownJob,
    /// A number of no job that the person may see.
    #[error("I have no job `{}` that I could show you here. /history has those that there are.", .0.replace('`', "'"))]
    NoJobHere(String),
    /// A picture's file says nothing that can be read of how it was made.
    #[error(
        "This picture's file does not say how it was made, and I look at nothing else: only files of programs that draw, not changed since, say it."
    )]
    NothingTold,
    /// A picture's file says it in another program's own way.
    #[error("This picture was made with {0}, whose description I cannot read.")]
    ToldOtherwise(&'static str),
    /// A picture that somebody brought is not taken.
    #[error("{}", not_taken(.0))]
    Picture(NotTaken),
    /// A model that cannot do what is asked for, and others that can.
    #[error("That cannot be drawn: {why}: {} can do that.", and_list(able))]
    ModelCannot {
        /// What it cannot do.
        why: InvalidTask,
        /// The names of those that can, at least one.
        able: Vec<String>,
    },
    /// A person marked as many pictures as they may.
    #[error("You have marked {} pictures, and more I do not keep. ❤ once more takes a mark away.", storage::MAX_FAVOURITES)]
    TooManyFavourites,
    /// A picture of which no previews were made.
    #[error(
        "I have no steps of this picture to show: it was only enlarged, drawn in too few of them, by an older version of me, or without previews."
    )]
    NoFilm,
    /// A button of a job whose pictures were deleted.
    #[error("Those pictures were deleted.")]
    Deleted,
    /// A button of a job that is too old.
    #[error("That was too long ago: its words and pictures are not kept any more.")]
    Forgotten,
    /// A button of a job without such a picture.
    #[error("That job has no picture {0}.")]
    NoSuchPicture(u32),
    /// A picture that would fill its canvas.
    #[error("That leaves nothing to draw: the picture would fill it.")]
    NothingToDraw,
    /// A button that makes no sense yet.
    #[error("That job is not finished yet.")]
    NotFinished,
    /// What a stopped job goes on from is not kept any more.
    #[error("What these pictures would go on from is not kept any more. 🔄 draws them anew.")]
    StatesGone,
    /// Only the owner or a moderator may do this.
    #[error("Only <@{owner}> or a moderator can do that.")]
    NotYours {
        /// Who may.
        owner: u64,
    },
    /// The same press is being worked on.
    #[error("That is already being drawn.")]
    AlreadyDrawing,
    /// The same press was answered before.
    #[error("That was made before: {}.", .link.as_ref().map_or_else(|| "here it is again".to_owned(), |link| format!("[here it is]({link})")))]
    AlreadyMade {
        /// The job that made it; its picture is shown again.
        job: JobId,
        /// Where it was posted.
        link: Option<String>,
    },
    /// What stands in a form's field of parameters begins with none.
    #[error(
        "`{0}` is not a parameter. Each of them begins with two dashes, such as `--ar 3:2`; the words of the prompt go into the field above."
    )]
    NotParameters(String),
    /// A form, or what was typed before a refusal, is older than a day.
    #[error("I keep what was typed for a day, and that day is over. Please use /imagine again.")]
    DraftGone,
    /// What was typed is its writer's.
    #[error("Only the person who typed that can open it.")]
    NotYourDraft,
    /// The job has ended.
    #[error("That job was already {}.", status_word(*.0))]
    AlreadyEnded(JobStatus),
    /// Only managers of a guild may do this.
    #[error("Only people who may manage this server can do that.")]
    ManagersOnly,
    /// Only those who run the bot may do this.
    #[error("Only the person who runs me can do that.")]
    OwnerOnly,
    /// A rule about nothing in particular.
    #[error("Please say what the rule shall be: `draw`, `models`, `most`, `pause` or `adult`.")]
    NothingSaid,
    /// A model that is not there.
    #[error("I have no model `{}`. /info lists those that there are.", .0.replace('`', "'"))]
    NoSuchModel(String),
    /// Only moderators of a guild may do this.
    #[error("Only people who may manage this server or its messages can do that.")]
    ModeratorsOnly,
    /// Own words that are not kept.
    #[error("{}", super::prefer::refused(.0))]
    Piece(#[from] crate::prompt::PieceError),
    /// As many own words as one may have.
    #[error("There are {0} already, and that is the most. Please take one away first.")]
    TooManyOwn(u32),
    /// Nothing of that name.
    #[error("There is nothing under the name `{}`.", .0.replace('`', "'"))]
    NothingOfThatName(String),
    /// A model or adapter that is gone since its menu was shown.
    #[error("`{}` is not there, or not any more.", .0.replace('`', "'"))]
    NotThere(String),
    /// The guild's managers chose the other one.
    #[error("In this server jobs are always {}; its managers chose that.", super::speed::named(*.only))]
    SpeedNotOffered {
        /// The one that there is.
        only: Tier,
    },
    /// A limit for several at once.
    #[error("Please choose one person, or one role, or `whom`; a limit is about one of them.")]
    SeveralSubjects,
    /// A rule about several at once.
    #[error("Please choose one person, or one role, or one channel; a rule is about one of them, or about everybody.")]
    SeveralDrawSubjects,
    /// What a role has used is not known.
    #[error("What is used is counted for each person and for all together. Please choose a person, or `all here together`.")]
    CountedByPerson,
    /// A limit in pictures while no picture can be drawn.
    #[error("I cannot tell just now what a picture of the usual size takes: the model that I usually draw with is gone.")]
    NoUsualPicture,
    /// Only a guild has this.
    #[error("This works in a server only.")]
    GuildOnly,
    /// A setting above what the host allows.
    #[error("The person who runs me allows at most {max} for `{name}`.")]
    SettingTooHigh {
        /// Which setting.
        name: &'static str,
        /// The most.
        max: String,
    },
    /// A setting that is no sensible number.
    #[error("`{name}` must be a number from {min}.")]
    SettingOutOfRange {
        /// Which setting.
        name: &'static str,
        /// The least.
        min: u32,
    },
}

/// What a refusal says beside its numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Around {
    /// Where days and months begin.
    pub time_zone: String,
    /// Whether the same is there without any quota, where others go first.
    pub may_relax: bool,
}

fn lower_what(parts: &[&str]) -> String {
    match parts {
        [] => String::new(),
        [part] => format!(" Please lower {part}."),
        [parts @ .., last] => format!(" Please lower {} or {last}.", parts.join(", ")),
    }
}

fn refusal(refusal: &Refusal, around: &Around) -> String {
    match refusal {
        Refusal::Quota { of, quota, cost } => {
            let time = match quota.period {
                Period::Day => "today",
                Period::Month => "this month",
            };
            let left = match of {
                QuotaOf::Guild => format!("left here for {time}"),
                QuotaOf::Member => format!("left for you in this server for {time}"),
                QuotaOf::User => format!("left for you for {time}, in all places together"),
                QuotaOf::Host => format!("left for {time}, for everybody together"),
            };
            if quota.limit == 0.0 {
                return format!("Nothing is {left}: the limit is 0, and somebody who manages it would have to change that.");
            }
            let how_little = if quota.left() < cost / 10.0 { "Nothing is" } else { "Not enough is" };
            format!(
                "{how_little} {left}. New pictures come {}, at 00:00 {}; in row-megapixels, {} of {} are used and this needs {}.{}",
                relative(quota.resets),
                around.time_zone,
                number(quota.used),
                number(quota.limit),
                number(*cost),
                if around.may_relax { " With `--relax`, or after /relax, it takes nothing from any quota: others go first." } else { "" }
            )
        }
        Refusal::UserBusy { active, limit } => {
            format!(
                "You have {active} jobs waiting or running, and {limit} is the most at once. Wait for one to finish, or press ❌ on one."
            )
        }
        Refusal::Pause { again } => {
            format!("Here some time passes between two jobs of one person. You may draw again {}.", relative(*again))
        }
        Refusal::GuildFull { limit, again } => format!("There are {limit} jobs already waiting here. {}", try_again(*again)),
        Refusal::QueueFull { limit, again } => format!("My queue is full ({limit} jobs). {}", try_again(*again)),
    }
}

fn try_again(when: Option<Timestamp>) -> String {
    match when {
        Some(when) => format!("A place may be free {}; please try again then.", relative(when)),
        None => "Please try again in a while.".to_owned(),
    }
}

pub(super) fn status_word(status: JobStatus) -> &'static str {
    match status {
        JobStatus::Queued => "queued",
        JobStatus::Leased => "being drawn",
        JobStatus::Done => "finished",
        JobStatus::Failed => "ended without a picture",
        JobStatus::Cancelled => "cancelled",
    }
}

#[cfg(test)]
mod tests {
    use storage::QuotaStatus;

    use super::*;

    #[test]
    fn a_full_queue_says_when_to_come_back_where_that_is_known() {
        let check = |refusal: Refusal, expected: &str| assert_eq!(UserError::Refused(refusal, Around::default()).to_string(), expected);
        let again = Some(Timestamp(90_000));
        check(Refusal::QueueFull { limit: 9, again }, "My queue is full (9 jobs). A place may be free <t:90:R>; please try again then.");
        check(
            Refusal::GuildFull { limit: 5, again },
            "There are 5 jobs already waiting here. A place may be free <t:90:R>; please try again then.",
        );
        check(Refusal::GuildFull { limit: 5, again: None }, "There are 5 jobs already waiting here. Please try again in a while.");
    }

    #[test]
    fn every_refusal_says_which_limit_the_numbers_and_when_it_ends() {
        let quota = QuotaStatus { used: 4.75, limit: 5.0, carried: 0.0, period: Period::Day, resets: Timestamp(86_400_000) };
        let around = || Around { time_zone: "Europe/Berlin".into(), may_relax: false };
        let check = |error: UserError, expected: &str| assert_eq!(error.to_string(), expected);
        let numbers = "New pictures come <t:86400:R>, at 00:00 Europe/Berlin; in row-megapixels, 4.8 of 5 are used and this needs 0.8.";
        for (of, expected) in [
            (QuotaOf::Guild, "Not enough is left here for today."),
            (QuotaOf::Member, "Not enough is left for you in this server for today."),
            (QuotaOf::User, "Not enough is left for you for today, in all places together."),
            (QuotaOf::Host, "Not enough is left for today, for everybody together."),
        ] {
            check(UserError::Refused(Refusal::Quota { of, quota, cost: 0.75 }, around()), &format!("{expected} {numbers}"));
        }
        let used_up = QuotaStatus { used: 5.0, ..quota };
        check(
            UserError::Refused(Refusal::Quota { of: QuotaOf::Guild, quota: used_up, cost: 0.75 }, around()),
            "Nothing is left here for today. New pictures come <t:86400:R>, at 00:00 Europe/Berlin; in row-megapixels, 5 of 5 are used and this needs 0.8.",
        );
        check(
            UserError::Refused(Refusal::Quota { of: QuotaOf::User, quota, cost: 0.75 }, Around { may_relax: true, ..around() }),
            &format!(
                "Not enough is left for you for today, in all places together. {numbers} With `--relax`, or after /relax, it takes nothing from any \
                 quota: others go first."
            ),
        );
        let of_month = QuotaStatus { period: Period::Month, ..quota };
        check(
            UserError::Refused(Refusal::Quota { of: QuotaOf::Member, quota: of_month, cost: 0.75 }, around()),
            &format!("Not enough is left for you in this server for this month. {numbers}"),
        );
        let forbidden = QuotaStatus { used: 0.0, limit: 0.0, ..quota };
        check(
            UserError::Refused(Refusal::Quota { of: QuotaOf::Guild, quota: forbidden, cost: 0.75 }, around()),
            "Nothing is left here for today: the limit is 0, and somebody who manages it would have to change that.",
        );
        let large = |lower| UserError::JobTooLarge { cost: 432.1, limit: 100.0, lower };
        let sentence = "That is 4.3 times as large as one job may be (432 row-megapixels; 100 are the most).";
        check(large(vec!["`--hires`", "`--images`", "`--steps`"]), &format!("{sentence} Please lower `--hires`, `--images` or `--steps`."));
        check(large(vec!["`--steps`"]), &format!("{sentence} Please lower `--steps`."));
        check(
            UserError::TooManyLooks { per_minute: 20, seconds: 3 },
            "You may ask me to show something 20 times a minute. Please try again in 3 s.",
        );
    }
}
