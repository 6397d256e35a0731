// Which ideas the page offers, and which the die takes.
import assert from "node:assert/strict";
import { test } from "node:test";

const { anyOf, fitting } = await import("../src/page/ideas.js");

const entry = (path) => ({ path, options: [{ name: "prompt", type: 3, required: true }], parents: [] });
const idea = (line) => ({ label: line, line, picture: null });

test("ideas of commands that nobody has are not offered", () => {
  const ideas = [idea("/imagine a frog"), idea("/order tea"), idea("/imagine")];
  for (const [paths, expected] of [
    [[], []],
    [["imagine"], ["/imagine a frog", "/imagine"]],
    [["order", "imagine"], ["/imagine a frog", "/order tea", "/imagine"]],
    [["imaginea", "orders"], []],
  ]) assert.deepEqual(fitting(ideas, paths.map(entry)).map((one) => one.line), expected, paths.join());
});

test("the die takes each of them, and none twice in turn", () => {
  const ideas = ["/a", "/b", "/c"].map(idea);
  const seen = new Set();
  for (const last of [null, "/a", "/b", "/c"]) {
    for (let n = 0; n < 30; n++) {
      const { line } = anyOf(ideas, last, () => n / 30);
      assert.notEqual(line, last);
      seen.add(line);
    }
  }
  assert.equal(seen.size, 3);
  assert.equal(anyOf([idea("/a")], "/a").line, "/a");
  assert.equal(anyOf([], null), undefined);
});
