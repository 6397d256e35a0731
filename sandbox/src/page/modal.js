import { postModal } from "./api.js";
import { NO_RESPONSE } from "./components.js";
import { h, icon } from "./dom.js";
import { renderRow } from "./modal-fields.js";
import { outcomeOf, state } from "./state.js";

/** Opens the form that a bot asked for, and sends it. */
export function openModal(data) {
  const fields = [];
  const problem = h("div", { class: "form-error", role: "alert", hidden: true });
  const submit = h("button", { class: "button primary", type: "submit", testid: "modal-submit" }, "Submit");
  const close = () => dialog.close();
  const form = h("form", { method: "dialog", novalidate: true },
    h("header", null, h("h2", null, data.title), h("button", { type: "button", class: "tool", "aria-label": "Close", onclick: close }, icon("close"))),
    h("div", { class: "modal-fields" }, (data.components ?? []).map((row) => renderRow(row, fields))),
    problem,
    h("footer", null, h("button", { type: "button", class: "button secondary", onclick: close }, "Cancel"), submit));
  const dialog = h("dialog", { class: "modal", "aria-label": data.title, testid: "modal" }, form);

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const wrong = fields.filter((field) => field.check());
    wrong[0]?.input?.focus();
    if (wrong.length || submit.classList.contains("waiting")) return;
    problem.hidden = true;
    submit.classList.add("waiting");
    const text = await send(data, fields);
    submit.classList.remove("waiting");
    if (!text) return close();
    problem.textContent = text;
    problem.hidden = false;
  });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  fields[0]?.input?.focus();
}

async function send(data, fields) {
  try {
    const values = Object.fromEntries(await Promise.all(fields.map(async (field) => [field.id, await field.value()])));
    const { interaction } = await postModal({ user: state.me, interaction: data.interaction, custom_id: data.custom_id, fields: values });
    const outcome = await outcomeOf(interaction);
    return outcome.isOk ? null : NO_RESPONSE;
  } catch (error) {
    return error.message;
  }
}
