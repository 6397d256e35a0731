import { postComponent } from "./api.js";
import { h, icon, nameOf } from "./dom.js";
import { Listbox } from "./listbox.js";
import { outcomeOf, state } from "./state.js";

const STYLES = { 1: "primary", 2: "secondary", 3: "success", 4: "danger", 5: "link" };
export const NO_RESPONSE = "The application did not respond";
const NOTE_MS = 9000;

/** The action rows of a message, with a line below them for what went wrong. */
export function renderComponents(message) {
  const note = h("div", { class: "component-note", role: "alert", hidden: true });
  const use = (element, body) => send(element, note, { user: state.me, message: message.id, ...body });
  const rows = message.components.map((row) => h("div", { class: "action-row" }, (row.components ?? []).map((one) => component(one, use))));
  return [...rows, note];
}

function component(one, use) {
  if (one.type === 2) return button(one, use);
  if ([3, 5, 6, 7, 8].includes(one.type)) return select(one, use);
  return h("span", { class: "unsupported" }, `component type ${one.type} is not shown here`);
}

/** A custom emoji has no picture here, so its name stands for it. */
const emojiText = (emoji) => (emoji ? (emoji.id ? `:${emoji.name}:` : emoji.name) : "");

function button(one, use) {
  const label = one.label ?? "";
  const properties = {
    class: `button ${STYLES[one.style] ?? "secondary"}`,
    testid: `button-${label || emojiText(one.emoji)}`,
    "aria-label": label ? null : emojiText(one.emoji),
  };
  const inside = [one.emoji && h("span", { class: "emoji", "aria-hidden": "true" }, emojiText(one.emoji)), label && h("span", null, label)];
  if (one.style === 5) {
    return h("a", { ...properties, href: one.disabled ? null : one.url, "aria-disabled": one.disabled && "true", target: "_blank", rel: "noopener noreferrer" }, inside, icon("open"));
  }
  const element = h("button", { ...properties, type: "button", disabled: one.disabled, onclick: () => use(element, { custom_id: one.custom_id }) }, inside);
  return element;
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

/** What a select offers: its own options, or the users and channels of the sandbox. */
function choicesOf(one) {
  if (one.type === 3) return one.options ?? [];
  const users = [...state.users.values()].map((user) => ({ label: nameOf(user), value: user.id }));
  const channels = [...state.channels.values()].map((channel) => ({ label: `#${channel.name}`, value: channel.id }));
  return { 5: users, 6: [], 7: users, 8: channels }[one.type];
}

function select(one, use) {
  const choices = choicesOf(one);
  const isMultiple = (one.max_values ?? 1) > 1;
  const chosen = new Set(choices.filter((choice) => choice.default).map((choice) => choice.value));
  const text = h("span", { class: "select-text" });
  const control = h("button", {
    type: "button", class: "select", role: "combobox", "aria-haspopup": "listbox", "aria-expanded": "false",
    disabled: one.disabled, testid: `select-${one.custom_id}`, "aria-label": one.placeholder || "Make a selection",
  }, text, icon("chevron"));
  const list = new Listbox({ owner: control, onPick: (item) => pick(item.value) });
  control.setAttribute("aria-controls", list.id);

  const caption = () => {
    const names = choices.filter((choice) => chosen.has(choice.value)).map((choice) => choice.label);
    text.textContent = names.join(", ") || one.placeholder || "Make a selection";
    text.classList.toggle("empty", names.length === 0);
  };
  const open = (active) => {
    const isLow = control.getBoundingClientRect().bottom > innerHeight * 0.6;
    list.element.classList.toggle("above", isLow);
    list.open(choices.map((choice) => ({
      label: [emojiText(choice.emoji), choice.label].filter(Boolean).join(" "), hint: choice.description, value: choice.value,
      testid: `select-option-${choice.label}`, isChecked: isMultiple ? chosen.has(choice.value) : undefined,
    })), { active, heading: isMultiple ? `Choose ${one.min_values ?? 1} to ${one.max_values}, then press Escape or click outside` : "" });
  };
  const commit = () => use(control, { custom_id: one.custom_id, values: [...chosen] });
  const close = () => {
    if (!list.isOpen) return;
    list.close();
    if (isMultiple && control.isTouched && chosen.size >= (one.min_values ?? 1)) commit();
    control.isTouched = false;
  };
  const pick = (value) => {
    control.isTouched = true;
    if (!isMultiple) {
      chosen.clear();
      chosen.add(value);
      caption();
      list.close();
      commit();
      return;
    }
    if (!chosen.delete(value) && chosen.size < one.max_values) chosen.add(value);
    caption();
    open(list.active);
  };
  control.addEventListener("click", () => (list.isOpen ? close() : open(0)));
  control.addEventListener("blur", close);
  control.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && list.isOpen) {
      event.stopPropagation();
      close();
    } else if (!list.isOpen && event.key === "ArrowDown") {
      event.preventDefault();
      open(0);
    } else list.key(event, { keys: ["Enter", " "] });
  });
  caption();
  return h("div", { class: "select-box" }, control, list.element);
}
