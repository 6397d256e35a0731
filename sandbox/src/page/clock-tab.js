import { control } from "./api.js";
import { h } from "./dom.js";

const STEPS = [["3 s", 3000], ["1 min", 60_000], ["15 min", 900_000], ["1 h", 3_600_000]];

/** The tab with the clock, for sandboxes whose clock stands still by itself. */
export function clockTab() {
  const note = h("p", { class: "quiet small", role: "status" });
  const advance = async (ms, label) => {
    try {
      await control.advance(ms);
      note.textContent = `The clock went ${label} ahead.`;
    } catch (error) {
      note.textContent = error.status === 404 ? "This sandbox's clock cannot be moved." : error.message;
    }
  };
  const element = h("div", { class: "clock-tab" },
    h("p", { class: "quiet" }, "A clock set by hand shows at once what otherwise takes its time: a deferred answer expires after 15 minutes, an interaction after 3 seconds."),
    h("div", { class: "action-row" }, STEPS.map(([label, ms]) => h("button", { type: "button", class: "button secondary", testid: `clock-${ms}`, onclick: () => advance(ms, label) }, `+ ${label}`))), note);
  return { element, refresh: () => {} };
}
