import { AttachmentTray } from "./attachment-tray.js";
import { h, icon } from "./dom.js";
import { fileValue, filesOf } from "./files.js";
import { fileLimit } from "./places.js";
import { state } from "./state.js";

/** The files of a form: dropped, or chosen from the disk; as many as the field takes. */
export function uploadField(one, testid) {
  const most = one.max_values ?? 1;
  const problem = h("p", { class: "field-error", role: "alert" });
  const input = h("input", { type: "file", class: "unseen", multiple: most > 1, testid });
  const tray = new AttachmentTray({
    most, label: "Files of this field", limit: () => fileLimit(state.channels.get(state.channel)),
    onProblem: (text) => (problem.textContent = text ?? ""),
    onChange: () => input.dispatchEvent(new Event("input", { bubbles: true })),
  });
  const face = h("label", { class: "upload-face" }, input, icon("clip"), most > 1 ? `Drop files here or choose up to ${most}` : "Drop a file here or choose one");
  const element = h("div", { class: "upload" }, face, tray.element, problem);
  input.addEventListener("change", () => {
    tray.add([...input.files]);
    // Or the same file could not be chosen again after it was taken out.
    input.value = "";
  });
  element.addEventListener("dragover", (event) => event.preventDefault());
  element.addEventListener("drop", (event) => {
    event.preventDefault();
    event.isTaken = true;
    tray.add(filesOf(event.dataTransfer));
  });
  return { element, input, isGroup: true, count: () => tray.files.length, value: () => Promise.all(tray.files.map(fileValue)) };
}
