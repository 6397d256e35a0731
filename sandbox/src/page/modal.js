import { postModal } from "./api.js";
import { NO_RESPONSE } from "./components.js";
import { h, icon } from "./dom.js";
import { outcomeOf, state } from "./state.js";

const TEXT_INPUT = 4;
const STRING_SELECT = 3;
const TEXT_DISPLAY = 10;
const LABEL = 18;
const PARAGRAPH = 2;

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
    const faults = fields.map((field) => field.check()).filter(Boolean);
    if (faults.length || submit.classList.contains("waiting")) return;
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
  fields[0]?.input.focus();
}

async function send(data, fields) {
  try {
    const values = Object.fromEntries(fields.map((field) => [field.id, field.value()]));
    const { interaction } = await postModal({ user: state.me, interaction: data.interaction, custom_id: data.custom_id, fields: values });
    const outcome = await outcomeOf(interaction);
    return outcome.isOk ? null : NO_RESPONSE;
  } catch (error) {
    return error.message;
  }
}

function renderRow(row, fields) {
  if (row.type === TEXT_DISPLAY) return h("p", { class: "quiet" }, row.content);
  const one = row.type === LABEL ? { ...row.component, label: row.label, description: row.description } : row.components?.[0];
  if (one?.type !== TEXT_INPUT && one?.type !== STRING_SELECT) return null;
  const isRequired = one.required !== false;
  const fault = h("span", { class: "field-error", role: "alert" });
  const input = one.type === STRING_SELECT ? choice(one) : textInput(one);
  const check = () => {
    fault.textContent = faultOf(one, isRequired, input.value);
    input.setAttribute("aria-invalid", String(Boolean(fault.textContent)));
    return fault.textContent;
  };
  input.addEventListener("input", () => fault.textContent && check());
  fields.push({ id: one.custom_id, input, check, value: () => input.value });
  return h("label", { class: "modal-field" },
    h("span", null, one.label ?? one.custom_id, isRequired && h("em", { title: "required" }, " *")),
    one.description && h("small", null, one.description), input, fault);
}

function faultOf(one, isRequired, value) {
  if (isRequired && !value.trim()) return "Please fill this in.";
  if (value && one.min_length && value.length < one.min_length) return `At least ${one.min_length} characters, please.`;
  return "";
}

function textInput(one) {
  const shared = { placeholder: one.placeholder, maxlength: one.max_length ?? 4000, testid: `modal-field-${one.custom_id}` };
  const input = one.style === PARAGRAPH ? h("textarea", { ...shared, rows: 5 }) : h("input", { ...shared, type: "text" });
  input.value = one.value ?? "";
  return input;
}

function choice(one) {
  return h("select", { testid: `modal-field-${one.custom_id}` },
    (one.options ?? []).map((option) => h("option", { value: option.value, selected: option.default }, option.label)));
}
