import { getGuides } from "./api.js";
import { copyText, h, icon } from "./dom.js";
import { closePanel, panelId, showPanel } from "./panel.js";
import { emit, on, state } from "./state.js";

const CHOSEN = "atelier.library";

/** Made once, so that what a person chose stays chosen while the list is drawn again. */
let guide = null;
let asked = null;

on("bot", () => state.bot.online && panelId() === "connect" && closePanel());

/** How a bot connects here, a tab for each library; empty where the sandbox keeps that to itself. */
export function connectGuide() {
  guide ??= h("div", { class: "connect" });
  asked ??= getGuides().then(({ guides }) => {
    if (!guides.length) return;
    guide.append(...build(guides));
    emit("bot");
  }).catch(() => (asked = null));
  return guide;
}

/** Whether there is a guide to show. */
export const canConnect = () => connectGuide().hasChildNodes();

/** Shows the guide: where it stands in an empty channel, else beside the messages. */
export function showGuide() {
  if (!guide.isConnected) showPanel({ id: "connect", title: "Connect a bot", build: () => ({ element: guide }) });
  guide.querySelector("[aria-selected=true]").focus();
}

function build(guides) {
  const body = h("div", { class: "connect-body", role: "tabpanel", id: "connect-body" });
  const tabs = h("div", { class: "tabs", role: "tablist", "aria-label": "Library" }, guides.map(({ library }) => h("button", {
    type: "button", role: "tab", id: `connect-${library}`, class: "tab", "aria-controls": "connect-body", testid: `connect-${library}`, onclick: () => show(library),
  }, library)));
  const show = (wanted) => {
    const shown = guides.find(({ library }) => library === wanted) ?? guides[0];
    localStorage.setItem(CHOSEN, shown.library);
    for (const tab of tabs.children) {
      const isShown = tab.id === `connect-${shown.library}`;
      tab.setAttribute("aria-selected", String(isShown));
      tab.tabIndex = isShown ? 0 : -1;
    }
    body.setAttribute("aria-labelledby", `connect-${shown.library}`);
    body.replaceChildren(...words(shown));
  };
  tabs.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const all = [...tabs.children];
    const next = all[(all.indexOf(document.activeElement) + step + all.length) % all.length];
    next.click();
    next.focus();
  });
  show(localStorage.getItem(CHOSEN));
  return [h("h3", null, "Connect a bot"), tabs, body];
}

function words({ install, lines, program, file, run }) {
  return [
    code(["These lines bring your own bot here instead of to Discord:"], lines, "connect-lines", "Copy the lines"),
    code(["No bot yet? Get the library:"], install, "connect-install", "Copy the command"),
    code(["Save this as ", h("code", null, file), " and start it with ", h("code", null, run), ". It answers /echo."], program, "connect-program", "Copy the program"),
  ].flat();
}

/** What to do with a text, a button that copies it, and the text. */
function code(told, text, testid, label) {
  return [
    h("div", { class: "connect-head" }, h("p", null, told),
      h("button", { type: "button", class: "button secondary compact", "aria-label": label, title: label, testid: `${testid}-copy`, onclick: () => copyText(text, "Copied") }, icon("copy"), "Copy")),
    h("pre", { tabindex: "0", testid }, h("code", null, text.trimEnd())),
  ];
}
