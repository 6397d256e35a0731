import { actionRow, component, useOf } from "./components.js";
import { h } from "./dom.js";
import { markup } from "./markup.js";
import { fileCard, isPicture, mosaicSize, Picture, widest } from "./picture.js";

const LAYOUT_FLAG = 32768;
const TYPE = { ROW: 1, BUTTON: 2, SECTION: 9, TEXT: 10, THUMBNAIL: 11, GALLERY: 12, FILE: 13, SEPARATOR: 14, CONTAINER: 17 };
const WIDE_SPACE = 2;

/** True for a message that consists of components alone. */
export const usesLayout = (message) => Boolean(message.flags & LAYOUT_FLAG);

/** The components of such a message, with a line below them for what went wrong. */
export function renderLayout(message, onOpen) {
  const { use, note } = useOf(message);
  const context = { use, onOpen, files: message.attachments ?? [] };
  return [h("div", { class: "layout" }, message.components.map((one) => element(one, context))), note];
}

function element(one, context) {
  switch (one.type) {
    case TYPE.ROW: return actionRow(one, context.use);
    case TYPE.TEXT: return h("div", { class: "markup" }, markup(one.content));
    case TYPE.SECTION: return section(one, context);
    case TYPE.THUMBNAIL: return h("div", { class: "layout-thumbnail" }, picture(one.media, one, { ...context, isThumbnail: true }));
    case TYPE.GALLERY: return gallery(one.items ?? [], context);
    case TYPE.FILE: return file(one, context);
    case TYPE.SEPARATOR: return h("div", { class: one.spacing === WIDE_SPACE ? "separator wide" : "separator", role: "separator", "data-line": one.divider !== false });
    case TYPE.CONTAINER: return container(one, context);
    default: return component(one, context.use);
  }
}

function container(one, context) {
  const stripe = Number.isInteger(one.accent_color) && `--stripe: #${one.accent_color.toString(16).padStart(6, "0")}`;
  const box = h("section", { class: one.spoiler ? "container hidden" : "container", style: stripe }, (one.components ?? []).map((inner) => element(inner, context)));
  if (!one.spoiler) return box;
  const reveal = h("button", { type: "button", class: "reveal", onclick: () => {
    box.classList.remove("hidden");
    reveal.remove();
  } }, "Spoiler");
  return h("div", { class: "container-slot" }, box, reveal);
}

function section(one, context) {
  return h("div", { class: "section" },
    h("div", { class: "section-text" }, (one.components ?? []).map((inner) => element(inner, context))),
    one.accessory && h("div", { class: "section-side" }, element(one.accessory, context)));
}

function gallery(items, context) {
  const mosaic = h("div", { class: "mosaic", "data-count": mosaicSize(items.length) }, items.map((item) => picture(item.media, item, context)));
  mosaic.style.setProperty("--cell", "1");
  mosaic.style.setProperty("--widest", widest(items.map((item) => sourceOf(item.media, context.files))));
  return mosaic;
}

/** The attachment behind a media item, or what the item says itself. */
function sourceOf(media, files) {
  const isIt = (file) => media?.url === `attachment://${file.filename}` || media?.url === file.url || media?.attachment_id === file.id;
  const known = files.find(isIt);
  return { width: media?.width, height: media?.height, content_type: media?.content_type, ...known, url: known?.url ?? media?.url };
}

function picture(media, { description, spoiler }, context) {
  const source = sourceOf(media, context.files);
  const shown = new Picture(source, { alt: description || source.filename || "picture", onOpen: context.onOpen, isThumbnail: context.isThumbnail });
  if (spoiler) shown.element.classList.add("spoiler-picture");
  return shown.element;
}

function file(one, context) {
  const source = sourceOf(one.file, context.files);
  const name = source.filename ?? one.name ?? decodeURIComponent(String(source.url).split(/[/?]/).filter(Boolean).at(-1));
  if (isPicture({ ...source, filename: name })) return h("div", { class: "mosaic", "data-count": 1 }, picture(one.file, one, context));
  return fileCard({ ...source, filename: name, size: source.size ?? one.size });
}
