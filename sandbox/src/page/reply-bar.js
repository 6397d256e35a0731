import { h, icon, nameOf } from "./dom.js";
import { spoken } from "./markup.js";

/** The line above the composer that says what is replied to. */
export class ReplyBar {
  constructor({ onLeave }) {
    this.message = null;
    this.text = h("span", { class: "reply-text" });
    this.element = h("div", { class: "reply-bar", hidden: true, testid: "reply-bar" }, icon("reply"), this.text,
      h("button", { type: "button", class: "tool small", "aria-label": "Do not reply", title: "Do not reply (Esc)", testid: "reply-leave", onclick: () => {
        this.show(null);
        onLeave();
      } }, icon("close")));
  }

  /** Replies to `message` from now on; null for none. */
  show(message) {
    this.message = message;
    this.element.hidden = !message;
    if (!message) return;
    const words = spoken(message.content).slice(0, 80);
    this.text.replaceChildren("Replying to ", h("b", null, nameOf(message.author)), words ? h("span", { class: "quiet" }, ` ${words}`) : "");
  }
}
