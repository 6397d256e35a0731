//! Which intent an event needs. Source: discord-api-docs, events/gateway, "List of Intents".

pub(crate) const INTENT_GUILDS: u64 = 1 << 0;
pub(crate) const INTENT_GUILD_MEMBERS: u64 = 1 << 1;
pub(crate) const INTENT_GUILD_MODERATION: u64 = 1 << 2;
pub(crate) const INTENT_GUILD_EXPRESSIONS: u64 = 1 << 3;
pub(crate) const INTENT_GUILD_INTEGRATIONS: u64 = 1 << 4;
pub(crate) const INTENT_GUILD_WEBHOOKS: u64 = 1 << 5;
pub(crate) const INTENT_GUILD_INVITES: u64 = 1 << 6;
pub(crate) const INTENT_GUILD_VOICE_STATES: u64 = 1 << 7;
pub(crate) const INTENT_GUILD_PRESENCES: u64 = 1 << 8;
pub(crate) const INTENT_GUILD_MESSAGES: u64 = 1 << 9;
pub(crate) const INTENT_GUILD_MESSAGE_REACTIONS: u64 = 1 << 10;
pub(crate) const INTENT_GUILD_MESSAGE_TYPING: u64 = 1 << 11;
pub(crate) const INTENT_DIRECT_MESSAGES: u64 = 1 << 12;
pub(crate) const INTENT_DIRECT_MESSAGE_REACTIONS: u64 = 1 << 13;
pub(crate) const INTENT_DIRECT_MESSAGE_TYPING: u64 = 1 << 14;
pub(crate) const INTENT_MESSAGE_CONTENT: u64 = 1 << 15;
pub(crate) const INTENT_GUILD_SCHEDULED_EVENTS: u64 = 1 << 16;
pub(crate) const INTENT_AUTO_MODERATION_CONFIGURATION: u64 = 1 << 20;
pub(crate) const INTENT_AUTO_MODERATION_EXECUTION: u64 = 1 << 21;
pub(crate) const INTENT_GUILD_MESSAGE_POLLS: u64 = 1 << 24;
pub(crate) const INTENT_DIRECT_MESSAGE_POLLS: u64 = 1 << 25;

/// Intents that an application must have switched on.
pub(crate) const PRIVILEGED: u64 = INTENT_GUILD_MEMBERS | INTENT_GUILD_PRESENCES | INTENT_MESSAGE_CONTENT;
/// Every intent that Discord defines.
pub(crate) const KNOWN: u64 = ((1 << 17) - 1)
    | INTENT_AUTO_MODERATION_CONFIGURATION
    | INTENT_AUTO_MODERATION_EXECUTION
    | INTENT_GUILD_MESSAGE_POLLS
    | INTENT_DIRECT_MESSAGE_POLLS;

