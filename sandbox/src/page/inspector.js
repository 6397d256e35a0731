import { getRawMessage } from "./api.js";
import { h, icon, nameOf, toast } from "./dom.js";
import { jsonElement } from "./json-view.js";
import { showPanel } from "./panel.js";
import { on, state } from "./state.js";

const MARKS = [[64, "ephemeral"], [128, "loading"], [32768, "components only"], [4, "no embeds"], [4096, "silent"]];
let shown = null;

/** Opens the inspector on a message: its JSON as the bot's REST shows it, kept up to date while it is open. */
export function inspect(message) {
  showPanel({ id: "inspector", title: "Inspector", build: () => build(message) });
}

on("message", ({ message }) => message.id === shown?.id && shown.load());

function build(message) {
  const facts = h("dl", { class: "facts" });
  const source = h("p", { class: "quiet small" });
  const slot = h("div", { class: "json-slot", testid: "inspector-json", "aria-live": "off" });
  let text = "";
  const load = async () => {
    try {
      const answer = await getRawMessage(message.id, state.me);
      if (shown?.id !== message.id) return;
      text = JSON.stringify(answer.message, null, 2);
      facts.replaceChildren(...factsOf(answer.message));
      source.textContent = answer.isRaw ? "Exactly what the bot gets from its REST." : "As the sandbox's page gets it.";
      slot.replaceChildren(jsonElement(answer.message));
      slot.firstChild.setAttribute("aria-label", "JSON of the message");
    } catch (error) {
      slot.replaceChildren(h("p", { class: "empty", role: "alert" }, error.message));
    }
  };
  const copy = () => navigator.clipboard.writeText(text).then(() => toast("JSON copied"), () => toast("The browser does not let this page copy", "error"));
  shown = { id: message.id, load };
  load();
  const element = h("div", { class: "inspector", testid: "inspector" }, facts,
    h("div", { class: "panel-tools" }, source, h("button", { type: "button", class: "button secondary compact", testid: "inspector-copy", onclick: copy }, icon("copy"), "Copy JSON")),
    slot);
  return { element, onClose: () => (shown = null) };
}

function factsOf(message) {
  const marks = MARKS.filter(([bit]) => message.flags & bit).map(([, name]) => name);
  const rows = [
    ["Id", message.id], ["Author", `${nameOf(message.author)}${message.author.bot ? " (bot)" : ""}`], ["Sent", new Date(message.timestamp).toLocaleString()],
    message.edited_timestamp && ["Edited", new Date(message.edited_timestamp).toLocaleString()],
    ["Flags", marks.length ? `${message.flags} (${marks.join(", ")})` : String(message.flags ?? 0)],
    message.components?.length && ["Components", String(countComponents(message.components))],
    message.attachments?.length && ["Attachments", String(message.attachments.length)],
  ];
  return rows.filter(Boolean).flatMap(([name, value]) => [h("dt", null, name), h("dd", null, value)]);
}

/** How many components there are, inner ones included. */
function countComponents(components) {
  return components.reduce((sum, one) => sum + 1 + countComponents(one.components ?? []) + (one.accessory ? 1 : 0), 0);
}
