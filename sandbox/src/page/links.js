const DISCORD = /^(?:(?:www|ptb|canary)\.)?discord(?:app)?\.com$/;
const LOOPBACK = ["127.0.0.1", "localhost", "[::1]"];
const PLACE = /^\/channels\/(?:@me|\d{1,20})\/(\d{1,20})(?:\/(\d{1,20}))?\/?$/;

/** The channel, and where one is named the message, of a page's address after its `#`; null where there is no channel. */
export function placeOfHash(hash) {
  const found = /^#?(\d{1,20})(?:\/(\d{1,20}))?$/.exec(hash);
  return found && { channel: found[1], message: found[2] ?? null };
}

/** What stands after the `#` for a place, with the `#`. */
export const hashOf = ({ channel, message }) => (message ? `#${channel}/${message}` : `#${channel}`);

/** The place that `url` names, as Discord writes it or as this page does: `{ channel, message, isOwn }`; null for every other address. */
export function placeOf(url, origin) {
  const asked = parsed(url);
  if (!asked) return null;
  const isOwn = isSameSite(asked, parsed(origin));
  if (isOwn && asked.pathname === "/") {
    const place = placeOfHash(asked.hash);
    return place && { ...place, isOwn };
  }
  const found = (isOwn || DISCORD.test(asked.hostname)) && PLACE.exec(asked.pathname);
  return found ? { channel: found[1], message: found[2] ?? null, isOwn } : null;
}

/** An address of this machine under the name that the page was opened with: `localhost` and `127.0.0.1` are one to people, not to a browser. */
export function hereAs(url, origin) {
  const asked = parsed(url);
  return asked && asked.origin !== origin && isSameSite(asked, parsed(origin)) ? origin + asked.pathname + asked.search : url;
}

function parsed(url) {
  try {
    return new URL(url);
  } catch {
    return null;
  }
}

function isSameSite(one, other) {
  const isLoopback = LOOPBACK.includes(one.hostname) && LOOPBACK.includes(other?.hostname);
  return one.origin === other?.origin || (isLoopback && one.protocol === other.protocol && one.port === other.port);
}
