import { OPTION } from "./commands.js";

const takesFiles = (entry) => entry.options.some((option) => option.type === OPTION.ATTACHMENT);

/** More are not named: the list of commands tells the rest. */
const MAX_NAMED = 4;

function oneOf(names) {
  const named = names.slice(0, MAX_NAMED);
  const last = names.length > MAX_NAMED ? "another command" : named.pop();
  return named.length ? `${named.join(", ")} or ${last}` : last;
}

/** Gives each file to the next option that takes one: the values by option name, and the files that are left. `isFree` tells of an option whether it waits for a file. */
export function placeFiles(files, options, isFree = () => true) {
  const free = options.filter((option) => option.type === OPTION.ATTACHMENT && isFree(option));
  const values = Object.fromEntries(free.slice(0, files.length).map((option, index) => [option.name, files[index]]));
  return { values, left: files.slice(free.length) };
}

/** What becomes of the files that wait: `entry` is the command whose form is open, `entries` are all that can be used here. */
export function trayNote(files, { entry, entries }) {
  if (!files.length) return "";
  const isOne = files.length === 1;
  const kind = files.every((file) => file.type?.startsWith("image/")) ? "picture" : "file";
  const stays = `${isOne ? "It stays" : "They stay"} here, to be posted as a message.`;
  if (entry && takesFiles(entry)) return `/${entry.path} takes no more files. ${stays}`;
  if (entry) return `/${entry.path} takes no ${kind}${isOne ? "" : "s"}. ${stays}`;
  const takers = entries.filter(takesFiles).map((entry) => `/${entry.path}`);
  if (takers.length) return `${isOne ? "It" : "They"} will be posted as a message; type ${oneOf(takers)} to use ${isOne ? "it" : "one"} there.`;
  return entries.length ? `No command takes a ${kind}; ${isOne ? "it" : "they"} will be posted as a message.` : "";
}
