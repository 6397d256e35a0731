import { h } from "./dom.js";
import { anchor, markup } from "./markup.js";
import { mosaicSize, Picture, widest } from "./picture.js";
import { clock, fullDate } from "./time.js";

/** The embeds of a message. Those that share a `url` are one embed with several images, as in Discord. */
export function renderEmbeds(embeds, attachments, onOpen) {
  const merged = [];
  for (const embed of embeds) {
    const same = embed.url && merged.find((other) => other.url === embed.url);
    if (same) same.images.push(embed.image);
    else merged.push({ ...embed, images: [embed.image] });
  }
  return merged.map((embed) => renderEmbed(embed, attachments, onOpen));
}

/** The attachments that no embed shows. */
export function looseAttachments(message) {
  const media = (message.embeds ?? []).flatMap((embed) => [embed.image, embed.thumbnail].filter(Boolean).map((one) => one.url));
  const isShown = (file) => media.some((url) => url === file.url || url === `attachment://${file.filename}`);
  return (message.attachments ?? []).filter((file) => !isShown(file));
}

function renderEmbed(embed, attachments, onOpen) {
  const picture = (media, alt, isThumbnail) => {
    const file = attachments.find((one) => media.url === `attachment://${one.filename}` || media.url === one.url);
    const source = { width: media.width, height: media.height, ...file, url: file?.url ?? media.url };
    return new Picture(source, { alt: media.description || file?.description || alt, onOpen, isThumbnail }).element;
  };
  const title = embed.title && (safe(embed.url) ? anchor(embed.url, null, markup(embed.title)) : markup(embed.title));
  const alt = embed.title || embed.author?.name || "embedded picture";
  const images = embed.images.filter((image) => image?.url);
  const stripe = Number.isInteger(embed.color) && embed.color > 0 && `--stripe: #${embed.color.toString(16).padStart(6, "0")}`;
  return h("article", { class: "embed", style: stripe },
    h("div", { class: "embed-text" },
      embed.author?.name && h("div", { class: "embed-author" }, embed.author.name),
      title && h("div", { class: "embed-title" }, title),
      embed.description && h("div", { class: "embed-description markup" }, markup(embed.description)),
      embed.fields?.length && h("dl", { class: "embed-fields" }, embed.fields.map(renderField)),
      images.length === 0 && footer(embed)),
    embed.thumbnail?.url && h("div", { class: "embed-thumbnail" }, picture(embed.thumbnail, alt, true)),
    images.length && h("div", { class: "mosaic embed-image", "data-count": mosaicSize(images.length), style: `--widest: ${widest(images)}` }, images.map((image) => picture(image, alt))),
    images.length > 0 && footer(embed));
}

function renderField(field) {
  return h("div", { class: field.inline ? "inline" : null }, h("dt", null, markup(field.name)), h("dd", { class: "markup" }, markup(field.value)));
}

function footer(embed) {
  const date = embed.timestamp && new Date(embed.timestamp);
  if (!embed.footer?.text && !date) return null;
  const time = date && h("time", { datetime: date.toISOString(), title: fullDate(date) }, `${date.toLocaleDateString()} ${clock(date)}`);
  return h("footer", { class: "embed-footer" }, embed.footer?.text, embed.footer?.text && time && " · ", time);
}

const safe = (url) => /^https?:\/\//i.test(url ?? "");
