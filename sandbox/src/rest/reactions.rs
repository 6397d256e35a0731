use super::{Answer, channels::require, incoming::Incoming, messages::find, nothing, ok, parse};
use crate::{
    error::ApiError,
    reaction,
    state::State,
    thread,
    world::{APPLICATION, Channel, Id, permission},
};
use serde_json::{Value, json};

/// `/channels/{id}/messages/{id}/reactions…`.
pub(super) async fn route(state: &State, method: &str, channel: &Channel, message: &str, rest: &[&str], incoming: &Incoming) -> Answer {
    let scene = state.world.now();
    let mut db = state.store.connect().await?;
    let mut found = find(&mut db, channel, message).await?;
    match (method, rest) {
        ("PUT", [emoji, "@me"]) => {
            reaction::check_history(channel)?;
            thread::check_active(channel)?;
            let emoji = reaction::emoji(&scene, emoji)?;
            reaction::add(&mut db, state, (channel, &mut found), APPLICATION, &emoji).await?;
            nothing()
        }
        ("DELETE", [emoji, user]) => {
            let emoji = reaction::emoji(&scene, emoji)?;
            let user = if *user == "@me" { APPLICATION } else { parse(user)? };
            if user != APPLICATION {
                require(channel, permission::MANAGE_MESSAGES)?;
                scene.user(user).ok_or_else(|| ApiError::unknown("User", 10013))?;
            }
            reaction::remove(&mut db, state, (channel, &mut found), user, &emoji).await?;
            nothing()
        }
        ("GET", [emoji]) => {
            let emoji = reaction::emoji(&scene, emoji)?;
            let limit = incoming.number("limit").unwrap_or(25).clamp(1, 100) as usize;
            let after = incoming.number("after").unwrap_or(0);
            let mut users: Vec<Id> = reaction::users(&found, &emoji).into_iter().filter(|user| *user > after).collect();
            users.sort_unstable();
            let users: Vec<Value> = users.into_iter().take(limit).filter_map(|user| scene.user(user)).collect();
            ok(json!(users))
        }
        ("DELETE", []) => {
            require(channel, permission::MANAGE_MESSAGES)?;
            reaction::clear(&mut db, state, (channel, &mut found), None).await?;
            nothing()
        }
        ("DELETE", [emoji]) => {
            require(channel, permission::MANAGE_MESSAGES)?;
            let emoji = reaction::emoji(&scene, emoji)?;
            reaction::clear(&mut db, state, (channel, &mut found), Some(&emoji)).await?;
            nothing()
        }
        _ => Err(ApiError::not_found()),
    }
}
