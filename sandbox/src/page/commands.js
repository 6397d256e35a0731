import { MAX_FILE_BYTES, sizeText } from "./files.js";
import { isWithoutBot, may } from "./places.js";

/** Discord's numbers for option types. */
export const OPTION = { SUBCOMMAND: 1, GROUP: 2, STRING: 3, INTEGER: 4, BOOLEAN: 5, USER: 6, CHANNEL: 7, ROLE: 8, MENTIONABLE: 9, NUMBER: 10, ATTACHMENT: 11 };

const CHAT_INPUT = 1;
const CONTEXT = { GUILD: 0, DM: 1, PRIVATE: 2 };
const INSTALL = { GUILD: 0, USER: 1 };
const ADMINISTRATOR = 1n << 3n;

/**
 * The commands that can be used in `channel`: what belongs to another guild is left out, what is not for such a place, what nobody
 * installed here (where the bot is no member only a person's own commands work), and what the person may not use.
 */
export function usableIn(commands, channel) {
  const guild = channel?.guild?.id;
  const context = channel?.is_private ? CONTEXT.PRIVATE : guild ? CONTEXT.GUILD : CONTEXT.DM;
  const isMember = !isWithoutBot(channel);
  return commands.filter((command) => {
    if (command.guild_id) return command.guild_id === guild && isMember && isAllowed(command, channel);
    if (!channel) return true;
    if (!guild && command.dm_permission === false) return false;
    if (command.contexts?.length && !command.contexts.includes(context)) return false;
    if (!isMember && !(command.integration_types ?? [INSTALL.GUILD]).includes(INSTALL.USER)) return false;
    return !guild || isAllowed(command, channel);
  });
}

/** Whether the person may use a command in a channel of a guild: what the guild says of it stands before what the bot asks for. */
function isAllowed(command, channel) {
  const said = channel.command_rules?.[command.id];
  return may(channel, said === undefined ? neededFor(command) : said ? 0n : ADMINISTRATOR);
}

/** The permission bits that a command asks of a person; "0" leaves it to administrators. */
function neededFor(command) {
  const bits = command.default_member_permissions;
  if (bits === undefined || bits === null) return 0n;
  return BigInt(bits) || ADMINISTRATOR;
}

/** Every slash command a person can type, subcommands unfolded, as the bot ordered them: `{ path, description, options, command, parents }`. */
export function unfold(commands) {
  const entries = [];
  const walk = (command, node, parents) => {
    const children = (node.options ?? []).filter((option) => option.type <= OPTION.GROUP);
    if (!children.length) {
      entries.push({ path: [command, ...parents].map((one) => one.name).join(" "), description: node.description ?? "", options: ordered(node.options ?? []), command, parents });
    }
    for (const child of children) walk(command, child, [...parents, child]);
  };
  for (const command of commands) if ((command.type ?? CHAT_INPUT) === CHAT_INPUT) walk(command, command, []);
  return entries;
}

const ordered = (options) => [...options].sort((one, other) => Number(other.required ?? false) - Number(one.required ?? false));

/** The entries that fit what was typed after the slash, best first. */
export function search(entries, typed) {
  const wanted = typed.toLowerCase().trim();
  const rank = (entry) => {
    if (entry.path.startsWith(wanted)) return 0;
    if (entry.path.includes(wanted)) return 1;
    return wanted.length > 2 && entry.description.toLowerCase().includes(wanted) ? 2 : 3;
  };
  return entries.map((entry) => [rank(entry), entry]).filter(([score]) => score < 3)
    .sort((one, other) => one[0] - other[0]).map(([, entry]) => entry);
}

/**
 * Reads `/imagine a frog` or `/imagine prompt:a frog seed:4`: the entry and its raw values by option name. Loose text
 * goes to the first required string option. Null if no command has that name.
 */
export function parseLine(entries, line) {
  const text = line.slice(1);
  const fits = entries.filter((entry) => text === entry.path || text.startsWith(`${entry.path} `) || text.startsWith(`${entry.path}\n`));
  if (!line.startsWith("/") || !fits.length) return null;
  const entry = fits.reduce((best, one) => (one.path.length > best.path.length ? one : best));
  const rest = text.slice(entry.path.length).trim();
  if (!rest) return { entry, values: {} };
  const names = entry.options.map((option) => option.name);
  if (names.some((name) => rest.startsWith(`${name}:`))) return { entry, values: namedValues(rest, names) };
  const target = mainOption(entry) ?? entry.options[0];
  return { entry, values: target ? { [target.name]: rest } : {} };
}

function namedValues(rest, names) {
  const values = {};
  const starts = [...rest.matchAll(/(?:^|\s)([\w-]+):/g)].filter((found) => names.includes(found[1]));
  starts.forEach((found, index) => {
    values[found[1]] = rest.slice(found.index + found[0].length, starts[index + 1]?.index).trim();
  });
  return values;
}

