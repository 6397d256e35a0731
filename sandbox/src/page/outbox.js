import { postMessage } from "./api.js";
import { channelName } from "./dom.js";
import { fileValue } from "./files.js";
import { isThread, mayWrite } from "./places.js";
import { state } from "./state.js";

const MAX_LENGTH = 2000;

/** Sends what a person wrote into the channel in view; throws a sentence where it cannot be sent. */
export async function sendMessage({ content, files, replyTo }) {
  if (content.length > MAX_LENGTH) throw new Error(`A message has at most ${MAX_LENGTH} characters; this has ${content.length}.`);
  const { me: user, channel } = state;
  const attachments = files.length ? await Promise.all(files.map(fileValue)) : undefined;
  await postMessage({ user, channel, content, attachments, reply_to: replyTo?.id });
}

/** What the empty composer says: where a message goes, and on a wide screen how to find the commands. */
export function placeholderOf(channel, canDraw) {
  if (!mayWrite(channel)) return "You can read here, but not write";
  if (!channel) return "Message";
  const commands = canDraw && !matchMedia("(max-width: 480px)").matches ? ", or / for commands" : "";
  return `Message ${isThread(channel) ? "" : channel.type === 1 ? "@" : "#"}${channelName(channel, state.bot)}${commands}`;
}
