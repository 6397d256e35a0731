use super::{Answer, incoming::Incoming, nothing, ok, parse};
use crate::{
    entitlement::{self, Owner},
    error::{ApiError, FormErrors},
    message::id_of,
    state::State,
    store,
    world::Id,
};
use serde_json::{Value, json};

/// `/applications/{id}/entitlements…`.
pub(super) async fn route(state: &State, method: &str, rest: &[&str], incoming: Incoming) -> Answer {
    let mut db = state.store.connect().await?;
    match (method, rest) {
        ("GET", []) => {
            let after = incoming.number("after").unwrap_or(0);
            let mut all = store::entitlements::all(&mut db, after, incoming.number("before").unwrap_or(Id::MAX)).await?;
            all.retain(|entitlement| is_wanted(&incoming, entitlement));
            let limit = incoming.number("limit").unwrap_or(100).clamp(1, 100) as usize;
            // The newest of those before an id, the oldest of those after one.
            let skipped = if after > 0 { 0 } else { all.len().saturating_sub(limit) };
            ok(json!(all.into_iter().skip(skipped).take(limit).collect::<Vec<_>>()))
        }
        ("POST", []) => {
            let (owner, sku) = read(incoming.form()?)?;
            ok(entitlement::grant(&mut db, state, owner, sku).await?)
        }
        ("GET", [id]) => ok(entitlement::get(&mut db, parse(id)?).await?),
        ("DELETE", [id]) => {
            entitlement::revoke(&mut db, state, parse(id)?).await?;
            nothing()
        }
        ("POST", [id, "consume"]) => {
            entitlement::consume(&mut db, state, parse(id)?).await?;
            nothing()
        }
        _ => Err(ApiError::not_found()),
    }
}

fn is_wanted(incoming: &Incoming, entitlement: &Value) -> bool {
    let matches = |name: &str| incoming.query(name).is_none_or(|id| entitlement[name] == id);
    let skus = incoming.query("sku_ids").map(|ids| ids.replace("%2C", ","));
    let is_of_sku = skus.is_none_or(|ids| ids.split(',').any(|id| entitlement["sku_id"] == id));
    // Deleted ones are left out unless they are asked for.
    let shows_deleted = incoming.query("exclude_deleted").is_some_and(|value| matches!(value, "false" | "False" | "0"));
    matches("user_id") && matches("guild_id") && is_of_sku && (shows_deleted || entitlement["deleted"] == false)
}

fn read(body: &Value) -> Result<(Owner, Id), ApiError> {
    let mut errors = FormErrors::default();
    let mut id = |field: &str| {
        let found = id_of(&body[field]);
        if found.is_none() {
            errors.required(field);
        }
        found.unwrap_or(0)
    };
    let (sku, owner) = (id("sku_id"), id("owner_id"));
    let owner = match body["owner_type"].as_u64() {
        Some(1) => Owner::Guild(owner),
        kind => {
            if kind != Some(2) {
                errors.choice("owner_type", "1, 2");
            }
            Owner::User(owner)
        }
    };
    errors.finish()?;
    Ok((owner, sku))
}
