use proptest::prelude::*;

use super::*;

const GUILD: GuildId = GuildId(100);
const HERE: u64 = 110;
const THREAD: u64 = 111;
const ELSEWHERE: u64 = 120;
const ME: UserId = UserId(1);
const RED: RoleId = RoleId(101);
const BLUE: RoleId = RoleId(102);

fn me() -> Asker {
    let place = Place { guild: Some(GUILD), channels: vec![THREAD, HERE], is_known: true, is_age_restricted: false };
    Asker { user: ME, roles: vec![RED], place }
}

fn direct() -> Asker {
    Asker { roles: Vec::new(), place: Place { channels: vec![7], is_known: true, ..Place::default() }, ..me() }
}

fn rule(guild: GuildId, subject: DrawSubject, terms: DrawTerms) -> DrawRule {
    DrawRule { guild, subject, terms }
}

fn may(guild: GuildId, subject: DrawSubject, may_draw: bool) -> DrawRule {
    rule(guild, subject, DrawTerms { may_draw: Some(may_draw), ..DrawTerms::default() })
}

fn models(subject: DrawSubject, names: &[&str]) -> DrawRule {
    let models = Some(names.iter().map(|name| (*name).to_owned()).collect());
    rule(GUILD, subject, DrawTerms { models, ..DrawTerms::default() })
}

fn most(subject: DrawSubject, row_megapixels: f64) -> DrawRule {
    rule(GUILD, subject, DrawTerms { row_megapixels: Some(row_megapixels), ..DrawTerms::default() })
}

fn adult(guild: GuildId, subject: DrawSubject, is_adult: bool) -> DrawRule {
    rule(guild, subject, DrawTerms { is_adult: Some(is_adult), ..DrawTerms::default() })
}

fn fox() -> Wanted<'static> {
    Wanted { model: Some("fox"), is_adult: false, row_megapixels: 2.0 }
}

