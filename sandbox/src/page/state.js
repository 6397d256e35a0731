import { getMessage, getMessages, PLACES } from "./api.js";
import { arrangeChannels, guildsOf } from "./places.js";
import { adoptOwn, forgetOwn, withOwn } from "./own-reactions.js";

/** Everything the page knows. `rooms` holds the messages of each channel that was opened. */
export const state = {
  me: null,
  users: new Map(),
  guilds: [],
  channels: new Map(),
  title: "Sandbox",
  bot: { username: "The bot", online: false },
  isLost: false,
  commands: [],
  ideas: [],
  channel: null,
  rooms: new Map(),
  unread: new Map(),
  typing: new Map(),
};

/** How many messages come with a page, and with one on the way to a message that is far back. */
const PAGE = 50;
const FAR_PAGE = 200;

const bus = new EventTarget();

/**
 * Calls `handler(detail)` whenever `topic` changes: "state", "room", "unread", "typing", "bot", "commands", "modal",
 * "message", "places" (other channels may be in sight), "violation", "fault", "entitlement", "panel", "reply", "compose", "visit",
 * "back" (the sandbox answers again).
 */
export const on = (topic, handler) => bus.addEventListener(topic, (event) => handler(event.detail));

/** Tells everyone who listens for `topic`. */
export const emit = (topic, detail) => bus.dispatchEvent(new CustomEvent(topic, { detail }));

/** Orders snowflakes by time. */
export const compareIds = (one, other) => one.length - other.length || (one < other ? -1 : one > other ? 1 : 0);

/** Takes over an answer of `/state`. */
export function adoptState(answer, me) {
  state.users = new Map(answer.users.map((user) => [user.id, user]));
  const guilds = guildsOf(answer, me).map((guild) => ({ ...guild, channels: arrangeChannels(guild.channels) }));
  const among = (answer.private ?? []).map((channel) => ({ ...channel, is_private: true }));
  if (answer.dm) guilds.push({ id: null, name: "Direct messages", channels: [answer.dm] });
  if (among.length) guilds.push({ id: null, name: "Among people", has_bot: false, channels: among });
  state.guilds = guilds;
  state.channels = new Map(state.guilds.flatMap((guild) => guild.channels.map((channel) => [channel.id, { ...channel, guild }])));
  state.bot = answer.bot ?? state.bot;
  state.title = answer.title ?? state.title;
  state.commands = answer.commands ?? [];
  state.ideas = answer.ideas ?? [];
  if (state.me !== me) {
    state.rooms.clear();
    forgetOwn();
    state.unread.clear();
  }
  state.me = me;
  emit("state");
}

/** The room of a channel, made on first use. `locals` are lines that only this page knows. */
export function room(channel) {
  if (!state.rooms.has(channel)) {
    state.rooms.set(channel, { channel, messages: [], locals: [], isLoaded: false, isComplete: false, waiting: null, loading: null });
  }
  return state.rooms.get(channel);
}

/** Loads the newest page of a channel, in place of what was known. */
export const loadLatest = (channel) => load(room(channel), undefined);

/** Loads the page before the oldest known message. */
export async function loadOlder(channel) {
  const place = room(channel);
  if (place.isComplete || place.waiting || !place.messages.length) return;
  await load(place, place.messages[0].id);
}

/** Loads older pages until `message` is in the channel's room, and answers whether it is; throws where the person cannot see it. */
export async function loadBackTo(channel, message) {
  const place = room(channel);
  if (place.waiting) await place.loading;
  else if (!place.isLoaded) await load(place);
  const isThere = () => place.messages.some((one) => one.id === message);
  // Or a channel would be loaded to its beginning for a message that is gone.
  if (!isThere() && (await getMessage(message, state.me)).channel_id !== channel) return false;
  const isFurther = () => !isThere() && !place.isComplete && compareIds(place.messages[0]?.id ?? "", message) > 0;
  while (isFurther() && state.rooms.get(channel) === place) {
    await (place.waiting ? place.loading : load(place, place.messages[0].id, FAR_PAGE));
  }
  return isThere();
}

function load(place, before, limit = PAGE) {
  place.loading = loadPage(place, before, limit);
  return place.loading;
}

