//! Quotas as books keep them: every job that was asked for, and every rule, added up anew for each question.

use std::{collections::HashMap, sync::Arc};

use storage::{
    Enqueued, Failure, GuildId, JobId, JobStore, NewJob, Period, QuotaOf, QuotaRule, Refusal, RoleId, Spender, Subject, Timestamp, UserId,
};

use super::{
    model::{end, number},
    support::*,
};

const PAINTER: RoleId = RoleId(71);
const PATRON: RoleId = RoleId(72);

#[derive(Clone, Debug)]
struct Known {
    id: JobId,
    new: NewJob,
    /// When it was debited.
    debited: Timestamp,
    charged: i64,
    has_ended: bool,
}

/// Everything that was done so far.
#[derive(Default)]
struct Books {
    jobs: Vec<Known>,
    rules: HashMap<(u64, Subject, Period), (QuotaRule, Timestamp)>,
}

impl Books {
    /// What is charged to a guild or one of its people in the period of this number.
    fn used(&self, (guild, user): (u64, Option<u64>), period: Period, number_then: i64) -> i64 {
        let is_its = |job: &&Known| {
            job.new.guild.0 == guild && user.is_none_or(|user| job.new.user.0 == user) && number(period, job.debited) == number_then
        };
        self.jobs.iter().filter(is_its).map(|job| job.charged).sum()
    }

    /// The one rule for a person, or the guild's.
    fn rule(&self, new: &NewJob, of: QuotaOf, period: Period) -> Option<(QuotaRule, Timestamp)> {
        let find = |subject| self.rules.get(&(new.guild.0, subject, period)).copied();
        if of == QuotaOf::Guild {
            return find(Subject::Guild);
        }
        let of_roles = new.roles.iter().filter_map(|role| find(Subject::Role(*role)));
        let most = of_roles.max_by(|(one, _), (other, _)| {
            one.row_megapixels.total_cmp(&other.row_megapixels).then(one.carry_over.total_cmp(&other.carry_over))
        });
        find(Subject::Person(new.user)).or(most).or_else(|| find(Subject::Everyone))
    }

    /// Of each rule that binds: used, limit, carried.
    fn expected(&self, new: &NewJob, now: Timestamp) -> HashMap<(&'static str, Period), (i64, i64, i64)> {
        let mut expected = HashMap::new();
        for (word, of, user) in [("member", QuotaOf::Member, Some(new.user.0)), ("guild", QuotaOf::Guild, None)] {
            for period in [Period::Day, Period::Month] {
                let Some((rule, since)) = self.rule(new, of, period) else { continue };
                let (limit, most) = (micros(rule.row_megapixels), micros(rule.carry_over));
                let then = number(period, now);
                let left = (limit - self.used((new.guild.0, user), period, then - 1)).max(0);
                let carried = if number(period, since) < then { left.min(most).min(limit) } else { 0 };
                expected.insert((word, period), (self.used((new.guild.0, user), period, then), limit + carried, carried));
            }
        }
        expected
    }
}

fn micros(row_megapixels: f64) -> i64 {
    (row_megapixels * 1e6).round() as i64
}

/// Random sequences of rules, jobs, ends and midnights: what the store says is what the books say, and nothing is taken that does not fit.
pub async fn sums_are_those_of_the_books<B: Backend>(_: &B) {
    let backend = B::fleeting();
    let store = backend.open().await;
    let mut n_refused = 0;
    for seed in 0..120 {
        n_refused += keep_books(store.clone(), seed).await;
    }
    assert!(n_refused > 200, "the limits are met: {n_refused}");
}

