// How large pictures are shown: as Discord's client shows them, within a place and never larger than they are; and what U gives.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { dropFile, launch, openPage } from "./browser.mjs";
import { png } from "./picture.mjs";
import { kill, startSandbox } from "./program.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const binary = resolve(process.env.ATELIER_BIN ?? join(here, "../../target/release/atelier"));
const shots = resolve(process.env.SCREENSHOTS ?? join(here, "screenshots"));
const data = mkdtempSync(join(tmpdir(), "atelier-shown-"));
const minute = 60_000;
const COLOURS = [[246, 198, 103], [27, 143, 138]];
let program, browser, page, problems;

before(async () => {
  mkdirSync(shots, { recursive: true });
  program = await startSandbox(binary, data, tmpdir());
  browser = await launch();
  ({ page, problems } = await openPage(browser, program.url));
});

after(async () => {
  await browser?.close();
  if (program) await kill(program);
  rmSync(data, { recursive: true, force: true });
});

const id = (name, place = page) => place.getByTestId(name);
const lastMessage = () => id("message").last();

/** Posts pictures of these sizes in one message, and gives the boxes that they are shown in. */
async function posted(...sizes) {
  for (const [width, height] of sizes) {
    await dropFile(id("message-list"), { name: `${width}-${height}.png`, type: "image/png", bytes: png(width, height, ...COLOURS) });
  }
  const words = `${sizes.join(" and ")} pixels`;
  await id("composer").fill(words);
  await id("send").click();
  const pictures = id("message").filter({ hasText: words }).locator(".picture.loaded");
  await pictures.nth(sizes.length - 1).waitFor();
  return Promise.all(sizes.map((_, index) => pictures.nth(index).boundingBox()));
}

const SHOWN = [
  [[64, 64], [64, 64]],
  [[16, 40], [16, 40]],
  [[256, 256], [256, 256]],
  [[512, 512], [350, 350]],
  [[1024, 1024], [350, 350]],
  [[300, 700], [150, 350]],
  [[1100, 220], [550, 110]],
  [[540, 40], [540, 40]],
];
for (const [size, expected] of SHOWN) {
  test(`a picture of ${size.join(" × ")} pixels is shown at ${expected.join(" × ")}`, async () => {
    const [box] = await posted(size);
    assert.ok(Math.abs(box.width - expected[0]) <= 1 && Math.abs(box.height - expected[1]) <= 1, JSON.stringify(box));
  });
}

test("of several pictures none is shown larger than it is", async () => {
  for (const sizes of [[[64, 64], [64, 64]], [[80, 60], [80, 60], [80, 60]], [[64, 64], [64, 64], [64, 64], [64, 64]]]) {
    const boxes = await posted(...sizes);
    boxes.forEach((box, index) => assert.ok(box.width <= sizes[index][0] + 1, `${sizes}: ${JSON.stringify(boxes)}`));
  }
});

test("a narrow window makes a picture smaller", async () => {
  await page.setViewportSize({ width: 390, height: 800 });
  const [small, large] = [await posted([64, 65]), await posted([1100, 221])].map(([box]) => box);
  assert.ok(Math.abs(small.width - 64) <= 1 && large.width < 340, JSON.stringify([small, large]));
  await page.setViewportSize({ width: 1280, height: 860 });
});

test("a grid of small pictures has no gutter, and U is larger than the grid", async () => {
  await id("composer").fill("/imagine a frog --seed 7");
  await id("send").click();
  const grid = id("message").filter({ has: id("button-U1") });
  await grid.waitFor({ timeout: 2 * minute });
  const natural = (picture) => picture.evaluate((image) => image.decode().then(() => [image.naturalWidth, image.naturalHeight]));
  const shown = id("message-image", grid);
  assert.deepEqual(await natural(shown), [512, 512]);
  assert.ok(Math.abs((await shown.boundingBox()).width - 350) <= 1);
  await page.screenshot({ path: join(shots, "shown-grid.png") });
  await id("button-U1", grid).click();
  const large = id("message").filter({ hasText: "1024 × 1024 pixels" });
  await large.waitFor({ timeout: 2 * minute });
  assert.deepEqual(await natural(id("message-image", large)), [1024, 1024]);
  await lastMessage().scrollIntoViewIfNeeded();
  await page.screenshot({ path: join(shots, "shown-large.png") });
  assert.deepEqual(problems, []);
});
