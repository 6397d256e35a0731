//! Every answer to a wish that is not granted is a sentence.

use inference::error::InvalidTask;
use storage::{JobId, JobStatus, Period, QuotaOf, QuotaStatus, Refusal, Tier, Timestamp};

use super::{Around, UserError};
use crate::{
    intake::NotTaken,
    policy::{decide::Reason, words},
    prompt::{PieceError, PromptError},
};

/// An error of each kind; the list is complete because `next` names every kind.
fn all() -> Vec<UserError> {
    let mut errors = vec![UserError::Prompt(PromptError::Empty)];
    while let Some(next) = next(errors.last().expect("it begins with one")) {
        errors.push(next);
    }
    errors
}

fn next(error: &UserError) -> Option<UserError> {
    use UserError::*;
    let quota = QuotaStatus { used: 1.0, limit: 2.0, carried: 0.0, period: Period::Day, resets: Timestamp(0) };
    let around = Around { time_zone: "UTC".into(), may_relax: true };
    Some(match error {
        Prompt(_) => Task(InvalidTask::Steps { found: 200, max: 100 }),
        Task(_) => Refused(Refusal::Quota { of: QuotaOf::Member, quota, cost: 1.5 }, around),
        Refused(Refusal::Quota { quota, .. }, _) if quota.limit > 0.0 => {
            Refused(Refusal::Quota { of: QuotaOf::Host, quota: QuotaStatus { limit: 0.0, ..*quota }, cost: 1.5 }, around)
        }
        Refused(Refusal::Quota { .. }, _) => Refused(Refusal::UserBusy { active: 2, limit: 2 }, around),
        Refused(Refusal::UserBusy { .. }, _) => Refused(Refusal::Pause { again: Timestamp(90_000) }, around),
        Refused(Refusal::Pause { .. }, _) => Refused(Refusal::GuildFull { limit: 2, again: None }, around),
        Refused(Refusal::GuildFull { .. }, _) => Refused(Refusal::QueueFull { limit: 2, again: Some(Timestamp(90_000)) }, around),
        Refused(Refusal::QueueFull { .. }, _) => JobTooLarge { cost: 9.0, limit: 2.0, lower: vec!["`--steps`"] },
        JobTooLarge { lower, .. } if !lower.is_empty() => JobTooLarge { cost: 9.0, limit: 2.0, lower: Vec::new() },
        JobTooLarge { .. } => NoDirectMessages,
        NoDirectMessages => NoUserInstall,
        NoUserInstall => OtherGuild,
        OtherGuild => Rules(Reason::Closed),
        Rules(reason) => next_reason(reason).map_or(Blocked { word: "gore".into(), appeal: None }, Rules),
        Blocked { .. } => BadWord(words::BadWord::Empty),
        BadWord(words::BadWord::Empty) => BadWord(words::BadWord::TooLong),
        BadWord(words::BadWord::TooLong) => BadWord(words::BadWord::NoPattern),
        BadWord(words::BadWord::NoPattern) => NoModerators,
        NoModerators => ModeratorsUnreachable,
        ModeratorsUnreachable => AppealDecided,
        AppealDecided => AppealGone,
        AppealGone => StillDrawing,
        StillDrawing => OneGridHere,
        OneGridHere => TooManyLooks { per_minute: 2, seconds: 3 },
        TooManyLooks { .. } => DiskFull,
        DiskFull => MissingPermission("Attach Files".into()),
        MissingPermission(_) => MayOnlyRead,
        MayOnlyRead => MayNotDraw,
        MayNotDraw => PermitsUnknown,
        PermitsUnknown => HistoryNotShared,
        HistoryNotShared => UnknownButton,
        UnknownButton => UnknownJob,
        UnknownJob => NoJobHere("7".into()),
        NoJobHere(_) => NothingTold,
        NothingTold => ToldOtherwise("ComfyUI"),
        ToldOtherwise(_) => Picture(NotTaken::Several),
        Picture(_) => ModelCannot { why: InvalidTask::NeedsMask, able: vec!["a".into(), "b".into()] },
        ModelCannot { .. } => TooManyFavourites,
        TooManyFavourites => NoFilm,
        NoFilm => Deleted,
        Deleted => Forgotten,
        Forgotten => NoSuchPicture(3),
        NoSuchPicture(_) => NotFinished,
        NotFinished => NothingToDraw,
        NothingToDraw => StatesGone,
        StatesGone => NotYours { owner: 7 },
        NotYours { .. } => AlreadyDrawing,
        AlreadyDrawing => AlreadyMade { job: JobId::new(), link: None },
        AlreadyMade { link: None, .. } => AlreadyMade { job: JobId::new(), link: Some("https://discord.com/channels/1/2/3".into()) },
        AlreadyMade { link: Some(_), .. } => NotParameters("3:2".into()),
        NotParameters(_) => DraftGone,
        DraftGone => NotYourDraft,
        NotYourDraft => AlreadyEnded(JobStatus::Done),
        AlreadyEnded(_) => ManagersOnly,
        ManagersOnly => OwnerOnly,
        OwnerOnly => NothingSaid,
        NothingSaid => NoSuchModel("fox".into()),
        NoSuchModel(_) => ModeratorsOnly,
        ModeratorsOnly => Piece(PieceError::Empty),
        Piece(PieceError::Empty) => Piece(PieceError::Name("`2".into())),
        Piece(PieceError::Name(_)) => Piece(PieceError::Taken("ar".into())),
        Piece(PieceError::Taken(_)) => Piece(PieceError::Long(1001)),
        Piece(PieceError::Long(_)) => Piece(PieceError::Unread(PromptError::Empty)),
        Piece(PieceError::Unread(_)) => TooManyOwn(20),
        TooManyOwn(_) => NothingOfThatName("mine".into()),
        NothingOfThatName(_) => NotThere("dreamy".into()),
        NotThere(_) => SpeedNotOffered { only: Tier::Relax },
        SpeedNotOffered { .. } => SeveralSubjects,
        SeveralSubjects => SeveralDrawSubjects,
        SeveralDrawSubjects => CountedByPerson,
        CountedByPerson => NoUsualPicture,
        NoUsualPicture => GuildOnly,
        GuildOnly => SettingTooHigh { name: "jobs_at_once", max: "3".into() },
        SettingTooHigh { .. } => SettingOutOfRange { name: "jobs_at_once", min: 1 },
        SettingOutOfRange { .. } => return None,
    })
}

