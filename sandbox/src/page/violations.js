import { control } from "./api.js";
import { h, icon, toast } from "./dom.js";
import { emit, on } from "./state.js";

const MAX_KEPT = 500;
const DIRECTIONS = { request: "the bot asked", response: "the sandbox answered", event: "the sandbox sent" };

/** What the sandbox found wrong so far, oldest first. */
let found = [];

/** How many violations are known. */
export const countViolations = () => found.length;

/** Loads the violations; a sandbox that finds none out has none. */
export async function loadViolations() {
  const answer = await control.violations().catch(() => []);
  found = Array.isArray(answer) ? answer.slice(-MAX_KEPT) : [];
  emit("violations");
}

on("violation", (one) => {
  if (!one || found.some((other) => other.seq === one.seq)) return;
  found = [...found, one].slice(-MAX_KEPT);
  emit("violations");
});

on("note", ({ message }) => toast(`The sandbox notes: ${message}`));

/** The tab with the violations. */
export function violationTab() {
  const list = h("div", { class: "violations", testid: "violation-list" });
  const draw = () => list.replaceChildren(...(found.length ? [head(), ...[...found].reverse().map(card)] : [empty()]));
  draw();
  return { element: list, refresh: draw };
}

function empty() {
  return h("div", { class: "empty" }, h("span", { class: "empty-mark good", "aria-hidden": "true" }, icon("check")),
    h("p", null, "None. Every request fits the API's own description, and so does every answer."));
}

function head() {
  const forget = () => control.forgetViolations().then(() => {
    found = [];
    emit("violations");
  }, (error) => toast(error.message, "error"));
  return h("div", { class: "panel-tools" }, h("p", { class: "quiet small" }, `${found.length} found, newest first`),
    h("button", { type: "button", class: "button secondary compact", testid: "violations-forget", onclick: forget }, "Forget all"));
}

function card(one) {
  return h("article", { class: "violation", testid: "violation" },
    h("div", { class: "violation-head" }, one.method && h("span", { class: "method" }, one.method), h("code", null, one.route ?? one.path ?? "event")),
    h("p", null, one.message),
    h("p", { class: "quiet small" }, DIRECTIONS[one.direction] ?? one.direction, one.path && one.path !== one.route ? ` · ${one.path}` : "", one.seq ? ` · line ${one.seq}` : ""));
}
