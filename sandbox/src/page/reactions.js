import { postReaction } from "./api.js";
import { h, icon, toast } from "./dom.js";
import { emojiKey, emojiName, emojiText } from "./emoji.js";
import { pickEmoji } from "./emoji-picker.js";
import { note } from "./own-reactions.js";
import { state } from "./state.js";

/** The reactions below a message, each a button that adds or takes back one's own. */
export function renderReactions(message) {
  const reactions = (message.reactions ?? []).filter((reaction) => reaction.count > 0);
  if (!reactions.length) return [];
  const add = h("button", { type: "button", class: "reaction add", "aria-label": "Add a reaction", title: "Add a reaction", testid: "reaction-add",
    onclick: () => choose(message, add) }, icon("smile"));
  return [...reactions.map((reaction) => chip(message, reaction)), add];
}

function chip(message, { emoji, count, me }) {
  const label = `${emojiName(emoji)}, ${count} ${count === 1 ? "reaction" : "reactions"}${me ? ", yours too" : ""}`;
  return h("button", {
    type: "button", class: me ? "reaction mine" : "reaction", "aria-pressed": String(Boolean(me)), "aria-label": label, title: label,
    testid: `reaction-${emojiText(emoji)}`, onclick: () => react(message, emoji, !me),
  }, h("span", { class: "emoji", "aria-hidden": "true" }, emojiText(emoji)), h("span", { class: "count" }, String(count)));
}

/** Lets the person pick an emoji and adds it. */
export const choose = (message, anchor) => pickEmoji(anchor, (emoji) => react(message, { id: null, name: emoji }, true));

async function react(message, emoji, isAdded) {
  // Noted before the answer, because the event that shows it may come first.
  note(message.id, emoji, isAdded);
  try {
    await postReaction({ user: state.me, message: message.id, emoji: emojiKey(emoji), add: isAdded });
  } catch (error) {
    note(message.id, emoji, !isAdded);
    toast(error.message, "error");
  }
}
