import { control } from "./api.js";
import { announce, h, icon, nameOf, toast } from "./dom.js";
import { state } from "./state.js";

const CONSUMABLE = 3;

/** The tab with what people and guilds bought: a list, and a form that gives somebody what is for sale. */
export function entitlementTab() {
  const list = h("div", { class: "fault-list", testid: "entitlement-list" });
  const slot = h("div", { class: "fault-form-slot" });
  const element = h("div", { class: "faults" }, h("h3", null, "Bought"), list, h("h3", null, "Give somebody a purchase"), slot);
  let skus = [];
  const refresh = async () => {
    try {
      const answer = await control.entitlements();
      // Drawn once, so that what is chosen stays.
      if (!slot.hasChildNodes()) slot.replaceChildren(form(answer.skus, refresh));
      skus = answer.skus;
      list.replaceChildren(...rows(answer.entitlements));
    } catch (error) {
      list.replaceChildren(h("p", { class: "empty", role: "alert" }, error.message));
    }
  };
  const act = (call, words) => call.then(() => {
    announce(words);
    return refresh();
  }, (error) => toast(error.message, "error"));
  const rows = (entitlements) => (entitlements.length ? entitlements.map(row) : [h("p", { class: "empty" }, "Nobody bought anything.")]);
  const row = (one) => {
    const sku = skus.find((other) => other.id === one.sku_id);
    const name = sku?.name ?? one.sku_id;
    const owner = ownerName(one);
    const mayConsume = sku?.type === CONSUMABLE && !one.consumed;
    return h("div", { class: "fault purchase", testid: "entitlement" },
      h("span", { class: "fault-text" }, h("strong", null, name), h("span", null, `${owner}${one.consumed ? " · used up" : ""}`)),
      mayConsume && h("button", { type: "button", class: "button secondary compact", testid: "entitlement-consume", "aria-label": `Use up ${name} of ${owner}`, onclick: () => act(control.consume(one.id), `${name} is used up`) }, "Use up"),
      h("button", { type: "button", class: "button secondary compact", testid: "entitlement-revoke", "aria-label": `Take ${name} from ${owner}`, onclick: () => act(control.revoke(one.id), `${name} is taken back`) }, icon("trash"), "Take back"));
  };
  refresh();
  return { element, refresh };
}

function ownerName(one) {
  if (one.guild_id) return `for everybody in ${state.guilds.find((guild) => guild.id === one.guild_id)?.name ?? `guild ${one.guild_id}`}`;
  return nameOf(state.users.get(one.user_id));
}

function form(skus, onDone) {
  const problem = h("div", { class: "field-error", role: "alert" });
  const people = [...state.users.values()].filter((user) => !user.bot).map((user) => h("option", { value: user.id, selected: user.id === state.me }, nameOf(user)));
  const guilds = state.guilds.filter((guild) => guild.id).map((guild) => h("option", { value: guild.id }, guild.name));
  const owner = h("select", { testid: "entitlement-owner" }, h("optgroup", { label: "People" }, people), h("optgroup", { label: "Guilds" }, guilds));
  const sku = h("select", { testid: "entitlement-sku" }, skus.map((one) => h("option", { value: one.id }, one.name)));
  const element = h("form", { class: "fault-form", novalidate: true },
    h("div", { class: "fault-fields" }, h("label", { class: "fault-field wide" }, h("span", null, "Who"), owner), h("label", { class: "fault-field wide" }, h("span", null, "What"), sku)),
    problem, h("button", { type: "submit", class: "button primary", testid: "entitlement-grant" }, icon("plus"), "Give"));
  element.addEventListener("submit", async (event) => {
    event.preventDefault();
    problem.textContent = "";
    try {
      await control.grant(owner.value, sku.value);
      announce(`${sku.selectedOptions[0].textContent} is given`);
      await onDone();
    } catch (error) {
      problem.textContent = error.message;
    }
  });
  return element;
}
