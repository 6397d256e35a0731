import { clockTab } from "./clock-tab.js";
import { h, icon } from "./dom.js";
import { entitlementTab } from "./entitlements.js";
import { faultTab } from "./fault-panel.js";
import { journalTab } from "./journal.js";
import { closePanel, panelId, showPanel } from "./panel.js";
import { permitTab } from "./permit-tab.js";
import { on } from "./state.js";
import { countViolations, violationTab } from "./violations.js";

const TABS = [["faults", "Faults", faultTab], ["violations", "Violations", violationTab], ["journal", "Journal", journalTab], ["entitlements", "Purchases", entitlementTab], ["permits", "Permissions", permitTab], ["clock", "Clock", clockTab]];
let current = null;
let last = "faults";

/** Opens the workshop, or closes it where it is open. */
function toggleWorkshop(tab = last) {
  if (panelId() === "workshop" && tab === last) return closePanel();
  last = tab;
  showPanel({ id: "workshop", title: "Workshop", build });
}

/** The button in the top bar, with the number of violations. */
export function workshopButton() {
  const n = countViolations();
  const label = n ? `Workshop, ${n} ${n === 1 ? "violation" : "violations"}` : "Workshop";
  return h("button", { type: "button", class: "tool workshop-button", "aria-label": label, title: "Workshop: faults, violations, journal, purchases, permissions, clock", testid: "workshop",
    "aria-expanded": String(panelId() === "workshop"), onclick: () => toggleWorkshop(panelId() !== "workshop" && n ? "violations" : last) },
  icon("wrench"), n > 0 && h("span", { class: "badge", testid: "violation-badge", "aria-hidden": "true" }, n > 99 ? "99+" : String(n)));
}

on("fault", () => current?.name === "faults" && current.refresh());
on("entitlement", () => current?.name === "entitlements" && current.refresh());
on("places", () => current?.name === "permits" && current.refresh());
on("back", () => current?.refresh());
on("violations", () => {
  if (!current) return;
  if (current.name === "violations") current.refresh();
  current.drawTabs();
});

function build() {
  const body = h("div", { class: "tab-body", role: "tabpanel", id: "workshop-body", tabindex: "-1" });
  const tabs = h("div", { class: "tabs", role: "tablist", "aria-label": "Workshop" });
  const drawTabs = () => {
    const hadFocus = tabs.contains(document.activeElement);
    tabs.replaceChildren(...TABS.map(([name, title]) => h("button", {
      type: "button", role: "tab", id: `tab-${name}`, class: "tab", "aria-selected": String(name === last), "aria-controls": "workshop-body",
      tabindex: name === last ? "0" : "-1", testid: `tab-${name}`, onclick: () => show(name),
    }, title, name === "violations" && countViolations() > 0 && h("span", { class: "badge" }, String(countViolations())))));
    if (hadFocus) tabs.querySelector("[aria-selected=true]").focus();
  };
  const show = (name) => {
    current?.onClose?.();
    last = name;
    const tab = TABS.find(([one]) => one === name)[2]();
    current = { name, drawTabs, ...tab };
    body.replaceChildren(tab.element);
    body.setAttribute("aria-labelledby", `tab-${name}`);
    drawTabs();
  };
  tabs.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = TABS.findIndex(([name]) => name === last);
    show(TABS[(at + step + TABS.length) % TABS.length][0]);
    tabs.querySelector("[aria-selected=true]").focus();
  });
  show(last);
  const element = h("div", { class: "workshop", testid: "workshop-panel" }, tabs, body);
  return { element, onClose: () => {
    current?.onClose?.();
    current = null;
  } };
}