#[test]
fn who_may_draw_where_and_what() {
    use DrawSubject::{Channel, Everyone, Person, Role};
    let check = |what: &str, asker: &Asker, rules: &[DrawRule], expected: Result<(), Reason>| {
        assert_eq!(decide(asker, Some(&fox()), rules).map(drop), expected, "{what}");
    };
    let (me, direct) = (me(), direct());
    let lost = Asker { place: Place { channels: vec![112], is_known: false, ..me.place.clone() }, ..me.clone() };
    check("nothing is said", &me, &[], Ok(()));
    check("closed everywhere", &me, &[may(EVERYWHERE, Everyone, false)], Err(Reason::Closed));
    check("also in direct messages", &direct, &[may(EVERYWHERE, Everyone, false)], Err(Reason::Closed));
    check("a ban", &me, &[may(GUILD, Person(ME), false)], Err(Reason::Banned));
    check("a ban of one guild is none elsewhere", &direct, &[may(GUILD, Person(ME), false)], Ok(()));
    check("a ban everywhere", &direct, &[may(EVERYWHERE, Person(ME), false)], Err(Reason::BannedEverywhere));
    check(
        "a guild does not lift it",
        &me,
        &[may(EVERYWHERE, Person(ME), false), may(GUILD, Person(ME), true)],
        Err(Reason::BannedEverywhere),
    );
    check("somebody else's ban", &me, &[may(GUILD, Person(UserId(2)), false)], Ok(()));
    check("another guild's ban", &me, &[may(GuildId(9), Person(ME), false)], Ok(()));
    check("a closed guild", &me, &[may(GUILD, Everyone, false), may(GUILD, Person(ME), true)], Err(Reason::ClosedHere));
    check("a channel and its threads", &me, &[may(GUILD, Channel(HERE), false)], Err(Reason::Channel));
    check("a thread alone", &me, &[may(GUILD, Channel(THREAD), false), may(GUILD, Channel(HERE), true)], Err(Reason::Channel));
    check("another channel", &me, &[may(GUILD, Channel(ELSEWHERE), false)], Ok(()));
    check("only another", &me, &[may(GUILD, Channel(ELSEWHERE), true)], Err(Reason::OtherChannels(vec![ELSEWHERE])));
    check("only this one and another", &me, &[may(GUILD, Channel(ELSEWHERE), true), may(GUILD, Channel(HERE), true)], Ok(()));
    check("a place that is not known", &lost, &[may(GUILD, Channel(ELSEWHERE), false)], Err(Reason::Channel));
    check("a role", &me, &[may(GUILD, Role(RED), false)], Err(Reason::Role(RED.0)));
    check(
        "a denied role beats an allowed one",
        &Asker { roles: vec![RED, BLUE], ..me.clone() },
        &[may(GUILD, Role(BLUE), true), may(GUILD, Role(RED), false)],
        Err(Reason::Role(RED.0)),
    );
    check("another role", &me, &[may(GUILD, Role(BLUE), false)], Ok(()));
    check("only another role", &me, &[may(GUILD, Role(BLUE), true)], Err(Reason::Roles(vec![BLUE.0])));
    check("who is named needs no role", &me, &[may(GUILD, Role(BLUE), true), may(GUILD, Person(ME), true)], Ok(()));
    let no_fox = |allowed: &[&str]| {
        let allowed = allowed.iter().map(|name| (*name).to_owned()).collect();
        Err(Reason::Model { model: "fox".into(), allowed })
    };
    check("only other models", &me, &[models(Everyone, &["owl"])], no_fox(&["owl"]));
    check("a role's models", &me, &[models(Everyone, &["owl"]), models(Role(RED), &["fox"])], Ok(()));
    check("a person's models", &me, &[models(Person(ME), &[]), models(Role(RED), &["fox"])], no_fox(&[]));
    check("a channel binds all", &me, &[models(Channel(HERE), &["owl"]), models(Person(ME), &["fox"])], no_fox(&[]));
    check("too large", &me, &[most(Everyone, 1.9)], Err(Reason::Cost { cost: 2.0, limit: 1.9 }));
    check("as large as may be", &me, &[most(Everyone, 2.0)], Ok(()));
    check("a role's size", &me, &[most(Everyone, 1.0), most(Role(RED), 3.0)], Ok(()));
    check("a channel's size", &me, &[most(Channel(THREAD), 1.0), most(Person(ME), 3.0)], Err(Reason::Cost { cost: 2.0, limit: 1.0 }));
}

#[test]
fn models_for_adults_are_drawn_with_where_adults_are_and_rules_do_not_forbid_it() {
    use DrawSubject::{Channel, Everyone, Person, Role};
    let wanted = Wanted { is_adult: true, ..fox() };
    let check = |what: &str, asker: &Asker, rules: &[DrawRule], expected: Result<(), Reason>| {
        assert_eq!(decide(asker, Some(&wanted), rules).map(drop), expected, "{what}");
    };
    let (me, direct) = (me(), direct());
    let there = Asker { place: Place { is_age_restricted: true, ..me.place.clone() }, ..me.clone() };
    check("a usual channel", &me, &[], Err(Reason::NotForAdults));
    check("which no rule opens", &me, &[adult(EVERYWHERE, Everyone, true), adult(GUILD, Everyone, true)], Err(Reason::NotForAdults));
    check("an age-restricted one", &there, &[], Ok(()));
    check("which a guild forbids", &there, &[adult(GUILD, Everyone, false)], Err(Reason::NoAdults));
    check("but for a role", &there, &[adult(GUILD, Everyone, false), adult(GUILD, Role(RED), true)], Ok(()));
    check("or a channel forbids", &there, &[adult(GUILD, Channel(HERE), false), adult(GUILD, Person(ME), true)], Err(Reason::NoAdults));
    check("or the host", &there, &[adult(EVERYWHERE, Everyone, false), adult(GUILD, Everyone, true)], Err(Reason::NoAdults));
    check("direct messages", &direct, &[], Err(Reason::AdultsInDirect));
    check("which a guild cannot open", &direct, &[adult(GUILD, Everyone, true)], Err(Reason::AdultsInDirect));
    check("which the host opens", &direct, &[adult(EVERYWHERE, Everyone, true)], Ok(()));
    check("or opens to one", &direct, &[adult(EVERYWHERE, Person(ME), true)], Ok(()));
}

