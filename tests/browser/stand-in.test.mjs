// The stand-in alone, with a bot that is not Atelier: forms, places without the bot, purchases, and what the page learns by itself.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { launch, openPage } from "./browser.mjs";
import { startCompanion } from "./companion.mjs";
import { png } from "./picture.mjs";
import { kill, startSandbox } from "./program.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const binary = resolve(process.env.SANDBOX_BIN ?? join(dirname(process.env.ATELIER_BIN ?? join(here, "../../target/release/atelier")), "atelier-sandbox"));
const data = mkdtempSync(join(tmpdir(), "stand-in-"));
const ADA = "1000000000000000011";
const GRACE = "1000000000000000012";
const GENERAL = "1000000000000000110";
let program, browser, page, problems, companion;

before(async () => {
  program = await startSandbox(binary, data, tmpdir(), ["--listen", "127.0.0.1:0", "--data-dir", data]);
  companion = await startCompanion(program.url, "sandbox", []);
  browser = await launch();
  ({ page, problems } = await openPage(browser, program.url));
  await page.evaluate(() => (window.isTheFirst = true));
});

after(async () => {
  companion?.stop();
  await browser?.close();
  if (program) await kill(program);
  rmSync(data, { recursive: true, force: true });
});

const id = (name) => page.getByTestId(name);
const section = (name) => page.locator("section.guild").filter({ hasText: name });

/** What somebody does elsewhere. */
async function elsewhere(method, path, body) {
  const answer = await fetch(`${program.url}/sandbox/api${path}`, { method, headers: { "content-type": "application/json" }, body: body && JSON.stringify(body) });
  assert.ok(answer.ok, `${path}: ${answer.status}`);
  return answer.json();
}

async function send(line) {
  await id("composer").fill(line);
  await id("send").click();
}

test("a form with every kind of choice is filled and reaches the bot", async () => {
  await send("/order");
  await id("modal").waitFor();
  await id("modal-submit").click();
  await id("modal-group-for").getByText("Please choose.").waitFor();
  await id("modal-group-finish").getByText("Please choose.").waitFor();
  await id(`modal-field-for-${GRACE}`).check();
  await id("modal-field-for-1000000000000000102").check();
  await id("modal-field-finish-gloss").check();
  await id("modal-field-references").setInputFiles({ name: "fox.png", mimeType: "image/png", buffer: Buffer.from(png(40, 30, [246, 198, 103], [232, 138, 90])) });
  await id("modal-field-hurry").check();
  await id("modal-submit").click();
  await id("message").filter({ hasText: "An order: large, Grace+Moderator, gloss, fox.png, true" }).waitFor();
});

test("what is written in a form reaches the bot", async () => {
  await send("/form");
  await id("modal").waitFor();
  await id("modal-field-title").fill("The fox");
  await id("modal-field-story").fill("It slept.");
  await id("modal-submit").click();
  await id("message").filter({ hasText: "The fox by Ada: It slept." }).waitFor();
});

test("the page learns by itself that a guild threw the bot out, and let it in again", async () => {
  const { id: fault } = await elsewhere("POST", "/control/faults", { kind: "guild_removed", guild: "1000000000000000100" });
  await section("Sandbox").getByText("without the bot").waitFor();
  await id("composer").fill("/o");
  await id("command-order").waitFor();
  assert.equal(await id("command-form").count(), 0, "only what a person installed is offered");
  await id("composer").fill("");
  await elsewhere("DELETE", `/control/faults/${fault}`);
  await section("Sandbox").getByText("without the bot").waitFor({ state: "detached" });
});

test("a thread that somebody begins appears, and leads in and out", async () => {
  const said = await elsewhere("POST", "/messages", { user: GRACE, channel: GENERAL, content: "Shall we talk?" });
  await elsewhere("POST", "/threads", { user: GRACE, channel: GENERAL, name: "talk", message: said.id });
  await id("channel-talk").waitFor();
  await id("thread-link").click();
  await page.getByText("The thread began with").waitFor();
  await id("message").filter({ hasText: "Shall we talk?" }).waitFor();
  await page.goBack();
  await elsewhere("POST", "/threads", { user: GRACE, channel: GENERAL, name: "plans" });
  await id("message").filter({ hasText: "began a thread" }).getByText("plans").waitFor();
});

test("among people only their own commands work", async () => {
  await id("channel-Weekend plans").click();
  await page.getByText("The bot is not a member here").waitFor();
  await id("composer").fill("/");
  await id("command-order").waitFor();
  assert.equal(await id("command-form").count(), 0);
  await id("composer").fill("");
  await id("channel-general").first().click();
});

test("purchases are given, used up and taken back, and come by themselves", async () => {
  await id("workshop").click();
  await id("tab-entitlements").click();
  await page.getByText("Nobody bought anything.").waitFor();
  await id("entitlement-sku").selectOption({ label: "Ten grids" });
  await id("entitlement-grant").click();
  const row = id("entitlement").filter({ hasText: "Ten grids" });
  await row.getByTestId("entitlement-consume").click();
  await row.getByText("used up").waitFor();
  const given = await elsewhere("POST", "/control/entitlements", { owner: "1000000000000000200", sku: "1000000000000000801" });
  await id("entitlement").getByText("for everybody in Second studio").waitFor();
  await elsewhere("DELETE", `/control/entitlements/${given.id}`);
  await id("entitlement").getByText("for everybody in Second studio").waitFor({ state: "detached" });
  await row.getByTestId("entitlement-revoke").click();
  await row.waitFor({ state: "detached" });
  assert.deepEqual(await elsewhere("GET", `/entitlements?user=${ADA}`), []);
  await id("panel-close").click();
});

test("a guild says who may use commands, and the composer offers what is left", async () => {
  await id("workshop").click();
  await id("tab-permits").click();
  await page.getByText("Nothing: everybody may use what the bot offers them.").waitFor();
  await id("permit-guild").selectOption("1000000000000000100");
  await id("permit-command").selectOption({ label: "all commands" });
  await id("permit-subject").selectOption({ label: "@everyone" });
  await id("permit-said").selectOption({ label: "denied" });
  await id("permit-say").click();
  const row = id("permit").filter({ hasText: "@everyone: denied" });
  await row.waitFor();
  const LINUS = "1000000000000000013";
  const usable = () => elsewhere("GET", `/commands?user=${LINUS}&channel=1000000000000000110`);
  assert.deepEqual(await usable(), []);
  await row.getByTestId("permit-remove").click();
  await row.waitFor({ state: "detached" });
  assert.notDeepEqual(await usable(), []);
  await id("panel-close").click();
});

test("every control has a name, and nothing was loaded anew", async () => {
  const nameless = await page.evaluate(() => [...document.querySelectorAll("button, a[href], input, select, textarea, [role=combobox]")]
    .filter((one) => !one.getAttribute("aria-hidden") && !(one.getAttribute("aria-label") || one.textContent.trim() || one.labels?.length || one.placeholder || one.title))
    .map((one) => one.outerHTML.slice(0, 120)));
  assert.deepEqual(nameless, []);
  assert.equal(await page.evaluate(() => window.isTheFirst), true);
  assert.deepEqual(problems, []);
});
