import { h, icon } from "./dom.js";
import { plainText } from "./markdown.js";
import { markup } from "./markup.js";

const MAX_LENGTH = 300;
const SEEN_PX = 24;

/**
 * What the bot said to one person alone about a message further up, told there too: as in Discord the answer itself
 * stands at the end of the channel, where nobody looks who pressed a button here.
 */
export class Peeks {
  constructor(scroller) {
    this.scroller = scroller;
    this.all = new Map();
  }

  /** An answer came; where it answers a press, it may have to be told. */
  expect(message) {
    const told = message.interaction_metadata;
    // The answer to a form that a button opened names the button's message as that which it replies to.
    const pressed = told?.interacted_message_id ?? (told && message.message_reference?.message_id);
    if (pressed) this.all.set(message.id, { pressed, element: null });
  }

  /** Shows what is due, and takes away what was seen. `views` are the messages by id. */
  sync(views) {
    for (const [id, peek] of this.all) {
      const answer = views.get(id);
      const pressed = views.get(peek.pressed);
      const isDue = answer && pressed && !this.#isSeen(answer.article) && (peek.element || this.#isSeen(pressed.article));
      if (!isDue) this.#forget(id);
      else if (peek.message !== answer.message || !peek.element.isConnected) this.#draw(id, peek, answer, pressed);
    }
  }

  /** Forgets everything: another channel is in view. */
  clear() {
    for (const id of [...this.all.keys()]) this.#forget(id);
  }

  #draw(id, peek, answer, pressed) {
    const go = () => {
      this.#forget(id);
      answer.article.scrollIntoView({ block: "center" });
      answer.article.focus({ preventScroll: true });
    };
    const close = () => {
      this.#forget(id);
      pressed.article.focus({ preventScroll: true });
    };
    const element = h("div", { class: "peek", role: "note", testid: "peek" }, icon("eye"),
      h("div", { class: "peek-words markup" }, wordsOf(answer.message)),
      h("button", { type: "button", class: "link", testid: "peek-go", onclick: go }, "Show"),
      h("button", { type: "button", class: "tool small", "aria-label": "Close", testid: "peek-close", onclick: close }, icon("close")));
    peek.element?.remove();
    Object.assign(peek, { element, message: answer.message });
    // Below what was pressed, for a long message may end out of sight.
    const row = pressed.article.contains(document.activeElement) && document.activeElement.closest(".action-row, .section");
    if (row) row.after(element);
    else pressed.body.append(element);
  }

  #forget(id) {
    this.all.get(id)?.element?.remove();
    this.all.delete(id);
  }

  #isSeen(article) {
    const view = this.scroller.getBoundingClientRect();
    const box = article.getBoundingClientRect();
    return Math.min(box.bottom, view.bottom) - Math.max(box.top, view.top) >= Math.min(SEEN_PX, box.height);
  }
}

function wordsOf(message) {
  const words = message.content || message.embeds?.[0]?.description || message.embeds?.[0]?.title;
  if (!words) return "The answer is below.";
  return words.length <= MAX_LENGTH ? markup(words) : `${plainText(words).slice(0, MAX_LENGTH).trimEnd()}…`;
}
