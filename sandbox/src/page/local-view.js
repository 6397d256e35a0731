import { NO_RESPONSE } from "./components.js";
import { avatar, h, icon, nameOf } from "./dom.js";
import { onlyYou, thinking, usedCommand } from "./message-view.js";
import { dropLocal, state } from "./state.js";

/** Draws a line that only this page knows: a command on its way, or one that got no answer. */
export class LocalView {
  constructor(line, channel) {
    this.channel = channel;
    this.element = h("div", { class: "message-slot" });
    this.update(line);
  }

  /** Draws a new version of the line. */
  update(line) {
    this.message = line;
    const isFailed = line.kind === "failed";
    this.element.replaceChildren(h("article", { class: "message local", testid: isFailed ? "failed-interaction" : "pending-interaction" },
      usedCommand(line.user, line.name),
      h("div", { class: "side" }, avatar({ bot: true, ...state.bot })),
      h("div", { class: "body" },
        h("div", { class: "part-header" }, h("strong", { class: "author" }, nameOf(state.bot)), h("span", { class: "tag" }, "BOT")),
        isFailed
          ? h("div", { class: "failed", role: "alert", title: line.reason }, icon("warning"), NO_RESPONSE)
          : thinking(`Sending to ${nameOf(state.bot)}`),
        isFailed && onlyYou(() => dropLocal(this.channel, line.id)))));
  }
}
