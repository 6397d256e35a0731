import { h } from "./dom.js";
import { GROUPS, gridStep, searchEmoji } from "./emoji.js";

let close = () => {};

/** Opens the emoji picker beside `anchor`; the focus stays in its search field, and arrows move the choice. */
export function pickEmoji(anchor, onPick) {
  close();
  const before = document.activeElement;
  const grid = h("div", { class: "emoji-rows", role: "listbox", id: "emoji-grid", "aria-label": "Emoji" });
  const name = h("div", { class: "emoji-name", "aria-hidden": "true" });
  const input = h("input", {
    type: "text", class: "emoji-search", role: "combobox", "aria-controls": "emoji-grid", "aria-expanded": "true", "aria-autocomplete": "list",
    "aria-label": "Search emoji", placeholder: "Search emoji", autocomplete: "off", testid: "emoji-search",
  });
  const picker = h("div", { class: "emoji-picker", role: "dialog", "aria-label": "Add a reaction", testid: "emoji-picker" }, input, grid, name);
  const shade = h("div", { class: "menu-shade", onpointerdown: () => close() });
  let cells = [];
  let active = 0;

  // A narrow screen has fewer.
  const columns = () => getComputedStyle(grid.querySelector(".emoji-grid")).gridTemplateColumns.split(" ").length;
  const activate = (index) => {
    cells[active]?.setAttribute("aria-selected", "false");
    active = index;
    const cell = cells[active];
    if (!cell) return input.removeAttribute("aria-activedescendant");
    cell.setAttribute("aria-selected", "true");
    cell.scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", cell.id);
    name.textContent = cell.ariaLabel;
  };
  const draw = () => {
    const found = searchEmoji(input.value);
    const groups = input.value.trim() ? [["Found", found]] : GROUPS;
    let index = 0;
    grid.replaceChildren(...groups.map(([title, emoji]) => h("div", { role: "group", "aria-label": title },
      h("div", { class: "emoji-title", "aria-hidden": "true" }, found.length ? title : "Nothing has that name"),
      h("div", { class: "emoji-grid" }, emoji.map(([one, words]) => cellOf(one, words, index++))))));
    cells = [...grid.querySelectorAll("[role=option]")];
    name.textContent = "";
    activate(0);
  };
  const cellOf = (emoji, words, index) => h("span", {
    role: "option", id: `emoji-${index}`, class: "emoji-cell", "aria-selected": "false", "aria-label": words, testid: `emoji-${emoji}`, "data-emoji": emoji,
    onclick: () => pick(emoji), onpointermove: () => active !== index && activate(index),
  }, emoji);
  const pick = (emoji) => {
    close();
    onPick(emoji);
  };
  close = () => {
    close = () => {};
    picker.remove();
    shade.remove();
    if (before?.isConnected) before.focus({ preventScroll: true });
  };
  input.addEventListener("input", draw);
  picker.addEventListener("mousedown", (event) => event.target !== input && event.preventDefault());
  picker.addEventListener("keydown", (event) => {
    event.stopPropagation();
    const isSideways = ["ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key);
    if (event.key === "Escape" || event.key === "Tab") close();
    else if (event.key === "Enter") cells[active] && pick(cells[active].dataset.emoji);
    else if ((isSideways && !input.value) || event.key === "ArrowDown" || event.key === "ArrowUp") activate(gridStep(event.key, active, cells.length, columns()));
    else return;
    event.preventDefault();
  });
  document.body.append(shade, picker);
  draw();
  place(picker, anchor);
  input.focus();
}

function place(picker, anchor) {
  const box = anchor.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = picker;
  picker.style.left = `${Math.max(8, Math.min(box.right - width, innerWidth - width - 8))}px`;
  const below = box.bottom + 6;
  picker.style.top = `${below + height > innerHeight - 8 ? Math.max(8, box.top - height - 6) : below}px`;
}
