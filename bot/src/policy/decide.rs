//! Who may draw what where: one pure function, which everything that draws is asked through.
//!
//! Rules of all places and rules of the guild must both allow it. In each of the two: a channel's rule binds who draws there, whoever they are; of
//! persons the nearest rule counts, their own before those of their roles, of which the most generous, and these before everyone's. Only whether
//! they may draw at all is refused by any of them.

use std::{collections::BTreeSet, time::Duration};

use serde::{Deserialize, Serialize};
use storage::{DrawRule, DrawSubject, DrawTerms, EVERYWHERE, GuildId, Pause, RoleId, UserId};

/// Who asks, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asker {
    /// The person.
    pub user: UserId,
    /// Their roles there.
    pub roles: Vec<RoleId>,
    /// Where it is.
    pub place: Place,
}

/// Where somebody draws.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The guild; `None` in direct messages, and where the bot is no member.
    pub guild: Option<GuildId>,
    /// The channel, and for a thread the one that it hangs below.
    pub channels: Vec<u64>,
    /// Whether that is all that is to be known of them; else it may lie below any channel.
    pub is_known: bool,
    /// Whether Discord shows it to adults only.
    pub is_age_restricted: bool,
}

/// What is to be drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted<'a> {
    /// With which model, if with one.
    pub model: Option<&'a str>,
    /// Whether that is one for adults.
    pub is_adult: bool,
    /// What the job costs.
    pub row_megapixels: f64,
}

/// Why somebody may not draw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Nobody draws anywhere.
    Closed,
    /// The person, in all places.
    BannedEverywhere,
    /// The person, in this guild.
    Banned,
    /// Nobody draws in this guild.
    ClosedHere,
    /// Nobody draws in this channel.
    Channel,
    /// Only in these channels.
    OtherChannels(Vec<u64>),
    /// Nobody with this role.
    Role(u64),
    /// Only those with one of these roles.
    Roles(Vec<u64>),
    /// Only with other models.
    Model {
        /// This one is not among them.
        model: String,
        /// Those that are.
        allowed: Vec<String>,
    },
    /// The job is too large.
    Cost {
        /// What it costs, in row-megapixels.
        cost: f64,
        /// The most.
        limit: f64,
    },
    /// A model for adults where others are.
    NotForAdults,
    /// A model for adults outside of guilds.
    AdultsInDirect,
    /// A model for adults where rules forbid it.
    NoAdults,
}

/// Whether somebody may draw: then with these pauses between two of their jobs. Without `wanted`, whether they may draw anything at all.
///
/// # Errors
/// Why they may not.
pub fn decide(asker: &Asker, wanted: Option<&Wanted<'_>>, rules: &[DrawRule]) -> Result<Vec<Pause>, Reason> {
    let mut pauses = Vec::new();
    let mut allows_adults = None;
    for guild in [Some(EVERYWHERE), asker.place.guild].into_iter().flatten() {
        let scope = Scope { asker, guild, rules };
        scope.may_draw()?;
        if let Some(wanted) = wanted {
            scope.may_have(wanted)?;
        }
        if let Some(lasts) = scope.most_strict(|terms| terms.pause, Duration::min, Duration::max).filter(|pause| !pause.is_zero()) {
            pauses.push(Pause { guild, lasts });
        }
        let said = scope.most_strict(|terms| terms.is_adult, std::cmp::max, std::cmp::min);
        if said == Some(false) && wanted.is_some_and(|wanted| wanted.is_adult) {
            return Err(Reason::NoAdults);
        }
        allows_adults = allows_adults.or(said);
    }
    match wanted {
        Some(Wanted { is_adult: true, .. }) if asker.place.guild.is_none() && allows_adults != Some(true) => Err(Reason::AdultsInDirect),
        Some(Wanted { is_adult: true, .. }) if asker.place.guild.is_some() && !asker.place.is_age_restricted => Err(Reason::NotForAdults),
        _ => Ok(pauses),
    }
}

/// The rules of one guild, or of everywhere.
struct Scope<'a> {
    asker: &'a Asker,
    guild: GuildId,
    rules: &'a [DrawRule],
}

impl<'a> Scope<'a> {
    fn all(&self) -> impl Iterator<Item = (DrawSubject, &'a DrawTerms)> + use<'a> {
        let guild = self.guild;
        self.rules.iter().filter(move |rule| rule.guild == guild).map(|rule| (rule.subject, &rule.terms))
    }

    fn of(&self, subject: DrawSubject) -> Option<&'a DrawTerms> {
        self.all().find(|(known, _)| *known == subject).map(|(_, terms)| terms)
    }

