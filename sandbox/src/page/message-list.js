import { connectGuide } from "./connect.js";
import { channelName, h, icon } from "./dom.js";
import { ideaBoard, usableIdeas } from "./ideas.js";
import { LocalView } from "./local-view.js";
import { isEphemeral, MessageView } from "./message-view.js";
import { isOffer, OfferView } from "./offer-view.js";
import { Peeks } from "./peek.js";
import { isWithoutBot, markOf, mayWrite } from "./places.js";
import { Roving } from "./roving.js";
import { compareIds, loadOlder, room, state } from "./state.js";
import { sameDay } from "./time.js";

const GROUP_MS = 7 * 60_000;
const NEAR_BOTTOM_PX = 60;
const NEAR_TOP_PX = 600;

/** The scrolling list of the channel in view. Stays at the newest message unless the person scrolled up. Calls `onLost` where the focus has no place in it. */
export class MessageList {
  constructor(container, { emptyState, onLost }) {
    this.emptyState = emptyState;
    this.onLost = onLost;
    this.views = new Map();
    this.isPinned = true;
    this.missed = 0;
    this.older = h("div", { class: "older" });
    this.messages = h("div", { class: "messages" });
    this.welcome = h("div", { class: "welcome-slot" });
    this.inner = h("div", { class: "inner" }, this.older, this.welcome, this.messages);
    this.scroller = h("div", { class: "scroller", role: "log", "aria-label": "Messages", "aria-live": "off", tabindex: "0", "aria-describedby": "list-keys", testid: "message-list" }, this.inner,
      h("span", { id: "list-keys", class: "unseen" }, "Arrow keys walk through the messages and what can be pressed in them, Enter opens what can be done with one."));
    this.jumpText = h("span");
    this.jump = h("button", { class: "jump", type: "button", hidden: true, testid: "jump-to-present", onclick: () => this.toBottom() }, this.jumpText, icon("down"));
    container.append(this.scroller, this.jump);
    this.peeks = new Peeks(this.scroller);
    this.roving = new Roving(this.messages);
    this.scroller.addEventListener("keydown", (event) => this.#key(event));
    this.scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    const keepPinned = new ResizeObserver(() => this.isPinned && this.toBottom());
    keepPinned.observe(this.inner);
    keepPinned.observe(this.scroller);
  }

  /** Shows another channel, at its newest message. */
  show(channel) {
    this.channel = channel;
    this.peeks.clear();
    this.views.clear();
    this.messages.replaceChildren();
    this.isPinned = true;
    this.missed = 0;
    this.scroller.scrollTop = 0;
    this.sync();
    this.toBottom();
  }

  /** A channel without messages begins at its first words, however long they are. */
  get #isBare() {
    return !this.messages.childElementCount;
  }

  /** Counts a message that came while the person reads further up, and tells of an answer where they look. */
  noteArrival(message) {
    if (this.isPinned) return;
    if (isEphemeral(message)) this.peeks.expect(message);
    this.missed += 1;
    this.#showJump();
  }

  /** Goes to the newest message. */
  toBottom() {
    this.isPinned = true;
    this.missed = 0;
    if (!this.#isBare) this.scroller.scrollTop = this.scroller.scrollHeight;
    this.#showJump();
  }

  /** Scrolls there, and stays there while messages come. */
  scrollTo(top) {
    this.scroller.scrollTop = top;
    this.#scrolled();
  }

  /** Makes the list show what the room holds now, touching only what changed; what the person reads stays in place. */
  sync() {
    if (!this.channel) return;
    const place = room(this.channel);
    const anchors = this.isPinned ? [] : this.#anchors();
    const focused = this.messages.contains(document.activeElement) && document.activeElement.closest(".message-slot");
    const heirs = focused ? [...this.messages.children].filter((slot) => slot !== focused && isAfter(focused, slot)) : [];
    const stale = new Set(this.views.keys());
    let cursor = this.messages.firstElementChild;
    let previous = null;
    let isBehindLocal = false;
    for (const message of inOrder(place)) {
      stale.delete(message.id);
      let view = this.views.get(message.id);
      if (!view) {
        view = viewOf(message, this.channel);
        this.views.set(message.id, view);
      } else if (view.message !== message) view.update(message);
      if (!message.kind) view.place(fit(message, previous, isBehindLocal));
      if (view.element === cursor) cursor = cursor.nextElementSibling;
      else this.messages.insertBefore(view.element, cursor);
      isBehindLocal = Boolean(message.kind);
      if (!isBehindLocal) previous = message;
    }
    for (const id of stale) {
      this.views.get(id).element.remove();
      this.views.delete(id);
    }
    const isEmpty = place.isLoaded && place.isComplete && !place.messages.length && !place.locals.length;
    this.welcome.replaceChildren(...(isEmpty ? [this.emptyState()] : []));
    this.older.hidden = place.isComplete || !place.messages.length;
    this.older.textContent = "Loading older messages…";
    const anchor = anchors.find((one) => one.element.isConnected);
    if (this.isPinned) this.toBottom();
    else if (anchor) this.scroller.scrollTop += topOf(anchor.element) - anchor.top;
    if (focused && !focused.isConnected) this.#focusHeir(heirs);
    this.peeks.sync(this.views);
  }

  /** Where the message with the focus is gone, the one after it takes it, else the composer: nobody begins again at the top. */
  #focusHeir(heirs) {
    const heir = heirs.find((slot) => slot.isConnected)?.querySelector(".message[tabindex]");
    if (heir) heir.focus({ preventScroll: true });
    else this.onLost();
  }

