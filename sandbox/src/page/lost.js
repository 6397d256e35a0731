import { NO_ANSWER } from "./api.js";

/** Where the page says what went wrong. */
const SAID = "[role=alert], [role=status]:not(#toasts), .toast, [data-testid=command-error]";
/** Of those, what goes wholly, and what is hidden while it has nothing to say; the others stay, empty. */
const PASSING = ".toast, .empty";
const BOX = ".composer-error, .component-note, .form-error";

/** Takes back every "does not answer" once it answers again. */
export function takeBack() {
  for (const said of document.querySelectorAll(SAID)) {
    if (!said.textContent.includes(NO_ANSWER)) continue;
    if (said.matches(PASSING)) said.remove();
    else if (said.matches(BOX)) said.hidden = true;
    else said.textContent = "";
  }
}
