// Run with: node --test sandbox/page-tests/
import assert from "node:assert/strict";
import { test } from "node:test";
import { lineOf, OPTION, parseLine, unfold } from "../src/page/commands.js";
import { Drafts } from "../src/page/drafts.js";
import { likeliest } from "../src/page/option-field.js";
import { PastLines } from "../src/page/past-lines.js";

const string = (name, more) => ({ type: OPTION.STRING, name, description: "", ...more });
const entries = unfold([
  { id: "1", name: "imagine", description: "", options: [string("prompt", { required: true }), string("negative"), { type: OPTION.INTEGER, name: "seed", description: "" }, string("aspect", { choices: [{ name: "Wide", value: "3:2" }] })] },
  { id: "2", name: "history", description: "", options: [{ type: OPTION.INTEGER, name: "page", description: "" }] },
  { id: "3", name: "set", options: [{ type: OPTION.SUBCOMMAND, name: "style", description: "", options: [string("text")] }] },
]);

const FILLED = [
  ["imagine", {}, ""],
  ["imagine", { prompt: "  " }, ""],
  ["imagine", { prompt: "a frog --ar 3:2" }, "/imagine a frog --ar 3:2"],
  ["imagine", { prompt: "two lines\nof text" }, "/imagine two lines\nof text"],
  ["imagine", { prompt: "a frog", seed: "7" }, "/imagine prompt:a frog seed:7"],
  ["imagine", { negative: "rain" }, "/imagine negative:rain"],
  ["imagine", { prompt: "prompt: a frog" }, "/imagine prompt:prompt: a frog"],
  ["imagine", { prompt: "a frog", aspect: "Wide", seed: 0 }, "/imagine prompt:a frog seed:0 aspect:Wide"],
  ["history", { page: "2" }, "/history 2"],
  ["set style", { text: "soft" }, "/set style soft"],
];

for (const [path, values, line] of FILLED) {
  test(`fields of /${path} with ${JSON.stringify(values)} are left as ${JSON.stringify(line)}`, () => {
    const entry = entries.find((one) => one.path === path);
    assert.equal(lineOf(entry, values), line);
    const given = Object.fromEntries(Object.entries(values).filter(([, value]) => String(value).trim()).map(([name, value]) => [name, String(value).trim()]));
    if (line && !/prompt:prompt/.test(line)) assert.deepEqual(parseLine(entries, line).values, given);
  });
}

const NAMES = [{ name: "Bern", value: 1 }, { name: "Berlin", value: "berlin-mitte" }, { name: "Ber", value: "x" }];
for (const [typed, index] of [["", 0], ["be", 0], ["ber", 2], ["Berlin", 1], ["berlin-mitte", 1], ["1", 0], ["nothing", 0]]) {
  test(`Enter on "${typed}" takes ${NAMES[index].name}`, () => assert.equal(likeliest(NAMES, typed), index));
}

/** What a browser's storage does. */
function store() {
  const kept = new Map();
  return { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value), removeItem: (key) => kept.delete(key) };
}

test("what was begun in each place is back after a reload, but for files", () => {
  const kept = store();
  const drafts = new Drafts(kept);
  const file = { name: "a.png" };
  drafts.put("ada/1", { text: "hello", files: [file] });
  drafts.put("ada/2", { text: "", path: "imagine", values: { prompt: "a frog", picture: file, hurry: true } });
  assert.deepEqual(drafts.get("ada/1").files, [file], "the page itself still has the file");
  const again = new Drafts(kept);
  assert.equal(again.get("ada/1").text, "hello");
  assert.deepEqual([again.get("ada/2").path, again.get("ada/2").values], ["imagine", { prompt: "a frog", hurry: true }]);
  assert.equal(again.get("linus/1"), undefined);
  again.put("ada/1", null);
  assert.equal(new Drafts(kept).get("ada/1"), undefined);
});

test("lines that were sent are recalled in their own place, forwards and backwards, after a reload too", () => {
  const kept = store();
  const past = new PastLines(kept);
  past.goTo("ada/1");
  past.add({ line: "one" });
  past.add({ line: "/imagine a frog", path: "imagine", values: { prompt: "a frog" } });
  past.goTo("ada/2");
  assert.equal(past.older(), undefined);
  const again = new PastLines(kept);
  again.goTo("ada/1");
  assert.deepEqual([again.older().path, again.older().line, again.older()], ["imagine", "one", undefined]);
  assert.equal(again.newer().path, "imagine");
  assert.equal(again.newer(), undefined);
  assert.equal(again.isRecalled, false);
});

test("a line that is sent again stands once, as the newest; old lines and old places make room", () => {
  const past = new PastLines(store());
  past.goTo("ada/1");
  for (const line of ["one", "two", "one"]) past.add({ line });
  assert.deepEqual([past.older().line, past.older().line, past.older()], ["one", "two", undefined]);
  for (let n = 0; n < 80; n += 1) past.add({ line: `line ${n}` });
  let n = 0;
  while (past.older()) n += 1;
  assert.equal(n, 50);
  for (let place = 0; place < 30; place += 1) {
    past.goTo(`ada/${place + 10}`);
    past.add({ line: "here" });
  }
  past.goTo("ada/1");
  assert.equal(past.older(), undefined);
});

for (const [what, bad] of [
  ["none", undefined],
  ["one that is forbidden", { getItem: () => { throw new Error("forbidden"); }, setItem: () => { throw new Error("forbidden"); }, removeItem: () => {} }],
  ["one with something else", { getItem: () => '{"a":1}', setItem: () => {}, removeItem: () => {} }],
  ["one with half a text", { getItem: () => "[[", setItem: () => {}, removeItem: () => {} }],
]) {
  test(`with a store like ${what} the page itself still remembers`, () => {
    const past = new PastLines(bad);
    past.add({ line: "one" });
    assert.equal(past.older().line, "one");
    const drafts = new Drafts(bad);
    drafts.put("here", { text: "begun" });
    assert.equal(drafts.get("here").text, "begun");
  });
}
