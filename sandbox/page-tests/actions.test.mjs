// Run with: node --test sandbox/page-tests/
import assert from "node:assert/strict";
import { test } from "node:test";
import { emojiKey, emojiName, emojiText, gridStep, GROUPS, searchEmoji } from "../src/page/emoji.js";
import { acceptFiles, filesOf, MAX_FILE_BYTES, sizeText } from "../src/page/files.js";
import { mosaicSize, widest } from "../src/page/picture.js";
import { menuStep } from "../src/page/menu.js";
import { adoptOwn, forgetOwn, note, withOwn } from "../src/page/own-reactions.js";
import { PastLines } from "../src/page/past-lines.js";

test("emoji are found by the beginning of any of their words, or by themselves", () => {
  assert.deepEqual(searchEmoji("frog").map(([emoji]) => emoji), ["🐸"]);
  assert.ok(searchEmoji("thumbs").length === 2);
  assert.deepEqual(searchEmoji("umbs"), []);
  assert.equal(searchEmoji("🦖")[0][0], "🦖");
  assert.deepEqual(searchEmoji("nothing like it"), []);
  assert.equal(searchEmoji(" ").length, GROUPS.flatMap(([, all]) => all).length);
});

test("no emoji is offered twice", () => {
  const all = GROUPS.flatMap(([, emoji]) => emoji.map(([one]) => one));
  assert.equal(new Set(all).size, all.length);
});

test("a guild's own emoji is named with its id, others stand for themselves", () => {
  assert.equal(emojiKey({ id: "7", name: "party" }), "party:7");
  assert.equal(emojiKey({ id: null, name: "🐸" }), "🐸");
  assert.equal(emojiText({ id: "7", name: "party" }), ":party:");
});

const EMOJI_WORDS = [
  ["🔄", "counterclockwise arrows button"], ["❌", "cross mark"], ["❤", "red heart"], ["❤️", "red heart"], ["▶️", "play button"], ["⬅️", "left arrow"],
  ["1️⃣", "keycap 1"], ["🔟", "keycap 10"], ["🗑️", "wastebasket"], ["✏️", "pencil"], ["🎲", "game die"], ["👍🏽", "thumbs up"], ["👩‍💻", "woman technologist"],
  ["🏳️‍🌈", "rainbow flag"], ["🇩🇪", "flag: Germany"], ["🦖", "T-Rex"], ["⏭️", "next track button"], ["ℹ️", "information"], ["no emoji", "no emoji"],
];
for (const [emoji, words] of EMOJI_WORDS) test(`a screen reader says "${words}" for ${emoji}`, () => assert.equal(emojiName({ id: null, name: emoji }), words));

test("a guild's own emoji is read by the words of its name", () => assert.equal(emojiName({ id: "7", name: "party_frog" }), "party frog"));

test("every emoji of the picker has words", () => {
  const all = GROUPS.flatMap(([, emoji]) => emoji.map(([one]) => one));
  assert.deepEqual(all.filter((one) => emojiName({ name: one }) === one), []);
});

const STEPS = [["ArrowRight", 0, 1], ["ArrowDown", 1, 9], ["ArrowDown", 9, 9], ["ArrowUp", 3, 3], ["ArrowUp", 9, 1], ["ArrowLeft", 0, 0], ["End", 2, 11], ["Home", 5, 0]];
for (const [key, from, to] of STEPS) test(`${key} leads from ${from} to ${to} in a grid of eight columns and twelve emoji`, () => assert.equal(gridStep(key, from, 12, 8), to));

const LABELS = ["Add a reaction", "Reply", "Copy text", "Copy message id"];
const MENU = [["ArrowDown", 3, 0], ["ArrowUp", 0, 3], ["ArrowUp", -1, 3], ["ArrowDown", -1, 0], ["c", 0, 2], ["c", 2, 3], ["c", 3, 2], ["r", 1, 1], ["z", 0, null], ["Home", 2, 0], ["End", 0, 3], ["F5", 0, null]];
for (const [key, from, to] of MENU) test(`${key} leads from item ${from} of a menu to ${to}`, () => assert.equal(menuStep(key, from, LABELS), to));

test("an empty menu leads nowhere", () => assert.equal(menuStep("ArrowDown", -1, []), null));

test("pictures tile: two beside each other, four two by two, more in rows of three", () => {
  assert.deepEqual([1, 2, 3, 4, 5, 9].map(mosaicSize), [1, 2, 3, 4, 5, 5]);
});

const file = (name, size) => ({ name, size });

test("files that are too large or too many are left out, with a sentence for each", () => {
  const { accepted, problems } = acceptFiles([file("a.png", 10), file("huge.png", MAX_FILE_BYTES + 1)], 0);
  assert.deepEqual(accepted.map((one) => one.name), ["a.png"]);
  assert.deepEqual(problems, ["huge.png is too large: a file has at most 10 MB."]);
  assert.deepEqual(acceptFiles([file("b.png", 1), file("c.png", 1)], 9).problems, ["At most 10 files fit here."]);
  assert.equal(acceptFiles([file("b.png", MAX_FILE_BYTES)], 9).accepted.length, 1);
  assert.deepEqual(acceptFiles([file("b.png", 1)], 10).accepted, []);
});

test("a pasted picture gets a name of its own, a dropped one keeps its name", () => {
  const named = filesOf({ files: [new File(["x"], "image.png", { type: "image/png" }), new File(["x"], "fox.jpg", { type: "image/jpeg" })] });
  assert.deepEqual(named.map((one) => one.name), ["pasted-1.png", "fox.jpg"]);
  assert.deepEqual(filesOf(null), []);
});

const SIZES = [[0, "0 B"], [1023, "1023 B"], [1536, "1.5 KB"], [5 * 1024 ** 2, "5 MB"]];
for (const [bytes, words] of SIZES) test(`${bytes} bytes are ${words}`, () => assert.equal(sizeText(bytes), words));

test("an event knows one's own reactions from the page before, and from what one did since", () => {
  const frog = { id: null, name: "🐸" };
  const told = { id: "1", reactions: [{ emoji: frog, count: 2, me: false }] };
  forgetOwn();
  adoptOwn({ id: "1", reactions: [{ emoji: frog, count: 1, me: true }] });
  assert.equal(withOwn(told).reactions[0].me, true);
  note("1", frog, false);
  assert.equal(withOwn({ ...told, reactions: [{ ...told.reactions[0], me: true }] }).reactions[0].me, false);
  note("1", frog, true);
  forgetOwn();
  assert.equal(withOwn(told).reactions[0].me, false);
});

test("the up arrow goes back through what was sent, and stops at the oldest", () => {
  const past = new PastLines();
  assert.equal(past.older(), undefined);
  past.add({ line: "one" });
  past.add({ line: "two" });
  assert.deepEqual([past.older(), past.older(), past.older()], [{ line: "two" }, { line: "one" }, undefined]);
  assert.equal(past.isRecalled, true);
  past.leave();
  assert.deepEqual(past.older(), { line: "two" });
});

const WIDEST = [[[], ""], [[{ width: 64 }], "64px"], [[{ width: 64 }, { width: 512 }, { width: 80 }], "512px"], [[{ width: 64 }, {}], ""], [[{ width: 0 }], ""], [[{ width: null }], ""]];
for (const [sources, expected] of WIDEST) test(`pictures ${JSON.stringify(sources)} are shown at most ${expected || "as wide as their place"} wide`, () => assert.equal(widest(sources), expected));
