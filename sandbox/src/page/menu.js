import { h, icon } from "./dom.js";

const MARGIN_PX = 8;
let close = () => {};

/**
 * Opens a menu at a point or below an element. Items are `{ label, icon, hint, testid, isBad, onPick }`, `{ heading }`
 * or `{ line: true }`. The focus goes into it and comes back to where it was.
 */
export function openMenu({ items, label, at, anchor }) {
  close();
  const before = document.activeElement;
  const rows = items.map(row);
  const menu = h("div", { class: "menu-popup", role: "menu", "aria-label": label, testid: "menu-popup" }, rows);
  const shade = h("div", { class: "menu-shade" });
  const choices = [...menu.querySelectorAll("[role=menuitem]")];
  document.body.append(shade, menu);
  place(menu, at ?? pointOf(anchor));
  anchor?.setAttribute("aria-expanded", "true");

  close = (isBack = true) => {
    close = () => {};
    shade.remove();
    menu.remove();
    anchor?.setAttribute("aria-expanded", "false");
    if (isBack && before?.isConnected) before.focus({ preventScroll: true });
  };
  const pick = (index) => {
    const item = items.filter((one) => one.onPick)[index];
    close();
    item.onPick();
  };
  choices.forEach((choice, index) => {
    choice.addEventListener("click", () => pick(index));
    choice.addEventListener("pointermove", () => document.activeElement !== choice && choice.focus());
  });
  shade.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    close();
  });
  shade.addEventListener("contextmenu", (event) => event.preventDefault());
  menu.addEventListener("contextmenu", (event) => event.preventDefault());
  menu.addEventListener("keydown", (event) => {
    event.stopPropagation();
    const index = choices.indexOf(document.activeElement);
    if (event.key === "Escape" || event.key === "Tab") close();
    else if (event.key === "Enter" || event.key === " ") pick(Math.max(0, index));
    else {
      const next = menuStep(event.key, index, choices.map((choice) => choice.textContent));
      if (next === null) return;
      choices[next].focus();
    }
    event.preventDefault();
  });
  choices[0]?.focus();
}

/** Closes the open menu, if there is one. */
export const closeMenu = () => close();

/** The index that a key leads to in a menu, or null: arrows turn round, letters jump to the next label that begins so. */
export function menuStep(key, index, labels) {
  const n = labels.length;
  if (!n) return null;
  if (key === "ArrowDown") return (index + 1) % n;
  if (key === "ArrowUp") return (Math.max(index, 0) - 1 + n) % n;
  if (key === "Home") return 0;
  if (key === "End") return n - 1;
  if (key.length !== 1) return null;
  for (let step = 1; step <= n; step += 1) {
    const at = (index + step + n) % n;
    if (labels[at].toLowerCase().startsWith(key.toLowerCase())) return at;
  }
  return null;
}

function row(item) {
  if (item.line) return h("div", { class: "menu-line", role: "separator" });
  if (item.heading) return h("div", { class: "menu-heading", role: "presentation" }, item.heading);
  return h("button", { type: "button", class: item.isBad ? "menu-item bad" : "menu-item", role: "menuitem", tabindex: "-1", testid: item.testid },
    h("span", { class: "menu-label" }, item.label), item.hint && h("span", { class: "menu-hint" }, item.hint), item.icon && icon(item.icon));
}

function pointOf(anchor) {
  const box = anchor.getBoundingClientRect();
  return { x: box.right, y: box.bottom + 4, isRight: true };
}

/** On a phone the style sheet makes a sheet of it at the bottom, and these are not used. */
function place(menu, { x, y, isRight }) {
  const { offsetWidth: width, offsetHeight: height } = menu;
  const left = Math.min(isRight ? x - width : x, innerWidth - width - MARGIN_PX);
  const top = y + height > innerHeight - MARGIN_PX ? Math.max(MARGIN_PX, Math.min(y, innerHeight - MARGIN_PX) - height) : y;
  menu.style.left = `${Math.max(MARGIN_PX, left)}px`;
  menu.style.top = `${top}px`;
}
