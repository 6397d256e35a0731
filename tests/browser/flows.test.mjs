// What people do on the stand-in's page, each with a picture of how it looks.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { dropFile, openPage } from "./browser.mjs";
import { png } from "./picture.mjs";
import { become, browser, close, HUES, id, messages, open, page, pictures, problems, program, send, shot, withText } from "./stage.mjs";

const minute = 60_000;

before(open);
after(close);

test("imagine to grid: the pictures form, and open large", async () => {
  await send("/imagine a frog --steps 6 --seed 3");
  const grid = messages().filter({ has: id("button-U1") }).last();
  await grid.waitFor({ timeout: 2 * minute });
  await send("/mosaic");
  const four = withText("Four pictures, two by two").last();
  await four.getByTestId("message-image").nth(3).waitFor();
  const boxes = await Promise.all([0, 1, 2, 3].map((n) => four.locator(".picture").nth(n).boundingBox()));
  assert.ok(Math.abs(boxes[0].y - boxes[1].y) < 1 && boxes[2].y > boxes[0].y && Math.abs(boxes[0].x - boxes[2].x) < 1, "two by two");
  await shot("1-grid");
  await four.locator(".picture").first().click();
  await id("lightbox").getByText("picture 1", { exact: true }).waitFor();
  await page.keyboard.press("ArrowRight");
  await id("lightbox").getByText("picture 2", { exact: true }).waitFor();
  await page.keyboard.press("Escape");
  assert.equal(await id("lightbox").isVisible(), false);
});

test("a picture is dropped into an option", async () => {
  await id("composer").pressSequentially("/measure ");
  await id("command-option-picture").waitFor({ state: "attached" });
  await dropFile(page.locator(".slot"), { name: "sunset.png", type: "image/png", bytes: png(80, 60, ...HUES[0]) });
  await page.locator(".slot.filled").getByText("sunset.png").waitFor();
  await shot("2-drop");
  await id("send").click();
  await withText("sunset.png: 80 × 60").waitFor();
  await dropFile(id("message-list"), { name: "loose.png", type: "image/png", bytes: pictures[1] });
  await id("tray-file").getByText("loose.png").waitFor();
  await id("tray-remove").click();
  assert.equal(await id("tray").isVisible(), false);
});

test("a form is opened, refuses what is too short, and is sent", async () => {
  await send("/form");
  await id("modal").waitFor();
  await id("modal-field-title").fill("ab");
  await id("modal-submit").click();
  await id("modal").getByText("At least 3 characters").waitFor();
  await id("modal-field-title").fill("The fox");
  await id("modal-field-story").fill("It slept.");
  await shot("3-form");
  await id("modal-submit").click();
  // Both bots hear of it, and the first to answer is heard: `stand-in.test.mjs` has the answer.
  await id("modal").waitFor({ state: "detached" });
});

test("an answer for one person is seen by them alone, until it is dismissed", async () => {
  await send("/whisper");
  const whisper = withText("This is between us.");
  await whisper.getByText("Only you can see this").waitFor();
  await shot("4-ephemeral");
  await become("Linus");
  await withText("sunset.png: 80 × 60").waitFor();
  assert.equal(await whisper.count(), 0);
  await become("Ada");
  await whisper.getByTestId("dismiss").click();
  await whisper.waitFor({ state: "detached" });
});

test("an option is completed with the keyboard alone", async () => {
  await id("composer").focus();
  await page.keyboard.type("/imag");
  await id("command-imagine").waitFor();
  await page.keyboard.press("Enter");
  await page.keyboard.type("a strawberry");
  const focused = () => page.evaluate(() => document.activeElement.dataset.testid ?? "");
  for (let n = 0; n < 20 && (await focused()) !== "command-chip-sampler"; n += 1) await page.keyboard.press("Tab");
  assert.equal(await focused(), "command-chip-sampler");
  await page.keyboard.press("Enter");
  assert.equal(await focused(), "command-option-sampler");
  const choices = page.locator("#composer [role=option]");
  await choices.first().waitFor();
  await shot("5-autocomplete");
  const chosen = await choices.first().locator(".row-label").textContent();
  await page.keyboard.press("Enter");
  assert.equal(await id("command-option-sampler").inputValue(), chosen);
  await page.keyboard.press("Escape");
  assert.equal(await id("composer").isVisible(), true);
});

test("another bot's suggestions are taken by Enter: the first, or the one that is typed in full", async () => {
  for (const [typed, taken] of [["ber", "city-berlin"], ["bern", "city-bern"], ["atlantis", "atlantis"]]) {
    await id("composer").focus();
    await id("composer").fill("");
    await page.keyboard.type(`/city ${typed}`);
    await id("command-option-name").waitFor();
    if (taken !== typed) await page.locator("#composer [role=option]").first().waitFor();
    await page.keyboard.press("Enter");
    if (taken !== typed) await page.keyboard.press("Enter");
    await withText(`Off to ${taken}.`).waitFor();
  }
});

test("the context menu opens by keyboard and by mouse, and a reaction is added and taken back", async () => {
  await send("Count me");
  const mine = withText("Count me").first();
  await mine.waitFor();
  await id("message-list").focus();
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("Shift+F10");
  await id("message-command-Count letters").waitFor();
  await shot("6-menu");
  await page.keyboard.press("c");
  await page.keyboard.press("Enter");
  await withText("That message has 8 letters.").waitFor();
  await mine.click({ button: "right" });
  await id("menu-react").click();
  await page.keyboard.type("frog");
  await page.keyboard.press("Enter");
  const frog = mine.getByTestId("reaction-🐸");
  await frog.waitFor();
  assert.equal(await frog.getAttribute("aria-pressed"), "true");
  await shot("6-reaction");
  await become("Grace");
  await page.locator(".reaction:not(.mine)").first().click();
  await mine.getByText("2", { exact: true }).waitFor();
  await become("Ada");
  await frog.click();
  await mine.getByText("1", { exact: true }).waitFor();
  assert.equal(await frog.getAttribute("aria-pressed"), "false");
});

