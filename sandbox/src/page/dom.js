const SVG = "http://www.w3.org/2000/svg";

/** Makes an element: `h("button", { class: "send", onclick }, "Send")`. Empty properties and children are left out. */
export function h(tag, properties, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "testid") element.dataset.testid = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter(Boolean));
  return element;
}

/** An SVG element with attributes. */
function svg(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const ICONS = {
  menu: "M4 7h16M4 12h16M4 17h16",
  send: "M4 12 20 4l-5 16-3.5-6.5L4 12Zm7.5 1.5L20 4",
  close: "M6 6l12 12M18 6 6 18",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8ZM12 2v2.5M12 19.5V22M2 12h2.5M19.5 12H22M5 5l1.7 1.7M17.3 17.3 19 19M19 5l-1.7 1.7M6.7 17.3 5 19",
  moon: "M20 14.5A8.2 8.2 0 0 1 9.5 4 8.2 8.2 0 1 0 20 14.5Z",
  left: "M15 5l-7 7 7 7",
  right: "M9 5l7 7-7 7",
  down: "M12 5v14M5 12l7 7 7-7",
  chevron: "M7 10l5 5 5-5",
  open: "M14 4h6v6M20 4l-9 9M10 5H6a2 2 0 0 0-2 2v11a2 2 0 0 0 2 2h11a2 2 0 0 0 2-2v-4",
  actual: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
  download: "M12 4v11M7 11l5 5 5-5M5 20h14",
  eye: "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12ZM12 9.3a2.7 2.7 0 1 0 0 5.4 2.7 2.7 0 0 0 0-5.4Z",
  file: "M13 3H7a2 2 0 0 0-2 2v14a2 2 0 0 0 2 2h10a2 2 0 0 0 2-2V9l-6-6Zm0 0v6h6",
  reply: "M5 20v-5a5 5 0 0 1 5-5h9M15 5l5 5-5 5",
  check: "M5 12.5l4.5 4.5L19 7.5",
  warning: "M12 4 2.8 20h18.4L12 4Zm0 6v4.5M12 17.2v.1",
  more: "M5.5 12h.01M12 12h.01M18.5 12h.01",
  plus: "M12 6v12M6 12h12",
  smile: "M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17ZM8.5 14.2a4.2 4.2 0 0 0 7 0M9 9.6v.1M15 9.6v.1",
  copy: "M9 9V5a1 1 0 0 1 1-1h9a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1h-4M5 9h9a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1v-9a1 1 0 0 1 1-1Z",
  id: "M4 6h16v12H4ZM8 10v4M12 10v4h1.5a2 2 0 0 0 0-4Z",
  code: "M8.5 7 3.5 12l5 5M15.5 7l5 5-5 5",
  trash: "M4.5 7h15M9.5 7V4.5h5V7M6.5 7l1 13h9l1-13M10 11v5M14 11v5",
  at: "M15.5 8.5v5a2.5 2.5 0 0 0 5 0V12a8.5 8.5 0 1 0-3.3 6.7M15.5 12a3.5 3.5 0 1 1-7 0 3.5 3.5 0 0 1 7 0Z",
  thread: "M5 5v8a4 4 0 0 0 4 4h10M15 13l4 4-4 4M10 5h9M10 9h6",
  people: "M9 5a3.2 3.2 0 1 0 0 6.4A3.2 3.2 0 0 0 9 5ZM2.8 19.5c.3-3.6 2.7-5.7 6.2-5.7s5.9 2.1 6.2 5.7M15.5 5.3a3.1 3.1 0 0 1 0 5.9M17.6 14.4c2.1.7 3.4 2.4 3.6 5.1",
  clip: "M19.5 11.5 12 19a4.6 4.6 0 0 1-6.5-6.5l8-8a3 3 0 0 1 4.3 4.3l-8 8a1.5 1.5 0 0 1-2.1-2.1l7.3-7.3",
  lock: "M6.5 11h11v9h-11ZM8.5 11V8a3.5 3.5 0 0 1 7 0v3",
  wrench: "M20 7.2a5 5 0 0 1-6.7 6L7.6 19a2.2 2.2 0 0 1-3.1-3.1l5.8-5.7a5 5 0 0 1 6-6.7L13.3 6.5l.7 3.5 3.5.7Z",
  play: "M8 5.5v13l10.5-6.5Z",
  stop: "M7 7h10v10H7Z",
  clock: "M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17ZM12 7.5V12l3 2",
  picture: "M4 5h16v14H4ZM4 16l4.5-4.5 3.5 3.5 3-3 5 4.5M15.5 9.200v.1",
};

/** A line icon, hidden from screen readers. */
export function icon(name) {
  return svg("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true" }, svg("path", { d: ICONS[name] }));
}

