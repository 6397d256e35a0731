const BASE = "/sandbox/api";

/** Events after which the places that a person sees may be others. */
export const PLACES = ["state", "channel_create", "channel_update", "channel_delete", "thread_create", "thread_update", "thread_delete", "guild_update", "command_permissions"];
const EVENT_TYPES = ["message_create", "message_update", "message_delete", "typing", "interaction_acknowledged",
  "interaction_failed", "modal", "commands", "bot", "violation", "fault", "entitlement", ...PLACES];

/** Said where there was no answer at all, and taken back when there is one again. */
export const NO_ANSWER = "The sandbox does not answer. Is it still running?";

/** An answer that is not a success; `status` is 0 when there was no answer at all. */
export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function call(method, path, { query, body, signal } = {}) {
  const given = Object.entries(query ?? {}).filter(([, value]) => value !== undefined && value !== null);
  const search = given.length ? `?${new URLSearchParams(given)}` : "";
  let response;
  try {
    response = await fetch(BASE + path + search, {
      method,
      signal,
      headers: body ? { "content-type": "application/json" } : {},
      body: body && JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, NO_ANSWER);
  }
  const answer = await response.json().catch(() => null);
  if (response.ok) return answer;
  const reason = answer?.error ?? `The sandbox answered ${response.status}.`;
  throw new ApiError(response.status, reason[0].toUpperCase() + reason.slice(1));
}

/** Users, guilds, commands and where to start listening; without a user, the sandbox picks one. */
export const getState = (user) => call("GET", "/state", { query: { user } });

/** How a bot connects, for each library; none where the sandbox keeps that to itself. */
export const getGuides = () => call("GET", "/connect");

/** One page of a channel's messages, oldest first. */
export const getMessages = (channel, user, before, limit) =>
  call("GET", `/channels/${channel}/messages`, { query: { user, before, limit } });

/** One message, as this person sees it. */
export const getMessage = (message, user) => call("GET", `/messages/${message}`, { query: { user } });

/** Sends a plain message. */
export const postMessage = (body) => call("POST", "/messages", { body });

/** Deletes a message, or dismisses an ephemeral one. */
export const deleteMessage = (message, user) => call("DELETE", `/messages/${message}`, { query: { user } });

/** Uses a command; the answer names the interaction. */
export const postCommand = (body) => call("POST", "/commands", { body });

/** Asks the bot for choices for the focused option. */
export const postAutocomplete = (body, signal) => call("POST", "/autocomplete", { body, signal });

/** Presses a button or sends a selection. */
export const postComponent = (body) => call("POST", "/components", { body });

/** Submits a modal. */
export const postModal = (body) => call("POST", "/modals", { body });

/** Adds or takes back a reaction. */
export const postReaction = (body) => call("POST", "/reactions", { body });

/** Tells the others that this person is typing. */
export const postTyping = (body) => call("POST", "/typing", { body });

/** Opens a thread, from a message where one is named. */
export const postThread = (body) => call("POST", "/threads", { body });

/** Gives a person what a premium button sells. */
export const postEntitlement = (body) => call("POST", "/entitlements", { body });

/** The message exactly as the bot's REST shows it; where that is not to be had, as the person sees it. */
export async function getRawMessage(message, user) {
  try {
    return { message: await call("GET", `/messages/${message}/raw`, { query: { user } }), isRaw: true };
  } catch (error) {
    if (!(error instanceof ApiError) || error.status === 0) throw error;
    return { message: await getMessage(message, user), isRaw: false };
  }
}

/** The control API: faults, violations, the journal and the clock. */
export const control = {
  faults: () => call("GET", "/control/faults"),
  start: (body) => call("POST", "/control/faults", { body }),
  stop: (id) => call("DELETE", `/control/faults/${encodeURIComponent(id)}`),
  stopAll: () => call("DELETE", "/control/faults"),
  violations: () => call("GET", "/control/violations"),
  forgetViolations: () => call("DELETE", "/control/violations"),
  journal: (after, heartbeats, limit = 200) => call("GET", "/control/journal", { query: { after, limit, heartbeats: heartbeats || undefined } }),
  entitlements: () => call("GET", "/control/entitlements"),
  grant: (owner, sku) => call("POST", "/control/entitlements", { body: { owner, sku } }),
  consume: (id) => call("POST", `/control/entitlements/${encodeURIComponent(id)}/consume`),
  revoke: (id) => call("DELETE", `/control/entitlements/${encodeURIComponent(id)}`),
  commandPermissions: (guild) => call("GET", "/control/command_permissions", { query: { guild } }),
  permitCommand: (guild, id, permissions) => call("PUT", "/control/command_permissions", { body: { guild, id, permissions } }),
  clock: () => call("GET", "/control/clock"),
  advance: (ms) => call("POST", "/control/clock/advance", { body: { ms } }),
};

/**
 * Listens for events after `after`. `onLost` is called once, when the stream ends for any reason (410 included:
 * an EventSource cannot see a status); the caller then reloads the state and listens again.
 */
export function listen(user, after, { onOpen, onEvent, onLost }) {
  const source = new EventSource(`${BASE}/events?${new URLSearchParams({ user, after })}`);
  const close = () => source.close();
  const receive = (type, event) => {
    const body = JSON.parse(event.data);
    const wrapped = typeof body.type === "string" && EVENT_TYPES.includes(body.type) && "data" in body;
    if (wrapped) onEvent(body.type, body.data);
    else if (type) onEvent(type, body);
  };
  source.onopen = onOpen;
  source.onmessage = (event) => receive(null, event);
  for (const type of EVENT_TYPES) source.addEventListener(type, (event) => receive(type, event));
  source.onerror = () => {
    close();
    onLost();
  };
  return close;
}