test("another person sees other places, and is refused what is not theirs", async () => {
  await become("Linus");
  await send("/admin quota show");
  await id("composer-error").getByText(/allowed|permission/i).waitFor();
  await withText("Count me").first().click({ button: "right" });
  await id("menu-inspect").waitFor();
  assert.equal(await id("message-delete").count(), 0, "a member may not delete another's message");
  await page.keyboard.press("Escape");
  await shot("7-refused");
  assert.equal(await page.locator(".channel-lock").count(), 0, "the moderators' channel is not for members");
  await become("Grace");
  assert.ok((await page.locator(".channel-lock").count()) > 0, "a moderator sees it, with its lock");
  await become("Margaret");
  assert.equal(await page.locator(".guild h2").getByText("Second studio").count(), 1);
  assert.equal(await page.locator(".guild h2").getByText("Atelier sandbox").count(), 0, "one guild is not hers");
  await become("Ada");
  await id("channel-general").first().click();
});

test("a fault is started in the workshop, felt, and gone when it is stopped", async () => {
  await id("workshop").click();
  await id("fault-kind").selectOption("server_error");
  await id("fault-field-status").fill("503");
  await id("fault-start").click();
  await id("fault-server_error").waitFor();
  await send("/whisper");
  await id("failed-interaction").getByText("The application did not respond").waitFor({ timeout: 10_000 });
  await shot("8-fault");
  await id("fault-stop-server_error").click();
  await id("fault-list").getByText("Nothing: everything works").waitFor();
  await send("/whisper");
  await withText("This is between us.").last().waitFor();
  await id("tab-journal").click();
  await id("journal-line").first().waitFor();
  await shot("8-journal");
  await id("panel-close").click();
});

test("the inspector shows what the bot gets", async () => {
  await send("/layout");
  const layout = withText("A studio's evening").last();
  await layout.getByTestId("select-pick").waitFor();
  await layout.scrollIntoViewIfNeeded();
  await layout.locator(".author").hover();
  await layout.getByTestId("message-menu").click();
  await id("menu-inspect").click();
  await id("inspector-json").locator(".json-key").first().waitFor();
  const json = JSON.parse(await id("inspector-json").textContent());
  assert.equal(json.id, await layout.getAttribute("data-message-id"));
  assert.equal(json.components[0].type, 17);
  await shot("9-inspector");
  await page.emulateMedia({ colorScheme: "light" });
  await shot("9-inspector-light");
  await page.emulateMedia({ colorScheme: "dark" });
  await page.keyboard.press("Escape");
  assert.equal(await id("inspector").count(), 0);
  await layout.getByTestId("button-Press").click();
  await withText("I do not know this button").last().waitFor();
});

test("every control has a name, and every id is there once", async () => {
  await id("workshop").click();
  await id("tab-faults").click();
  await id("fault-kind").waitFor();
  await send("/form");
  await id("modal").waitFor();
  assert.deepEqual(await page.evaluate(faultsOfNames), []);
  await page.keyboard.press("Escape");
  await id("modal").waitFor({ state: "detached" });
  await id("panel-close").click();
  assert.equal(await page.evaluate(() => document.activeElement.dataset.testid), "workshop", "the focus is back where it was");
});

/** Runs in the page: what a screen reader would read as nothing. */
function faultsOfNames() {
  const nameOf = (element) => [element.getAttribute("aria-label"), element.labels?.[0]?.textContent, element.textContent, element.title].find((text) => text?.trim());
  const controls = [...document.querySelectorAll("button, a, input, select, textarea, [role=menuitem], [role=listbox], [role=combobox], dialog, nav, aside:not([hidden])")];
  const nameless = controls.filter((element) => !element.closest("[hidden], [aria-hidden=true]") && !nameOf(element)).map((element) => element.outerHTML.slice(0, 120));
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  return [...nameless, ...ids.filter((one, index) => ids.indexOf(one) !== index)];
}

test("on a phone nothing scrolls sideways, and everything is a thumb away", async () => {
  const phone = await openPage(browser, program.url, { viewport: { width: 360, height: 780 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true });
  const { page: small } = phone;
  await withText("A studio's evening", small).first().waitFor();
  const overflow = () => small.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.equal(await overflow(), 0);
  await shot("10-phone", small);
  await id("menu", small).tap();
  await id("channel-gallery", small).first().waitFor();
  await shot("10-phone-places", small);
  await id("channel-gallery", small).first().tap();
  await id("menu", small).tap();
  await id("channel-general", small).first().tap();
  await id("workshop", small).tap();
  await id("fault-kind", small).waitFor();
  assert.equal(await overflow(), 0);
  await shot("10-phone-workshop", small);
  await id("panel-close", small).tap();
  await withText("A studio's evening", small).first().locator(".author").first().waitFor();
  await small.locator(".message").last().dispatchEvent("contextmenu", { clientX: 100, clientY: 400 });
  await id("menu-inspect", small).waitFor();
  await shot("10-phone-menu", small);
  await id("menu-inspect", small).tap();
  await id("inspector", small).waitFor();
  assert.equal(await overflow(), 0);
  assert.deepEqual(phone.problems, []);
  await small.context().close();
});

test("the page reported no error", () => {
  // A request that the stand-in refuses on purpose is told to the console by the browser itself.
  const own = problems.filter((text) => !/Failed to load resource/.test(text));
  assert.deepEqual(own, []);
});
