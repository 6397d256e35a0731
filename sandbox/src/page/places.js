import { MAX_FILE_BYTES } from "./files.js";

const ADMINISTRATOR = 1n << 3n;
const VIEW_CHANNEL = 1n << 10n;
const DIRECT = 1;
const GROUP = 3;
const THREADS = [10, 11, 12];

/** Discord's permission bits that the page asks for. */
export const PERMISSION = {
  ADD_REACTIONS: 1n << 6n, SEND_MESSAGES: 1n << 11n, MANAGE_MESSAGES: 1n << 13n, ATTACH_FILES: 1n << 15n,
  MANAGE_THREADS: 1n << 34n, CREATE_PUBLIC_THREADS: 1n << 35n, SEND_MESSAGES_IN_THREADS: 1n << 38n,
};

/** True for a thread, which stands below its channel. */
export const isThread = (channel) => THREADS.includes(channel?.type);

/** Whether the acting person has `bit` in `channel`; true where the sandbox does not say. */
export function may(channel, bit) {
  if (!/^\d+$/.test(channel?.permissions ?? "")) return true;
  const bits = BigInt(channel.permissions);
  return (bits & ADMINISTRATOR) !== 0n || (bits & bit) === bit;
}

/** What stands before the name of a channel: "#" in a guild, "@" for somebody, nothing for a thread or a group. */
export function markOf(channel) {
  if (!channel || isThread(channel) || channel.type === GROUP) return "";
  return channel.guild_id || channel.guild?.id ? "#" : "@";
}

/** True where the bot is no member: only commands that a person installed for themselves work there. */
export const isWithoutBot = (channel) => Boolean(channel) && (channel.is_private || channel.guild?.has_bot === false);

/** True for a thread that is out of the way until somebody writes in it. */
export const isArchived = (channel) => Boolean(channel?.thread_metadata?.archived);

/** Whether the acting person may write here: threads have a bit of their own, direct messages are always open. */
export function mayWrite(channel) {
  if (!channel || channel.type === DIRECT) return true;
  if (channel.thread_metadata?.locked && !may(channel, PERMISSION.MANAGE_THREADS)) return false;
  return may(channel, isThread(channel) ? PERMISSION.SEND_MESSAGES_IN_THREADS : PERMISSION.SEND_MESSAGES);
}

/** How many bytes a file may have in `channel`; each guild has its own limit. */
export const fileLimit = (channel) => channel?.guild?.attachment_size_limit ?? MAX_FILE_BYTES;

/** True for a channel that @everyone (whose role has the guild's id) may not see. */
export function isLocked(channel, guildId = channel.guild_id) {
  const everyone = (channel.permission_overwrites ?? []).find((one) => one.id === guildId);
  return Boolean(everyone && BigInt(everyone.deny ?? 0) & VIEW_CHANNEL);
}

/** The people in `channel`, and the bot where it is one of them. `all` are the people, each with the guilds they are in. */
export function peopleIn(channel, all, me, bot) {
  if (channel?.is_private) return all.filter((user) => user.id === me || channel.recipients?.some((one) => one.id === user.id));
  const guild = channel?.guild?.id;
  const people = all.filter((user) => (guild ? !user.guilds || user.guilds.includes(guild) : !channel || user.id === me));
  return isWithoutBot(channel) || !bot?.id ? people : [...people, bot];
}

/** The guilds that `me` is in; everyone is in all where the sandbox does not say. */
export function guildsOf(answer, me) {
  const mine = answer.users.find((user) => user.id === me)?.guilds;
  return mine ? answer.guilds.filter((guild) => mine.includes(guild.id)) : answer.guilds;
}

/** Channels by position, each with its threads behind it; a thread without its channel in sight comes last. */
export function arrangeChannels(channels) {
  const threads = channels.filter(isThread);
  const places = channels.filter((channel) => !isThread(channel)).sort((one, other) => (one.position ?? 0) - (other.position ?? 0));
  const known = new Set(places.map((channel) => channel.id));
  const below = (channel) => threads.filter((thread) => thread.parent_id === channel.id);
  return [...places.flatMap((channel) => [channel, ...below(channel)]), ...threads.filter((thread) => !known.has(thread.parent_id))];
}

/** What the bot says that it does, or an empty text. */
export function activityText(bot) {
  const activity = bot?.activity ?? (bot?.activities ?? bot?.presence?.activities)?.[0];
  if (!activity) return "";
  if (typeof activity === "string") return activity;
  const CUSTOM = 4;
  const verbs = { 0: "Playing", 1: "Streaming", 2: "Listening to", 3: "Watching", 5: "Competing in" };
  if (activity.type === CUSTOM) return activity.state ?? "";
  return [verbs[activity.type], activity.name].filter(Boolean).join(" ");
}
