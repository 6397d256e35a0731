import { thumbnail } from "./attachment-tray.js";
import { h, icon } from "./dom.js";
import { filesOf } from "./files.js";

/** Where one file goes: by drop, by paste or chosen from the disk; it shows what it holds. */
export class FileSlot {
  constructor(properties, onChange) {
    this.file = null;
    this.release = () => {};
    // A real file field, out of sight: the keyboard and screen readers get what they know.
    this.input = h("input", { ...properties, type: "file", class: "unseen" });
    this.face = h("span", { class: "slot-face" });
    this.element = h("label", { class: "slot" }, this.input, this.face);
    const take = (files) => {
      if (!files.length) return;
      this.show(files[0]);
      onChange();
    };
    this.input.addEventListener("change", () => take([...this.input.files]));
    this.element.addEventListener("dragover", (event) => event.preventDefault());
    this.element.addEventListener("drop", (event) => {
      event.preventDefault();
      event.isTaken = true;
      take(filesOf(event.dataTransfer));
    });
    this.show(null);
  }

  /** Holds `file`, or nothing. */
  show(file) {
    this.release();
    this.file = file;
    this.element.classList.toggle("filled", Boolean(file));
    if (!file) {
      this.release = () => {};
      this.face.replaceChildren(icon("clip"), "Drop, paste or choose a file");
      return;
    }
    const { element, release } = thumbnail(file);
    this.release = release;
    this.face.replaceChildren(element, h("span", { class: "tray-name", title: file.name }, file.name));
  }
}
