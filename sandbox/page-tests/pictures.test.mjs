// Run with: node --test sandbox/page-tests/
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileNameOf, partOf, partsByButtons, stopsOf } from "../src/page/picture-parts.js";
import { shortened } from "../src/page/picture.js";

const row = (...labels) => ({ type: 1, components: labels.map((label) => ({ type: 2, label })) });
const BUTTONS = [
  [[row("U1", "U2", "U3", "U4", "🔄"), row("V1", "V2", "V3", "V4")], 4],
  [[row("V1", "V2", "V3", "V4"), row("U1", "U2", "U3", "U4")], 4],
  [[row("U1", "U2")], 2],
  [[row("U1", "V1")], 1],
  [[row("U2", "U3")], 1],
  [[row("U1", "U2", "U4")], 1],
  [[row("1", "2", "3", "4")], 1],
  [[row("V1", "V2", "V3", "V4")], 1],
  [[{ type: 1, components: [{ type: 2, emoji: { name: "❌" } }] }], 1],
  [[{ type: 10, content: "U1" }], 1],
  [[], 1],
  [undefined, 1],
];
for (const [components, n] of BUTTONS) test(`${JSON.stringify(components)} stand under ${n}`, () => assert.equal(partsByButtons(components), n));

const SIZES = [{ width: 512, height: 512 }, { width: 512, height: 308 }, { width: 513, height: 515 }, { width: 1, height: 1 }];
for (const size of SIZES) {
  for (let n = 1; n <= 9; n += 1) {
    test(`${n} parts of ${size.width} × ${size.height} lie side by side, and cover the grid as far as there are parts`, () => {
      const parts = Array.from({ length: n }, (_, index) => partOf(n, index, size));
      const columns = Math.ceil(Math.sqrt(n));
      for (const [index, part] of parts.entries()) {
        const right = index % columns < columns - 1 && parts[index + 1];
        const below = parts[index + columns];
        if (right) assert.deepEqual([right.x, right.y], [part.x + part.width, part.y]);
        else if (index % columns === columns - 1) assert.equal(part.x + part.width, size.width);
        if (below) assert.deepEqual([below.x, below.y], [part.x, part.y + part.height]);
      }
      assert.deepEqual([parts[0].x, parts[0].y], [0, 0]);
      assert.equal(parts.at(-1).y + parts.at(-1).height, size.height);
    });
  }
}

test("the big view shows a grid and then its pictures one by one, and others as they are", () => {
  const [single, grid] = [{ nParts: 1 }, { nParts: 4 }];
  assert.deepEqual(stopsOf([single, grid, single]).map(({ picture, part }) => [picture === grid, part]),
    [[false, 0], [true, 0], [true, 1], [true, 2], [true, 3], [true, 4], [false, 0]]);
});

const NAMES = [
  [{ filename: "grid.png" }, 0, "grid.png"],
  [{ filename: "grid.png" }, 2, "grid-2.png"],
  [{ filename: "grid.jpg" }, 4, "grid-4.png"],
  [{ url: "https://example.org/a/b%20c.webp?x=1" }, 0, "b c.webp"],
  [{ url: "https://example.org/" }, 0, "picture.png"],
];
for (const [source, part, name] of NAMES) test(`${JSON.stringify(source)}, part ${part}, is saved as ${name}`, () => assert.equal(fileNameOf(source, part), name));

test("nobody has to listen to a whole prompt", () => {
  assert.equal(shortened("a frog"), "a frog");
  assert.ok(shortened("a frog ".repeat(300)).length <= 250);
});
