import { h } from "./dom.js";
import { markup } from "./markup.js";
import { choicesOf, SELECTS } from "./select.js";
import { uploadField } from "./upload-field.js";

const TYPE = { TEXT_INPUT: 4, TEXT: 10, LABEL: 18, UPLOAD: 19, RADIOS: 21, CHECKBOXES: 22, CHECKBOX: 23 };
const PARAGRAPH = 2;

/** A row of a form as an element; its fields, as `{ id, input, check(), value() }`, are added to `fields`. */
export function renderRow(row, fields) {
  if (row.type === TYPE.TEXT) return h("div", { class: "quiet markup" }, markup(row.content));
  const one = row.type === TYPE.LABEL ? { ...row.component, label: row.label, description: row.description } : row.components?.[0];
  const control = one && controlOf(one);
  if (!control) return h("p", { class: "quiet" }, `component type ${one?.type ?? row.type} is not shown here`);
  const isRequired = one.type !== TYPE.CHECKBOX && one.required !== false;
  const id = `fault-${one.custom_id}`;
  const fault = h("span", { class: "field-error", role: "alert", id });
  const check = () => {
    fault.textContent = faultOf(one, isRequired, control);
    control.input?.setAttribute("aria-invalid", String(Boolean(fault.textContent)));
    return fault.textContent;
  };
  control.element.addEventListener("input", () => fault.textContent && check());
  control.input?.setAttribute("aria-describedby", id);
  if (isRequired && !control.isGroup) control.input.setAttribute("aria-required", "true");
  fields.push({ id: one.custom_id, input: control.input, check, value: control.value });
  const caption = [h("span", null, one.label ?? one.custom_id, isRequired && h("em", { title: "required" }, " *")), one.description && h("small", null, one.description)];
  // A group of boxes has labels of its own.
  if (control.isGroup) return h("fieldset", { class: "modal-field", testid: `modal-group-${one.custom_id}` }, h("legend", null, caption), control.element, fault);
  if (one.type === TYPE.CHECKBOX) return h("div", { class: "modal-field" }, h("label", { class: "choice" }, control.element, h("span", null, caption)), fault);
  return h("div", { class: "modal-field" }, h("label", null, caption, control.element), fault);
}

function faultOf(one, isRequired, control) {
  const n = control.count();
  if (isRequired && n === 0) return control.isText ? "Please fill this in." : "Please choose.";
  if (n === 0) return "";
  if (control.isText) return one.min_length && n < one.min_length ? `At least ${one.min_length} characters, please.` : "";
  if (n < (one.min_values ?? 1)) return `At least ${one.min_values}, please.`;
  if (one.max_values && n > one.max_values) return `At most ${one.max_values}, please.`;
  return "";
}

/** `{ element, input, value(), count() }` for a component, or null for one that is not known. */
function controlOf(one) {
  if (one.type === TYPE.TEXT_INPUT) return textInput(one);
  if (one.type === TYPE.UPLOAD) return uploadField(one, testid(one));
  if (one.type === TYPE.RADIOS) return boxes(one, "radio");
  if (one.type === TYPE.CHECKBOXES) return boxes(one, "checkbox");
  if (one.type === TYPE.CHECKBOX) return checkbox(one);
  return SELECTS.includes(one.type) ? choice(one) : null;
}

const testid = (one) => `modal-field-${one.custom_id}`;

function textInput(one) {
  const shared = { placeholder: one.placeholder, maxlength: one.max_length ?? 4000, testid: testid(one) };
  const input = one.style === PARAGRAPH ? h("textarea", { ...shared, rows: 5 }) : h("input", { ...shared, type: "text" });
  input.value = one.value ?? "";
  return { element: input, input, isText: true, value: () => input.value, count: () => input.value.trim().length };
}

function choice(one) {
  const choices = choicesOf(one);
  if ((one.max_values ?? 1) > 1) return boxes({ ...one, options: choices }, "checkbox");
  const none = (one.required === false || !choices.some((option) => option.default)) && h("option", { value: "" }, one.placeholder ?? "Choose");
  const input = h("select", { testid: testid(one) }, none, choices.map((option) => h("option", { value: option.value, selected: option.default }, option.label)));
  return { element: input, input, value: () => (input.value ? [input.value] : []), count: () => (input.value ? 1 : 0) };
}

function boxes(one, type) {
  const inputs = (one.options ?? []).map((option) => h("input", { type, name: one.custom_id, value: option.value, checked: option.default, testid: `${testid(one)}-${option.value}` }));
  const rows = inputs.map((input, index) => h("label", { class: "choice" }, input, h("span", null, one.options[index].label, one.options[index].description && h("small", null, one.options[index].description))));
  const chosen = () => inputs.filter((input) => input.checked).map((input) => input.value);
  return { element: h("div", { class: "choices" }, rows), input: inputs[0], isGroup: true, count: () => chosen().length, value: () => (type === "radio" ? (chosen()[0] ?? null) : chosen()) };
}

function checkbox(one) {
  const input = h("input", { type: "checkbox", checked: one.default, testid: testid(one), class: "lone" });
  return { element: input, input, count: () => 1, value: () => input.checked };
}
