import { control } from "./api.js";
import { h } from "./dom.js";
import { fitsFilter, journalSummary } from "./journal-line.js";
import { jsonElement } from "./json-view.js";

const POLL_MS = 1000;
const MAX_LINES = 400;

/** The tab with the journal: its newest lines, as they come. */
export function journalTab() {
  const list = h("div", { class: "journal-lines", role: "log", "aria-live": "off", "aria-label": "Journal", tabindex: "0", testid: "journal-lines" });
  const filter = h("input", { type: "search", placeholder: "Filter, for example callback 404", "aria-label": "Filter the journal", testid: "journal-filter", oninput: () => draw() });
  const pause = h("button", { type: "button", class: "button secondary compact", "aria-pressed": "false", testid: "journal-pause", onclick: () => {
    isPaused = !isPaused;
    pause.setAttribute("aria-pressed", String(isPaused));
    pause.textContent = isPaused ? "Go on" : "Pause";
  } }, "Pause");
  const beats = h("input", { type: "checkbox", testid: "journal-heartbeats", onchange: () => again() });
  const note = h("p", { class: "empty", hidden: true });
  const element = h("div", { class: "journal" }, h("div", { class: "panel-tools" }, filter, pause), h("label", { class: "journal-beats" }, beats, "Heartbeats too"), note, list);
  let lines = [];
  let after;
  let nAsked = 0;
  let isPaused = false;
  let isClosed = false;

  // What was left out is asked for from the beginning.
  const again = () => {
    lines = [];
    after = undefined;
    nAsked += 1;
    draw();
  };
  const draw = () => {
    const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    const fitting = lines.filter((line) => fitsFilter(line, filter.value));
    list.replaceChildren(...fitting.map(row));
    note.hidden = fitting.length > 0;
    note.textContent = lines.length ? "No line has these words." : "Nothing has passed yet.";
    if (isAtEnd) list.scrollTop = list.scrollHeight;
  };
  const poll = async () => {
    if (isClosed) return;
    try {
      if (!isPaused && element.isConnected) {
        const asked = nAsked;
        const answer = await control.journal(after, beats.checked);
        if (asked !== nAsked) return setTimeout(poll, 0);
        after = answer.seq;
        if (answer.lines?.length || after === undefined || !lines.length) {
          lines = [...lines, ...(answer.lines ?? []).map(journalSummary)].slice(-MAX_LINES);
          draw();
        }
      }
    } catch (error) {
      note.hidden = false;
      note.textContent = error.status === 404 ? "This sandbox keeps no journal." : error.message;
      if (error.status === 404) return;
    }
    setTimeout(poll, POLL_MS);
  };
  setTimeout(poll, 0);
  return { element, refresh: () => {}, onClose: () => (isClosed = true) };
}

function row(line) {
  const details = h("details", { class: line.isBad ? "journal-line bad" : "journal-line", testid: "journal-line" },
    h("summary", null, h("span", { class: "journal-kind" }, line.kind), h("span", { class: "journal-what" }, line.what), line.result && h("span", { class: "journal-result" }, line.result)));
  details.addEventListener("toggle", () => details.open && details.children.length === 1 && details.append(jsonElement(line.entry)));
  return details;
}
