import { h } from "./dom.js";

let count = 0;

/**
 * A popup list for a control that keeps the focus: the caller passes keys to `key(event)` and points
 * `aria-controls` at `id`. Items are `{ label, hint, note, testid, isChecked, value }`.
 */
export class Listbox {
  constructor({ owner, onPick }) {
    this.id = `listbox-${count++}`;
    this.owner = owner;
    this.onPick = onPick;
    this.items = [];
    this.active = -1;
    this.rows = h("div", { role: "listbox", id: this.id, class: "rows" });
    this.heading = h("div", { class: "listbox-heading" });
    this.element = h("div", { class: "listbox", hidden: true }, this.heading, this.rows);
    // Pressing a row must not take the focus from the control, or its blur would close the list first.
    this.element.addEventListener("mousedown", (event) => event.preventDefault());
  }

  get isOpen() {
    return !this.element.hidden;
  }

  /** Opens with `items`; `active` is the index that Enter chooses, -1 for none. */
  open(items, { active = 0, heading = "" } = {}) {
    this.items = items;
    this.heading.textContent = heading;
    this.rows.setAttribute("aria-label", heading || "Choices");
    this.rows.replaceChildren(...items.map((item, index) => this.#row(item, index)));
    this.element.hidden = items.length === 0 && !heading;
    this.#sayExpanded();
    this.#activate(Math.min(active, items.length - 1));
  }

  close() {
    this.element.hidden = true;
    this.active = -1;
    this.#sayExpanded();
    this.#owner().removeAttribute("aria-activedescendant");
  }

  /** Handles arrows, Tab, Enter and, where asked, Escape; true if the key was used. */
  key(event, { keys = ["Enter", "Tab"] } = {}) {
    if (!this.isOpen || event.isComposing) return false;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const step = event.key === "ArrowDown" ? 1 : -1;
      const n = this.items.length;
      this.#activate(this.active < 0 ? (step > 0 ? 0 : n - 1) : (this.active + step + n) % n);
    } else if (keys.includes(event.key) && this.active >= 0 && !event.shiftKey) this.pick(this.active);
    else return false;
    event.preventDefault();
    return true;
  }

  pick(index) {
    this.onPick(this.items[index], index);
  }

  #owner() {
    return typeof this.owner === "function" ? this.owner() : this.owner;
  }

  /** A text box is a combobox while a list is open for it: else it may not say that it is expanded. */
  #sayExpanded() {
    const owner = this.#owner();
    if (owner.tagName === "TEXTAREA" && this.isOpen) owner.setAttribute("role", "combobox");
    if (owner.hasAttribute("role")) owner.setAttribute("aria-expanded", String(this.isOpen));
    if (owner.tagName === "TEXTAREA" && !this.isOpen) for (const name of ["role", "aria-expanded"]) owner.removeAttribute(name);
  }

  #activate(index) {
    this.rows.children[this.active]?.setAttribute("aria-selected", "false");
    this.active = index;
    const row = this.rows.children[index];
    if (!row) return this.#owner().removeAttribute("aria-activedescendant");
    row.setAttribute("aria-selected", "true");
    row.scrollIntoView({ block: "nearest" });
    this.#owner().setAttribute("aria-activedescendant", row.id);
  }

  #row(item, index) {
    return h("div", {
      role: "option", class: "row", id: `${this.id}-${index}`, "aria-selected": "false", testid: item.testid,
      "aria-checked": item.isChecked === undefined ? null : String(item.isChecked),
      onmousemove: () => this.active !== index && this.#activate(index),
      onclick: () => this.pick(index),
    }, item.isChecked !== undefined && h("span", { class: "box" }),
    h("span", { class: "row-label" }, item.label),
    item.hint && h("span", { class: "row-hint" }, item.hint),
    item.note && h("span", { class: "row-note" }, item.note));
  }
}
