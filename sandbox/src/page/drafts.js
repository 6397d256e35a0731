import { keepPairs, keptPairs, putNewest } from "./kept.js";

const NAME = "atelier.drafts";
const MAX_PLACES = 30;

/**
 * What was begun in each place and not sent: `{ text, path, values }` and what else a composer holds. `store` keeps
 * the words over a reload; the rest, and files, live as long as the page.
 */
export class Drafts {
  constructor(store) {
    this.store = store;
    this.places = new Map(keptPairs(store, NAME));
  }

  /** What was begun in `place`; undefined for nothing. */
  get(place) {
    return this.places.get(place);
  }

  /** Keeps `draft` for `place`; null forgets it. */
  put(place, draft) {
    if (draft) putNewest(this.places, place, draft, MAX_PLACES);
    else if (!this.places.delete(place)) return;
    keepPairs(this.store, NAME, [...this.places].map(([key, one]) => [key, { text: one.text, path: one.path, values: one.values && wordsOf(one.values) }]));
  }
}

/** The values that can be written down: files cannot. */
export const wordsOf = (values) => Object.fromEntries(Object.entries(values).filter(([, value]) => typeof value !== "object"));
