import { h, icon } from "./dom.js";
import { acceptFiles, MAX_FILES, sizeText } from "./files.js";

/** A small picture of a chosen file, or a file's sign. `release()` gives its memory back. */
export function thumbnail(file) {
  if (!file.type.startsWith("image/")) return { element: h("span", { class: "thumb" }, icon("file")), release: () => {} };
  const url = URL.createObjectURL(file);
  return { element: h("img", { class: "thumb", src: url, alt: "" }), release: () => URL.revokeObjectURL(url) };
}

/** The files that go with a message or a form, each with its picture and a way to take it out; `limit()` gives the bytes that one may have. */
export class AttachmentTray {
  constructor({ limit, onProblem, most = MAX_FILES, label = "Files of this message", onChange = () => {} }) {
    this.limitOf = limit;
    this.most = most;
    this.onChange = onChange;
    this.onProblem = onProblem;
    this.cards = [];
    this.list = h("ul", { class: "tray-files", "aria-label": label });
    this.limit = h("p", { class: "quiet small" });
    this.note = h("p", { class: "small", role: "status", testid: "tray-note" });
    this.element = h("div", { class: "tray", hidden: true, testid: "tray" }, this.list, this.note, this.limit);
  }

  get files() {
    return this.cards.map((card) => card.file);
  }

  /** Adds what fits and says what does not. */
  add(files) {
    const { accepted, problems } = acceptFiles(files, this.cards.length, this.limitOf(), this.most);
    this.limit.textContent = `At most ${this.most} ${this.most === 1 ? "file" : "files"} of ${sizeText(this.limitOf())}${this.most === 1 ? "" : " each"}.`;
    this.cards.push(...accepted.map((file) => this.#card(file)));
    this.#draw();
    this.onProblem(problems.join(" ") || null);
  }

  /** Empties the tray. */
  clear() {
    this.keep([]);
  }

  /** Takes out all files but these. */
  keep(files) {
    if (this.cards.every((card) => files.includes(card.file))) return;
    for (const card of this.cards.filter((one) => !files.includes(one.file))) card.release();
    this.cards = this.cards.filter((card) => files.includes(card.file));
    this.#draw();
  }

  /** What becomes of the files. */
  say(text) {
    if (this.note.textContent !== text) this.note.textContent = text;
  }

  #card(file) {
    const { element: picture, release } = thumbnail(file);
    const card = { file, release };
    const remove = () => {
      release();
      this.cards = this.cards.filter((one) => one !== card);
      this.#draw();
    };
    card.element = h("li", { class: "tray-file", testid: "tray-file" }, picture,
      h("span", { class: "tray-name", title: file.name }, file.name), h("span", { class: "quiet small" }, sizeText(file.size)),
      h("button", { type: "button", class: "tray-remove", "aria-label": `Remove ${file.name}`, testid: "tray-remove", onclick: remove }, icon("close")));
    return card;
  }

  #draw() {
    this.element.hidden = this.cards.length === 0;
    this.list.replaceChildren(...this.cards.map((card) => card.element));
    this.onChange();
  }
}

/** The button that lets a person choose files from the disk; its `chooser` stands beside it, because a control may hold none. */
export function attachButton(onFiles) {
  const chooser = h("input", { type: "file", multiple: true, hidden: true, "aria-label": "Files to add", testid: "file-chooser" });
  chooser.addEventListener("change", () => {
    onFiles([...chooser.files]);
    chooser.value = "";
  });
  const button = h("button", { type: "button", class: "attach", testid: "attach", "aria-label": "Add files", title: "Add files (drop and paste work too)", onclick: () => chooser.click() }, icon("clip"));
  return Object.assign(button, { chooser });
}
