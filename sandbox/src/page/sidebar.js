import { avatar, channelName, h, icon, nameOf } from "./dom.js";
import { canConnect, showGuide } from "./connect.js";
import { peopleButton } from "./people-panel.js";
import { activityText, isArchived, isLocked, isThread, markOf } from "./places.js";
import { state } from "./state.js";
import { workshopButton } from "./workshop.js";

const THEMES = ["dark", "light"];

/** The left column: guilds with their channels, and who you are. */
export function renderSidebar(element, { onUser }) {
  const people = [...state.users.values()].filter((user) => !user.bot);
  const me = state.users.get(state.me);
  const option = (user) => h("option", { value: user.id, selected: user.id === state.me }, nameOf(user));
  // Not beside the names: the closed list is too narrow for both.
  const ranks = [...new Set(people.map((user) => user.role ?? ""))];
  const among = (rank) => people.filter((user) => (user.role ?? "") === rank).map(option);
  const switcher = h("select", { testid: "user-switch", "aria-label": "You are", onchange: (event) => onUser(event.target.value) },
    ranks.map((rank) => (rank ? h("optgroup", { label: rank }, among(rank)) : among(rank))));
  const focused = element.contains(document.activeElement) && document.activeElement.getAttribute("href");
  element.replaceChildren(
    h("div", { class: "brand" }, h("span", { class: "brand-mark", "aria-hidden": "true" }), h("h1", null, state.title)),
    h("div", { class: "guilds" }, state.guilds.map(guild)),
    h("label", { class: "you" }, me && avatar(me), h("span", null, h("small", null, me?.role ? `You are · ${me.role}` : "You are"), switcher), icon("chevron")));
  if (focused) element.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
}

function guild(one) {
  return h("section", { class: "guild" }, h("h2", null, one.name, one.has_bot === false && h("span", { class: "guild-note" }, " without the bot")), h("ul", null, one.channels.filter(isInSight).map(channelItem)));
}

/** An archived thread is reached from its message; it is listed while it is open. */
const isInSight = (channel) => !isArchived(channel) || channel.id === state.channel;

function channelItem(channel) {
  const unread = state.unread.get(channel.id) ?? 0;
  const isCurrent = channel.id === state.channel;
  const isPrivate = channel.type !== 1 && isLocked(channel);
  const name = channelName(channel, state.bot);
  return h("li", null, h("a", {
    href: `#${channel.id}`, class: ["channel", unread && "unread", isThread(channel) && "thread"].filter(Boolean).join(" "), testid: `channel-${name}`, "aria-current": isCurrent && "page",
  }, channelMark(channel), h("span", { class: "channel-name" }, name),
  isThread(channel) && h("span", { class: "unseen" }, isArchived(channel) ? "archived thread" : "thread"),
  isPrivate && h("span", { class: "channel-lock", title: "Only moderators see this channel" }, icon("lock"), h("span", { class: "unseen" }, "only moderators see it")),
  unread > 0 && h("span", { class: "dot", "aria-label": `${unread} unread` })));
}

function channelMark(channel) {
  if (isThread(channel)) return h("span", { class: "hash", "aria-hidden": "true" }, icon("thread"));
  return h("span", { class: "hash", "aria-hidden": "true" }, markOf(channel) || "@");
}

/** "online" or "offline" with its dot; while the sandbox does not answer nobody knows, and nothing works. */
export function botStatus() {
  const word = state.isLost ? "not connected" : state.bot.online ? "online" : "offline";
  const mark = h("i", { "aria-hidden": "true" });
  if (word === "offline" && canConnect()) {
    return h("button", { type: "button", class: "status", title: "Connect a bot", testid: "bot-status", onclick: showGuide }, mark, h("span", null, word), h("span", { class: "unseen" }, "connect a bot"));
  }
  return h("span", { class: word === "online" ? "status online" : "status", testid: "bot-status" }, mark, word);
}

/** The line above the messages. */
export function renderTopbar(element, { onMenu }) {
  const channel = state.channels.get(state.channel);
  const focused = element.contains(document.activeElement) && document.activeElement.dataset.testid;
  const hidden = [...state.unread.keys()].some((id) => id !== state.channel);
  element.replaceChildren(
    h("button", { type: "button", class: hidden ? "tool menu unread" : "tool menu", "aria-label": "Channels", testid: "menu", onclick: onMenu }, icon("menu")),
    h("h2", null, channelMark(channel), channel && channelName(channel, state.bot)),
    h("div", { class: "topbar-bot" }, h("span", { class: "topbar-name" }, nameOf(state.bot)), botStatus(),
      !state.isLost && state.bot.online && activityText(state.bot) && h("span", { class: "topbar-activity", title: activityText(state.bot) }, activityText(state.bot))),
    peopleButton(),
    workshopButton(),
    themeButton());
  if (focused) element.querySelector(`[data-testid="${CSS.escape(focused)}"]`)?.focus();
}

function themeButton() {
  const shown = document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark");
  const other = THEMES.find((theme) => theme !== shown);
  const button = h("button", { type: "button", class: "tool", "aria-label": `Use the ${other} theme`, title: `Use the ${other} theme`, testid: "theme",
    onclick: () => {
      document.documentElement.dataset.theme = other;
      localStorage.setItem("atelier.theme", other);
      button.replaceWith(themeButton());
    } }, icon(shown === "dark" ? "sun" : "moon"));
  return button;
}