/// The intents of which a session needs one, 0 when it needs none; `None` for a kind that the table does not name.
pub(super) fn needed(kind: &str, is_in_guild: bool) -> Option<u64> {
    let place = |guild, direct| if is_in_guild { guild } else { direct };
    Some(match kind {
        "GUILD_CREATE" | "GUILD_UPDATE" | "GUILD_DELETE" | "GUILD_ROLE_CREATE" | "GUILD_ROLE_UPDATE" | "GUILD_ROLE_DELETE" => INTENT_GUILDS,
        "CHANNEL_CREATE" | "CHANNEL_UPDATE" | "CHANNEL_DELETE" => INTENT_GUILDS,
        "CHANNEL_PINS_UPDATE" => place(INTENT_GUILDS, INTENT_DIRECT_MESSAGES),
        "THREAD_CREATE" | "THREAD_UPDATE" | "THREAD_DELETE" | "THREAD_LIST_SYNC" | "THREAD_MEMBER_UPDATE" => INTENT_GUILDS,
        "STAGE_INSTANCE_CREATE" | "STAGE_INSTANCE_UPDATE" | "STAGE_INSTANCE_DELETE" => INTENT_GUILDS,
        "VOICE_CHANNEL_STATUS_UPDATE" | "VOICE_CHANNEL_START_TIME_UPDATE" => INTENT_GUILDS,
        "THREAD_MEMBERS_UPDATE" => INTENT_GUILDS | INTENT_GUILD_MEMBERS,
        "GUILD_MEMBER_ADD" | "GUILD_MEMBER_UPDATE" | "GUILD_MEMBER_REMOVE" => INTENT_GUILD_MEMBERS,
        "GUILD_AUDIT_LOG_ENTRY_CREATE" | "GUILD_BAN_ADD" | "GUILD_BAN_REMOVE" => INTENT_GUILD_MODERATION,
        "GUILD_EMOJIS_UPDATE"
        | "GUILD_STICKERS_UPDATE"
        | "GUILD_SOUNDBOARD_SOUND_CREATE"
        | "GUILD_SOUNDBOARD_SOUND_UPDATE"
        | "GUILD_SOUNDBOARD_SOUND_DELETE"
        | "GUILD_SOUNDBOARD_SOUNDS_UPDATE" => INTENT_GUILD_EXPRESSIONS,
        "GUILD_INTEGRATIONS_UPDATE" | "INTEGRATION_CREATE" | "INTEGRATION_UPDATE" | "INTEGRATION_DELETE" => INTENT_GUILD_INTEGRATIONS,
        "WEBHOOKS_UPDATE" => INTENT_GUILD_WEBHOOKS,
        "INVITE_CREATE" | "INVITE_DELETE" => INTENT_GUILD_INVITES,
        "VOICE_CHANNEL_EFFECT_SEND" | "VOICE_STATE_UPDATE" => INTENT_GUILD_VOICE_STATES,
        "PRESENCE_UPDATE" => INTENT_GUILD_PRESENCES,
        "MESSAGE_CREATE" | "MESSAGE_UPDATE" | "MESSAGE_DELETE" | "MESSAGE_DELETE_BULK" => {
            place(INTENT_GUILD_MESSAGES, INTENT_DIRECT_MESSAGES)
        }
        "MESSAGE_REACTION_ADD" | "MESSAGE_REACTION_REMOVE" | "MESSAGE_REACTION_REMOVE_ALL" | "MESSAGE_REACTION_REMOVE_EMOJI" => {
            place(INTENT_GUILD_MESSAGE_REACTIONS, INTENT_DIRECT_MESSAGE_REACTIONS)
        }
        "TYPING_START" => place(INTENT_GUILD_MESSAGE_TYPING, INTENT_DIRECT_MESSAGE_TYPING),
        "GUILD_SCHEDULED_EVENT_CREATE"
        | "GUILD_SCHEDULED_EVENT_UPDATE"
        | "GUILD_SCHEDULED_EVENT_DELETE"
        | "GUILD_SCHEDULED_EVENT_USER_ADD"
        | "GUILD_SCHEDULED_EVENT_USER_REMOVE" => INTENT_GUILD_SCHEDULED_EVENTS,
        "AUTO_MODERATION_RULE_CREATE" | "AUTO_MODERATION_RULE_UPDATE" | "AUTO_MODERATION_RULE_DELETE" => {
            INTENT_AUTO_MODERATION_CONFIGURATION
        }
        "AUTO_MODERATION_ACTION_EXECUTION" => INTENT_AUTO_MODERATION_EXECUTION,
        "MESSAGE_POLL_VOTE_ADD" | "MESSAGE_POLL_VOTE_REMOVE" => place(INTENT_GUILD_MESSAGE_POLLS, INTENT_DIRECT_MESSAGE_POLLS),
        "READY" | "RESUMED" | "RATE_LIMITED" | "INTERACTION_CREATE" | "GUILD_MEMBERS_CHUNK" | "USER_UPDATE" => 0,
        "APPLICATION_COMMAND_PERMISSIONS_UPDATE" | "ENTITLEMENT_CREATE" | "ENTITLEMENT_UPDATE" | "ENTITLEMENT_DELETE" => 0,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_an_event_decides_its_intent() {
        let check = |kind, guild, direct| assert_eq!((needed(kind, true), needed(kind, false)), (Some(guild), Some(direct)), "{kind}");
        check("MESSAGE_CREATE", 1 << 9, 1 << 12);
        check("MESSAGE_REACTION_ADD", 1 << 10, 1 << 13);
        check("TYPING_START", 1 << 11, 1 << 14);
        check("CHANNEL_PINS_UPDATE", 1 << 0, 1 << 12);
        check("MESSAGE_POLL_VOTE_ADD", 1 << 24, 1 << 25);
        check("INTERACTION_CREATE", 0, 0);
        assert_eq!(needed("SOMETHING_ELSE", true), None);
    }

    #[test]
    fn every_intent_is_known() {
        assert_eq!(KNOWN, 0x331_ffff);
        assert_eq!(PRIVILEGED & !KNOWN, 0);
    }
}