/// How many jobs were refused.
async fn keep_books(store: Arc<dyn JobStore>, seed: u64) -> u32 {
    let mut n_refused = 0;
    let mut dice = Dice(seed);
    let mut books = Books::default();
    let base = 1_000_000 * (seed + 1);
    let mut now = at(seed as i64 * 3 * DAY_MS);
    for step in 0..50 {
        let when = format!("seed {seed}, step {step}");
        let (guild, user) = (base + dice.roll(2), base + 10 + dice.roll(3));
        let roles: Vec<RoleId> = [PAINTER, PATRON].into_iter().filter(|_| dice.roll(2) == 0).collect();
        match dice.roll(12) {
            0 => now = Timestamp(now.0 + dice.roll(2 * DAY_MS as u64) as i64),
            1 => now = end([Period::Day, Period::Month][dice.roll(2) as usize], now),
            2 | 3 => {
                let all = [Subject::Guild, Subject::Everyone, Subject::Role(PAINTER), Subject::Role(PATRON), Subject::Person(UserId(user))];
                let (subject, is_day) = (dice.pick(&all).unwrap(), dice.roll(2) == 0);
                let period = if is_day { Period::Day } else { Period::Month };
                let row_megapixels = dice.roll(if is_day { 12 } else { 24 }) as f64 / 2.0;
                let rule = QuotaRule { subject, period, row_megapixels, carry_over: dice.roll(4) as f64 };
                if dice.roll(4) == 0 {
                    let was_there = books.rules.remove(&(guild, subject, period)).is_some();
                    assert_eq!(store.remove_quota_rule(GuildId(guild), subject, period).await.unwrap(), was_there, "{when}");
                } else {
                    let since = books.rules.get(&(guild, subject, period)).map_or(now, |(_, since)| *since);
                    books.rules.insert((guild, subject, period), (rule, since));
                    store.set_quota_rule(GuildId(guild), &rule, now).await.unwrap();
                }
            }
            4 => {
                let live: Vec<usize> = (0..books.jobs.len()).filter(|i| !books.jobs[*i].has_ended).collect();
                if let Some(i) = dice.pick(&live) {
                    store.request_cancel(books.jobs[i].id, now).await.unwrap();
                    (books.jobs[i].has_ended, books.jobs[i].charged) = (true, 0);
                }
            }
            5 | 6 => {
                let Some(lease) = store.claim(LEASE, &MANY, &[], now).await.unwrap() else { continue };
                let actual = lease.job.row_megapixels * dice.roll(6) as f64 / 4.0;
                let charged = match dice.roll(3) {
                    0 => store.fail(&lease, &Failure::OutOfMemory, now).await.map(|_| 0.0),
                    _ => store.complete(&lease, actual, now).await.map(|_| actual),
                };
                let job = books.jobs.iter_mut().find(|job| job.id == lease.job.id).expect("one of these");
                (job.has_ended, job.charged) = (true, micros(charged.unwrap()));
            }
            _ => {
                let new = NewJob { roles: roles.clone(), ..costing(guild, user, 0.5 * (1 + dice.roll(4)) as f64) };
                let cost = micros(new.row_megapixels);
                let expected = books.expected(&new, now);
                let fits = expected.values().all(|(used, limit, _)| used + cost <= *limit);
                match store.enqueue(new.clone(), &ROOMY, now).await.unwrap() {
                    Enqueued::Created(id) => {
                        assert!(fits, "{when}: {expected:?}");
                        books.jobs.push(Known { id, new, debited: now, charged: cost, has_ended: false });
                    }
                    Enqueued::Refused(Refusal::Quota { .. }) => {
                        assert!(!fits, "{when}: {expected:?}");
                        n_refused += 1;
                    }
                    other => panic!("{when}: {other:?}"),
                }
            }
        }
        let asker = NewJob { roles: roles.clone(), ..costing(guild, user, 1.0) };
        let spender = Spender { guild: GuildId(guild), user: UserId(user), roles };
        let quotas = store.quotas(&spender, &ROOMY, now).await.unwrap();
        let mut expected = books.expected(&asker, now);
        expected
            .entry(("guild", Period::Day))
            .or_insert_with(|| (books.used((guild, None), Period::Day, number(Period::Day, now)), micros(ROOMY.daily_row_megapixels), 0));
        let word = |of| if of == QuotaOf::Guild { "guild" } else { "member" };
        let said: HashMap<_, _> = quotas
            .iter()
            .map(|(of, quota)| ((word(*of), quota.period), (micros(quota.used), micros(quota.limit), micros(quota.carried))))
            .collect();
        assert_eq!(said, expected, "{when}");
        for (of, quota) in &quotas {
            assert_eq!(quota.resets, end(quota.period, now), "{when}");
            assert!(quota.left() >= 0.0 && quota.used >= 0.0, "{when}: {of:?}");
        }
    }
    for job in books.jobs.iter().filter(|job| !job.has_ended) {
        store.request_cancel(job.id, now).await.unwrap();
    }
    while let Some(lease) = store.claim(LEASE, &MANY, &[], now).await.unwrap() {
        store.fail(&lease, &Failure::OutOfMemory, now).await.unwrap();
    }
    n_refused
}
