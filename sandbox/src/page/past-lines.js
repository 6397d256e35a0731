import { keepPairs, keptPairs, putNewest } from "./kept.js";

const NAME = "atelier.past";
const MAX_KEPT = 50;
const MAX_PLACES = 20;

/** What was sent before in each place, for the up arrow: each `{ line }` or `{ path, values, line }`. `store` keeps it for the next visit. */
export class PastLines {
  constructor(store) {
    this.store = store;
    this.places = new Map(keptPairs(store, NAME));
    this.place = "";
    this.depth = -1;
  }

  /** Goes on with what was sent in `place`. */
  goTo(place) {
    this.place = place;
    this.leave();
  }

  /** True while the composer shows a line that was recalled. */
  get isRecalled() {
    return this.depth >= 0;
  }

  /** The line before the one that was recalled last; undefined where there is none. */
  older() {
    const found = this.#lines.at(-2 - this.depth);
    if (found) this.depth += 1;
    return found;
  }

  /** The line after the one that was recalled last; undefined behind the newest. */
  newer() {
    this.depth = Math.max(-1, this.depth - 1);
    return this.isRecalled ? this.#lines.at(-1 - this.depth) : undefined;
  }

  /** Begins again at the newest line. */
  leave() {
    this.depth = -1;
  }

  add(line) {
    // Another tab may have sent something meanwhile.
    for (const [place, lines] of keptPairs(this.store, NAME)) this.places.set(place, lines);
    putNewest(this.places, this.place, [...this.#lines.filter((one) => one.line !== line.line), line].slice(-MAX_KEPT), MAX_PLACES);
    keepPairs(this.store, NAME, this.places);
    this.leave();
  }

  get #lines() {
    return this.places.get(this.place) ?? [];
  }
}