#[test]
fn the_nearest_pause_counts_in_each_scope() {
    use DrawSubject::{Channel, Everyone, Person, Role};
    let pause =
        |guild, subject, seconds| rule(guild, subject, DrawTerms { pause: Some(Duration::from_secs(seconds)), ..DrawTerms::default() });
    let check = |rules: &[DrawRule], expected: &[(GuildId, u64)]| {
        let expected: Vec<Pause> = expected.iter().map(|(guild, s)| Pause { guild: *guild, lasts: Duration::from_secs(*s) }).collect();
        assert_eq!(decide(&me(), None, rules), Ok(expected), "{rules:?}");
    };
    check(&[], &[]);
    check(&[pause(GUILD, Everyone, 30)], &[(GUILD, 30)]);
    check(&[pause(GUILD, Everyone, 30), pause(EVERYWHERE, Everyone, 5)], &[(EVERYWHERE, 5), (GUILD, 30)]);
    check(&[pause(GUILD, Everyone, 30), pause(GUILD, Role(RED), 9)], &[(GUILD, 9)]);
    check(&[pause(GUILD, Role(RED), 9), pause(GUILD, Person(ME), 0)], &[]);
    check(&[pause(GUILD, Person(ME), 0), pause(GUILD, Channel(HERE), 60)], &[(GUILD, 60)]);
}

fn subjects() -> impl Strategy<Value = DrawSubject> {
    prop_oneof![
        Just(DrawSubject::Everyone),
        prop::sample::select(vec![HERE, THREAD, ELSEWHERE]).prop_map(DrawSubject::Channel),
        prop::sample::select(vec![RED, BLUE]).prop_map(DrawSubject::Role),
        prop::sample::select(vec![ME, UserId(2)]).prop_map(DrawSubject::Person),
    ]
}

fn terms() -> impl Strategy<Value = DrawTerms> {
    let names = prop::collection::vec(prop::sample::select(vec!["fox".to_owned(), "owl".to_owned(), "eel".to_owned()]), 0..3);
    let pause = (0_u64..4).prop_map(Duration::from_secs);
    let all = (any::<Option<bool>>(), prop::option::of(names), prop::option::of(0.0..4.0), prop::option::of(pause), any::<Option<bool>>());
    all.prop_map(|(may_draw, models, row_megapixels, pause, is_adult)| DrawTerms { may_draw, models, row_megapixels, pause, is_adult })
}

fn rules() -> impl Strategy<Value = Vec<DrawRule>> {
    let guild = prop::sample::select(vec![GUILD, EVERYWHERE, GuildId(9)]);
    let one = (guild, subjects(), terms()).prop_map(|(guild, subject, terms)| DrawRule { guild, subject, terms });
    prop::collection::vec(one, 0..8).prop_map(|all| {
        let mut kept: Vec<DrawRule> = Vec::new();
        for rule in all {
            if kept.iter().all(|known| (known.guild, known.subject) != (rule.guild, rule.subject)) {
                kept.push(rule);
            }
        }
        kept
    })
}

fn askers() -> impl Strategy<Value = Asker> {
    let roles = prop::sample::subsequence(vec![RED, BLUE], 0..3);
    let channels = prop::sample::subsequence(vec![HERE, THREAD, ELSEWHERE], 1..3);
    (roles, channels, any::<[bool; 3]>()).prop_map(|(roles, channels, [is_in_guild, is_known, is_age_restricted])| {
        let guild = is_in_guild.then_some(GUILD);
        Asker { user: ME, roles, place: Place { guild, channels, is_known, is_age_restricted: is_age_restricted && is_in_guild } }
    })
}

