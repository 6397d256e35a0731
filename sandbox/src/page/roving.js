const CONTROLS = "a[href], button:not(:disabled), input:not(:disabled), select:not(:disabled), textarea:not(:disabled), summary";
const ROW_PX = 8;

/** What can be pressed in a message, in order; its tools are reached by Enter on the message itself. */
const controlsOf = (article) => [...article.querySelectorAll(CONTROLS)].filter((one) => !one.closest(".part-tools, [hidden]"));

/**
 * Makes each message in `list` one stop of the Tab key, however many controls it has: the arrows walk among them. Without it,
 * hundreds of stops lie between the channels and the composer.
 */
export class Roving {
  constructor(list) {
    this.last = new WeakMap();
    list.addEventListener("focusin", ({ target }) => {
      const article = target.closest(".message");
      if (!article || target === article || !controlsOf(article).includes(target)) return;
      this.last.set(article, target);
      this.#arrange(article);
    });
    new MutationObserver((records) => {
      const touched = records.flatMap(({ target, addedNodes }) => [target.closest(".message"), ...[...addedNodes].flatMap((node) => [...(node.querySelectorAll?.(".message") ?? [])])]);
      for (const article of new Set(touched.filter(Boolean))) this.#arrange(article);
    }).observe(list, { childList: true, subtree: true, attributeFilter: ["disabled", "hidden", "href"] });
  }

  /** The control that Tab leads to. */
  stopOf(article) {
    const controls = controlsOf(article);
    const last = this.last.get(article);
    return controls.includes(last) ? last : controls.find((one) => !one.closest(".origin-slot")) ?? controls[0];
  }

  /** Handles a key on a control of a message, or the arrow that leads into one; true if it was used. */
  key(event) {
    const article = event.target.closest(".message");
    if (!article || event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return false;
    if (event.target === article) return event.key === "ArrowRight" && this.#go(this.stopOf(article), event);
    const controls = controlsOf(article);
    const at = controls.indexOf(event.target);
    if (at < 0 || event.target.matches("input, select, textarea")) return false;
    switch (event.key) {
      case "ArrowRight": return this.#go(controls[at + 1] ?? controls[at], event);
      case "ArrowLeft": return this.#go(controls[at - 1] ?? article, event);
      case "Home": return this.#go(controls[0], event);
      case "End": return this.#go(controls.at(-1), event);
      case "ArrowUp": return this.#go(nextRow(controls, event.target, -1) ?? article, event);
      case "Escape": return this.#go(article, event);
      case "ArrowDown": {
        const below = nextRow(controls, event.target, 1);
        if (below) return this.#go(below, event);
        // From the last row the list goes on to the next message.
        article.focus({ preventScroll: true });
        return false;
      }
      default: return false;
    }
  }

  #go(element, event) {
    if (!element) return false;
    event.preventDefault();
    element.focus();
    return true;
  }

  #arrange(article) {
    const stop = this.stopOf(article);
    for (const control of controlsOf(article)) control.tabIndex = control === stop ? 0 : -1;
  }
}

/** The control in the next row above (-1) or below (1) that stands nearest to `from`. */
function nextRow(controls, from, step) {
  const box = from.getBoundingClientRect();
  const centre = (one) => (one.left + one.right) / 2;
  const others = controls.map((element) => ({ element, box: element.getBoundingClientRect() }))
    .map((one) => ({ ...one, away: step > 0 ? one.box.top - box.bottom : box.top - one.box.bottom }))
    .filter((one) => one.away > -ROW_PX && one.element !== from);
  const nearest = Math.min(...others.map((one) => one.away));
  return others.filter((one) => one.away < nearest + ROW_PX)
    .sort((one, other) => Math.abs(centre(one.box) - centre(box)) - Math.abs(centre(other.box) - centre(box)))[0]?.element;
}
