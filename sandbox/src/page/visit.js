import { announce, toast } from "./dom.js";
import { loadBackTo, state } from "./state.js";

const MARKED_MS = 2600;
const REACH_PX = 80;
let marked = null;

/** Brings a message of the channel in view before the person's eyes and marks it for a moment; says so where it is gone. */
export async function visit(list, { channel, message }) {
  try {
    const isThere = await loadBackTo(channel, message);
    if (list.channel !== channel || channel !== state.channel) return;
    list.sync();
    const view = isThere && list.views.get(message);
    if (!view) throw new Error("That message is gone.");
    show(list, view.element);
    mark(view.article);
  } catch (error) {
    toast(error.status === 404 ? "That message is gone, or not yours to see." : error.message, "error");
  }
}

/** In the middle where it fits, else from its top on. */
function show(list, { offsetTop: top, offsetHeight: height }) {
  const free = list.scroller.clientHeight - height;
  list.scrollTo(top - (free > REACH_PX ? free : REACH_PX) / 2);
}

function mark(article) {
  marked?.end();
  const end = () => {
    clearTimeout(timer);
    article.classList.remove("visited");
    marked = null;
  };
  const timer = setTimeout(end, MARKED_MS);
  marked = { end };
  article.classList.add("visited");
  article.focus({ preventScroll: true });
  announce(`This is the message: ${article.getAttribute("aria-label")}`);
}

/** What the person reads now: the message that is first in view and how far above the view's edge it begins; null at the newest message. */
export function reading(list) {
  if (list.isPinned) return null;
  const top = list.scroller.scrollTop;
  for (const [id, { element, message }] of list.views) {
    if (!message.kind && element.offsetTop + element.offsetHeight > top) return { message: id, above: top - element.offsetTop };
  }
  return null;
}

/** Goes back to what `reading` told; to the newest message where it told nothing. */
export async function readOn(list, channel, place) {
  if (!place) return list.toBottom();
  const isThere = await loadBackTo(channel, place.message).catch(() => false);
  if (list.channel !== channel) return;
  list.sync();
  const view = isThere && list.views.get(place.message);
  if (view) list.scrollTo(view.element.offsetTop + place.above);
}