/// Whether what one decision allows, with its pauses, the other does too.
fn is_no_more(strict: &Result<Vec<Pause>, Reason>, loose: &Result<Vec<Pause>, Reason>) -> bool {
    let (Ok(strict), Ok(loose)) = (strict, loose) else { return strict.is_err() };
    loose.iter().all(|pause| strict.iter().any(|other| other.guild == pause.guild && other.lasts >= pause.lasts))
}

proptest! {
    #[test]
    fn a_stricter_rule_never_allows_more(
        asker in askers(), rules in rules(), at in any::<prop::sample::Index>(), how in 0..5, is_adult: bool, cost in 0.0..4.0
    ) {
        prop_assume!(!rules.is_empty());
        let mut stricter = rules.clone();
        let terms = &mut stricter[at.index(rules.len())].terms;
        match how {
            // What was allowed may be what others were not.
            0 if terms.may_draw.is_none() => terms.may_draw = Some(false),
            1 => drop(terms.models.as_mut().and_then(Vec::pop)),
            2 => terms.row_megapixels = terms.row_megapixels.map(|most| most / 2.0),
            3 => terms.pause = terms.pause.map(|pause| pause * 2),
            _ => terms.is_adult = terms.is_adult.map(|_| false),
        }
        let wanted = Wanted { model: Some("fox"), is_adult, row_megapixels: cost };
        let (before, after) = (decide(&asker, Some(&wanted), &rules), decide(&asker, Some(&wanted), &stricter));
        prop_assert!(is_no_more(&after, &before), "{before:?} {after:?}");
    }

    #[test]
    fn a_rule_more_about_everyone_or_a_channel_never_allows_more(
        asker in askers(), rules in rules(), guild in prop::sample::select(vec![GUILD, EVERYWHERE]), subject in subjects(), mut terms in terms(), cost in 0.0..4.0
    ) {
        prop_assume!(matches!(subject, DrawSubject::Everyone | DrawSubject::Channel(_)));
        prop_assume!(rules.iter().all(|known| (known.guild, known.subject) != (guild, subject)));
        // The one thing that opens what was closed, and only outside of guilds.
        terms.is_adult = terms.is_adult.filter(|is_adult| !is_adult);
        // A channel that is allowed opens itself where others were named.
        terms.may_draw = terms.may_draw.filter(|may_draw| !may_draw);
        let mut more = rules.clone();
        more.push(rule(guild, subject, terms));
        let wanted = Wanted { model: Some("fox"), is_adult: false, row_megapixels: cost };
        let (before, after) = (decide(&asker, Some(&wanted), &rules), decide(&asker, Some(&wanted), &more));
        prop_assert!(is_no_more(&after, &before), "{before:?} {after:?}");
    }

    #[test]
    fn whoever_may_not_draw_at_all_may_draw_nothing(asker in askers(), rules in rules(), is_adult: bool, cost in 0.0..4.0) {
        let wanted = Wanted { model: Some("fox"), is_adult, row_megapixels: cost };
        let (any, this) = (decide(&asker, None, &rules), decide(&asker, Some(&wanted), &rules));
        prop_assert!(is_no_more(&this, &any), "{any:?} {this:?}");
    }

    #[test]
    fn rules_of_others_change_nothing(asker in askers(), rules in rules(), terms in terms(), id in 1000_u64.., cost in 0.0..4.0) {
        let wanted = Wanted { model: Some("fox"), is_adult: false, row_megapixels: cost };
        let before = decide(&asker, Some(&wanted), &rules);
        for guild in [GUILD, EVERYWHERE, GuildId(id)] {
            let mut more = rules.clone();
            more.push(rule(guild, DrawSubject::Person(UserId(id)), terms.clone()));
            prop_assert_eq!(&decide(&asker, Some(&wanted), &more), &before);
        }
    }
}
