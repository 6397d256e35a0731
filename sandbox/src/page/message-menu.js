import { deleteMessage } from "./api.js";
import { usableIn } from "./commands.js";
import { h, icon, toast } from "./dom.js";
import { useCommand } from "./interactions.js";
import { Listbox } from "./listbox.js";
import { state } from "./state.js";

const MESSAGE_COMMAND = 3;

/** The "…" of a message: the bot's message commands, and copying. `current()` gives the newest version of the message. */
export function messageMenu(current) {
  const control = h("button", { type: "button", class: "tool small", "aria-label": "More actions", title: "More actions", testid: "message-menu", "aria-haspopup": "listbox", "aria-expanded": "false" }, icon("more"));
  const list = new Listbox({ owner: control, onPick: (item) => pick(item) });
  control.setAttribute("aria-controls", list.id);
  const pick = async (item) => {
    list.close();
    await item.value().catch((error) => toast(error.message, "error"));
  };
  control.addEventListener("click", () => {
    if (list.isOpen) return list.close();
    list.element.classList.toggle("above", control.getBoundingClientRect().bottom > innerHeight * 0.6);
    list.open(actions(current()));
  });
  control.addEventListener("blur", () => list.close());
  control.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && list.isOpen) list.close();
    else list.key(event, { keys: ["Enter", " "] });
  });
  return h("div", { class: "message-menu" }, control, list.element);
}

function actions(message) {
  const commands = usableIn(state.commands, state.channels.get(message.channel_id)).filter((command) => command.type === MESSAGE_COMMAND);
  const copy = (text, done) => async () => {
    await navigator.clipboard.writeText(text);
    toast(done);
  };
  return [
    ...commands.map((command) => ({ label: command.name, testid: `message-command-${command.name}`, value: () => useCommand({ command, name: command.name, target: message.id }) })),
    message.content && { label: "Copy text", value: copy(message.content, "Text copied") },
    { label: "Copy message id", value: copy(message.id, "Id copied") },
    mayDelete(message) && { label: "Delete message", testid: "message-delete", value: () => deleteMessage(message.id, state.me) },
  ].filter(Boolean);
}

function mayDelete(message) {
  const role = state.users.get(state.me)?.role;
  const isModerator = (role === "owner" || role === "moderator") && state.channels.get(message.channel_id)?.guild.id;
  return message.author.id === state.me || isModerator;
}
