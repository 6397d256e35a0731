// What a newcomer does, in a real Chromium against the real program: /imagine, watch it form, press the buttons, kill it, go on.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { kill, startSandbox } from "./program.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const binary = resolve(process.env.ATELIER_BIN ?? join(here, "../../target/release/atelier"));
const shots = resolve(process.env.SCREENSHOTS ?? join(here, "screenshots"));
const data = mkdtempSync(join(tmpdir(), "atelier-browser-"));
const minute = 60_000;
let program, browser, page, problems;

before(async () => {
  mkdirSync(shots, { recursive: true });
  program = await startSandbox(binary, data, tmpdir());
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
  await open();
});

after(async () => {
  await browser?.close();
  if (program) await kill(program);
  rmSync(data, { recursive: true, force: true });
});

async function open() {
  page = await browser.newPage({ viewport: { width: 1280, height: 900 }, colorScheme: "dark" });
  problems = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
  await page.goto(program.url);
  await page.getByTestId("bot-status").getByText("online").waitFor();
}

const shot = (name) => page.screenshot({ path: join(shots, `${name}.png`) });
const inList = (words) => page.getByTestId("message-list").getByText(words);
const messages = () => page.getByTestId("message");
const lastGrid = () => messages().filter({ has: page.getByTestId("button-U1") }).last();
const nGrids = () => messages().filter({ has: page.getByTestId("button-U1") }).count();

/** Types a whole line into the composer, as somebody who knows the command does. */
async function typeLine(line) {
  await page.getByTestId("composer").fill(line);
  await page.getByTestId("send").click();
}

async function waitForGrids(n) {
  await messages().filter({ has: page.getByTestId("button-U1") }).nth(n - 1).waitFor({ timeout: 2 * minute });
}

test("the sandbox is ready within 3 seconds", () => {
  assert.ok(program.readyMs < 3000 || process.env.CI, `${program.readyMs} ms`);
  assert.ok(program.readyMs < 15_000, `${program.readyMs} ms`);
});

test("the composer completes /imagine and its options", async () => {
  await shot("1-empty");
  await page.getByTestId("composer").pressSequentially("/im");
  await page.getByTestId("command-imagine").waitFor();
  await shot("2-composer");
  await page.keyboard.press("Enter");
  await page.getByTestId("command-option-prompt").fill("a frog");
  await page.getByTestId("command-chip-seed").click();
  await page.getByTestId("command-option-seed").fill("7");
  await shot("3-options");
  await page.getByTestId("command-option-seed").press("Enter");
});

test("the message shows steps and previews, then a grid with its buttons", async () => {
  const drawing = messages().filter({ hasText: "Drawing" });
  await drawing.first().waitFor({ timeout: minute });
  await messages().filter({ hasText: "steps" }).getByTestId("message-image").first().waitFor({ timeout: minute });
  await shot("4-forming");
  await waitForGrids(1);
  for (const label of ["U1", "U2", "U3", "U4", "V1", "V2", "V3", "V4", "🔄", "Remix", "Download", "❌"]) {
    assert.equal(await lastGrid().getByTestId(`button-${label}`).count(), 1, label);
  }
  const picture = lastGrid().getByTestId("message-image");
  await picture.waitFor();
  await page.waitForFunction((image) => image.complete && image.naturalWidth >= 512, await picture.elementHandle());
  assert.ok(Math.abs((await picture.boundingBox()).width - 350) <= 1, "the grid is shown as large as Discord's client shows it");
  await shot("5-grid");
});

test("a wrong parameter is answered to the caller alone", async () => {
  await typeLine("/imagine a frog --ar 0:2");
  await inList("both sides must be at least 1").waitFor({ timeout: minute });
  await inList("Only you can see this").first().waitFor();
  await shot("6-refused");
  await page.getByTestId("user-switch").selectOption({ label: await optionOf("Grace") });
  // The list of the person before stays until that of the new one is there.
  await inList("both sides must be at least 1").waitFor({ state: "detached" });
  await lastGrid().waitFor();
  await page.getByTestId("user-switch").selectOption({ label: await optionOf("Ada") });
  await lastGrid().waitFor();
});

test("U posts one picture at its full size", async () => {
  await lastGrid().getByTestId("button-U2").click();
  const picture = messages().filter({ hasText: "1024 × 1024 pixels" }).getByTestId("message-image");
  await picture.waitFor({ timeout: minute });
  await page.waitForFunction((image) => image.naturalWidth === 1024, await picture.elementHandle());
  await shot("7-upscaled");
});

test("V draws four variations and 🔄 draws anew", async () => {
  const first = lastGrid();
  const id = await first.getAttribute("data-message-id");
  await first.getByTestId("button-V1").click();
  await waitForGrids(2);
  await page.locator(`[data-message-id="${id}"]`).getByTestId("button-🔄").click();
  await waitForGrids(3);
  await shot("8-variation-and-reroll");
});

test("a kill in mid-job loses nothing, and the buttons still work", async () => {
  const pictures = await page.getByTestId("message-image").count();
  const before = await nGrids();
  await typeLine("/imagine a strawberry --steps 60 --seed 5");
  await messages().filter({ hasText: "Drawing" }).first().waitFor({ timeout: minute });
  await kill(program);
  await page.close();
  program = await startSandbox(binary, data, tmpdir());
  await open();
  await waitForGrids(before + 1);
  assert.ok((await page.getByTestId("message-image").count()) >= pictures, "the earlier pictures are still there");
  await messages().filter({ has: page.getByTestId("button-U1") }).first().getByTestId("button-U3").click();
  await messages().filter({ hasText: "1024 × 1024 pixels" }).nth(1).waitFor({ timeout: minute });
  await messages().filter({ has: page.getByTestId("button-U1") }).first().getByTestId("button-🔄").click();
  await waitForGrids(before + 2);
  await shot("9-after-restart");
});

test("the history and the quota are still known", async () => {
  await typeLine("/history");
  await inList("newest first").waitFor({ timeout: minute });
  await shot("10-history");
  await page.getByTestId("button-Older ▶").last().click();
  await inList("Jobs 6 to").waitFor({ timeout: minute });
  await typeLine("/quota");
  await inList("pictures of the usual size are left today").waitFor({ timeout: minute });
  await typeLine("/info");
  await inList("million parameters").waitFor({ timeout: minute });
  await shot("11-quota-and-info");
});

test("❌ cancels a running job and deletes a finished one, for its owner only", async () => {
  const before = await nGrids();
  await typeLine("/imagine a pumpkin at night --steps 100");
  const running = messages().filter({ hasText: "Drawing" });
  await running.first().waitFor({ timeout: minute });
  await running.first().getByTestId("button-❌").click();
  await messages().filter({ hasText: "Cancelled" }).first().waitFor({ timeout: minute });
  await page.getByTestId("user-switch").selectOption({ label: await optionOf("Linus") });
  await lastGrid().getByTestId("button-❌").click();
  await inList("or a moderator can do that").waitFor({ timeout: minute });
  assert.equal(await nGrids(), before);
  await page.getByTestId("user-switch").selectOption({ label: await optionOf("Ada") });
  const id = await lastGrid().getAttribute("data-message-id");
  await lastGrid().getByTestId("button-❌").click();
  await lastGrid().getByTestId("button-Delete for good").click();
  await page.locator(`[data-message-id="${id}"]`).waitFor({ state: "detached", timeout: minute });
  await shot("12-deleted");
});

test("the page reported no error", () => assert.deepEqual(problems, []));

async function optionOf(name) {
  const labels = await page.getByTestId("user-switch").locator("option").allTextContents();
  return labels.find((label) => label.startsWith(name));
}
