import { postCommand } from "./api.js";
import { fileValue } from "./files.js";
import { dropLocal, outcomeOf, putLocal, room, state } from "./state.js";

/**
 * Uses a command in the channel in view and resolves once the sandbox took it. From then on a line of its own stands
 * for it until the bot answered, or says that it did not.
 */
export async function useCommand({ command, name, options = [], target }) {
  const { me: user, channel } = state;
  const sent = await withFiles(options);
  const { interaction } = await postCommand({ user, channel, command: command.id, options: sent, target });
  follow(interaction, channel, { user: state.users.get(user), name });
}

async function follow(interaction, channel, { user, name }) {
  const { messages } = room(channel);
  const line = { id: interaction, after: messages.at(-1)?.id ?? "", user, name, kind: "pending" };
  if (!messages.some((message) => message.interaction_metadata?.id === interaction)) putLocal(channel, line);
  const outcome = await outcomeOf(interaction);
  if (outcome.isOk) dropLocal(channel, interaction);
  else putLocal(channel, { ...line, kind: "failed", reason: outcome.reason });
}

/** Replaces files in options by what the sandbox takes for them. */
async function withFiles(options) {
  return Promise.all(options.map(async (option) => {
    if (option.options) return { ...option, options: await withFiles(option.options) };
    return option.value instanceof File ? { ...option, value: await fileValue(option.value) } : option;
  }));
}
