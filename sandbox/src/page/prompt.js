import { h } from "./dom.js";

/** Asks for one line of text in a dialog; `onText` may throw a sentence, which is then shown. */
export function askText({ title, label, value = "", submit, maxlength = 100, onText }) {
  const input = h("input", { type: "text", maxlength, required: true, testid: "prompt-input", value });
  const fault = h("span", { class: "field-error", role: "alert" });
  const dialog = h("dialog", { class: "modal", "aria-label": title, testid: "prompt" }, h("form", { method: "dialog" },
    h("header", null, h("h2", null, title)),
    h("label", { class: "modal-field" }, h("span", null, label), input, fault),
    h("footer", null,
      h("button", { type: "button", class: "button secondary", onclick: () => dialog.close() }, "Cancel"),
      h("button", { type: "submit", class: "button primary", testid: "prompt-submit" }, submit))));
  dialog.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await onText(input.value.trim());
      dialog.close();
    } catch (error) {
      fault.textContent = error.message;
    }
  });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  input.select();
}
