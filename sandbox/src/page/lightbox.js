import { h, icon, toast } from "./dom.js";
import { bytesOf, partBytes, saveBytes } from "./picture-actions.js";
import { fileNameOf, partOf, stopsOf } from "./picture-parts.js";

let dialog = null;

/** Opens a picture large; the arrows walk through the pictures of the channel, and through each of those that are a grid. */
export function openLightbox(picture) {
  dialog ??= new Lightbox();
  const others = [...document.querySelectorAll(".scroller .picture:not(.spoiler-picture, .broken)")].map((element) => element.picture);
  // A thumbnail stands for something else: it is shown when it is asked for, and not among the pictures.
  const row = others.filter((one) => one === picture || !(one.isThumbnail || picture.isThumbnail));
  dialog.open(stopsOf(row.includes(picture) ? row : [picture]), picture);
}

class Lightbox {
  constructor() {
    this.image = h("img", { class: "lightbox-image", testid: "lightbox-image", draggable: "false" });
    this.stage = h("div", { class: "lightbox-stage" }, this.image);
    this.words = h("span");
    this.facts = h("span", { class: "quiet" });
    this.parts = h("div", { class: "lightbox-parts", role: "group", "aria-label": "Which picture of the grid" });
    this.actual = tool("actual", "Original size", () => this.#setActual(!this.stage.classList.contains("actual")));
    this.save = tool("download", "Save this picture", () => this.#save(), "lightbox-save");
    this.tab = h("a", { class: "tool", target: "_blank", rel: "noopener noreferrer", "aria-label": "Open in a tab", title: "Open in a tab" }, icon("open"));
    this.previous = tool("left", "Previous picture", () => this.#move(-1), "lightbox-previous");
    this.next = tool("right", "Next picture", () => this.#move(1), "lightbox-next");
    this.previous.classList.add("previous");
    this.next.classList.add("next");
    this.element = h("dialog", { class: "lightbox", tabindex: "-1", "aria-label": "Picture", testid: "lightbox" }, this.stage,
      h("div", { class: "lightbox-foot" }, this.parts, h("div", { class: "lightbox-caption", "aria-live": "polite" }, this.words, this.facts)), this.previous, this.next,
      h("div", { class: "lightbox-tools" }, this.save, this.actual, this.tab, tool("close", "Close", () => this.element.close())));
    this.element.addEventListener("keydown", (event) => this.#key(event));
    this.stage.addEventListener("click", (event) => {
      if (event.target === this.image) this.#setActual(!this.stage.classList.contains("actual"));
      else this.element.close();
    });
    this.element.addEventListener("close", () => this.#clear());
    document.body.append(this.element);
  }

  open(stops, picture) {
    this.stops = stops;
    this.#show(stops.findIndex((stop) => stop.picture === picture));
    this.element.showModal();
    this.element.focus();
  }

  #key(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const part = /^\d$/.test(event.key) ? this.#indexOf(Number(event.key)) : -1;
    if (step) this.#move(step);
    else if (part >= 0) this.#show(part);
    else return;
    event.preventDefault();
  }

  #indexOf(part) {
    const { picture } = this.stops[this.at];
    return this.stops.findIndex((stop) => stop.picture === picture && stop.part === part);
  }

  #move(step) {
    if (this.stops[this.at + step]) this.#show(this.at + step);
  }

  #show(at) {
    this.at = at;
    this.#clear();
    this.#setActual(false);
    const { picture, part } = this.stops[at];
    const { source, alt, nParts } = picture;
    this.image.alt = part ? `Picture ${part} of ${nParts}: ${alt}` : alt;
    this.image.style.setProperty("--shape", part ? shapeOf(picture, part) : picture.shape);
    if (part) this.#cut(picture, part);
    else this.image.src = source.url;
    // What was cut out has no address of its own.
    this.tab.hidden = part > 0;
    this.tab.href = source.url;
    this.words.textContent = this.image.alt;
    this.words.title = this.image.alt;
    this.#tell(part ? null : source);
    this.parts.replaceChildren(...(nParts > 1 ? Array.from({ length: nParts + 1 }, (_, one) => this.#partButton(one, part)) : []));
    this.previous.hidden = at === 0;
    this.next.hidden = at === this.stops.length - 1;
    // A button that went takes no keys along.
    const { activeElement } = document;
    if (this.element.open && !(this.element.contains(activeElement) && activeElement.checkVisibility())) this.element.focus();
  }

  #partButton(one, shown) {
    return h("button", { type: "button", class: "lightbox-part", "aria-pressed": String(one === shown), "aria-label": one ? `Picture ${one}` : "All pictures", testid: `lightbox-part-${one}`,
      onclick: () => {
        this.#show(this.#indexOf(one));
        this.parts.children[one].focus();
      } }, one ? String(one) : "All");
  }

  /** Size and place in the row. */
  #tell(size) {
    const pictures = [...new Set(this.stops.map((stop) => stop.picture))];
    const place = pictures.length > 1 && `${pictures.indexOf(this.stops[this.at].picture) + 1} of ${pictures.length}`;
    this.facts.textContent = [size?.width && `${size.width} × ${size.height}`, place].filter(Boolean).join(" · ");
  }

  async #cut({ source, nParts }, part) {
    const { at } = this;
    try {
      const bytes = await partBytes(source, { part, n: nParts });
      if (this.at !== at || !this.element.open) return;
      this.bytes = bytes;
      this.image.src = URL.createObjectURL(bytes);
      await this.image.decode();
      if (this.at === at) this.#tell({ width: this.image.naturalWidth, height: this.image.naturalHeight });
    } catch (error) {
      toast(error.message, "error");
    }
  }

  async #save() {
    const { picture: { source }, part } = this.stops[this.at];
    try {
      const bytes = part ? this.bytes : await bytesOf(source);
      if (bytes) saveBytes(bytes, fileNameOf(source, part));
    } catch (error) {
      toast(error.message, "error");
    }
  }

  #clear() {
    if (this.bytes) URL.revokeObjectURL(this.image.src);
    this.bytes = null;
    this.image.removeAttribute("src");
  }

  #setActual(isActual) {
    this.stage.classList.toggle("actual", isActual);
    this.actual.setAttribute("aria-pressed", String(isActual));
  }
}

/** Width to height of a part, known before it is cut. */
function shapeOf({ shape, nParts }, part) {
  const { width, height } = partOf(nParts, part - 1, { width: 10_000 * shape, height: 10_000 });
  return width / height;
}

function tool(name, label, onclick, testid) {
  return h("button", { type: "button", class: "tool", "aria-label": label, title: label, testid, onclick }, icon(name));
}
