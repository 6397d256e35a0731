import { h, icon } from "./dom.js";
import { filesOf } from "./files.js";

/** Lets files be dropped anywhere on `area` and pasted anywhere on the page; `onFiles(files)` gets them. */
export function listenForFiles(area, onFiles) {
  const veil = h("div", { class: "drop-veil", hidden: true, testid: "drop-veil" }, h("div", null, icon("picture"), "Drop to add"));
  area.append(veil);
  let depth = 0;
  const show = (isOver) => {
    if (!isOver) depth = 0;
    veil.hidden = !isOver;
  };
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  area.addEventListener("dragenter", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    depth += 1;
    show(true);
  });
  area.addEventListener("dragleave", (event) => {
    if (!hasFiles(event)) return;
    depth -= 1;
    if (depth <= 0) show(false);
  });
  area.addEventListener("drop", (event) => {
    show(false);
    if (!hasFiles(event)) return;
    event.preventDefault();
    if (!event.isTaken) onFiles(filesOf(event.dataTransfer));
  });
  // Outside of the area a drop would replace the page by the picture.
  for (const type of ["dragover", "drop"]) addEventListener(type, (event) => hasFiles(event) && event.preventDefault());
  addEventListener("paste", (event) => {
    const files = filesOf(event.clipboardData);
    if (!files.length || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    onFiles(files);
  });
}