let gradients = 0;

/** A drawn avatar: the initial on two hues taken from the id. */
export function avatar(user) {
  let hash = 7;
  for (const letter of `${user.id}${user.username}`) hash = (hash * 31 + letter.charCodeAt(0)) >>> 0;
  // A bot's is its own, or grey: `paintBot`.
  const hue = (215 + (hash * 47) % 280) % 360;
  const [light, deep] = user.bot ? ["var(--bot-light, #74767c)", "var(--bot-deep, #4b4d53)"] : [`hsl(${hue} 58% 46%)`, `hsl(${(hue + 48) % 360} 62% 34%)`];
  const id = `avatar-${gradients++}`;
  const gradient = svg("linearGradient", { id, x1: 0, y1: 0, x2: 1, y2: 1 },
    svg("stop", { offset: 0, style: `stop-color: ${light}` }),
    svg("stop", { offset: 1, style: `stop-color: ${deep}` }));
  const text = svg("text", { x: 20, y: 26.2, "text-anchor": "middle" }, initial(user));
  const shape = svg("rect", { width: 40, height: 40, rx: user.bot ? 12 : 20, fill: `url(#${id})` });
  return svg("svg", { class: "avatar", viewBox: "0 0 40 40", "aria-hidden": "true" }, gradient, shape, text);
}

/** Gives the bot's avatars the colour that it has. */
export function paintBot({ accent_color: color }) {
  const root = document.documentElement.style;
  if (!Number.isInteger(color)) return ["--bot-light", "--bot-deep"].forEach((name) => root.removeProperty(name));
  const hue = hueOf(color);
  root.setProperty("--bot-light", `hsl(${hue} 58% 46%)`);
  root.setProperty("--bot-deep", `hsl(${(hue + 48) % 360} 62% 34%)`);
}

/** The hue of a colour, in degrees. */
export function hueOf(color) {
  const [red, green, blue] = [16, 8, 0].map((shift) => (color >> shift) & 255);
  const most = Math.max(red, green, blue);
  const range = most - Math.min(red, green, blue);
  if (!range) return 0;
  const sixth = most === red ? (green - blue) / range : most === green ? 2 + (blue - red) / range : 4 + (red - green) / range;
  return Math.round(60 * sixth + 360) % 360;
}

/** Puts a text where it can be pasted from, and says so. */
export function copyText(text, done) {
  return navigator.clipboard.writeText(text).then(() => toast(done), () => toast("The browser does not let this page copy", "error"));
}

function initial(user) {
  return [...nameOf(user)][0]?.toUpperCase() ?? "?";
}

/** The name that people see for a user object. */
export function nameOf(user) {
  return user?.global_name || user?.username || "someone";
}

/** The name of a channel; a direct one is named after the other side, which is the bot or a person. */
export const channelName = (channel, bot) => channel?.name || nameOf(channel?.is_private ? channel.recipients?.[0] : bot);

/** Shows a short notice in the corner for a few seconds. */
export function toast(text, kind = "info") {
  const element = h("div", { class: `toast ${kind}`, testid: "toast" }, text);
  document.getElementById("toasts").append(element);
  setTimeout(() => element.classList.add("leaving"), 4600);
  setTimeout(() => element.remove(), 5000);
}

/** Tells screen readers, and nobody else. */
export function announce(text) {
  document.getElementById("announcer").textContent = text;
}
