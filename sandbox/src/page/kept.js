/** The `[key, value]` pairs that `store` keeps under `name`; none where it has none, or something else. */
export function keptPairs(store, name) {
  try {
    const found = JSON.parse(store.getItem(name) ?? "[]");
    return Array.isArray(found) ? found.filter((pair) => Array.isArray(pair) && pair.length === 2 && pair[1]) : [];
  } catch {
    return [];
  }
}

/** Keeps pairs for the next visit. A store that is full or forbidden forgets: the page itself still knows them. */
export function keepPairs(store, name, pairs) {
  try {
    store.setItem(name, JSON.stringify([...pairs]));
  } catch {
    store?.removeItem(name);
  }
}

/** Puts `value` under `key` as the newest of a map that holds at most `most`. */
export function putNewest(map, key, value, most) {
  map.delete(key);
  map.set(key, value);
  while (map.size > most) map.delete(map.keys().next().value);
}
