import { control } from "./api.js";
import { h } from "./dom.js";

const STEPS = [["3 s", 3000], ["1 min", 60_000], ["15 min", 900_000], ["1 h", 3_600_000]];

/** The tab with the clock: steps ahead where it is set by hand, else the word that it is not. */
export function clockTab() {
  const note = h("p", { class: "quiet small", role: "status" });
  const buttons = h("div", { class: "action-row" }, STEPS.map(([label, ms]) => h("button", { type: "button", class: "button secondary", testid: `clock-${ms}`, onclick: () => advance(ms, label) }, `+ ${label}`)));
  const advance = (ms, label) => control.advance(ms).then(() => (note.textContent = `The clock went ${label} ahead.`), refuse);
  const refuse = (error) => (note.textContent = error.message);
  control.clock().then(({ is_manual: isManual }) => {
    buttons.hidden = !isManual;
    if (!isManual) note.textContent = "This sandbox's clock runs by itself; only one that is set by hand can be moved.";
  }, refuse);
  const element = h("div", { class: "clock-tab" },
    h("p", { class: "quiet" }, "A clock set by hand shows at once what otherwise takes its time: an interaction expires after 3 seconds, a deferred answer after 15 minutes."),
    buttons, note);
  return { element, refresh: () => {} };
}
