import { deleteMessage, postThread } from "./api.js";
import { copyText as copy, h, icon, nameOf, toast } from "./dom.js";
import { inspect } from "./inspector.js";
import { openMenu } from "./menu.js";
import { pictureItems } from "./picture-actions.js";
import { isThread, may, mayWrite, PERMISSION } from "./places.js";
import { askText } from "./prompt.js";
import { choose } from "./reactions.js";
import { emit, state } from "./state.js";
import { commandItems, MESSAGE_COMMAND, openUserMenu, personAt, withLines } from "./user-menu.js";

const EPHEMERAL = 64;
const THREAD_STARTER_MESSAGE = 21;
const LONG_PRESS_MS = 480;
const MOVED_PX = 10;

const place = (message) => state.channels.get(message.channel_id);
const isOwnView = (message) => Boolean(message.flags & EPHEMERAL);
const mayReact = (message) => !isOwnView(message) && may(place(message), PERMISSION.ADD_REACTIONS);
const mayReply = (message) => !isOwnView(message) && mayWrite(place(message));

/** The tools that show when a message is pointed at or has the focus. `current()` gives its newest version. */
export function messageTools(current) {
  const tool = (name, label, testid, onclick) => h("button", { type: "button", class: "tool small", tabindex: "-1", "aria-label": label, title: label, testid, onclick }, icon(name));
  const react = tool("smile", "Add a reaction", "message-react", () => choose(current(), react));
  const reply = tool("reply", "Reply", "message-reply", () => emit("reply", current()));
  const more = tool("more", "More actions", "message-menu", () => openMessageMenu(current(), { anchor: more }));
  more.setAttribute("aria-haspopup", "menu");
  more.setAttribute("aria-expanded", "false");
  more.classList.add("more");
  return h("div", { class: "message-tools", role: "group", "aria-label": "Message" },
    mayReact(current()) && react, mayReply(current()) && reply, more);
}

/** Opens what can be done with a message, and with the one of its pictures that is pointed at. */
function openMessageMenu(message, where, picture) {
  openMenu({ ...where, label: `Message by ${nameOf(message.author)}`, items: messageItems(message, picture) });
}

function cornerOf(element) {
  const { left: x, top: y } = element.getBoundingClientRect();
  return { x, y: Math.max(0, y) };
}

const pictureAt = (target) => target.closest(".picture")?.picture;

/** Opens the menus by right click, long press, the menu key or Shift+F10. */
export function listenForMenu(article, current) {
  const open = (target, where) => {
    const person = personAt(target);
    if (person) openUserMenu(person, place(current()), where);
    else openMessageMenu(current(), where, pictureAt(target));
  };
  article.addEventListener("click", (event) => {
    // The line above a message leads to what it answers.
    const person = !event.target.closest("button.origin") && personAt(event.target);
    if (person) openUserMenu(person, place(current()), { at: { x: event.clientX, y: event.clientY } });
  });
  article.addEventListener("contextmenu", (event) => {
    // What a person selected or links to has the browser's own menu.
    if (String(getSelection()) || event.target.closest("a, input, textarea")) return;
    event.preventDefault();
    open(event.target, { at: { x: event.clientX, y: event.clientY } });
  });
  article.addEventListener("keydown", (event) => {
    if (event.key !== "ContextMenu" && !(event.key === "F10" && event.shiftKey)) return;
    event.preventDefault();
    const picture = pictureAt(event.target);
    openMessageMenu(current(), picture ? { at: cornerOf(picture.element) } : { anchor: article.querySelector(".more") }, picture);
  });
  listenForLongPress(article, open);
}

function listenForLongPress(article, open) {
  let timer = null;
  let start = null;
  let isOpened = false;
  const stop = () => clearTimeout(timer);
  article.addEventListener("touchstart", (event) => {
    const { clientX: x, clientY: y } = event.touches[0];
    start = { x, y };
    stop();
    isOpened = false;
    timer = setTimeout(() => {
      isOpened = true;
      open(event.target, { at: start });
    }, LONG_PRESS_MS);
  }, { passive: true });
  article.addEventListener("touchmove", (event) => {
    const { clientX: x, clientY: y } = event.touches[0];
    if (start && Math.hypot(x - start.x, y - start.y) > MOVED_PX) stop();
  }, { passive: true });
  article.addEventListener("touchcancel", stop, { passive: true });
  article.addEventListener("touchend", (event) => {
    stop();
    // Or lifting the finger would press what lies under it.
    if (isOpened && event.cancelable) event.preventDefault();
  });
}

function messageItems(message, picture) {
  const channel = place(message);
  return withLines([
    picture ? pictureItems(picture) : [],
    [
      mayReact(message) && { label: "Add a reaction", icon: "smile", testid: "menu-react", onPick: () => choose(message, anchorOf(message)) },
      mayReply(message) && { label: "Reply", icon: "reply", testid: "menu-reply", onPick: () => emit("reply", message) },
      mayThread(message) && { label: "Make a thread", icon: "thread", testid: "menu-thread", onPick: () => makeThread(message) },
    ],
    commandItems(MESSAGE_COMMAND, channel, message.id),
    [
      message.content && { label: "Copy text", icon: "copy", testid: "menu-copy-text", onPick: () => copy(message.content, "Text copied") },
      { label: "Copy message id", icon: "id", testid: "menu-copy-id", onPick: () => copy(message.id, "Id copied") },
      { label: "Inspect", icon: "code", testid: "menu-inspect", onPick: () => inspect(message) },
    ],
    [isOwnView(message) ? { label: "Dismiss", icon: "eye", testid: "menu-dismiss", onPick: () => remove(message) }
      : mayDelete(message) && { label: "Delete message", icon: "trash", isBad: true, testid: "message-delete", onPick: () => remove(message) }],
  ]);
}

const anchorOf = (message) => document.querySelector(`[data-message-id="${CSS.escape(message.id)}"] .more`) ?? document.body;

const remove = (message) => deleteMessage(message.id, state.me).catch((error) => toast(error.message, "error"));

function mayThread(message) {
  const channel = place(message);
  return !isOwnView(message) && Boolean(channel?.guild.id) && !isThread(channel) && may(channel, PERMISSION.CREATE_PUBLIC_THREADS);
}

function makeThread(message) {
  askText({
    title: "Make a thread", label: "Its name", submit: "Make it", value: (message.content ?? "").split("\n")[0].slice(0, 40),
    onText: async (name) => {
      const thread = await postThread({ user: state.me, channel: message.channel_id, name, message: message.id });
      emit("places", thread?.id);
    },
  });
}

function mayDelete(message) {
  if (message.type === THREAD_STARTER_MESSAGE) return false;
  if (message.author.id === state.me) return true;
  const channel = place(message);
  if (!channel?.guild.id) return false;
  if (channel.permissions) return may(channel, PERMISSION.MANAGE_MESSAGES);
  return ["owner", "moderator"].includes(state.users.get(state.me)?.role);
}
