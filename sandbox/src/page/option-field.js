import { checkValue, OPTION, rangeOf } from "./commands.js";
import { h, icon, nameOf } from "./dom.js";
import { FileSlot } from "./file-slot.js";
import { fileLimit, isArchived, markOf, peopleIn } from "./places.js";
import { state } from "./state.js";

const AUTOCOMPLETE_DELAY_MS = 160;

/** The fixed things that an option can be chosen from, or null where anything may be typed. */
function fixedChoices(option) {
  if (option.choices?.length) return option.choices;
  if (option.type === OPTION.BOOLEAN) return [{ name: "true", value: true }, { name: "false", value: false }];
  const lookup = references();
  if (option.type === OPTION.USER) return lookup.users;
  if (option.type === OPTION.ROLE) return lookup.roles;
  if (option.type === OPTION.MENTIONABLE) return [...lookup.users, ...lookup.roles];
  if (option.type === OPTION.CHANNEL) return lookup.channels;
  return null;
}

function references() {
  const channel = state.channels.get(state.channel);
  const guild = channel?.guild;
  return {
    fileLimit: fileLimit(channel),
    roles: (guild?.roles ?? []).map((role) => ({ name: `@${role.name.replace(/^@/, "")}`, value: role.id })),
    users: peopleIn(channel, [...state.users.values()], state.me, state.bot).map((user) => ({ name: `@${nameOf(user)}`, value: user.id })),
    channels: (guild?.id ? guild.channels : []).filter((one) => !isArchived(one)).map((one) => ({ name: `${markOf(one)}${one.name}`, value: one.id })),
  };
}

/**
 * One option of a command as a labelled field. `host` is the form: `popup` (a Listbox), `complete(name)` for
 * autocompletion, `focused(field)`, `changed()`, `remove(field)`, `onSend()`.
 */
export class OptionField {
  constructor(option, { host, isMain, raw }) {
    this.option = option;
    this.host = host;
    this.isMain = isMain;
    this.picked = null;
    const shared = { id: `option-${option.name}`, testid: `command-option-${option.name}`, autocomplete: "off", spellcheck: isMain ? "true" : "false" };
    if (option.type === OPTION.ATTACHMENT) this.slot = new FileSlot(shared, () => this.#typed());
    if (this.slot) this.input = this.slot.input;
    else if (isMain) this.input = h("textarea", { ...shared, rows: 1, placeholder: option.description, maxlength: option.max_length });
    else this.input = h("input", { ...shared, type: "text", size: 12, placeholder: placeholder(option), inputmode: inputMode(option) });
    this.list = fixedChoices(option) || option.autocomplete;
    if (this.list && !isMain) {
      for (const [name, value] of [["role", "combobox"], ["aria-autocomplete", "list"], ["aria-expanded", "false"], ["aria-controls", host.popup.id]]) this.input.setAttribute(name, value);
    }
    this.input.setAttribute("aria-describedby", "command-hint");
    this.element = h("div", { class: isMain ? "field main" : "field" },
      h("label", { for: shared.id }, option.name), this.slot?.element ?? this.input,
      !option.required && h("button", { type: "button", class: "field-remove", tabindex: "-1", "aria-label": `Remove ${option.name}`, onclick: () => host.remove(this) }, icon("close")));
    this.setRaw(raw ?? "");
    this.input.addEventListener("input", () => this.#typed());
    this.input.addEventListener("focus", () => this.#focused());
    this.input.addEventListener("blur", () => this.#blurred());
  }

  get raw() {
    if (this.slot) return this.slot.file ?? "";
    return this.picked ? this.picked.value : this.input.value;
  }

  /** What is filled in, as one would type it; nothing for a file. */
  get words() {
    if (this.slot) return "";
    return this.picked && !fixedChoices(this.option) ? String(this.picked.value) : this.input.value;
  }

  /** True while the bot is asked for suggestions. */
  get isWaiting() {
    return Boolean(this.request);
  }

  /** Fills in a raw value, shown by its choice's name where there is one. */
  setRaw(raw) {
    if (this.slot) return this.slot.show(raw || null);
    const choice = fixedChoices(this.option)?.find((one) => one.value === raw || String(one.value) === String(raw));
    this.picked = choice ?? null;
    this.input.value = choice ? choice.name : String(raw);
  }

  /** `{ value }`, `{ error }` or `{}`; marks the field. */
  check() {
    const outcome = checkValue(this.option, this.raw, references());
    this.element.classList.toggle("invalid", Boolean(outcome.error));
    this.input.setAttribute("aria-invalid", String(Boolean(outcome.error)));
    return outcome;
  }

  /** Takes over the item of the popup that was chosen for this field. */
  pick(item) {
    this.picked = { name: item.label, value: item.value };
    this.input.value = item.label;
    this.host.popup.close();
    this.element.classList.remove("invalid");
    this.host.changed();
  }

  #typed() {
    this.picked = null;
    this.element.classList.remove("invalid");
    this.host.changed();
    if (this.list) this.offer();
  }

  #focused() {
    this.host.focused(this);
    if (this.list && !this.isMain) this.offer();
    if (!this.isMain && this.input.type === "text") this.input.select();
  }

  /** Closes the list, and asks for none. */
  quiet() {
    this.#askNoMore();
    this.host.popup.close();
  }

  /** Enter or Tab while suggestions are on their way takes the first that comes; pressed again it takes what is typed. */
  await(event) {
    const isTaking = ["Enter", "Tab"].includes(event.key) && !event.isComposing && !event.shiftKey && this.input.value.trim() !== "";
    if (!this.isWaiting || !isTaking) return false;
    if (this.request.key) {
      this.quiet();
      return false;
    }
    event.preventDefault();
    this.request.key = event.key;
    return true;
  }

  #askNoMore() {
    clearTimeout(this.timer);
    this.request?.abort();
    this.request = null;
  }

  #blurred() {
    this.quiet();
    if (this.raw !== "") {
      const { error } = this.check();
      if (error) this.host.explain(error, true);
    }
  }

