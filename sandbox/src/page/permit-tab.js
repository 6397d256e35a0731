import { control } from "./api.js";
import { announce, h, icon, nameOf, toast } from "./dom.js";
import { subjectsOf, withSaid, wordsOf } from "./permits.js";
import { state } from "./state.js";

/** The tab with who may use which command where: what a guild says, and a form that says it. */
export function permitTab() {
  const guilds = state.guilds.filter((guild) => guild.id && guild.has_bot !== false);
  const here = state.channels.get(state.channel)?.guild?.id;
  const guild = select("permit-guild", guilds.map((one) => [one.id, one.name, one.id === here]));
  const command = select("permit-command", []);
  const subject = select("permit-subject", []);
  const said = select("permit-said", [["false", "denied"], ["true", "allowed"]]);
  const list = h("div", { class: "fault-list", testid: "permit-list" });
  const problem = h("div", { class: "field-error", role: "alert" });
  let rules = [];
  const chosen = () => guilds.find((one) => one.id === guild.value);
  const subjects = () => (chosen() ? subjectsOf(chosen(), [...state.users.values()], nameOf) : []);
  const names = () => [...state.commands.filter((one) => !one.guild_id || one.guild_id === guild.value).map((one) => [one.id, `/${one.name}`]), [state.bot.id, "all commands"]];
  const ofCommand = (id) => rules.find((one) => one.id === id)?.permissions ?? [];

  /** Keeps what is chosen where it is still offered. */
  const offer = (field, choices) => {
    const before = field.value;
    field.replaceChildren(...options(choices));
    if (choices.some(([value]) => value === before)) field.value = before;
  };
  const refresh = async () => {
    if (!chosen()) return list.replaceChildren(h("p", { class: "empty" }, "The bot is in no guild of yours."));
    offer(command, names());
    offer(subject, subjects().map((one) => [`${one.type} ${one.id}`, one.name]));
    try {
      rules = await control.commandPermissions(guild.value);
      list.replaceChildren(...rows());
    } catch (error) {
      list.replaceChildren(h("p", { class: "empty", role: "alert" }, error.message));
    }
  };
  const rows = () => {
    const all = rules.flatMap((rule) => rule.permissions.map((one) => row(rule, one)));
    return all.length ? all : [h("p", { class: "empty" }, "Nothing: everybody may use what the bot offers them.")];
  };
  const row = (rule, one) => {
    const name = names().find(([id]) => id === rule.id)?.[1] ?? rule.id;
    const words = wordsOf(one, subjects());
    return h("div", { class: "fault purchase", testid: "permit" },
      h("span", { class: "fault-text" }, h("strong", null, name), h("span", null, words)),
      h("button", { type: "button", class: "button secondary compact", testid: "permit-remove", "aria-label": `Say nothing of ${words} for ${name}`,
        onclick: () => replace(rule.id, one, null).catch((error) => toast(error.message, "error")) }, icon("trash"), "Remove"));
  };
  const replace = async (id, one, is) => {
    await control.permitCommand(guild.value, id, withSaid(ofCommand(id), one, is));
    announce("The guild's word is taken");
    await refresh();
  };
  const form = h("form", { class: "fault-form", novalidate: true },
    h("div", { class: "fault-fields" }, field("Command", command), field("Whom or where", subject), field("Is", said)),
    problem, h("button", { type: "submit", class: "button primary", testid: "permit-say" }, icon("plus"), "Say"));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    problem.textContent = "";
    const [type, id] = subject.value.split(" ");
    await replace(command.value, { type: Number(type), id }, said.value === "true").catch((error) => {
      problem.textContent = error.message;
    });
  });
  guild.addEventListener("change", refresh);
  refresh();
  const element = h("div", { class: "faults" }, field("Guild", guild), h("h3", null, "Said"), list, h("h3", null, "Say who may use a command"), form);
  return { element, refresh };
}

const options = (choices) => choices.map(([value, name, selected]) => h("option", { value, selected: Boolean(selected) }, name));
const select = (testid, choices) => h("select", { testid }, options(choices));
const field = (label, input) => h("label", { class: "fault-field wide" }, h("span", null, label), input);
