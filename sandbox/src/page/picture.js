import { h } from "./dom.js";
import { sizeText } from "./files.js";

const FADE_MS = 280;
const SAME_SHAPE = 0.02;
const MAX_ALT = 250;

/** The words for a picture, as many as one listens to. */
export const shortened = (alt) => (alt.length > MAX_ALT ? `${alt.slice(0, MAX_ALT - 2).trimEnd()} …` : alt);

/** True for an attachment that can be shown as a picture. */
export function isPicture(attachment) {
  return attachment.content_type?.startsWith("image/") || /\.(png|jpe?g|webp|gif)$/i.test(attachment.filename ?? "");
}

/** Which of the mosaic's shapes fits `n` pictures: one, two, three in a row, two by two, or rows of three. */
export const mosaicSize = (n) => Math.min(n, 5);

/** The width of the widest picture as CSS has it, or nothing where one does not say its own. No picture is shown larger than it is. */
export const widest = (sources) => (sources.length && sources.every((one) => one.width > 0) ? `${Math.max(...sources.map((one) => one.width))}px` : "");

/** One picture with its place reserved. A newer version is decoded first and faded in over the old one. */
export class Picture {
  constructor(source, { alt, onOpen, isThumbnail = false, nParts = 1 }) {
    this.isThumbnail = isThumbnail;
    /** How many pictures it is made of. */
    this.nParts = nParts;
    this.element = h("button", { class: "picture", type: "button", onclick: () => this.#press(onOpen) });
    this.element.picture = this;
    this.#adopt(source, alt);
    this.image = this.#image();
    this.image.loading = "lazy";
    this.image.src = source.url;
    this.element.append(this.image);
  }

  /** Shows `source` instead; the same attachment again changes nothing. */
  async show(source, alt) {
    const isSame = source.id ? source.id === this.source.id : source.url === this.source.url;
    this.#adopt(source, alt);
    if (isSame) return;
    const next = this.#image();
    this.next = next;
    next.src = source.url;
    await next.decode().catch(() => {});
    // A still newer version may have come while this one was decoded.
    if (this.next !== next) return;
    const old = this.image;
    delete old.dataset.testid;
    this.image = next;
    this.element.append(next);
    const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const fade = next.animate([{ opacity: 0 }, { opacity: 1 }], { duration: isStill ? 1 : FADE_MS, easing: "ease-out" });
    fade.finished.catch(() => {}).then(() => old.remove());
  }

  #adopt(source, alt) {
    const shape = source.width && source.height ? source.width / source.height : 1;
    // Previews are rounded to whole pixels: keep the box when only the rounding differs, so that nothing jumps.
    if (!this.shape || Math.abs(shape / this.shape - 1) > SAME_SHAPE) {
      this.shape = shape;
      this.element.style.setProperty("--shape", shape.toFixed(4));
    }
    this.element.style.setProperty("--wide", widest([source]));
    this.source = source;
    this.alt = shortened(alt);
    this.element.setAttribute("aria-label", `Open picture: ${this.alt}`);
    this.element.classList.toggle("spoiler-picture", Boolean(source.filename?.startsWith("SPOILER_")));
  }

  #image() {
    const image = h("img", { alt: this.alt, testid: "message-image", decoding: "async", draggable: "false" });
    image.addEventListener("load", () => {
      this.element.classList.add("loaded");
      if (image === this.image && !this.source.width) this.element.style.setProperty("--wide", widest([{ width: image.naturalWidth }]));
    });
    image.addEventListener("error", () => image === this.image && this.element.classList.add("broken"));
    return image;
  }

  #press(onOpen) {
    if (this.element.classList.contains("broken")) {
      this.element.classList.remove("broken");
      this.image.src = this.source.url;
    } else if (this.element.classList.contains("spoiler-picture")) {
      this.element.classList.remove("spoiler-picture");
    } else onOpen(this);
  }
}

/** The pictures of one message as a mosaic, and its other files as cards. */
export class Attachments {
  constructor(onOpen) {
    this.onOpen = onOpen;
    this.pictures = [];
    this.mosaic = h("div", { class: "mosaic" });
    this.files = h("div", { class: "files" });
    this.element = h("div", { class: "attachments" }, this.mosaic, this.files);
  }

  /** Shows `attachments`, a single picture made of `nParts`; pictures that stay in their place are swapped softly. */
  update(attachments, { alt, nParts }) {
    const sources = attachments.filter(isPicture);
    const altOf = (source, index) => source.description || (sources.length > 1 ? `${alt} (${index + 1} of ${sources.length})` : alt);
    if (sources.length === this.pictures.length) {
      sources.forEach((source, index) => this.pictures[index].show(source, altOf(source, index)));
    } else {
      this.pictures = sources.map((source, index) => new Picture(source, { alt: altOf(source, index), onOpen: this.onOpen }));
      this.mosaic.dataset.count = mosaicSize(sources.length);
      this.mosaic.style.setProperty("--widest", widest(sources));
      // The pictures of one job share their shape; others are cut to the first one's, so that the rows are even.
      this.mosaic.style.setProperty("--cell", Math.min(1.6, Math.max(0.6, this.pictures[0]?.shape ?? 1)).toFixed(4));
      this.mosaic.replaceChildren(...this.pictures.map((picture) => picture.element));
    }
    for (const picture of this.pictures) picture.nParts = sources.length === 1 ? nParts : 1;
    this.files.replaceChildren(...attachments.filter((one) => !isPicture(one)).map(fileCard));
    this.element.hidden = attachments.length === 0;
  }
}

/** A file that is no picture, as a card. */
export function fileCard(file) {
  return h("a", { class: "file", href: file.url, target: "_blank", rel: "noopener noreferrer" },
    h("strong", null, file.filename), h("span", null, sizeText(file.size ?? 0)));
}
