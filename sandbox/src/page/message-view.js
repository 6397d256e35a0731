import { deleteMessage } from "./api.js";
import { renderComponents } from "./components.js";
import { avatar, h, icon, nameOf, toast } from "./dom.js";
import { looseAttachments, renderEmbeds } from "./embeds.js";
import { openLightbox } from "./lightbox.js";
import { markup, spoken } from "./markup.js";
import { renderLayout, usesLayout } from "./layout.js";
import { listenForMenu, messageTools } from "./message-menu.js";
import { Attachments } from "./picture.js";
import { partsByButtons } from "./picture-parts.js";
import { renderReactions } from "./reactions.js";
import { emit, room, state } from "./state.js";
import { clock, dayName, fullDate } from "./time.js";

const EPHEMERAL = 64;
const LOADING = 128;
const COMMAND = 2;
const SLASH = 1;
const FORM = 5;
const THREAD_CREATED = 18;
const THREAD_STARTER_MESSAGE = 21;

/** True for a message that only one person sees. */
export const isEphemeral = (message) => Boolean(message.flags & EPHEMERAL);

/** True while the bot has only said that it will answer. */
export const isLoading = (message) => Boolean(message.flags & LOADING);

/** One short sentence about a message, for screen readers. */
export function summary(message) {
  const n = message.attachments?.length ?? 0;
  const pictures = n ? `, ${n} ${n === 1 ? "file" : "files"}` : "";
  const words = isLoading(message) ? "is thinking" : spoken(message.content || message.embeds?.[0]?.title).slice(0, 160);
  return `${nameOf(message.author)}: ${words}${pictures}`;
}

/** Draws one message and keeps its parts alive across updates: only what changed is built again. */
export class MessageView {
  constructor(message) {
    this.keys = {};
    this.parts = {};
    for (const name of ["header", "content", "embeds", "components", "reactions", "thread", "footer", "tools"]) this.parts[name] = h("div", { class: `part-${name}` });
    this.parts.content.classList.add("markup");
    this.attachments = new Attachments(openLightbox);
    this.origin = h("div", { class: "origin-slot" });
    this.side = h("div", { class: "side" });
    const { header, content, embeds, components, reactions, thread, footer } = this.parts;
    this.body = h("div", { class: "body" }, header, content, this.attachments.element, embeds, components, reactions, thread, footer);
    this.day = h("div", { class: "day", role: "separator", hidden: true });
    this.article = h("article", { class: "message", testid: "message", "data-message-id": message.id, tabindex: "-1" }, this.origin, this.side, this.body, this.parts.tools);
    listenForMenu(this.article, () => this.message);
    this.element = h("div", { class: "message-slot" }, this.day, this.article);
    this.update(message);
  }

  /** Draws a new version of the message. */
  update(message) {
    this.message = message;
    this.article.classList.toggle("ephemeral", isEphemeral(message));
    this.article.classList.toggle("loading", isLoading(message));
    this.article.classList.toggle("to-me", !message.interaction_metadata && (message.mentions ?? []).some((user) => user.id === state.me));
    const shown = shownIn(message);
    this.#part("content", [shown.content, isLoading(message), message.edited_timestamp, message.type], () => content(shown));
    // With a layout of components, files are seen only where it names them.
    const loose = usesLayout(message) ? [] : looseAttachments(shown);
    this.attachments.update(loose, {
      alt: spoken(shown.content).slice(0, 120) || `picture by ${nameOf(message.author)}`, nParts: partsByButtons(message.components),
    });
    this.#part("embeds", shown.embeds ?? [], () => renderEmbeds(shown.embeds ?? [], shown.attachments ?? [], openLightbox));
    this.#part("components", message.components ?? [], () => componentsOf(message));
    this.#part("reactions", message.reactions ?? [], () => renderReactions(message));
    this.#part("tools", [isEphemeral(message), state.me, state.channels.get(message.channel_id)?.permissions], () => [messageTools(() => this.message)]);
    this.#part("thread", message.thread ? [message.thread.id, message.thread.name] : null, () => (message.thread ? threadLink(message.thread) : []));
    this.#part("footer", isEphemeral(message), () => (isEphemeral(message) ? onlyYou(() => dismiss(message)) : []));
  }

  /** Fits the message to its neighbours: a repeated author is not drawn again, a new day gets a divider. */
  place({ isGrouped, newDay }) {
    const key = `${isGrouped}/${newDay}`;
    if (this.placed === key) return;
    this.placed = key;
    const { message } = this;
    const date = new Date(message.timestamp);
    this.article.classList.toggle("grouped", isGrouped);
    this.day.hidden = !newDay;
    if (newDay) this.day.replaceChildren(h("span", null, dayName(date)));
    const time = h("time", { datetime: message.timestamp, title: fullDate(date) }, clock(date));
    this.origin.replaceChildren(...(isGrouped ? [] : [origin(message)].filter(Boolean)));
    const { author } = shownIn(message);
    this.article.setAttribute("aria-label", `${nameOf(author)}, ${clock(date)}`);
    this.side.replaceChildren(isGrouped ? time : ofUser(avatar(author), author));
    this.parts.header.replaceChildren(...(isGrouped ? [] : [
      ofUser(h("strong", { class: "author" }, nameOf(author)), author),
      author.bot && h("span", { class: "tag" }, "BOT"),
      time].filter(Boolean)));
  }