async function loadPage(place, before, limit) {
  // Events that come while the page is on its way are newer than it, so they are applied after it.
  const events = (place.waiting = []);
  try {
    const page = await getMessages(place.channel, state.me, before, limit);
    if (state.rooms.get(place.channel) !== place) return;
    page.forEach(adoptOwn);
    place.messages = before ? [...page, ...place.messages] : page;
    place.isComplete = page.length < limit;
    place.isLoaded = true;
  } finally {
    if (place.waiting === events) place.waiting = null;
    for (const [type, data] of events) change(place, type, data);
    emit("room", place.channel);
  }
}

function change(place, type, data) {
  const at = place.messages.findIndex((message) => message.id === data.id);
  if (type === "message_delete") {
    if (at >= 0) place.messages.splice(at, 1);
  } else if (at >= 0) {
    place.messages[at] = data;
  } else if (type === "message_create") {
    place.messages.push(data);
    place.messages.sort((one, other) => compareIds(one.id, other.id));
  }
}

function receiveMessage(type, told) {
  const data = type === "message_delete" ? told : withOwn(told);
  const place = state.rooms.get(data.channel_id);
  if (place?.waiting) place.waiting.push([type, data]);
  else if (place?.isLoaded) change(place, type, data);
  if (type === "message_create") {
    stopTyping(data.channel_id, data.author.id);
    const interaction = data.interaction_metadata?.id;
    if (place && interaction) dropLocal(data.channel_id, interaction);
    const isSeen = data.channel_id === state.channel && !document.hidden;
    if (!isSeen && data.author.id !== state.me) {
      state.unread.set(data.channel_id, (state.unread.get(data.channel_id) ?? 0) + 1);
      emit("unread");
    }
  }
  if (place) emit("room", data.channel_id);
  if (type !== "message_delete") emit("message", { type, message: data });
}

/** Applies one live event. */
export function receive(type, data) {
  if (type.startsWith("message_")) receiveMessage(type, data);
  else if (type === "typing") startTyping(data.channel_id, data.user_id);
  else if (type === "interaction_acknowledged") settle(data.interaction, { isOk: true });
  else if (type === "interaction_failed") settle(data.interaction, { isOk: false, reason: data.reason });
  else if (type === "modal") {
    settle(data.interaction, { isOk: true });
    emit("modal", data);
  } else if (type === "commands") {
    state.commands = Array.isArray(data) ? data : (data.commands ?? []);
    emit("commands");
  } else if (type === "bot") {
    Object.assign(state.bot, data);
    emit("bot");
  } else if (["violation", "fault", "note", "entitlement"].includes(type)) emit(type, data);
  else if (PLACES.includes(type)) emit("places");
}

const settled = new Map();
const watchers = new Map();

function settle(interaction, outcome) {
  settled.set(interaction, outcome);
  if (settled.size > 200) settled.delete(settled.keys().next().value);
  watchers.get(interaction)?.(outcome);
  watchers.delete(interaction);
}

/** Resolves with `{ isOk, reason }` once the bot answered, or the sandbox gave up on it. */
export function outcomeOf(interaction) {
  if (settled.has(interaction)) return Promise.resolve(settled.get(interaction));
  return new Promise((resolve) => {
    watchers.set(interaction, resolve);
    // The verdict comes after 3 s; if the connection was lost meanwhile it never comes, and nothing may spin for ever.
    setTimeout(() => settle(interaction, settled.get(interaction) ?? { isOk: true }), 10_000);
  });
}

/** Adds or replaces a line that only this page knows: a command on its way, or one that failed. */
export function putLocal(channel, line) {
  const place = room(channel);
  place.locals = [...place.locals.filter((other) => other.id !== line.id), line];
  emit("room", channel);
}

/** Removes such a line. */
export function dropLocal(channel, id) {
  const place = room(channel);
  place.locals = place.locals.filter((line) => line.id !== id);
  emit("room", channel);
}

/** Forgets the unread count of the channel in view. */
export function markRead() {
  if (state.unread.delete(state.channel)) emit("unread");
}

function startTyping(channel, user) {
  if (user === state.me) return;
  const key = `${channel}/${user}`;
  clearTimeout(state.typing.get(key)?.timer);
  state.typing.set(key, { channel, user, timer: setTimeout(() => stopTyping(channel, user), 10_000) });
  emit("typing");
}

function stopTyping(channel, user) {
  if (state.typing.delete(`${channel}/${user}`)) emit("typing");
}
