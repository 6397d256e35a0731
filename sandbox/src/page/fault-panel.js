import { control } from "./api.js";
import { announce, h, icon, toast } from "./dom.js";
import { describeFault, faultBody, FIELDS, kindNames, kindOf, PRESETS } from "./faults.js";
import { emit, state } from "./state.js";

/** Fields whose values are long. */
const WIDE = ["route", "guild", "channel"];

/** The tab with the faults: presets, what is going on, and a form for everything else. */
export function faultTab() {
  const active = h("div", { class: "fault-list", testid: "fault-list" });
  const seed = h("p", { class: "quiet small" });
  const slot = h("div", { class: "fault-form-slot" });
  const element = h("div", { class: "faults" },
    h("h3", null, "Going on"), active,
    h("h3", null, "Start with one press"), h("div", { class: "presets" }, PRESETS.map(preset)),
    h("h3", null, "Anything else"), slot, seed);
  let kinds = "";

  const load = async () => {
    try {
      const answer = await control.faults();
      active.replaceChildren(...activeList(answer.active ?? [], answer.standing ?? []));
      seed.textContent = answer.seed === undefined ? "" : `Chance comes from seed ${answer.seed}: the same seed, the same faults.`;
      // Drawn once, so that what is typed stays.
      const names = kindNames(answer.kinds);
      if (kinds !== names.join()) slot.replaceChildren(form(names));
      kinds = names.join();
    } catch (error) {
      active.replaceChildren(h("p", { class: "empty", role: "alert" }, error.status === 404 ? "This sandbox has no faults to offer." : error.message));
    }
  };
  load();
  return { element, refresh: async () => {
    await load();
    active.scrollIntoView({ block: "nearest" });
  } };
}

async function start(body) {
  try {
    await control.start(body);
    announce(`${kindOf(body.kind).title} has begun`);
    changed();
    return null;
  } catch (error) {
    return error.message;
  }
}

/** The sandbox tells everyone of a fault; the own list does not wait for it. */
const changed = () => emit("fault");

function preset({ id, title, sentence, body }) {
  return h("button", { type: "button", class: "preset", testid: `preset-${id}`, onclick: async () => {
    const problem = await start(body);
    if (problem) toast(problem, "error");
  } }, h("strong", null, title), h("span", null, sentence));
}

function activeList(faults, standing) {
  if (!faults.length) return [h("p", { class: "empty" }, "Nothing: everything works as it should.")];
  const nameOfId = (id) => state.channels.get(id)?.name ?? state.guilds.find((guild) => guild.id === id)?.name ?? id;
  const rows = faults.map((fault) => h("div", { class: "fault", testid: `fault-${fault.kind}` },
    h("span", { class: "fault-mark", "aria-hidden": "true" }),
    h("span", { class: "fault-text" }, h("strong", null, kindOf(fault.kind).title), h("span", null, describeFault(fault, nameOfId, standing.includes(fault.kind)))),
    h("button", { type: "button", class: "button secondary compact", testid: `fault-stop-${fault.kind}`, "aria-label": `Stop ${kindOf(fault.kind).title}`,
      onclick: () => act(control.stop(fault.id)) }, icon("stop"), "Stop")));
  const all = h("button", { type: "button", class: "link", testid: "fault-stop-all", onclick: () => act(control.stopAll()) }, "Stop all");
  return faults.length > 1 ? [...rows, all] : rows;
}

const act = (call) => call.then(changed, (error) => toast(error.message, "error"));

function form(names) {
  const problem = h("div", { class: "field-error", role: "alert" });
  const sentence = h("p", { class: "quiet small" });
  const fields = h("div", { class: "fault-fields" });
  const choose = h("select", { testid: "fault-kind", onchange: () => draw() }, names.map((name) => h("option", { value: name }, kindOf(name).title)));
  const draw = () => {
    const kind = kindOf(choose.value);
    sentence.textContent = kind.sentence;
    problem.textContent = "";
    fields.replaceChildren(...kind.fields.map((name) => field(name, kind.first?.[name] ?? "")));
  };
  const element = h("form", { class: "fault-form", novalidate: true }, h("label", { class: "fault-field wide" }, h("span", null, "Kind"), choose),
    sentence, fields, problem, h("button", { type: "submit", class: "button primary", testid: "fault-start" }, icon("play"), "Start"));
  element.addEventListener("submit", async (event) => {
    event.preventDefault();
    const typed = Object.fromEntries([...fields.querySelectorAll("[name]")].map((input) => [input.name, input.value]));
    const { body, error, field: wrong } = faultBody(choose.value, typed);
    problem.textContent = error ?? (await start(body)) ?? "";
    if (wrong) fields.querySelector(`[name="${wrong}"]`).focus();
  });
  draw();
  return element;
}

function field(name, value) {
  const { label, type, hint, step, top, choices } = FIELDS[name];
  return h("label", { class: WIDE.includes(name) ? "fault-field wide" : "fault-field" }, h("span", null, label), input());

  function input() {
    const shared = { name, testid: `fault-field-${name}` };
    if (type === "guild") return picker(shared, state.guilds.filter((guild) => guild.id));
    if (type === "channel") return picker(shared, [...state.channels.values()].filter((channel) => channel.guild.id), "any");
    if (choices) return picker(shared, choices.map((choice) => ({ id: choice, name: choice })));
    const isNumber = type === "number";
    return h("input", { ...shared, type: isNumber ? "number" : "text", inputmode: isNumber && "decimal", min: isNumber && "0", max: isNumber && top, step: isNumber && (step ?? 1), placeholder: hint, value, autocomplete: "off" });
  }
}

function picker(shared, entries, none) {
  return h("select", shared, none && h("option", { value: "" }, none), entries.map((one) => h("option", { value: one.id }, one.guild ? `${one.guild.name} #${one.name}` : one.name)));
}
