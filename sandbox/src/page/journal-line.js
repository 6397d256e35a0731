/** What says nothing in a summary. */
const USELESS = new Set(["seq", "at", "at_ms", "ts", "time", "time_ms"]);

/** `{ seq, kind, what, result, isBad }` of a journal line, whatever it is about. */
export function journalSummary(line) {
  const entry = typeof line === "string" ? parsed(line) : line;
  const status = entry.status ?? entry.response?.status;
  const kind = entry.kind ?? entry.type ?? entry.event ?? entry.direction ?? "line";
  // Ids are long and alike: their ends tell them apart.
  const path = (entry.path ?? entry.route)?.replace(/^\/api\/v\d+/, "").replace(/\d{15,}/g, (id) => `…${id.slice(-4)}`);
  const request = [entry.method, path].filter(Boolean).join(" ");
  const rest = Object.entries(entry).filter(([name, value]) => !USELESS.has(name) && value !== kind && typeof value !== "object");
  const fault = entry.fault && `${String(entry.fault.kind).replaceAll("_", " ")} ${entry.fault.ended ? "ended" : "began"}`;
  const what = request || fault || entry.violation?.message || entry.name || entry.t || entry.message || rest.map(([name, value]) => `${name} ${value}`).join(", ");
  return { seq: entry.seq, kind: String(kind), what: String(what), result: status === undefined ? "" : String(status), isBad: status >= 400 || kind === "violation", entry };
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
