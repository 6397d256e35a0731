import { EMOJI_NAMES } from "./emoji-names.js";

/** The emoji that the picker offers, by group: `[emoji, words to find it by]`. */
export const GROUPS = [
  ["Often used", [["👍", "thumbs up yes good"], ["❤️", "heart love"], ["😂", "laugh tears joy"], ["🎉", "party celebrate tada"], ["🔥", "fire hot"],
    ["👀", "eyes look"], ["✨", "sparkles magic"], ["🙏", "thanks please pray"]]],
  ["Faces", [["😀", "grin happy"], ["🙂", "smile"], ["😉", "wink"], ["😍", "heart eyes love"], ["🤩", "star eyes wow"], ["😎", "cool sunglasses"],
    ["🤔", "thinking hmm"], ["😮", "surprised wow"], ["😢", "sad cry"], ["😭", "sob cry"], ["😡", "angry"], ["😱", "scream shock"],
    ["🥳", "party birthday"], ["😴", "sleep tired"], ["🤯", "mind blown"], ["🫠", "melt"]]],
  ["Hands and people", [["👎", "thumbs down no bad"], ["👏", "clap applause"], ["🙌", "raised hands hooray"], ["👌", "ok perfect"], ["✌️", "peace victory"],
    ["🤝", "handshake deal"], ["💪", "strong muscle"], ["👋", "wave hello bye"]]],
  ["Nature and food", [["🐸", "frog"], ["🐱", "cat"], ["🐶", "dog"], ["🦊", "fox"], ["🐼", "panda"], ["🌸", "blossom flower"], ["🌈", "rainbow"],
    ["🌙", "moon night"], ["🍓", "strawberry"], ["🎃", "pumpkin halloween"], ["🍕", "pizza"], ["☕", "coffee tea"]]],
  ["Things and signs", [["🎨", "art paint palette"], ["🖼️", "picture frame"], ["📷", "camera photo"], ["🚀", "rocket launch"], ["🤖", "robot bot"],
    ["💡", "idea light bulb"], ["🏆", "trophy win"], ["⭐", "star"], ["💯", "hundred perfect"], ["✅", "check done yes"], ["❌", "cross no wrong"],
    ["❓", "question"], ["⚠️", "warning"], ["🔄", "again reload"], ["🗑️", "delete trash"], ["📌", "pin"]]],
];

const ALL = GROUPS.flatMap(([, emoji]) => emoji);

/** The emoji with a word that begins with what was typed, or that was pasted itself; all for nothing typed. */
export function searchEmoji(typed) {
  const wanted = typed.trim().toLowerCase();
  if (!wanted) return ALL;
  const known = ALL.filter(([emoji, words]) => emoji === wanted || ` ${words}`.includes(` ${wanted}`));
  if (known.length) return known;
  return isEmoji(wanted) ? [[wanted, "what you typed"]] : [];
}

const isEmoji = (text) => /^\p{Extended_Pictographic}/u.test(text) && [...new Intl.Segmenter().segment(text)].length === 1;

/** The emoji as a path of Discord's REST names it: itself, or `name:id` for a guild's own. */
export const emojiKey = (emoji) => (emoji.id ? `${emoji.name}:${emoji.id}` : emoji.name);

/** The emoji as text; a guild's own has no picture here, so its name stands for it. */
export const emojiText = (emoji) => (emoji ? (emoji.id ? `:${emoji.name}:` : emoji.name) : "");

const NAMES = new Map(EMOJI_NAMES.trim().split(/[|\n]/).map((one) => [one.slice(0, one.indexOf(" ")), one.slice(one.indexOf(" ") + 1)]));
const TONES = /[\ufe0f\u{1f3fb}-\u{1f3ff}]/gu;
const COUNTRY = /^\p{RI}{2}$/u;
const REGIONAL_A = 0x1f1e6;

/** The words that a screen reader gets for an emoji: Unicode's name, for a guild's own the words in its name. */
export function emojiName({ id, name }) {
  const text = name ?? "";
  if (id) return text.replaceAll("_", " ");
  if (COUNTRY.test(text)) return `flag: ${countryOf(text)}`;
  return NAMES.get(text.replace(TONES, "")) ?? text;
}

function countryOf(flag) {
  const code = [...flag].map((letter) => String.fromCharCode(letter.codePointAt(0) - REGIONAL_A + 65)).join("");
  return new Intl.DisplayNames("en", { type: "region", fallback: "code" }).of(code);
}

/** The index that an arrow leads to in a grid of `columns`, or the same where it leads out. */
export function gridStep(key, index, count, columns) {
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[key];
  if (key === "Home") return 0;
  if (key === "End") return count - 1;
  const next = index + (step ?? 0);
  return next >= 0 && next < count ? next : index;
}