  /** Arrows walk through the messages, Enter opens what can be done with one. */
  #key(event) {
    if (this.roving.key(event)) return;
    const current = document.activeElement.closest(".message");
    const isOnMessage = document.activeElement === current;
    if (!isOnMessage && document.activeElement !== this.scroller) return;
    const all = [...this.messages.querySelectorAll(".message")];
    const at = all.indexOf(current);
    const next = { ArrowUp: at < 0 ? all.length - 1 : at - 1, ArrowDown: at < 0 ? all.length - 1 : at + 1, Home: 0, End: all.length - 1 }[event.key];
    if (next !== undefined && all[next]) {
      all[next].focus({ preventScroll: true });
      all[next].scrollIntoView({ block: "nearest" });
    } else if (event.key === "Enter" && isOnMessage) current.querySelector(".more")?.click();
    else if (event.key === "Escape" && isOnMessage) this.scroller.focus();
    else return;
    event.preventDefault();
  }

  /** The messages from the first in view on, each with its place: the first that is still there afterwards stays where it is. */
  #anchors() {
    const { top } = this.scroller.getBoundingClientRect();
    const all = [...this.messages.querySelectorAll(".message")];
    const first = all.findIndex((element) => element.getBoundingClientRect().bottom > top);
    return first < 0 ? [] : [...all.slice(first), ...all.slice(0, first).reverse()].map((element) => ({ element, top: topOf(element) }));
  }

  #scrolled() {
    if (this.#isBare) return;
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    const isAtBottom = scrollHeight - scrollTop - clientHeight < NEAR_BOTTOM_PX;
    if (isAtBottom !== this.isPinned) {
      this.isPinned = isAtBottom;
      if (isAtBottom) this.missed = 0;
      this.#showJump();
    }
    this.peeks.sync(this.views);
    if (scrollTop < NEAR_TOP_PX && !isAtBottom) loadOlder(this.channel).catch(() => {});
  }

  #showJump() {
    this.jump.hidden = this.isPinned;
    this.jumpText.textContent = this.missed ? `${this.missed} new ${this.missed === 1 ? "message" : "messages"}` : "Jump to present";
  }
}

function viewOf(message, channel) {
  if (!message.kind) return new MessageView(message);
  return isOffer(message) ? new OfferView(message, channel) : new LocalView(message, channel);
}

const topOf = (element) => element.getBoundingClientRect().top;
const isAfter = (one, other) => Boolean(one.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_FOLLOWING);

/** The messages, with each local line behind the message that was the last one when it was made. */
function inOrder(place) {
  if (!place.locals.length) return place.messages;
  const key = (one) => (one.kind ? one.after : one.id);
  return [...place.messages, ...place.locals].sort((one, other) => compareIds(key(one), key(other)));
}

function fit(message, previous, isBehindLocal) {
  const date = new Date(message.timestamp);
  const before = previous && new Date(previous.timestamp);
  const newDay = !before || !sameDay(date, before);
  const isGrouped = !newDay && !isBehindLocal && previous.author.id === message.author.id && date - before < GROUP_MS
    && !message.interaction_metadata && !message.referenced_message && isEphemeral(message) === isEphemeral(previous);
  return { isGrouped, newDay };
}

/** What a person can do first in a channel. */
function firstWords(channel, canDraw) {
  const slash = h("kbd", null, "/");
  if (!state.bot.online) return ["The bot is not online yet. When it is, type ", slash, " to see its commands."];
  if (isWithoutBot(channel)) return ["The bot is not a member here. Commands that you installed for yourself still work: type ", slash, " to see them."];
  if (canDraw) return ["Type ", h("kbd", null, "/imagine"), " and a few words, and watch the pictures form."];
  return ["Type ", slash, " to see what the bot can do."];
}

/** The teaching text of an empty channel; the line of a pressed idea is passed to `onIdea`. */
export function emptyState(onIdea) {
  const canDraw = state.commands.some((command) => command.name === "imagine");
  const channel = state.channels.get(state.channel);
  const isOpen = mayWrite(channel);
  const ideas = isOpen ? usableIdeas() : [];
  return h("section", { class: "welcome", testid: "welcome" },
    !ideas.some((idea) => idea.picture) && h("div", { class: "welcome-mark", "aria-hidden": "true" }, h("i"), h("i"), h("i"), h("i")),
    h("h2", null, `Welcome to ${markOf(channel)}${channelName(channel, state.bot)}`),
    h("p", null, isOpen ? firstWords(channel, canDraw) : "Nothing has been said here yet."),
    !state.bot.online && connectGuide(),
    ideas.length > 0 && ideaBoard(ideas, onIdea));
}
