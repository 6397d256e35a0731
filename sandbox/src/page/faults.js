const NUMBER = "number";

/** The fields that a fault may have. `top` is the greatest number that makes sense. */
export const FIELDS = {
  ms: { label: "Milliseconds", type: NUMBER, top: 600_000 },
  scope: { label: "Whose limit", type: "text", choices: ["user", "global", "shared"] },
  status: { label: "Status", type: NUMBER, top: 599 },
  code: { label: "Code", type: NUMBER, top: 99_999 },
  word: { label: "Word", type: "text" },
  permission: { label: "Permission", type: "text", choices: ["ATTACH_FILES", "EMBED_LINKS", "SEND_MESSAGES", "VIEW_CHANNEL", "ADD_REACTIONS", "READ_MESSAGE_HISTORY"] },
  guild: { label: "Guild", type: "guild" },
  channel: { label: "Channel", type: "channel" },
  route: { label: "Only requests like", type: "text", hint: "POST /webhooks" },
  count: { label: "How often", type: NUMBER, top: 100_000, hint: "until stopped" },
  probability: { label: "Probability", type: NUMBER, top: 1, step: 0.05, hint: "1" },
};

const HTTP = ["count", "probability", "route"];
const GATEWAY = ["count", "probability"];

/** What each kind does, in a sentence, with its fields, their first values, and those that are needed. */
export const KINDS = {
  latency: { title: "Latency", sentence: "Every answer takes longer.", fields: ["ms", ...HTTP], first: { ms: "1500" }, needed: ["ms"] },
  rate_limit: { title: "Rate limit", sentence: "Requests are answered 429 with a time to wait.", fields: ["ms", "scope", ...HTTP], first: { ms: "2000", scope: "user" } },
  server_error: { title: "Server error", sentence: "Requests end in a 5xx with a page of HTML.", fields: ["status", ...HTTP], first: { status: "502" } },
  reset: { title: "Connection reset", sentence: "The connection is cut while a request is on its way.", fields: HTTP },
  lost_answer: { title: "Lost answer", sentence: "The request is carried out, and the connection is cut before its answer.", fields: HTTP },
  slow_body: { title: "Slow body", sentence: "An answer begins, and its body trickles in.", fields: ["ms", ...HTTP], first: { ms: "5000" } },
  gateway_drop: { title: "Gateway drop", sentence: "The gateway's connection is lost without a word.", fields: GATEWAY, first: { count: "1" } },
  half_open: { title: "Half-open socket", sentence: "The gateway stays connected and says nothing more, not even to heartbeats.", fields: GATEWAY, first: { count: "1" } },
  invalid_session: { title: "Invalid session", sentence: "The session is declared invalid: the bot has to identify anew.", fields: GATEWAY, first: { count: "1" } },
  reconnect: { title: "Reconnect", sentence: "The gateway asks the bot to reconnect and resume.", fields: GATEWAY, first: { count: "1" } },
  close: { title: "Close", sentence: "The gateway closes the connection with a code.", fields: ["code", ...GATEWAY], first: { code: "4000", count: "1" } },
  duplicate_events: { title: "Duplicate events", sentence: "Events are sent twice.", fields: GATEWAY },
  late_events: { title: "Late events", sentence: "Events come late.", fields: ["ms", ...GATEWAY], first: { ms: "2000" } },
  token_revoked: { title: "Token revoked", sentence: "The bot's token is good for nothing until this is stopped.", fields: [] },
  guild_removed: { title: "Guild removed", sentence: "The bot is thrown out of a guild.", fields: ["guild"], needed: ["guild"] },
  permission_removed: { title: "Permission removed", sentence: "The bot loses a permission in a guild or a channel.", fields: ["permission", "guild", "channel"], first: { permission: "ATTACH_FILES" }, needed: ["permission"] },
  automod: { title: "AutoMod", sentence: "Messages with a word are refused.", fields: ["word", "count"], first: { word: "frog" }, needed: ["word"] },
};

/** Faults that start with one press. */
export const PRESETS = [
  { id: "slow", title: "Discord is slow", sentence: "Each answer takes 1.5\u00a0s", body: { kind: "latency", ms: 1500 } },
  { id: "storm", title: "429 storm", sentence: "Half of all requests must wait", body: { kind: "rate_limit", probability: 0.5, ms: 1000 } },
  { id: "outage", title: "Outage", sentence: "The next ten requests get a 502", body: { kind: "server_error", status: 502, count: 10 } },
  { id: "cut", title: "Bad network", sentence: "One request in five is cut off", body: { kind: "reset", probability: 0.2 } },
  { id: "drop", title: "Gateway drops", sentence: "The bot loses its connection once", body: { kind: "gateway_drop", count: 1 } },
  { id: "twice", title: "Events twice", sentence: "Each event comes two times", body: { kind: "duplicate_events" } },
  { id: "revoked", title: "Token revoked", sentence: "The bot is locked out", body: { kind: "token_revoked" } },
  { id: "automod", title: "AutoMod blocks a word", sentence: "“frog” is refused", body: { kind: "automod", word: "frog" } },
];

/** What to know of a kind, also of one that the page has never heard of. */
export const kindOf = (kind) => KINDS[kind] ?? { title: kind.replaceAll("_", " "), sentence: "", fields: Object.keys(FIELDS) };

/** The kinds that the sandbox names, as texts or as `{ kind }`; all that the page knows where it names none. */
export function kindNames(told) {
  const named = (told ?? []).map((one) => (typeof one === "string" ? one : (one.kind ?? one.name ?? one.id))).filter(Boolean);
  return named.length ? named : Object.keys(KINDS);
}

/** `{ body }` to send for what was typed, or `{ error, field }`. */
export function faultBody(kind, typed) {
  const body = { kind };
  const { fields, needed = [] } = kindOf(kind);
  for (const name of fields) {
    const text = String(typed[name] ?? "").trim();
    const { label, type, top } = FIELDS[name];
    if (!text) {
      if (needed.includes(name)) return { error: `${label} is needed`, field: name };
      continue;
    }
    const value = type === NUMBER ? Number(text) : text;
    const isWhole = name !== "probability";
    if (type === NUMBER && (!Number.isFinite(value) || value < 0 || value > top || (isWhole && !Number.isInteger(value)))) {
      return { error: `${label}: ${isWhole ? "a whole number" : "a number"} from 0 to ${top}`, field: name };
    }
    body[name] = value;
  }
  return { body };
}

/** The details of an active fault in a few words; `isStanding` when the sandbox keeps it over a restart. */
export function describeFault(fault, nameOfId = (id) => id, isStanding = false) {
  const parts = [
    fault.ms !== undefined && fault.ms !== null && (fault.ms >= 1000 ? `${fault.ms / 1000} s` : `${fault.ms} ms`),
    fault.scope && `scope ${fault.scope}`,
    fault.status && `status ${fault.status}`,
    fault.code && `code ${fault.code}`,
    fault.word && `“${fault.word}”`,
    fault.permission,
    fault.guild && nameOfId(String(fault.guild)),
    fault.channel && `#${nameOfId(String(fault.channel))}`,
    fault.route,
    fault.probability < 1 && `${Math.round(fault.probability * 100)} %`,
    remaining(fault),
    isStanding && "kept over a restart",
  ];
  return parts.filter(Boolean).join(" · ");
}

function remaining(fault) {
  const left = fault.remaining ?? fault.left ?? fault.count;
  return left === undefined || left === null ? "until stopped" : `${left} ${left === 1 ? "time" : "times"} left`;
}
