import { checkValue, OPTION, toOptions } from "./commands.js";

/** Words for commands that are called after what they do. */
const WORDS = { imagine: "Draw it", draw: "Draw it", paint: "Paint it" };
const MARKS = /<(?:@|#|a?:)/;

/** A command that needs one free text and nothing else. */
function takesWords(entry) {
  const needed = entry.options.filter((option) => option.required);
  return needed.length === 1 && needed[0].type === OPTION.STRING && !needed[0].choices?.length && !needed[0].autocomplete;
}

const promptOf = (entry) => entry.options.find((option) => option.required);

/**
 * The command that plain words may have been meant for: the one that is called after drawing and whose only needed option is a text called `prompt`,
 * else the one that needs such a text, else the only one that needs nothing but a text. Null where there is none, or more than one.
 */
export function commandForWords(entries) {
  const fits = entries.filter(takesWords);
  const named = fits.filter((entry) => promptOf(entry).name === "prompt");
  const drawing = named.filter((entry) => Object.hasOwn(WORDS, entry.path));
  const found = [drawing, named, fits].find((some) => some.length) ?? [];
  return found.length === 1 ? found[0] : null;
}

/** What to offer below a message that was sent as plain text: `{ entry, options, label, line }`, or null. */
export function offerFor(entries, { content, isReply, nFiles }) {
  const entry = commandForWords(entries);
  const text = content.trim();
  // What answers somebody, names somebody or shows something was meant as it was sent.
  if (!entry || !text || isReply || nFiles || MARKS.test(text) || /https?:\/\//.test(text)) return null;
  const option = promptOf(entry);
  const { value } = checkValue(option, text);
  if (value === undefined) return null;
  return { entry, options: toOptions(entry, { [option.name]: value }), label: WORDS[entry.path] ?? `/${entry.path} it`, line: `/${entry.path} ${option.name}:${text}` };
}
