import { usableIn } from "./commands.js";
import { copyText as copy, nameOf, toast } from "./dom.js";
import { useCommand } from "./interactions.js";
import { openMenu } from "./menu.js";
import { mayWrite } from "./places.js";
import { emit, state } from "./state.js";

const USER_COMMAND = 2;
export const MESSAGE_COMMAND = 3;

/** The person or bot whose avatar or name an element is part of; whoever left is unknown. */
export function personAt(target) {
  const id = target.closest("[data-user]")?.dataset.user;
  return id && (state.users.get(id) ?? (id === state.bot.id ? state.bot : null));
}

/** Opens what can be done with a person in a channel: Discord has the commands for people here, not at their messages. */
export function openUserMenu(user, channel, where) {
  openMenu({ ...where, label: nameOf(user), items: userItems(user, channel) });
}

function userItems(user, channel) {
  return withLines([
    [{ heading: `${nameOf(user)}${user.bot ? " · bot" : ""}` }, mayWrite(channel) && { label: "Mention", icon: "at", testid: "menu-mention", onPick: () => emit("compose", `<@${user.id}> `) }],
    commandItems(USER_COMMAND, channel, user.id),
    [{ label: "Copy user id", icon: "id", testid: "menu-copy-user-id", onPick: () => copy(user.id, "Id copied") }],
  ]);
}

/** Groups of items with lines between those that have any. */
export function withLines(groups) {
  const filled = groups.map((group) => group.filter(Boolean)).filter((group) => group.length);
  return filled.flatMap((group, index) => (index ? [{ line: true }, ...group] : group));
}

/** The bot's commands for a person or a message, `type` says which, that can be used in a channel. */
export function commandItems(type, channel, target) {
  const kind = type === USER_COMMAND ? "user" : "message";
  return usableIn(state.commands, channel).filter((command) => command.type === type).map((command) => ({
    label: command.name, hint: nameOf(state.bot), testid: `${kind}-command-${command.name}`,
    onPick: () => useCommand({ command, name: command.name, target }).catch((error) => toast(error.message, "error")),
  }));
}
