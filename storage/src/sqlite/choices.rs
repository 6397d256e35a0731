//! What was chosen, a row each.

use async_trait::async_trait;

use super::SqliteStore;
use crate::{
    choices::{Choice, Choices, Chooser},
    error::StorageError,
    ids::*,
};

from_row! {
    struct Row {
        kind: String,
        owner: i64,
        topic: String,
        name: String,
        value: String,
    }
}

fn words(of: Chooser) -> (&'static str, i64) {
    match of {
        Chooser::Person(user) => ("person", user.0.cast_signed()),
        Chooser::Channel(channel) => ("channel", channel.cast_signed()),
        Chooser::Guild(guild) => ("guild", guild.0.cast_signed()),
    }
}

impl TryFrom<Row> for Choice {
    type Error = StorageError;

    fn try_from(row: Row) -> Result<Self, StorageError> {
        let corrupt = || StorageError::corrupt("choice", format!("{} {} {}", row.kind, row.topic, row.name));
        let owner = row.owner.cast_unsigned();
        let all = [Chooser::Person(UserId(owner)), Chooser::Channel(owner), Chooser::Guild(GuildId(owner))];
        let of = all.into_iter().find(|of| words(*of).0 == row.kind).ok_or_else(corrupt)?;
        let value = serde_json::from_str(&row.value).map_err(|_| corrupt())?;
        Ok(Self { of, topic: row.topic, name: row.name, value })
    }
}

#[async_trait]
impl Choices for SqliteStore {
    async fn choices(&self, of: &[Chooser]) -> Result<Vec<Choice>, StorageError> {
        const READ: &str = "SELECT choices.kind, choices.owner, choices.topic, choices.name, choices.value \
            FROM json_each(?) AS asked CROSS JOIN choices ON choices.kind = asked.value ->> 0 AND choices.owner = asked.value ->> 1";
        let asked: Vec<_> = of.iter().map(|of| words(*of)).collect();
        let rows: Vec<Row> = sqlx::query_as(READ).bind(serde_json::json!(asked).to_string()).fetch_all(&self.readers).await?;
        let mut found = rows.into_iter().map(Choice::try_from).collect::<Result<Vec<_>, _>>()?;
        let place = |choice: &Choice| of.iter().position(|asked| *asked == choice.of);
        found.sort_by(|one, other| (&one.topic, &one.name, place(one)).cmp(&(&other.topic, &other.name, place(other))));
        Ok(found)
    }

    async fn choose(&self, choice: &Choice, most: u32) -> Result<bool, StorageError> {
        const CHOOSE: &str = "INSERT INTO choices (kind, owner, topic, name, value) SELECT ?1, ?2, ?3, ?4, ?5 \
            WHERE (SELECT count(*) FROM choices WHERE kind = ?1 AND owner = ?2 AND topic = ?3 AND name <> ?4) < ?6 \
            ON CONFLICT (kind, owner, topic, name) DO UPDATE SET value = excluded.value";
        let (kind, owner) = words(choice.of);
        let write = sqlx::query(CHOOSE).bind(kind).bind(owner).bind(choice.topic.clone()).bind(choice.name.clone());
        Ok(self.writer.one(write.bind(choice.value.to_string()).bind(most)).await?.rows_affected() > 0)
    }

    async fn forget_choice(&self, of: Chooser, topic: &str, name: &str) -> Result<bool, StorageError> {
        let (kind, owner) = words(of);
        let forget = sqlx::query("DELETE FROM choices WHERE kind = ? AND owner = ? AND topic = ? AND name = ?");
        let forget = forget.bind(kind).bind(owner).bind(topic.to_owned()).bind(name.to_owned());
        Ok(self.writer.one(forget).await?.rows_affected() > 0)
    }
}