  /** Opens the choices that fit what is typed. */
  offer() {
    const fixed = fixedChoices(this.option);
    if (!fixed) return this.#offerFromBot();
    const typed = this.picked ? "" : this.input.value.trim().toLowerCase();
    const fits = fixed.filter((choice) => choice.name.toLowerCase().includes(typed));
    const at = this.picked ? fits.findIndex((choice) => choice.value === this.picked.value) : 0;
    this.#open(fits, at);
  }

  #offerFromBot() {
    this.#askNoMore();
    const request = (this.request = Object.assign(new AbortController(), { key: null }));
    this.timer = setTimeout(async () => {
      try {
        const choices = await this.host.complete(this.option.name, request.signal);
        if (request.signal.aborted) return;
        this.request = null;
        if (document.activeElement !== this.input) return;
        this.#open(choices, likeliest(choices, this.picked?.name ?? this.input.value));
        if (request.key && choices.length) this.host.popup.pick(this.host.popup.active);
        else if (request.key === "Enter") this.host.onSend();
      } catch (error) {
        if (error.name === "AbortError") return;
        this.request = null;
        this.host.explain(`${this.option.name}: no suggestions (${error.message})`, true);
      }
    }, AUTOCOMPLETE_DELAY_MS);
  }

  #open(choices, active) {
    const items = choices.slice(0, 25).map((choice) => ({ label: choice.name, value: choice.value, testid: `choice-${choice.name}` }));
    this.host.offer(this, items, { active, heading: `${this.option.name} · ${this.option.description}` });
  }
}

/** The index of the choice that is typed to the letter, else of the first: Enter takes it, as in Discord. */
export function likeliest(choices, typed) {
  const wanted = typed.trim().toLowerCase();
  const exact = choices.findIndex((choice) => [choice.name, String(choice.value)].some((one) => one.toLowerCase() === wanted));
  return Math.max(0, exact);
}

function placeholder(option) {
  const { min, max } = rangeOf(option);
  if (min !== undefined && max !== undefined) return `${min} to ${max}`;
  if (option.choices?.length) return "choose one";
  const things = { [OPTION.USER]: "a person", [OPTION.ROLE]: "a role", [OPTION.MENTIONABLE]: "person or role", [OPTION.CHANNEL]: "a channel" };
  if (things[option.type]) return things[option.type];
  return { [OPTION.INTEGER]: "whole number", [OPTION.NUMBER]: "number", [OPTION.BOOLEAN]: "true or false" }[option.type] ?? "";
}

function inputMode(option) {
  return { [OPTION.INTEGER]: "numeric", [OPTION.NUMBER]: "decimal" }[option.type];
}