  #part(name, value, build) {
    const key = JSON.stringify(value);
    if (this.keys[name] === key) return;
    this.keys[name] = key;
    const part = this.parts[name];
    const held = part.contains(document.activeElement) ? document.activeElement : null;
    part.replaceChildren(...[build()].flat());
    if (held) (twinOf(held, part) ?? this.article).focus({ preventScroll: true });
  }
}

/** What stands for a control that was built again: the focus goes on there. */
const twinOf = (held, part) => [...part.querySelectorAll("[data-testid]")].find((one) => one.dataset.testid === held.dataset.testid && !one.disabled);

function componentsOf(message) {
  if (!message.components?.length) return [];
  return usesLayout(message) ? renderLayout(message, openLightbox) : renderComponents(message);
}

/** Marks what stands for a person: their menu opens there. */
function ofUser(element, user) {
  element.dataset.user = user.id;
  return element;
}

/** What is read of a message: the first one of a thread shows that which the thread began with. */
const shownIn = (message) => (message.type === THREAD_STARTER_MESSAGE ? { ...message, ...message.referenced_message, type: message.type } : message);

/** The way into a thread. */
function threadLink({ id, name }) {
  return h("a", { class: "thread-link", href: `#${id}`, testid: "thread-link" }, icon("thread"), h("span", null, name), h("span", { class: "unseen" }, "thread"));
}

function content(message) {
  if (message.type === THREAD_CREATED) {
    return h("p", { class: "quiet" }, h("b", null, nameOf(message.author)), " began a thread: ", threadLink({ id: message.message_reference?.channel_id, name: message.content || state.channels.get(message.message_reference?.channel_id)?.name || "without a name" }));
  }
  if (isLoading(message)) return thinking(`${nameOf(message.author)} is thinking`);
  if (!message.content) return [];
  const text = h("div", null, markup(message.content));
  // Answers to a command are edited while a picture forms: a mark on each would say nothing.
  if (message.edited_timestamp && !message.interaction_metadata) {
    const mark = h("span", { class: "edited", title: fullDate(new Date(message.edited_timestamp)) }, "(edited)");
    const last = text.lastElementChild;
    (last?.tagName === "P" ? last : text).append(" ", mark);
  }
  return text;
}

/** Animated dots with words. */
export function thinking(words) {
  return h("div", { class: "thinking" }, h("span", { class: "dots", "aria-hidden": "true" }, h("i"), h("i"), h("i")), `${words}…`);
}

/** The line above a message: who used what, or what it replies to. */
function origin(message) {
  const told = message.interaction_metadata;
  // A form that a command opened: the command is what the person used.
  const opener = told?.type === FORM ? told.triggering_interaction_metadata : null;
  const used = opener?.type === COMMAND ? { ...told, type: COMMAND, name: told.name ?? opener.name } : told;
  if (used?.user && (used.type ?? COMMAND) === COMMAND) return usedCommand(used.user, used.name ?? "command");
  if (message.type === THREAD_STARTER_MESSAGE) return h("div", { class: "origin" }, icon("thread"), h("span", null, "The thread began with"));
  const reply = message.type === THREAD_CREATED ? null : repliedTo(message);
  if (!used?.user && !reply) return null;
  const words = used?.user ? [h("b", null, nameOf(used.user)), h("span", null, reply ? "pressed a button on" : "pressed a button")] : [h("b", null, nameOf(reply.author))];
  const jump = () => emit("visit", { channel: reply.channel_id ?? message.channel_id, message: reply.id });
  return h("button", { class: "origin", type: "button", disabled: !reply, onclick: jump }, icon("reply"), miniAvatar(used?.user ?? reply.author), words,
    reply && h("span", { class: "excerpt" }, excerpt(reply)));
}

/** The first words of a message. */
const excerpt = (message) => spoken(message.content).slice(0, 120) || "a message";

function repliedTo(message) {
  const id = message.message_reference?.message_id;
  return message.referenced_message ?? (id && room(message.channel_id).messages.find((other) => other.id === id));
}

const isMenuCommand = (name) => state.commands.some((command) => command.name === name && (command.type ?? SLASH) !== SLASH);

/** "ada used /imagine". */
export function usedCommand(user, name) {
  return h("div", { class: "origin" }, icon("reply"), miniAvatar(user), h("span", null, ofUser(h("b", null, nameOf(user)), user), " used ", h("span", { class: "command-name" }, isMenuCommand(name) ? name : `/${name}`)));
}

function miniAvatar(user) {
  const drawn = avatar(user);
  drawn.classList.add("mini");
  return ofUser(drawn, user);
}

const dismiss = (message) => deleteMessage(message.id, state.me).catch((error) => toast(error.message, "error"));

/** The line below what only one person sees. */
export function onlyYou(onDismiss) {
  return h("div", { class: "only-you" }, icon("eye"), "Only you can see this · ",
    h("button", { type: "button", class: "link", testid: "dismiss", onclick: onDismiss }, "Dismiss"));
}