/** The line that says what filled fields say, such that `parseLine` reads it; empty where nothing is filled in. */
export function lineOf(entry, values) {
  const filled = entry.options.filter((option) => typeof values[option.name] !== "object" && String(values[option.name] ?? "").trim() !== "");
  if (!filled.length) return "";
  const textOf = (option) => String(values[option.name]).trim();
  const loose = `/${entry.path} ${textOf(filled[0])}`;
  const isLoose = filled.length === 1 && parseLine([entry], loose).values[filled[0].name] === textOf(filled[0]);
  return isLoose ? loose : `/${entry.path} ${filled.map((option) => `${option.name}:${textOf(option)}`).join(" ")}`;
}

/** The option that loose text is for. */
export function mainOption(entry) {
  const strings = entry.options.filter((option) => option.type === OPTION.STRING && !option.choices?.length);
  return strings.find((option) => option.required) ?? strings[0];
}

/** Checks one raw value: `{ value }` ready to send, or `{ error }` in one sentence. Empty and optional is `{}`. */
export function checkValue(option, raw, lookup = {}) {
  const text = typeof raw === "string" ? raw.trim() : raw;
  if (text === "" || text === undefined || text === null) return option.required ? { error: `${option.name} is needed` } : {};
  if (option.choices?.length) {
    const choice = option.choices.find((one) => one.value === text) ?? option.choices.find((one) => one.name.toLowerCase() === String(text).toLowerCase() || String(one.value) === String(text));
    return choice ? { value: choice.value } : { error: `${option.name}: choose one of ${option.choices.map((one) => one.name).join(", ")}` };
  }
  switch (option.type) {
    case OPTION.INTEGER:
    case OPTION.NUMBER: return checkNumber(option, text);
    case OPTION.BOOLEAN: return checkBoolean(option, text);
    case OPTION.USER:
    case OPTION.CHANNEL:
    case OPTION.ROLE:
    case OPTION.MENTIONABLE: return checkReference(option, text, lookup);
    case OPTION.STRING: return checkLength(option, text);
    case OPTION.ATTACHMENT: return checkSize(option, text, lookup.fileLimit ?? MAX_FILE_BYTES);
    default: return { value: text };
  }
}

/** Every value of a typed line checked, ready to send; null if one is wrong. */
export function checkValues(entry, values) {
  const checked = {};
  for (const option of entry.options) {
    const { value, error } = checkValue(option, values[option.name], {});
    if (error) return null;
    checked[option.name] = value;
  }
  return checked;
}

function checkNumber(option, text) {
  const value = Number(text);
  const isWhole = option.type === OPTION.INTEGER;
  if (!Number.isFinite(value) || (isWhole && !Number.isSafeInteger(value))) return { error: `${option.name}: ${isWhole ? "a whole number" : "a number"}, please; "${text}" is not one` };
  const { min, max } = rangeOf(option);
  if ((min !== undefined && value < min) || (max !== undefined && value > max)) return { error: `${option.name}: ${range(min, max)}; ${text} is outside` };
  return { value };
}

/** The limits of a number option; libraries write an absent one as null. */
export const rangeOf = (option) => ({ min: option.min_value ?? undefined, max: option.max_value ?? undefined });

function range(min, max) {
  if (min === undefined) return `at most ${max}`;
  return max === undefined ? `at least ${min}` : `${min} to ${max}`;
}

function checkBoolean(option, text) {
  if (text === true || /^(true|yes|on)$/i.test(text)) return { value: true };
  if (text === false || /^(false|no|off)$/i.test(text)) return { value: false };
  return { error: `${option.name}: true or false` };
}

function checkReference(option, text, lookup) {
  const kinds = { [OPTION.CHANNEL]: lookup.channels, [OPTION.ROLE]: lookup.roles, [OPTION.MENTIONABLE]: [...(lookup.users ?? []), ...(lookup.roles ?? [])] };
  const known = kinds[option.type] ?? lookup.users;
  const wanted = String(text).replace(/^<?[@#][!&]?/, "").replace(/>$/, "").toLowerCase();
  const hit = (known ?? []).find((one) => one.value === wanted || one.name.replace(/^[@#]/, "").toLowerCase() === wanted);
  return hit ? { value: hit.value } : { error: `${option.name}: "${text}" is not known here` };
}

function checkSize(option, file, limit) {
  return file.size > limit ? { error: `${option.name}: at most ${sizeText(limit)}; ${file.name} has ${sizeText(file.size)}` } : { value: file };
}

function checkLength(option, text) {
  const length = [...text].length;
  const max = option.max_length ?? 6000;
  if (length > max) return { error: `${option.name}: at most ${max} characters; this has ${length}` };
  if (option.min_length && length < option.min_length) return { error: `${option.name}: at least ${option.min_length} characters` };
  return { value: text };
}

/** The `options` of a command call; a subcommand wraps them, as in Discord. */
export function toOptions(entry, values) {
  const given = entry.options.filter((option) => values[option.name] !== undefined)
    .map((option) => ({ name: option.name, type: option.type, value: values[option.name] }));
  return entry.parents.reduceRight((inner, parent) => [{ name: parent.name, type: parent.type, options: inner }], given);
}
