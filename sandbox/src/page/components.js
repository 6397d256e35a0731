import { postComponent, postEntitlement } from "./api.js";
import { h, icon, toast } from "./dom.js";
import { emojiName, emojiText } from "./emoji.js";
import { anchor } from "./markup.js";
import { select, SELECTS } from "./select.js";
import { outcomeOf, state } from "./state.js";

const STYLES = { 1: "primary", 2: "secondary", 3: "success", 4: "danger", 5: "link", 6: "primary" };
const LINK = 5;
const PREMIUM = 6;
export const NO_RESPONSE = "The application did not respond";
const NOTE_MS = 9000;

/** The action rows of a message, with a line below them for what went wrong. */
export function renderComponents(message) {
  const { use, note } = useOf(message);
  return [...message.components.map((row) => actionRow(row, use)), note];
}

/** How the components of a message are used, and the line that says what went wrong. */
export function useOf(message) {
  const note = h("div", { class: "component-note", role: "alert", hidden: true });
  return { note, use: (element, body) => send(element, note, { user: state.me, message: message.id, ...body }) };
}

/** One row of buttons, or one select. */
export const actionRow = (row, use) => h("div", { class: "action-row" }, (row.components ?? []).map((one) => component(one, use)));

/** A button or a select. */
export function component(one, use) {
  if (one.type === 2) return button(one, use);
  if (SELECTS.includes(one.type)) return select(one, use);
  return h("span", { class: "unsupported" }, `component type ${one.type} is not shown here`);
}

function button(one, use) {
  const label = one.label ?? (one.style === PREMIUM ? "Get it" : "");
  const properties = {
    class: `button ${STYLES[one.style] ?? "secondary"}`,
    testid: `button-${label || emojiText(one.emoji)}`,
    "aria-label": label || !one.emoji ? null : emojiName(one.emoji),
  };
  const inside = [one.emoji && h("span", { class: "emoji", "aria-hidden": "true" }, emojiText(one.emoji)), label && h("span", null, label)];
  if (one.style === LINK) {
    const url = one.disabled || !/^(https?|discord):/i.test(one.url) ? null : one.url;
    return anchor(url, { ...properties, "aria-disabled": one.disabled && "true" }, inside, icon("open"));
  }
  const press = () => (one.style === PREMIUM ? buy(one.sku_id) : use(element, { custom_id: one.custom_id }));
  const element = h("button", { ...properties, type: "button", disabled: one.disabled, onclick: press }, inside);
  return element;
}

function buy(sku) {
  return postEntitlement({ user: state.me, sku }).then(() => toast("It is yours now; nothing was paid"), (error) => toast(error.message, "error"));
}

async function send(element, note, body) {
  if (element.classList.contains("waiting")) return;
  note.hidden = true;
  element.classList.add("waiting");
  element.setAttribute("aria-busy", "true");
  let problem = null;
  try {
    const { interaction } = await postComponent(body);
    const outcome = await outcomeOf(interaction);
    if (!outcome.isOk) problem = { text: NO_RESPONSE, detail: outcome.reason };
  } catch (error) {
    problem = { text: error.message };
  }
  element.classList.remove("waiting");
  element.removeAttribute("aria-busy");
  if (!problem) return;
  note.replaceChildren(icon("warning"), h("span", { title: problem.detail }, problem.text));
  note.hidden = false;
  clearTimeout(note.timer);
  note.timer = setTimeout(() => (note.hidden = true), NOTE_MS);
}
