// What goes on from a picture and from a refusal: the enlarged one, the form to draw with changes, and ❌ that asks.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { after, before, test } from "node:test";
import { launch, openPage } from "./browser.mjs";
import { kill, startSandbox } from "./program.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const binary = resolve(process.env.ATELIER_BIN ?? join(here, "../../target/release/atelier"));
const shots = resolve(process.env.SCREENSHOTS ?? join(here, "screenshots"));
const data = mkdtempSync(join(tmpdir(), "atelier-after-"));
const minute = 60_000;
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
const shot = (name) => page.screenshot({ path: join(shots, `after-${name}.png`) });
const withText = (words) => id("message").filter({ hasText: words });
const grids = () => id("message").filter({ has: id("button-U1") });

async function send(line) {
  await id("composer").fill(line);
  await id("send").click();
}

/** No wider than the screen, and the fields of a form as wide as its window. */
async function fits() {
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "the page is no wider than the screen");
}

test("what was refused is in the form under its refusal, and is drawn once it is mended", async () => {
  const typed = "a `frog` in \"the\" rain 🐸 --sede 7 --steps 4";
  await send(`/imagine ${typed}`);
  const refusal = withText("Only you can see this").last();
  await id("button-Remix", refusal).waitFor({ timeout: minute });
  await shot("1-refused");
  await id("button-Remix", refusal).click();
  assert.equal(await id("modal-field-prompt0").inputValue(), typed);
  await shot("2-form");
  await page.keyboard.press("Escape");
  await page.reload();
  await id("button-Remix", withText("Only you can see this").last()).click();
  assert.equal(await id("modal-field-prompt0").inputValue(), typed, "after a reload too");
  await id("modal-field-prompt0").fill("a frog");
  await id("modal-field-parameters0").fill("--seed 7 --steps 4");
  await id("modal-submit").click();
  await grids().first().waitFor({ timeout: minute });
  assert.match(await grids().first().innerText(), /a frog.*--seed 7/s);
  await shot("3-grid");
});

test("an enlarged picture says what it is, and leads back and on", async () => {
  await id("button-U2", grids().first()).click();
  const enlarged = withText("Image #2").filter({ has: id("button-V2") });
  await enlarged.waitFor({ timeout: minute });
  assert.match(await enlarged.innerText(), /a frog.*--seed 8.*enlarged from this grid/s);
  await shot("4-enlarged");
  await id("button-V2", enlarged).click();
  const varied = grids().filter({ hasText: "Variation of picture 2 of a frog" });
  await varied.waitFor({ timeout: minute });
  await shot("5-variation");
  await id("button-U2", grids().first()).click();
  await withText("Only you can see this").filter({ hasText: "That was made before: here it is." }).getByTestId("message-image").waitFor({ timeout: minute });
  await shot("6-again");
});

test("❌ asks where it was pressed, and Keep takes it back", async () => {
  const grid = grids().first();
  const labels = () => grid.locator(".action-row button").allTextContents();
  const before = await labels();
  await id("button-❌", grid).click();
  await id("button-Delete for good", grid).waitFor({ timeout: minute });
  await shot("7-asks");
  await id("button-Keep", grid).click();
  await id("button-❌", grid).waitFor({ timeout: minute });
  assert.deepEqual(await labels(), before);
  await id("button-❌", grid).click();
  const n = await grids().count();
  await id("button-Delete for good", grid).click();
  await page.waitForFunction(([n]) => document.querySelectorAll('[data-testid="button-U1"]').length === n - 1, [n]);
});

test("all of it fits a phone", async () => {
  await page.setViewportSize({ width: 390, height: 760 });
  const refusal = withText("Only you can see this").filter({ has: id("button-Remix") }).first();
  await refusal.scrollIntoViewIfNeeded();
  await id("button-Remix", refusal).click();
  await id("modal").waitFor();
  await fits();
  const [form, field] = [await id("modal").boundingBox(), await id("modal-field-prompt0").boundingBox()];
  assert.ok(form.width <= 390 && field.width >= 0.7 * form.width, `${field.width} of ${form.width}`);
  await shot("8-phone-form");
  await page.keyboard.press("Escape");
  await grids().last().scrollIntoViewIfNeeded();
  await fits();
  await shot("9-phone-grid");
  await id("button-V2", withText("Image #2")).first().scrollIntoViewIfNeeded();
  await shot("10-phone-enlarged");
  assert.deepEqual(problems, []);
});
