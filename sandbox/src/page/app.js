import { Composer } from "./composer.js";
import { announce, nameOf, paintBot, toast } from "./dom.js";
import { listenForFiles } from "./drops.js";
import { hashOf, placeOfHash } from "./links.js";
import { connect } from "./live.js";
import { takeBack } from "./lost.js";
import { emptyState, MessageList } from "./message-list.js";
import { isLoading, summary } from "./message-view.js";
import { closeMenu } from "./menu.js";
import { openModal } from "./modal.js";
import { closePanel, listenForPanel, panelId } from "./panel.js";
import { renderSidebar, renderTopbar } from "./sidebar.js";
import { emit, loadLatest, markRead, on, room, state } from "./state.js";
import { keepRelativeTimesFresh } from "./time.js";
import { loadViolations } from "./violations.js";
import { reading, readOn, visit } from "./visit.js";

const BANNER_DELAY_MS = 700;
const part = (id) => document.getElementById(id);
const phone = matchMedia("(max-width: 760px)");

const list = new MessageList(part("list"), { emptyState: () => emptyState((line) => composer.runLine(line)), onLost: () => (phone.matches ? list.scroller : composer).focus() });
const composer = new Composer(part("composer"), { onSent: () => list.toBottom() });

function openSidebar(isOpen) {
  document.body.classList.toggle("sidebar-open", isOpen);
  part("backdrop").hidden = !isOpen;
  part("sidebar").inert = phone.matches && !isOpen;
  if (isOpen) part("sidebar").querySelector("a, select")?.focus();
}

function drawFrame() {
  renderSidebar(part("sidebar"), { onUser: changeUser });
  renderTopbar(part("topbar"), { onMenu: () => openSidebar(true) });
  const others = [...state.unread.values()].reduce((sum, n) => sum + n, 0);
  document.title = others ? `(${others}) ${state.title}` : state.title;
  paintBot(state.bot);
}

function changeUser(user) {
  localStorage.setItem("atelier.user", user);
  connect(user).then(() => {
    document.querySelector(".toast.person")?.remove();
    toast(`You are ${nameOf(state.users.get(state.me))} now`, "person");
  });
}

let followed = null;

/** Shows the channel that the address names, or the first one; and when the person has just come there, the message that it names. */
function followAddress() {
  const wanted = placeOfHash(location.hash);
  const isKnown = wanted && state.channels.has(wanted.channel);
  const channel = isKnown ? wanted.channel : state.channels.keys().next().value;
  if (!channel) return;
  if (!isKnown) {
    if (wanted?.message) toast("That message is gone, or not yours to see.", "error");
    history.replaceState(null, "", hashOf({ channel }));
  }
  const isNew = followed !== location.hash;
  followed = location.hash;
  const isOther = channel !== state.channel || list.channel !== channel;
  state.channel = channel;
  if (!room(channel).isLoaded && !room(channel).waiting) loadLatest(channel).catch((error) => toast(error.message, "error"));
  if (isOther) {
    list.show(channel);
    composer.reset();
    closeMenu();
    if (["inspector", "connect"].includes(panelId())) closePanel();
    openSidebar(false);
    if (!phone.matches) composer.focus();
  }
  if (isNew && isKnown) arrive(wanted, isOther);
  composer.refresh();
  markRead();
  drawFrame();
}

/** Going back ends where the person was reading, a link to a message at that message, another one at the newest. */
function arrive(place, isOther) {
  const left = history.state?.reading;
  if (left) readOn(list, place.channel, left);
  else if (place.message) visit(list, place);
  else if (!isOther) list.toBottom();
}

/** Goes to a place of the page as a link does, also where the address stays the same. */
function goTo(place) {
  history.replaceState({ reading: reading(list) }, "");
  if (location.hash !== hashOf(place)) location.hash = hashOf(place);
  else if (place.message) visit(list, place);
  else list.toBottom();
}

let lastUser = null;
on("state", () => {
  if (lastUser !== state.me) list.channel = null;
  lastUser = state.me;
  localStorage.setItem("atelier.user", state.me);
  followAddress();
});

let isQueued = false;
on("room", (channel) => {
  if (channel !== state.channel || isQueued) return;
  isQueued = true;
  // Several events often come together: draw once for all.
  queueMicrotask(() => {
    isQueued = false;
    list.sync();
  });
});

on("message", ({ type, message }) => {
  if (message.channel_id !== state.channel || message.author.id === state.me) return;
  if (type === "message_create") list.noteArrival(message);
  if (type === "message_create" || !(isLoading(message) || /\d\s*%/.test(message.content))) announce(summary(message));
});

on("commands", () => {
  composer.refresh();
  list.sync();
});
on("bot", () => {
  drawFrame();
  list.sync();
});
on("unread", drawFrame);
on("violations", drawFrame);
on("panel", drawFrame);
on("reply", (message) => composer.replyTo(message));
on("compose", (words) => composer.insert(words));
on("visit", goTo);
on("violation", (one) => one && announce(`Violation: ${one.message}`));
// Faults may take guilds, channels and rights away: look again what is in sight.
on("fault", () => refreshPlaces());
on("places", (channel) => {
  if (channel) history.replaceState(null, "", `#${channel}`);
  refreshPlaces();
});

let refresh = null;
function refreshPlaces() {
  clearTimeout(refresh);
  refresh = setTimeout(() => connect(state.me), 50);
}
on("modal", openModal);

on("typing", () => {
  const names = [...state.typing.values()].filter((one) => one.channel === state.channel)
    .map((one) => nameOf(state.users.get(one.user) ?? (one.user === state.bot.id ? state.bot : null)));
  composer.typing.textContent = names.length ? `${names.join(" and ")} ${names.length > 1 ? "are" : "is"} typing…` : "";
});

let bannerTimer = null;
on("connection", ({ isLost }) => {
  clearTimeout(bannerTimer);
  if (isLost) bannerTimer = setTimeout(() => sayLost(true), state.isLost ? 0 : BANNER_DELAY_MS);
  else sayLost(false);
});
part("banner").textContent = "Connection lost, retrying…";

function sayLost(isLost) {
  part("banner").hidden = !isLost;
  if (!isLost) takeBack();
  if (state.isLost === isLost) return;
  state.isLost = isLost;
  drawFrame();
  if (!isLost) emit("back");
}

addEventListener("hashchange", followAddress);
addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href^='#']");
  const place = link && placeOfHash(link.hash);
  if (!place || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  goTo(place);
});
addEventListener("visibilitychange", () => !document.hidden && markRead());
part("backdrop").addEventListener("click", () => openSidebar(false));
// The channel in view changes no address.
part("sidebar").addEventListener("click", (event) => event.target.closest("a[aria-current]") && openSidebar(false));
phone.addEventListener("change", () => openSidebar(false));
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && document.body.classList.contains("sidebar-open")) openSidebar(false);
  // Typing anywhere goes to the composer, as in every chat.
  const isText = event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey && event.key !== " ";
  const isFree = !event.target.closest("input, textarea, select, dialog, [role=combobox], #panel, .menu-popup");
  if (isText && isFree && !document.querySelector("dialog[open]")) composer.focus();
});

listenForFiles(part("chat"), (files) => composer.addFiles(files));
listenForPanel();
loadViolations();
openSidebar(false);
keepRelativeTimesFresh();
part("skip").addEventListener("click", () => composer.focus());
connect(localStorage.getItem("atelier.user") ?? undefined);
