import { channelName, h, nameOf } from "./dom.js";
import { hashOf, placeOf } from "./links.js";
import { parse, plainText } from "./markdown.js";
import { markOf } from "./places.js";
import { state } from "./state.js";
import { fullDate, stamp } from "./time.js";

const TAGS = { bold: "strong", italic: "em", underline: "u", strike: "s" };

/** A text in Discord's markdown, as elements. Nothing in it is taken for HTML. */
export function markup(text) {
  const fragment = document.createDocumentFragment();
  fragment.append(...parse(text ?? "").map(element));
  return fragment;
}

/** The words of a text without its marks, with the names of those it mentions. */
export const spoken = (text) => plainText(text ?? "", (node) => element(node).textContent);

const elements = (nodes) => nodes.map(element);

function element(node) {
  if (typeof node === "string") return node;
  if (TAGS[node.type]) return h(TAGS[node.type], null, elements(node.children));
  switch (node.type) {
    case "paragraph": return h("p", null, elements(node.children));
    case "heading": return h(`h${node.level + 2}`, { class: `heading-${node.level}` }, elements(node.children));
    case "subtext": return h("p", { class: "subtext" }, elements(node.children));
    case "quote": return h("blockquote", null, elements(node.children));
    case "codeblock": return h("pre", null, h("code", null, node.text));
    case "code": return h("code", null, node.text);
    case "list": return listElement(node);
    case "link": return placeLink(node) ?? anchor(node.url, null, elements(node.children));
    case "spoiler": return spoiler(node);
    case "time": return timeElement(node);
    case "user": return mention(`@${nameOf(state.users.get(node.id) ?? (node.id === state.bot.id ? state.bot : null))}`, node);
    case "role": return mention("@role");
    case "channel": return channelLink(node.id);
    case "command": return mention(`/${node.name}`);
    default: return "";
  }
}

function listElement(node) {
  const items = node.items.map((item) => h("li", null, elements(item.children), item.nested && listElement(item.nested)));
  return h(node.ordered ? "ol" : "ul", { start: node.ordered && node.start !== 1 && node.start }, items);
}

function mention(text, { type, id } = {}) {
  const isUser = type === "user";
  return h("span", { class: isUser && id === state.me ? "mention me" : "mention", "data-user": isUser && id }, text);
}

/** A link: what is on this page is gone to in place, all else opens beside it. */
export function anchor(url, properties, ...children) {
  const place = placeHere(url);
  const target = place ? { href: hashOf(place) } : { href: url, target: "_blank", rel: "noopener noreferrer" };
  return h("a", { ...properties, ...target }, ...children);
}

/** The place of this page that an address leads to. Discord's own addresses do only where the page knows the channel. */
function placeHere(url) {
  const place = url && placeOf(url, location.origin);
  return place && (place.isOwn || state.channels.has(place.channel)) ? place : null;
}

/** An address in the open that leads to a place of this page is shown by that place's name, as Discord does. */
function placeLink({ url, children }) {
  const place = children[0] === url && placeHere(url);
  const channel = place && state.channels.get(place.channel);
  if (!channel) return null;
  return anchor(url, { class: "mention" }, `${markOf(channel)}${channelName(channel, state.bot)}`, place.message && " › message");
}

function channelLink(id) {
  return h("a", { class: "mention", href: `#${id}` }, `#${state.channels.get(id)?.name ?? "unknown"}`);
}

function timeElement({ unix, style }) {
  const date = new Date(unix * 1000);
  if (Number.isNaN(date.getTime())) return "";
  return h("time", { datetime: date.toISOString(), title: fullDate(date), "data-relative": style === "R" && unix }, stamp(unix, style));
}

function spoiler(node) {
  const reveal = () => {
    span.classList.add("shown");
    span.removeAttribute("role");
    span.removeAttribute("aria-label");
  };
  const span = h("span", {
    class: "spoiler", role: "button", tabindex: "0", "aria-label": "Spoiler, press to show",
    onclick: reveal, onkeydown: (event) => (event.key === "Enter" || event.key === " ") && reveal(),
  }, h("span", null, elements(node.children)));
  return span;
}
