// Run with: node --test sandbox/page-tests/
import assert from "node:assert/strict";
import { test } from "node:test";
import { hashOf, hereAs, placeOf, placeOfHash } from "../src/page/links.js";

const HERE = "http://127.0.0.1:8420";
const message = { channel: "2", message: "3" };
const channel = { channel: "2", message: null };

const LINKS = [
  ["https://discord.com/channels/1/2/3", { ...message, isOwn: false }],
  ["https://discord.com/channels/@me/2/3", { ...message, isOwn: false }],
  ["https://discord.com/channels/1/2", { ...channel, isOwn: false }],
  ["https://ptb.discord.com/channels/1/2/3", { ...message, isOwn: false }],
  ["https://canary.discord.com/channels/1/2/3/", { ...message, isOwn: false }],
  ["https://discordapp.com/channels/1/2/3", { ...message, isOwn: false }],
  [`${HERE}/channels/1/2/3`, { ...message, isOwn: true }],
  [`${HERE}/#2/3`, { ...message, isOwn: true }],
  [`${HERE}/#2`, { ...channel, isOwn: true }],
  ["http://localhost:8420/#2/3", { ...message, isOwn: true }],
  ["http://[::1]:8420/channels/@me/2/3", { ...message, isOwn: true }],
  ["http://localhost:8421/#2/3", null],
  ["https://127.0.0.1:8420/#2/3", null],
  ["https://notdiscord.com/channels/1/2/3", null],
  ["https://discord.com.evil.example/channels/1/2/3", null],
  ["https://discord.com/channels/1/2/3/4", null],
  ["https://discord.com/channels/1/x/3", null],
  ["https://discord.com/invite/abc", null],
  [`${HERE}/attachments/1/2/grid.png`, null],
  [`${HERE}/#top`, null],
  [HERE, null],
  ["no address", null],
];
for (const [url, expected] of LINKS) test(`${url} leads to ${JSON.stringify(expected)}`, () => assert.deepEqual(placeOf(url, HERE), expected));

test("a page under a public name knows its own links, and no other machine's", () => {
  assert.deepEqual(placeOf("https://pictures.example/channels/1/2/3", "https://pictures.example"), { ...message, isOwn: true });
  assert.equal(placeOf("http://localhost:8420/#2/3", "https://pictures.example"), null);
});

test("an address says what it names, and nothing is read from others", () => {
  for (const place of [message, channel]) assert.deepEqual(placeOfHash(hashOf(place)), place);
  for (const hash of ["", "#", "#a", "#2/", "#2/3/4", "#2/x", "#<b>", "#%32"]) assert.equal(placeOfHash(hash), null, hash);
});

const FILES = [
  ["http://127.0.0.1:8420/attachments/1/2/a.png?ex=1", "http://localhost:8420", "http://localhost:8420/attachments/1/2/a.png?ex=1"],
  ["http://127.0.0.1:8420/attachments/1/2/a.png", HERE, "http://127.0.0.1:8420/attachments/1/2/a.png"],
  ["https://example.org/a.png", HERE, "https://example.org/a.png"],
  ["data:image/png;base64,x", HERE, "data:image/png;base64,x"],
];
for (const [url, origin, expected] of FILES) test(`${url} is read from ${origin} as ${expected}`, () => assert.equal(hereAs(url, origin), expected));
