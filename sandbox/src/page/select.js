import { channelName, h, icon, nameOf } from "./dom.js";
import { emojiText } from "./emoji.js";
import { Listbox } from "./listbox.js";
import { isArchived, markOf, peopleIn } from "./places.js";
import { state } from "./state.js";

const STRING = 3;
const USER = 5;
const ROLE = 6;
const MENTIONABLE = 7;
const CHANNEL = 8;

const touch = globalThis.matchMedia?.("(hover: none)") ?? { matches: false };

/** The kinds of components that let a person choose from a list. */
export const SELECTS = [STRING, USER, ROLE, MENTIONABLE, CHANNEL];

/** What a select offers: its own options, or the people, roles and channels of the guild in view. */
export function choicesOf(one) {
  if (one.type === STRING) return one.options ?? [];
  const preset = new Set((one.default_values ?? []).map((value) => value.id));
  const choice = (id, label, description) => ({ label, value: id, description, default: preset.has(id) });
  const guild = state.channels.get(state.channel)?.guild;
  const people = peopleIn(state.channels.get(state.channel), [...state.users.values()], state.me, state.bot);
  const users = people.map((user) => choice(user.id, nameOf(user), user.bot ? "bot" : (user.roles?.[guild?.id] ?? user.role)));
  const roles = (guild?.roles ?? []).map((role) => choice(role.id, role.name, "role"));
  const fits = (channel) => !one.channel_types?.length || one.channel_types.includes(channel.type);
  const channels = (guild?.id ? guild.channels : []).filter((channel) => fits(channel) && !isArchived(channel)).map((channel) => choice(channel.id, `${markOf(channel)}${channelName(channel, state.bot)}`));
  return { [USER]: users, [ROLE]: roles, [MENTIONABLE]: [...users, ...roles], [CHANNEL]: channels }[one.type] ?? [];
}

/** A select; `use(control, { custom_id, values })` is called when a choice is made. */
export function select(one, use) {
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
    })), { active, heading: isMultiple ? `Choose ${one.min_values ?? 1} to ${one.max_values}, then ${touch.matches ? "tap" : "press Escape or click"} outside` : "" });
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
