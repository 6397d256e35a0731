import { emojiKey } from "./emoji.js";

/** The reactions that the acting person made: `MESSAGE/EMOJI`. An event goes to everyone, so its `me` is nobody's. */
const own = new Set();
const keyOf = (message, emoji) => `${message}/${emojiKey(emoji)}`;

/** Remembers what a page of messages, asked for by this person, says of them. */
export function adoptOwn(message) {
  for (const reaction of message.reactions ?? []) note(message.id, reaction.emoji, reaction.me);
}

/** Remembers that the person reacted, or no longer does. */
export function note(message, emoji, isAdded) {
  if (isAdded) own.add(keyOf(message, emoji));
  else own.delete(keyOf(message, emoji));
}

/** The message of an event with `me` as this person knows it. */
export function withOwn(message) {
  if (!message.reactions?.length) return message;
  return { ...message, reactions: message.reactions.map((reaction) => ({ ...reaction, me: own.has(keyOf(message.id, reaction.emoji)) })) };
}

/** Another person acts from now on. */
export const forgetOwn = () => own.clear();
