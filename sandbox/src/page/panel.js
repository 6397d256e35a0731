import { h, icon } from "./dom.js";
import { emit } from "./state.js";

const narrow = matchMedia("(max-width: 760px)");
let open = null;

/**
 * Shows a side panel: `build()` answers `{ element, onClose }`. There is one at a time; the focus goes into it and,
 * when it closes, back to where it was. `id` names it: the same one again only comes to the front.
 */
export function showPanel({ id, title, build }) {
  const before = open ? open.before : document.activeElement;
  if (open) leave();
  const heading = h("h2", { tabindex: "-1" }, title);
  const { element, onClose } = build();
  const panel = document.getElementById("panel");
  panel.replaceChildren(
    h("header", { class: "panel-head" }, heading, h("button", { type: "button", class: "tool", "aria-label": `Close ${title}`, title: "Close (Esc)", testid: "panel-close", onclick: closePanel }, icon("close"))),
    h("div", { class: "panel-body" }, element));
  panel.hidden = false;
  panel.dataset.panel = id;
  panel.setAttribute("aria-label", title);
  document.body.classList.add("panel-open");
  document.getElementById("chat").inert = isCovering();
  open = { id, before, onClose };
  emit("panel");
  heading.focus();
}

/** The id of the panel in view, or null. */
export const panelId = () => open?.id ?? null;

/** Closes the panel. */
export function closePanel() {
  if (!open) return;
  const { before } = open;
  leave();
  const panel = document.getElementById("panel");
  panel.hidden = true;
  panel.replaceChildren();
  document.body.classList.remove("panel-open");
  document.getElementById("chat").inert = false;
  emit("panel");
  // The top bar is drawn again and again: its buttons are known by their name.
  const name = before?.dataset?.testid;
  const back = before?.isConnected ? before : name && document.querySelector(`#topbar [data-testid="${CSS.escape(name)}"]`);
  if (back) back.focus({ preventScroll: true });
}

function leave() {
  open.onClose?.();
  open = null;
}

/** On a narrow screen the panel covers the chat. */
const isCovering = () => narrow.matches;

/** Closes the panel by Escape, and keeps what it covers out of reach as the window changes. */
export function listenForPanel() {
  document.getElementById("panel").addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.defaultPrevented) return;
    event.stopPropagation();
    closePanel();
  });
  narrow.addEventListener("change", () => (document.getElementById("chat").inert = Boolean(open) && isCovering()));
}
