import { avatar, h, icon, nameOf } from "./dom.js";
import { closePanel, panelId, showPanel } from "./panel.js";
import { peopleIn } from "./places.js";
import { on, state } from "./state.js";
import { openUserMenu } from "./user-menu.js";

/** Draws the open list again. */
let draw = null;

on("state", () => draw?.());
on("bot", () => draw?.());

/** The button in the top bar that shows who is in the channel. */
export function peopleButton() {
  draw?.();
  return h("button", { type: "button", class: "tool people-button", "aria-label": "People here", title: "People here", testid: "people",
    "aria-expanded": String(panelId() === "people"), onclick: () => (panelId() === "people" ? closePanel() : showPanel({ id: "people", title: "People here", build })) },
  icon("people"));
}

function build() {
  const list = h("ul", { class: "people", testid: "people-list" });
  draw = () => {
    const focused = list.contains(document.activeElement) && document.activeElement.dataset.user;
    list.replaceChildren(...present().map(row));
    if (focused) list.querySelector(`[data-user="${CSS.escape(focused)}"]`)?.focus();
  };
  draw();
  return { element: list, onClose: () => (draw = null) };
}

const present = () => peopleIn(state.channels.get(state.channel), [...state.users.values()].filter((user) => !user.bot), state.me, state.bot);

function row(user) {
  const guild = state.channels.get(state.channel)?.guild?.id;
  const rank = guild ? (user.roles?.[guild] ?? user.role) : null;
  const said = user.bot ? (user.online ? "bot, online" : "bot, offline") : [user.id === state.me && "you", rank].filter(Boolean).join(", ");
  const button = h("button", { type: "button", class: "person", "data-user": user.id, "aria-haspopup": "menu", "aria-expanded": "false", testid: `person-${user.username}` },
    avatar(user), h("span", { class: "person-name" }, nameOf(user)), h("span", { class: "person-note" }, said));
  const open = (event) => {
    event.preventDefault();
    openUserMenu(user, state.channels.get(state.channel), { anchor: button });
  };
  button.addEventListener("click", open);
  button.addEventListener("contextmenu", open);
  return h("li", null, button);
}
