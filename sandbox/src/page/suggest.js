import { parseLine, search } from "./commands.js";
import { nameOf } from "./dom.js";
import { state } from "./state.js";

const MAX_SHOWN = 50;

/** Opens `popup` with the commands that fit what `text` holds after its slash, or closes it. */
export function suggestCommands(popup, text, entries, onChoose) {
  const line = text.value;
  const known = parseLine(entries, line);
  if (!line.startsWith("/") || line.includes("\n") || (known && line.length > known.entry.path.length + 1)) return popup.close();
  const fits = search(entries, line.slice(1)).slice(0, MAX_SHOWN);
  popup.owner = text;
  popup.onPick = (item) => onChoose(item.value);
  const heading = fits.length ? "" : state.bot.online ? "No command has that name" : "The bot is offline; it brings the commands";
  popup.open(fits.map((entry) => ({ label: `/${entry.path}`, hint: entry.description, value: entry, note: nameOf(state.bot), testid: `command-${entry.path}` })), { heading });
}
