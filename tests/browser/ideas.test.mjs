// What an empty channel offers to press: ready-made pictures and a die with Atelier, nothing with another's bot.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { launch, openPage } from "./browser.mjs";
import { startCompanion } from "./companion.mjs";
import { kill, startSandbox } from "./program.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const atelier = resolve(process.env.ATELIER_BIN ?? join(here, "../../target/release/atelier"));
const standIn = resolve(process.env.SANDBOX_BIN ?? join(dirname(atelier), "atelier-sandbox"));
const data = mkdtempSync(join(tmpdir(), "atelier-ideas-"));
const minute = 60_000;
let program, browser;

before(async () => {
  program = await startSandbox(atelier, join(data, "atelier"), tmpdir());
  browser = await launch();
});

after(async () => {
  await browser?.close();
  if (program) await kill(program);
  rmSync(data, { recursive: true, force: true });
});

const ideasOf = (page) => page.evaluate(async () => (await (await fetch("/sandbox/api/state")).json()).ideas);
const titleOf = (message) => message.locator(".part-content strong").first().innerText();

for (const [width, colorScheme] of [[360, "dark"], [390, "light"], [800, "dark"], [1280, "light"]]) {
  test(`the pictures are there and fit at ${width} pixels`, async () => {
    const { page, problems } = await openPage(browser, program.url, { viewport: { width, height: 800 }, colorScheme });
    const pictured = (await ideasOf(page)).filter((idea) => idea.picture);
    assert.ok(pictured.length >= 4 && pictured.length <= 8, `${pictured.length}`);
    for (const { label } of pictured) {
      const button = page.getByTestId(`idea-${label}`);
      await button.getByText(label, { exact: true }).waitFor();
      const image = button.locator("img");
      await image.evaluate((image) => image.decode());
      assert.equal(await image.evaluate((image) => image.naturalWidth), 256);
      const [outer, inner] = [await button.boundingBox(), await image.boundingBox()];
      assert.ok(inner.x >= outer.x && inner.x + inner.width <= outer.x + outer.width && inner.width >= 44, `${label}: ${JSON.stringify(inner)}`);
      assert.ok(await button.evaluate((button) => button.scrollWidth <= button.clientWidth), `the words of ${label} fit`);
    }
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "nothing is wider than the window");
    assert.deepEqual(problems, []);
    await page.context().close();
  });
}

test("a pressed picture is drawn at once, and the die draws one of many", async () => {
  const { page, problems } = await openPage(browser, program.url);
  await page.getByTestId("idea-two penguins on grass").click();
  const grid = page.getByTestId("message").filter({ has: page.getByTestId("button-U1") });
  await grid.last().waitFor({ timeout: 2 * minute });
  assert.equal(await titleOf(grid.last()), "two penguins on grass");
  const lines = (await ideasOf(page)).map((idea) => idea.label);
  await page.getByRole("link", { name: /gallery/ }).click();
  await page.getByTestId("welcome").getByTestId("die").click();
  await grid.last().waitFor({ timeout: 2 * minute });
  const drawn = await titleOf(grid.last());
  assert.ok(lines.includes(drawn), drawn);
  // It stays where one types, and goes while one does.
  const die = page.locator("#composer").getByTestId("die");
  await page.getByTestId("composer").fill("a");
  await die.waitFor({ state: "hidden" });
  await page.getByTestId("composer").fill("");
  await die.click();
  await grid.nth(1).waitFor({ timeout: 2 * minute });
  assert.notEqual(await titleOf(grid.last()), drawn, "never the same twice in turn");
  assert.ok(!(await grid.last().innerText()).includes("⚠"), "the built-in model knows its own examples");
  assert.deepEqual(problems, []);
  await page.context().close();
});

test("another's bot is offered no frogs", async () => {
  const alone = await startSandbox(standIn, join(data, "alone"), tmpdir(), ["--listen", "127.0.0.1:0", "--data-dir", join(data, "alone")]);
  const companion = await startCompanion(alone.url, "sandbox", []);
  try {
    const { page } = await openPage(browser, alone.url);
    await page.getByTestId("welcome").waitFor();
    assert.equal(await page.locator("[data-testid^='idea-']:visible, [data-testid='die']:visible").count(), 0);
    await page.context().close();
  } finally {
    companion.stop();
    await kill(alone);
  }
});
