//! What people have bought: SKUs, and entitlements to them. Source: discord-api-docs, resources/entitlement and resources/sku.

use crate::{
    error::ApiError,
    gateway::Dispatch,
    message::id_of,
    state::State,
    store,
    world::{APPLICATION, Id},
};
use axum::http::StatusCode;
use serde_json::{Value, json};
use sqlx::SqliteConnection;

/// A month's membership.
const SUBSCRIPTION: Id = 1_000_000_000_000_000_801;
/// Something that is used up.
const CONSUMABLE: Id = 1_000_000_000_000_000_802;
/// Something that is kept.
const DURABLE: Id = 1_000_000_000_000_000_803;
/// In memory mode, older ones are forgotten.
const N_KEPT: i64 = 1000;

/// Who owns an entitlement.
#[derive(Clone, Copy)]
pub(crate) enum Owner {
    Guild(Id),
    User(Id),
}

/// Everything that is for sale.
pub(crate) fn skus() -> Vec<Value> {
    let sku = |id: Id, kind: u8, name: &str, flags: u64| {
        json!({
            "id": id.to_string(), "type": kind, "application_id": APPLICATION.to_string(), "name": name,
            "slug": name.to_lowercase().replace(' ', "-"), "flags": flags, "dependent_sku_id": null, "access_type": 1,
            "manifest_labels": null, "features": [], "release_date": null, "premium": false, "show_age_gate": false,
        })
    };
    // Available, and a subscription of a person.
    vec![
        sku(SUBSCRIPTION, 5, "Studio membership", 1 << 2 | 1 << 8),
        sku(CONSUMABLE, 3, "Ten grids", 1 << 2),
        sku(DURABLE, 2, "Large pictures", 1 << 2),
    ]
}

fn is_sku(id: Id) -> bool {
    [SUBSCRIPTION, CONSUMABLE, DURABLE].contains(&id)
}

/// Gives somebody what a SKU sells, as a test purchase does, and tells the bot.
pub(crate) async fn grant(db: &mut SqliteConnection, state: &State, owner: Owner, sku: Id) -> Result<Value, ApiError> {
    let scene = state.world.now();
    if !is_sku(sku) {
        return Err(ApiError::unknown("SKU", 10_027));
    }
    let (owner_id, user) = match owner {
        Owner::User(user) => (user, scene.person(user).ok_or_else(|| ApiError::unknown("User", 10_013))?.id),
        Owner::Guild(guild) => (guild, scene.guild(guild).ok_or_else(|| ApiError::unknown("Guild", 10_004))?.owner),
    };
    let id = state.store.next_id(db, state.clock.now_ms()).await?;
    let mut entitlement = json!({
        "id": id.to_string(), "sku_id": sku.to_string(), "application_id": APPLICATION.to_string(), "user_id": user.to_string(),
        "type": 8, "deleted": false, "starts_at": null, "ends_at": null, "consumed": false,
    });
    if let Owner::Guild(guild) = owner {
        entitlement["guild_id"] = json!(guild.to_string());
    }
    store::entitlements::save(db, id, owner_id, &entitlement).await?;
    if state.is_in_memory {
        store::entitlements::forget_beyond(db, N_KEPT).await?;
    }
    tell(state, "ENTITLEMENT_CREATE", &entitlement);
    Ok(entitlement)
}

/// An entitlement that was not deleted.
pub(crate) async fn get(db: &mut SqliteConnection, id: Id) -> Result<Value, ApiError> {
    let found = store::entitlements::get(db, id).await?.filter(|found| found["deleted"] == false);
    found.ok_or_else(|| ApiError::unknown("Entitlement", 10_070))
}

/// Takes it away again.
pub(crate) async fn revoke(db: &mut SqliteConnection, state: &State, id: Id) -> Result<(), ApiError> {
    let mut entitlement = get(db, id).await?;
    entitlement["deleted"] = json!(true);
    store::entitlements::save(db, id, 0, &entitlement).await?;
    tell(state, "ENTITLEMENT_DELETE", &entitlement);
    Ok(())
}

/// Notes that a consumable was used up.
pub(crate) async fn consume(db: &mut SqliteConnection, state: &State, id: Id) -> Result<(), ApiError> {
    let mut entitlement = get(db, id).await?;
    if !is_consumable(&entitlement) {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, 50_035, "Invalid Form Body"));
    }
    if entitlement["consumed"] == true {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, 40_018, "This entitlement has already been consumed"));
    }
    entitlement["consumed"] = json!(true);
    store::entitlements::save(db, id, 0, &entitlement).await?;
    tell(state, "ENTITLEMENT_UPDATE", &entitlement);
    Ok(())
}

/// Whether it is used up at some time, rather than kept.
pub(crate) fn is_consumable(entitlement: &Value) -> bool {
    id_of(&entitlement["sku_id"]) == Some(CONSUMABLE)
}

/// What an interaction of this person, in this guild, carries.
pub(crate) async fn of(db: &mut SqliteConnection, user: Id, guild: Option<Id>) -> Result<Vec<Value>, ApiError> {
    let owners: Vec<Id> = guild.into_iter().chain([user]).collect();
    let mut all = store::entitlements::of_owners(db, &owners).await?;
    all.retain(|entitlement| entitlement["deleted"] == false && entitlement["consumed"] != true);
    Ok(all)
}

/// Events without a guild go to shard 0 only.
fn tell(state: &State, kind: &'static str, entitlement: &Value) {
    state.events.push("entitlement", None, entitlement.clone());
    state.hub.dispatch(&Dispatch { kind, data: entitlement.clone(), intent: 0, guild: None, is_private: false });
}