fn next_reason(reason: &Reason) -> Option<Reason> {
    use Reason::*;
    Some(match reason {
        Closed => BannedEverywhere,
        BannedEverywhere => Banned,
        Banned => ClosedHere,
        ClosedHere => Channel,
        Channel => OtherChannels(vec![5, 6]),
        OtherChannels(_) => Role(7),
        Role(_) => Roles(vec![7, 8]),
        Roles(_) => Model { model: "fox".into(), allowed: vec!["owl".into(), "eel".into()] },
        Model { allowed, .. } if !allowed.is_empty() => Model { model: "fox".into(), allowed: Vec::new() },
        Model { .. } => Cost { cost: 9.0, limit: 2.0 },
        Cost { .. } => NotForAdults,
        NotForAdults => AdultsInDirect,
        AdultsInDirect => NoAdults,
        NoAdults => return None,
    })
}

#[test]
fn every_refusal_begins_with_a_capital_a_number_or_code_and_ends_with_a_full_stop() {
    let errors = all();
    assert!(errors.len() > 30);
    for error in errors {
        let sentence = error.to_string();
        assert!(
            sentence.starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit() || c == '`') && sentence.ends_with('.'),
            "{sentence}"
        );
        assert!(!sentence.contains("..") && !sentence.contains(" ."), "{sentence}");
    }
}
