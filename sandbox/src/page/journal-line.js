/** What says nothing in a summary. */
const USELESS = new Set(["seq", "at", "at_ms", "ts", "time", "time_ms"]);

const OPS = { 1: "heartbeat", 2: "IDENTIFY", 3: "presence", 6: "RESUME", 7: "reconnect", 8: "members", 9: "invalid session", 10: "HELLO", 11: "heartbeat ack" };

/** A line about the gateway: what passed which way, or how a connection began or ended. */
function gatewayWords({ direction, op, t, event, by, code, reason, message }) {
  if (event === "open") return "a connection opens";
  if (event === "close") return [code ? `closed by the ${by}` : `broken off by the ${by}`, reason].filter(Boolean).join(": ");
  return `${direction === "to_bot" ? "to the bot" : "from the bot"}: ${t ?? OPS[op] ?? message ?? `op ${op}`}`;
}

/** `{ seq, kind, what, result, isBad }` of a journal line, whatever it is about. */
export function journalSummary(line) {
  const entry = typeof line === "string" ? parsed(line) : line;
  const status = entry.status ?? entry.response?.status ?? (entry.kind === "gateway" ? entry.code : undefined) ?? undefined;
  const kind = entry.kind ?? entry.type ?? entry.event ?? entry.direction ?? "line";
  // Ids are long and alike: their ends tell them apart.
  const path = (entry.path ?? entry.route)?.replace(/^\/api\/v\d+/, "").replace(/\d{15,}/g, (id) => `…${id.slice(-4)}`);
  const request = [entry.method, path].filter(Boolean).join(" ");
  const rest = Object.entries(entry).filter(([name, value]) => !USELESS.has(name) && value !== kind && typeof value !== "object");
  const acted = kind === "page" && [entry.name, request].filter(Boolean).join(": ");
  const fault = entry.fault && `${String(entry.fault.kind).replaceAll("_", " ")} ${entry.fault.ended ? "ended" : "began"}`;
  const said = entry.violation?.message || entry.name || entry.t || entry.message;
  const what = (kind === "gateway" && gatewayWords(entry)) || acted || request || fault || said || rest.map(([name, value]) => `${name} ${value}`).join(", ");
  return { seq: entry.seq, kind: String(kind), what: String(what), result: status === undefined ? "" : String(status), isBad: isBad(kind, status), entry };
}

/** Codes of the gateway's own are bad, and so is a note of what a bot should do otherwise. */
function isBad(kind, status) {
  return kind === "violation" || kind === "note" || kind === "unknown_route" || (kind === "gateway" ? status >= 4000 : status >= 400);
}

function parsed(line) {
  try {
    const value = JSON.parse(line);
    return value && typeof value === "object" ? value : { message: String(value) };
  } catch {
    return { message: line };
  }
}

/** Whether every word of `filter` stands in the line. */
export function fitsFilter(summary, filter) {
  const text = JSON.stringify(summary.entry).toLowerCase();
  return filter.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}
