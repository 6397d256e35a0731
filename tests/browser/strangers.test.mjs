// What a stranger meets: a sandbox without a bot that says how one connects, and a bot of theirs whose commands for people stand at people.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { launch } from "./browser.mjs";
import { startCompanion } from "./companion.mjs";
import { kill, startSandbox } from "./program.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const binary = resolve(process.env.SANDBOX_BIN ?? join(dirname(process.env.ATELIER_BIN ?? join(here, "../../target/release/atelier")), "atelier-sandbox"));
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const shots = process.env.SCREENSHOTS;
const data = mkdtempSync(join(tmpdir(), "strangers-"));
let program, browser, page, problems, companion;

before(async () => {
  program = await startSandbox(binary, data, tmpdir(), ["--listen", "127.0.0.1:0", "--token", "a-strangers-word", "--bot-name", "Echo", "--guild-name", "My guild"]);
  browser = await launch();
  ({ page, problems } = await open({ width: 1280, height: 860 }, "dark"));
});

after(async () => {
  companion?.stop();
  await browser?.close();
  if (program) await kill(program);
  rmSync(data, { recursive: true, force: true });
});

/** What axe finds serious. */
async function serious(place) {
  await place.evaluate(AXE);
  const found = await place.evaluate(() => globalThis.axe.run());
  return found.violations.filter((one) => ["serious", "critical"].includes(one.impact)).map((one) => `${one.id}: ${one.nodes[0].html.slice(0, 120)}`);
}

const id = (name) => page.getByTestId(name);

async function open(viewport, colorScheme) {
  const context = await browser.newContext({ viewport, colorScheme, reducedMotion: "reduce", permissions: ["clipboard-read", "clipboard-write"] });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  const problems = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
  await page.goto(program.url);
  await page.getByTestId("connect-lines").waitFor();
  return { page, problems };
}

test("the page is called as its owner says, and nothing after a bot that is not here", async () => {
  await page.locator(".brand h1").getByText("My guild").waitFor();
  assert.equal(await page.title(), "My guild");
  assert.equal(await page.locator(".topbar-name").textContent(), "Echo");
  assert.ok(!(await page.locator("body").textContent()).includes("Atelier"));
});

test("without a bot the page says for each library how to connect one, with what this sandbox is", async () => {
  for (const library of ["discord.py", "discord.js", "serenity"]) {
    await id(`connect-${library}`).click();
    assert.equal(await id(`connect-${library}`).getAttribute("aria-selected"), "true");
    for (const part of ["connect-lines", "connect-program"]) {
      const shown = (await id(part).textContent()).trim();
      assert.ok(shown.includes(program.url) && shown.includes('"a-strangers-word"'), `${library}: ${shown}`);
      await id(`${part}-copy`).click();
      assert.equal((await page.evaluate(() => navigator.clipboard.readText())).trim(), shown);
    }
  }
  await id("connect-serenity").press("ArrowRight");
  assert.equal(await id("connect-discord.py").getAttribute("aria-selected"), "true");
});

test("the guide fits every width in both themes", async () => {
  for (const width of [360, 390, 800, 1280]) {
    for (const theme of ["dark", "light"]) {
      const { page } = await open({ width, height: 844 }, theme);
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${width} px, ${theme}`);
      assert.ok(await page.getByTestId("connect-discord.py").isVisible() && await page.evaluate(() => document.querySelector(".scroller").scrollTop === 0), "it begins with its beginning");
      const small = await page.evaluate(() => [...document.querySelectorAll(".connect button")].map((one) => one.getBoundingClientRect().height).filter((height) => height < 44).length);
      if (width < 760) assert.equal(small, 0, `${width} px: a finger needs 44 px`);
      assert.deepEqual(await serious(page), [], `${width} px, ${theme}`);
      if (shots) await page.screenshot({ path: join(shots, `strangers-${width}-${theme}.png`) });
      await page.context().close();
    }
  }
});

test("where messages are, the guide is behind the bot's state", async () => {
  await id("composer").fill("Nobody is here");
  await id("send").click();
  await id("message").first().waitFor();
  assert.equal(await id("connect-lines").count(), 0);
  await id("bot-status").click();
  await id("connect-lines").waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.dataset.testid), "connect-discord.py");
});

test("the guide goes when a bot comes", async () => {
  companion = await startCompanion(program.url, "a-strangers-word", []);
  await id("bot-status").getByText("online").waitFor();
  await id("connect-lines").waitFor({ state: "detached" });
});

test("commands for people stand at people, and those for messages at messages", async () => {
  await id("composer").fill("Hello, all");
  await id("send").click();
  const message = id("message").filter({ hasText: "Hello, all" });
  await message.locator(".part-content").click({ button: "right" });
  await id("message-command-Count letters").waitFor();
  assert.equal(await id("user-command-Wave at").count(), 0);
  await page.keyboard.press("Escape");
  for (const place of [".author", ".side svg"]) {
    for (const button of ["left", "right"]) {
      await id("message").first().locator(place).first().click({ button });
      await id("user-command-Wave at").waitFor();
      assert.equal(await id("message-command-Count letters").count(), 0, `${place}, ${button}`);
      await page.keyboard.press("Escape");
    }
  }
});

test("who is here is a list that the keyboard reaches, with the commands for people", async () => {
  await id("people").press("Enter");
  const names = await id("people-list").locator(".person-name").allTextContents();
  assert.deepEqual(names, ["Ada", "Grace", "Linus", "Echo"]);
  assert.deepEqual(await serious(page), []);
  await id("person-grace").press("Enter");
  await id("user-command-Wave at").press("Enter");
  await id("message").filter({ hasText: "Grace" }).first().waitFor();
  await id("panel-close").click();
  assert.equal(await id("people-list").count(), 0);
});

test("the journal shows heartbeats to who asks", async () => {
  await id("workshop").click();
  await id("tab-journal").click();
  await id("journal-line").filter({ hasText: "IDENTIFY" }).waitFor();
  assert.equal(await id("journal-heartbeats").isChecked(), false);
  const asked = page.waitForRequest((request) => request.url().includes("heartbeats=true"));
  await id("journal-heartbeats").check();
  await asked;
  await id("journal-line").filter({ hasText: "IDENTIFY" }).waitFor();
  await id("panel-close").click();
});

test("nothing went wrong in the page", () => {
  assert.deepEqual(problems, []);
});
