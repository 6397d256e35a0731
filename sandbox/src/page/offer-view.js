import { h, icon, toast } from "./dom.js";
import { useCommand } from "./interactions.js";
import { dropLocal, putLocal, room } from "./state.js";

const OFFER = "offer";

/** Puts a quiet line below a message that one sent; the one before it goes. */
export function showOffer(channel, message, offer) {
  forgetOffer(channel);
  putLocal(channel, { id: `offer-${message}`, kind: OFFER, after: message, ...offer });
}

/** Takes the line away. */
export function forgetOffer(channel) {
  const line = room(channel).locals.find((one) => one.kind === OFFER);
  if (line) dropLocal(channel, line.id);
}

export const isOffer = (line) => line.kind === OFFER;

/** Draws the line: words, a button that uses the command with what was written, and a way to send the line away. */
export class OfferView {
  constructor(line, channel) {
    this.channel = channel;
    this.element = h("div", { class: "message-slot" });
    this.update(line);
  }

  update(line) {
    this.message = line;
    const use = () => {
      dropLocal(this.channel, line.id);
      useCommand({ command: line.entry.command, name: line.entry.path, options: line.options }).catch((error) => toast(error.message, "error"));
    };
    this.element.replaceChildren(h("div", { class: "offer", testid: "offer" },
      h("button", { type: "button", class: "button secondary compact", testid: "offer-use", title: line.line, onclick: use }, line.label),
      h("span", { class: "quiet small offer-line" }, line.line), h("span", { class: "quiet small" }, "Only you see this"),
      h("button", { type: "button", class: "tool small", "aria-label": "Not now", title: "Not now", testid: "offer-leave", onclick: () => dropLocal(this.channel, line.id) }, icon("close"))));
  }
}
