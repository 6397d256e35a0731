import { postMessage, postTyping } from "./api.js";
import { channelName } from "./dom.js";
import { fileValue } from "./files.js";
import { isArchived, markOf, mayWrite } from "./places.js";
import { state } from "./state.js";

const MAX_LENGTH = 2000;
const TYPING_MS = 8000;
let told = { at: 0 };

/** Sends what a person wrote into the channel in view, and answers the message; throws a sentence where it cannot be sent. */
export async function sendMessage({ content, files, replyTo }) {
  if (content.length > MAX_LENGTH) throw new Error(`A message has at most ${MAX_LENGTH} characters; this has ${content.length}.`);
  const { me: user, channel } = state;
  const attachments = files.length ? await Promise.all(files.map(fileValue)) : undefined;
  return postMessage({ user, channel, content, attachments, reply_to: replyTo?.id });
}

/** What the empty composer says: where a message goes, and on a wide screen how to find the commands. */
export function placeholderOf(channel, canDraw) {
  if (!mayWrite(channel)) return channel.thread_metadata?.locked ? "This thread is locked: only moderators write here" : "You can read here, but not write";
  if (!channel) return "Message";
  const commands = canDraw && !matchMedia("(max-width: 480px)").matches ? ", or / for commands" : "";
  if (isArchived(channel)) return "This thread is archived; writing brings it back";
  return `Message ${markOf(channel)}${channelName(channel, state.bot)}${commands}`;
}

/** Tells the others now and then that this person is typing; a command is nobody's business before it is sent. */
export function tellTyping(line) {
  const { me: user, channel } = state;
  const now = performance.now();
  const isTold = told.user === user && told.channel === channel && now - told.at < TYPING_MS;
  if (!line.trim() || line.startsWith("/") || isTold) return;
  told = { user, channel, at: now };
  postTyping({ user, channel }).catch(() => {});
}