    fn may_draw(&self) -> Result<(), Reason> {
        let is_everywhere = self.guild == EVERYWHERE;
        let own = self.of(DrawSubject::Person(self.asker.user)).and_then(|terms| terms.may_draw);
        if own == Some(false) {
            return Err(if is_everywhere { Reason::BannedEverywhere } else { Reason::Banned });
        }
        if self.of(DrawSubject::Everyone).and_then(|terms| terms.may_draw) == Some(false) {
            return Err(if is_everywhere { Reason::Closed } else { Reason::ClosedHere });
        }
        self.in_channel()?;
        // Who is named is asked for no role.
        if own == Some(true) { Ok(()) } else { self.by_roles() }
    }

    fn in_channel(&self) -> Result<(), Reason> {
        let place = &self.asker.place;
        let (mut is_denied, mut allowed) = (false, BTreeSet::new());
        for (subject, terms) in self.all() {
            let DrawSubject::Channel(channel) = subject else { continue };
            match terms.may_draw {
                // Of a place that is not known nobody can say that it is not below this one.
                Some(false) => is_denied |= place.channels.contains(&channel) || !place.is_known,
                Some(true) => drop(allowed.insert(channel)),
                None => {}
            }
        }
        if is_denied {
            return Err(Reason::Channel);
        }
        if allowed.is_empty() || place.channels.iter().any(|channel| allowed.contains(channel)) {
            return Ok(());
        }
        Err(Reason::OtherChannels(allowed.into_iter().collect()))
    }

    fn by_roles(&self) -> Result<(), Reason> {
        let mut allowed = BTreeSet::new();
        for (subject, terms) in self.all() {
            let DrawSubject::Role(role) = subject else { continue };
            match terms.may_draw {
                Some(false) if self.asker.roles.contains(&role) => return Err(Reason::Role(role.0)),
                Some(true) => drop(allowed.insert(role.0)),
                _ => {}
            }
        }
        if allowed.is_empty() || self.asker.roles.iter().any(|role| allowed.contains(&role.0)) {
            return Ok(());
        }
        Err(Reason::Roles(allowed.into_iter().collect()))
    }

    fn may_have(&self, wanted: &Wanted<'_>) -> Result<(), Reason> {
        let both = |one: BTreeSet<&'a str>, other: BTreeSet<&'a str>| one.union(&other).copied().collect();
        let common = |one: BTreeSet<&'a str>, other: BTreeSet<&'a str>| one.intersection(&other).copied().collect();
        let names = |terms: &'a DrawTerms| terms.models.as_ref().map(|names| names.iter().map(String::as_str).collect());
        if let (Some(model), Some(allowed)) = (wanted.model, self.most_strict(names, both, common))
            && !allowed.contains(model)
        {
            return Err(Reason::Model { model: model.to_owned(), allowed: allowed.into_iter().map(str::to_owned).collect() });
        }
        match self.most_strict(|terms| terms.row_megapixels, f64::max, f64::min) {
            Some(limit) if wanted.row_megapixels > limit => Err(Reason::Cost { cost: wanted.row_megapixels, limit }),
            _ => Ok(()),
        }
    }

    /// What the nearest rule about the person says, and what the channels' say: the strictest of them. Of several roles the most generous counts.
    fn most_strict<T>(
        &self,
        said: impl Fn(&'a DrawTerms) -> Option<T>,
        generous: impl Fn(T, T) -> T,
        strict: impl Fn(T, T) -> T,
    ) -> Option<T> {
        let by_roles = || {
            let roles = self.asker.roles.iter().filter_map(|role| self.of(DrawSubject::Role(*role)).and_then(&said));
            roles.reduce(&generous)
        };
        let own = self.of(DrawSubject::Person(self.asker.user)).and_then(&said);
        let of_person = own.or_else(by_roles).or_else(|| self.of(DrawSubject::Everyone).and_then(&said));
        let is_here = |subject: DrawSubject| match subject {
            DrawSubject::Channel(channel) => self.asker.place.channels.contains(&channel) || !self.asker.place.is_known,
            _ => false,
        };
        let of_channels = self.all().filter(|(subject, _)| is_here(*subject)).filter_map(|(_, terms)| said(terms));
        of_person.into_iter().chain(of_channels).reduce(strict)
    }
}

#[cfg(test)]
mod tests;
