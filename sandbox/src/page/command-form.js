import { postAutocomplete } from "./api.js";
import { mainOption, toOptions } from "./commands.js";
import { h, icon } from "./dom.js";
import { OptionField } from "./option-field.js";
import { state } from "./state.js";
import { placeFiles } from "./tray-note.js";

const MAX_CHIPS = 12;

/**
 * The chosen command with its options as fields. Calls `onLeave` for Escape, `onBack` for Backspace where nothing is left
 * to delete, `onSend` where Enter waited for suggestions and none came, `onChange` whenever a value or the height may be another.
 */
export class CommandForm {
  constructor({ entry, values, popup, onLeave, onBack, onSend, onChange }) {
    this.entry = entry;
    this.popup = popup;
    this.onLeave = onLeave;
    this.onBack = onBack;
    this.onSend = onSend;
    this.onChange = onChange;
    this.fields = [];
    this.main = mainOption(entry);
    this.row = h("div", { class: "fields" });
    this.chips = h("div", { class: "option-chips", role: "group", "aria-label": "More options" });
    this.hint = h("div", { class: "hint", id: "command-hint", "aria-live": "polite" });
    // A command without a field has the focus itself, so that Enter sends it.
    this.element = h("div", { class: "command-form", role: "group", tabindex: "-1", "aria-label": `/${entry.path}`, "aria-describedby": "command-hint" },
      h("div", { class: "command-head" }, h("span", { class: "command-name" }, `/${entry.path}`), h("span", { class: "quiet" }, entry.description),
        h("button", { type: "button", class: "tool small", "aria-label": "Leave the command", testid: "command-leave", onclick: onLeave }, icon("close"))),
      this.row, this.chips, this.hint);
    for (const option of entry.options) {
      if (option.required || option === this.main || values[option.name] !== undefined) this.add(option, values[option.name]);
    }
    this.#renderChips();
    this.element.addEventListener("keydown", (event) => this.#key(event));
    this.explain(entry.options.length ? "" : "This command has no options.");
  }

  /** Raw values by option name, as typed. */
  get values() {
    return Object.fromEntries(this.fields.filter((field) => field.raw !== "").map((field) => [field.option.name, field.raw]));
  }

  /** What is filled in, in words: a choice by its name, and no files. */
  get words() {
    return Object.fromEntries(this.fields.map((field) => [field.option.name, field.words]));
  }

  /** The files that are filled in. */
  get files() {
    return this.fields.map((field) => field.raw).filter((raw) => raw instanceof File);
  }

  /** Shows a field for `option`; the long text stands first. */
  add(option, raw) {
    const field = new OptionField(option, { host: this, isMain: option === this.main, raw });
    if (field.isMain) {
      this.fields.unshift(field);
      this.row.prepend(field.element);
    } else {
      this.fields.push(field);
      this.row.append(field.element);
    }
    return field;
  }

  /** Puts the cursor where typing goes on. */
  focus() {
    const field = this.fields.find((one) => one.raw === "") ?? this.fields[0];
    if (!field) return this.element.focus();
    field.input.focus();
    if (field.input.type !== "file") field.input.setSelectionRange(field.input.value.length, field.input.value.length);
    this.#grow();
  }

  /** The options to send, or null after showing what is wrong. */
  submit() {
    const values = {};
    for (const field of this.fields) {
      const { value, error } = field.check();
      if (error) {
        field.input.focus();
        this.explain(error, true);
        return null;
      }
      values[field.option.name] = value;
    }
    return toOptions(this.entry, values);
  }

  /** Puts files into the options that take one, and answers those that found no place. */
  takeFiles(files) {
    const isFree = (option) => !this.fields.some((field) => field.option === option && field.raw !== "");
    const { values, left } = placeFiles(files, this.entry.options, isFree);
    for (const option of this.entry.options.filter((one) => values[one.name])) {
      const field = this.fields.find((one) => one.option === option) ?? this.add(option);
      field.setRaw(values[option.name]);
      this.#renderChips();
      this.changed();
    }
    return left;
  }

  remove(field) {
    this.fields = this.fields.filter((one) => one !== field);
    field.element.remove();
    this.popup.close();
    this.#renderChips();
    this.onChange();
    this.focus();
  }

  changed() {
    this.explain("");
    this.#grow();
  }

  focused(field) {
    this.explain(field.option.description && !field.isMain ? `${field.option.name}: ${field.option.description}` : "");
  }

  /** The line below the fields: a description, or what is wrong. */
  explain(text, isError = false) {
    this.hint.classList.toggle("error", isError);
    const keys = h("span", { class: "keys" }, h("kbd", null, "Enter"), " sends  ", h("kbd", null, "Esc"), " leaves");
    this.hint.replaceChildren(h("span", { testid: isError && "command-error" }, text), keys);
  }

  offer(field, items, options) {
    this.popup.owner = field.input;
    this.popup.onPick = (item) => field.pick(item);
    this.popup.open(items, options);
  }

  async complete(focused, signal) {
    const values = this.values;
    const body = { user: state.me, channel: state.channel, command: this.entry.command.id, options: toOptions(this.entry, { ...values, [focused]: values[focused] ?? "" }), focused };
    return (await postAutocomplete(body, signal)).choices ?? [];
  }

  #grow() {
    const area = this.fields.find((field) => field.isMain)?.input;
    if (!area) return;
    area.style.height = "auto";
    area.style.height = `${area.scrollHeight}px`;
    this.onChange();
  }

  #renderChips() {
    const unused = this.entry.options.filter((option) => !this.fields.some((field) => field.option === option));
    const chip = (option) => h("button", { type: "button", class: "option-chip", title: option.description, testid: `command-chip-${option.name}`,
      onclick: () => {
        const field = this.add(option);
        this.#renderChips();
        field.input.focus();
      } }, icon("plus"), option.name);
    this.chips.replaceChildren(...unused.slice(0, MAX_CHIPS).map(chip));
    if (unused.length > MAX_CHIPS) {
      this.chips.append(h("button", { type: "button", class: "option-chip", onclick: (event) => event.currentTarget.replaceWith(...unused.slice(MAX_CHIPS).map(chip)) }, `${unused.length - MAX_CHIPS} more`));
    }
  }

  #key(event) {
    const field = this.fields.find((one) => one.input === event.target);
    if (event.key === "Escape") {
      event.preventDefault();
      if (this.popup.isOpen || field?.isWaiting) field?.quiet();
      else this.onLeave();
    } else if (field && (field.await(event) || this.popup.key(event))) {
      event.stopPropagation();
    } else if (event.key === "Backspace" && (field ? field.input.value === "" : event.target === this.element)) {
      event.preventDefault();
      if (!field || field.option.required || this.fields.length === 1) this.onBack();
      else this.remove(field);
    } else if (event.target === this.element && this.#toChip(event)) event.stopPropagation();
  }

  /** Where nothing can be typed, a letter leads to the option that begins with it. */
  #toChip({ key, ctrlKey, metaKey, altKey }) {
    if (key.length !== 1 || ctrlKey || metaKey || altKey) return false;
    const chip = [...this.chips.children].find((one) => one.textContent.startsWith(key.toLowerCase()));
    chip?.focus();
    return Boolean(chip);
  }
}
