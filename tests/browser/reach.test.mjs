// Every screen, for every hand and eye: nothing is wider than its window, nothing is smaller than a thumb, axe finds nothing serious; and the keyboard's ways.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { openPage } from "./browser.mjs";
import { browser, close, id, open, page, pictures, problems, program, send, shot, withText } from "./stage.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const ADA = "1000000000000000011";
const GRACE = "1000000000000000012";
const GENERAL = "1000000000000000110";
const LONG_WORD = "Donaudampfschifffahrt".repeat(12);
const minute = 60_000;

before(async () => {
  await open();
  const thread = await elsewhere("POST", "/threads", { user: GRACE, channel: GENERAL, name: "plans for a very long weekend in the mountains", message: (await say("Shall we talk?")).id });
  await elsewhere("POST", "/messages", { user: ADA, channel: thread.id, content: "In the thread" });
  await say(`${LONG_WORD} and https://example.org/${LONG_WORD}\n\`\`\`\n${LONG_WORD}\n\`\`\``);
  await elsewhere("POST", "/reactions", { user: GRACE, message: (await say("Count me")).id, emoji: "🐸", add: true });
  for (const line of ["/mosaic", "/layout", "/imagine a frog --steps 4 --seed 3"]) await send(line);
  await grids(page).last().waitFor({ timeout: minute });
});
after(close);

/** What somebody does elsewhere. */
async function elsewhere(method, path, body) {
  const answer = await fetch(`${program.url}/sandbox/api${path}`, { method, headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  assert.ok(answer.ok, `${path}: ${answer.status}`);
  return answer.json();
}

const say = (content) => elsewhere("POST", "/messages", { user: GRACE, channel: GENERAL, content });
const grids = (place = page) => id("message", place).filter({ has: id("button-U1", place) });
const focused = (place = page) => place.evaluate(() => document.activeElement.dataset.testid ?? document.activeElement.tagName);
const options = ["negative", "seed", "steps", "aspect", "sampler", "cfg", "model"];

async function addOptions(place) {
  await id("composer", place).pressSequentially("/imagine ");
  for (const option of options) {
    const chip = id(`command-chip-${option}`, place);
    if (await chip.count()) await chip.click();
  }
}

async function openMenu(place, words = "Count me", on = ".part-content") {
  const message = withText(words, place).first();
  await message.scrollIntoViewIfNeeded();
  await message.locator(on).first().dispatchEvent("contextmenu", { clientX: 90, clientY: 300, bubbles: true });
  await id("menu-popup", place).waitFor();
}

async function openTab(place, tab) {
  await id("workshop", place).click();
  await id(`tab-${tab}`, place).click();
}

/** Every screen: its name, and how a person gets there from the channel in view. */
const SCREENS = [
  ["an empty channel", async (place) => {
    await place.evaluate(() => (location.hash = "#1000000000000000111"));
    await id("welcome", place).waitFor();
  }],
  ["a channel with grids", async (place) => grids(place).last().scrollIntoViewIfNeeded()],
  ["long words", async (place) => withText("example.org", place).first().scrollIntoViewIfNeeded()],
  ["a thread", async (place) => {
    await withText("Shall we talk?", place).first().getByTestId("thread-link").click();
    await withText("In the thread", place).waitFor();
  }],
  ["suggestions", async (place) => {
    await id("composer", place).pressSequentially("/");
    await id("command-imagine", place).waitFor();
  }],
  ["an empty command", async (place) => {
    await id("composer", place).pressSequentially("/imagine ");
    await id("command-option-prompt", place).waitFor();
  }],
  ["a command without a needed option", async (place) => id("composer", place).pressSequentially("/history ")],
  ["a command with all options", addOptions],
  ["a filled command", async (place) => {
    await addOptions(place);
    await id("command-option-prompt", place).fill(`a frog ${LONG_WORD} ${"on a mushroom ".repeat(30)}`);
    await id("command-option-seed", place).fill("not a number at all, and far too long for a field of this kind");
    await id("command-option-seed", place).press("Enter");
    await id("command-error", place).waitFor();
  }],
  ...options.map((option) => [`the option ${option}`, async (place) => {
    await id("composer", place).pressSequentially("/imagine ");
    const chip = id(`command-chip-${option}`, place);
    if (await chip.count()) await chip.click();
  }]),
  ["a file for a command", async (place) => {
    await id("composer", place).pressSequentially("/measure ");
    await id("command-option-picture", place).setInputFiles({ name: `${LONG_WORD}.png`, mimeType: "image/png", buffer: pictures[0] });
  }],
  ["a refused line", async (place) => {
    await send("/nothing", place);
    await id("composer-error", place).waitFor();
  }],
  ["a reply with files", async (place) => {
    await openMenu(place);
    await id("menu-reply", place).click();
    await id("file-chooser", place).setInputFiles([0, 1, 2, 3].map((n) => ({ name: `${LONG_WORD}-${n}.png`, mimeType: "image/png", buffer: pictures[n] })));
    await id("tray-file", place).nth(3).waitFor();
  }],
  ["a running job", async (place) => {
    await send("/imagine a strawberry --steps 100", place);
    await withText("Drawing", place).last().waitFor({ timeout: minute });
  }],
  ["a refused prompt", async (place) => {
    await send("/imagine a frog --ar 0:2", place);
    await id("dismiss", place).last().waitFor();
  }],
  ["an enlarged picture", async (place) => {
    await grids(place).last().getByTestId("button-U1").click();
    await withText("pixels", place).last().waitFor({ timeout: minute });
  }],
  ["a remix", async (place) => {
    await grids(place).last().getByTestId("button-Remix").click();
    await id("modal", place).waitFor();
  }],
  ["a question before a grid goes", async (place) => {
    await grids(place).last().getByTestId("button-❌").click();
    await id("dismiss", place).last().waitFor();
  }],
  ["words without a command", async (place) => {
    await send("a frog", place);
    await id("offer", place).waitFor();
  }],
  ["a command without an answer", async (place) => {
    await send("/silence", place);
    await id("failed-interaction", place).last().waitFor();
  }],
  ["answers in words", async (place) => {
    const lines = ["/history", "/quota", "/settings", "/info"];
    for (const line of lines) await send(line, place);
    await id("pending-interaction", place).last().waitFor({ state: "detached" });
  }],
  ["a form", async (place) => {
    await send("/form", place);
    await id("modal", place).waitFor();
    await id("modal-submit", place).click();
  }],
  ["a form with choices", async (place) => {
    await send("/order", place);
    await id("modal", place).waitFor();
  }],
  ["an open select", async (place) => {
    await id("select-pick", place).last().click();
    await id("select-option-Warm", place).last().waitFor();
  }],
  ["the message menu", (place) => openMenu(place)],
  ["the menu of a person", (place) => openMenu(place, "Shall we talk?", ".author")],
  ["the emoji picker", async (place) => {
    await openMenu(place);
    await id("menu-react", place).click();
    await id("emoji-picker", place).waitFor();
  }],
  ["a question", async (place) => {
    await openMenu(place);
    await id("menu-thread", place).click();
    await id("prompt", place).waitFor();
  }],
  ["the inspector", async (place) => {
    await openMenu(place);
    await id("menu-inspect", place).click();
    await id("inspector-json", place).locator(".json-key").first().waitFor();
  }],
  ["the big view", async (place) => {
    await grids(place).last().locator(".picture").first().click();
    await id("lightbox-image", place).waitFor();
  }],
  ["the channels", async (place) => (await id("menu", place).isVisible()) && id("menu", place).click()],
  ...["faults", "violations", "journal", "entitlements", "permits", "clock"].map((tab) => [`the workshop's ${tab}`, (place) => openTab(place, tab)]),
];

/** Runs in the page before its own scripts: what the questions below share. */
function prepare() {
  const PRESSABLE = "button, a[href], select, textarea, input, summary, [role=option], [role=menuitem], [role=tab], [role=combobox]";
  const clips = (element) => /auto|scroll|hidden|clip/.test(getComputedStyle(element).overflowX + getComputedStyle(element).overflowY);
  function isInView(element) {
    let { left, top, right, bottom } = element.getBoundingClientRect();
    for (let one = element.parentElement; one && one !== document.documentElement; one = one.parentElement) {
      if (!clips(one)) continue;
      const frame = one.getBoundingClientRect();
      [left, top, right, bottom] = [Math.max(left, frame.left), Math.max(top, frame.top), Math.min(right, frame.right), Math.min(bottom, frame.bottom)];
    }
    return right - left > 2 && bottom - top > 2 && top < innerHeight && bottom > 0;
  }
  /** Waits until nothing passes from one look to another; a new colour passes from parent to child, a transition at a time. */
  globalThis.settled = async () => {
    while (document.getAnimations().some((one) => one instanceof CSSTransition)) await new Promise(requestAnimationFrame);
  };
  globalThis.nameOf = (one) => one.dataset.testid ?? one.getAttribute("aria-label") ?? `${one.tagName.toLowerCase()}.${one.className} "${one.textContent.trim().slice(0, 30)}"`;
  /** All that can be pressed now, with the box that takes the press: a box to tick is pressed by its label. */
  globalThis.pressable = () => [...(document.querySelector("dialog[open]") ?? document).querySelectorAll(PRESSABLE)]
    .filter((one) => one.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && !one.closest("[inert]") && getComputedStyle(one).pointerEvents !== "none")
    .map((one) => (one.matches("input[type=checkbox], input[type=radio], input[type=file]") ? one.closest("label") ?? one : one))
    .filter(isInView).map((element) => ({ element, box: element.getBoundingClientRect() }));
}

/** What is wider than the window, or sticks out of it. */
const overflow = (place) => place.evaluate(async () => {
  await settled();
  const wide = document.documentElement.scrollWidth - innerWidth;
  return [...(wide > 0 ? [`the page is ${wide} px wider than the window`] : []), ...pressable().filter(({ box }) => box.left < -0.5 || box.right > innerWidth + 0.5)
    .map(({ element, box }) => `${nameOf(element)} reaches from ${Math.round(box.left)} to ${Math.round(box.right)} of ${innerWidth}`)];
});

/** What is smaller than a thumb. Links within a text are as high as its lines. */
const small = (place) => place.evaluate(() => pressable().filter(({ element }) => !(element.matches("a") && getComputedStyle(element).display === "inline"))
  .filter(({ box }) => box.width < 43.9 || box.height < 43.9).map(({ element, box }) => `${nameOf(element)} is ${Math.round(box.width)} × ${Math.round(box.height)}`));

/** What axe finds serious or critical: everything in one theme, colours in the other too. */
const asked = (place) => place.evaluate(async () => {
  const found = [];
  for (const [theme, options] of [["dark", {}], ["light", { runOnly: ["color-contrast"] }]]) {
    document.documentElement.dataset.theme = theme;
    await settled();
    const { violations } = await globalThis.axe.run(document, { resultTypes: ["violations"], ...options });
    for (const { id: rule, impact, nodes } of violations.filter((one) => ["serious", "critical"].includes(one.impact))) {
      found.push(...nodes.map((node) => `${theme}, ${impact}, ${rule}: ${node.target.join(" ")}: ${[...node.any, ...node.all, ...node.none][0]?.message}`));
    }
  }
  document.documentElement.dataset.theme = "dark";
  return found;
});

/** As a fresh visitor who begins nothing: drafts would open the command of the screen before. */
async function fresh(place) {
  await place.evaluate(() => sessionStorage.clear());
  await place.goto(`${program.url}/?${SCREENS.length}#${GENERAL}`);
  await place.reload();
  await withText("Count me", place).first().waitFor();
}

const WINDOWS = [
  { name: "a phone", options: { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 }, also: [360], isTouched: true, isAsked: true },
  { name: "a small window", options: { viewport: { width: 800, height: 700 } }, also: [600, 917] },
  { name: "a desktop", options: { viewport: { width: 1280, height: 860 } }, also: [], isAsked: true },
];

for (const { name, options: window, also, isTouched, isAsked } of WINDOWS) {
  test(`on ${name} every screen fits${isTouched ? ", is a thumb's size" : ""}${isAsked ? " and has nothing that axe finds serious" : ""}`, async () => {
    const { page: place } = await openPage(browser, program.url, window);
    await place.addInitScript(prepare);
    await place.addInitScript(AXE);
    const found = new Map();
    for (const [screen, enter] of SCREENS) {
      await fresh(place);
      const note = (what) => what.forEach((one) => found.set(one, [...(found.get(one) ?? []), screen]));
      await Promise.resolve(enter(place)).catch((error) => note([error.message]));
      note(await overflow(place));
      if (isTouched) note(await small(place));
      if (isAsked) note(await asked(place));
      if (process.env.SCREENSHOTS) await shot(`reach-${window.viewport.width}-${SCREENS.findIndex(([one]) => one === screen)}`, place);
      for (const width of also) {
        await place.setViewportSize({ ...window.viewport, width });
        note([...await overflow(place), ...(width <= 760 ? await small(place) : [])].map((one) => `at ${width}: ${one}`));
      }
      await place.setViewportSize(window.viewport);
    }
    await place.context().close();
    assert.ok(found.size === 0, [...found].map(([what, screens]) => `${what}: ${screens.slice(0, 3).join(", ")}${screens.length > 3 ? " …" : ""}`).join("\n"));
  });
}

/** Types into the empty composer of a fresh page. */
async function begin(words) {
  await fresh(page);
  await id("composer").pressSequentially(words);
}

test("Enter sends a command that needs nothing, and the focus never was on what leaves it", async () => {
  for (const way of ["Enter", "Tab"]) {
    await begin("/histor");
    await id("command-history").waitFor();
    await page.keyboard.press(way);
    await id("command-leave").waitFor();
    assert.notEqual(await focused(), "command-leave");
    const before = await withText("newest first").count();
    await page.keyboard.press("Enter");
    await withText("newest first").nth(before).waitFor();
    assert.equal(await focused(), "composer");
  }
});

test("Escape closes the list, then the command, and what was typed stays", async () => {
  await begin("/imagine a frog");
  await id("command-chip-aspect").click();
  await page.locator("#composer [role=option]").first().waitFor();
  await page.keyboard.press("Escape");
  assert.equal(await page.locator("#composer [role=option]:visible").count(), 0);
  assert.equal(await id("command-option-prompt").inputValue(), "a frog");
  await page.keyboard.press("Escape");
  assert.equal(await id("composer").inputValue(), "/imagine a frog");
  await page.keyboard.press("Escape");
  assert.equal(await id("composer").inputValue(), "/imagine a frog");
});

for (const key of ["Enter", "Tab"]) {
  test(`${key} takes the first suggestion, of choices and of the bot's, however fast it comes`, async () => {
    for (const [option, typed, taken] of [["aspect", "16", "16:9"], ["sampler", "eu", "euler"], ["sampler", "unipc", "unipc"], ["model", "st", "starter"]]) {
      await begin("/imagine a frog");
      await id(`command-chip-${option}`).click();
      await page.keyboard.type(typed);
      await page.keyboard.press(key);
      const field = id(`command-option-${option}`);
      // A choice is shown by its name, which may say more than the value.
      await page.waitForFunction(([one, value]) => one.value.split(" · ")[0] === value, [await field.elementHandle(), taken]);
      assert.equal(await focused(), `command-option-${option}`);
    }
  });
}

test("a begun command and what was sent outlive a reload, in their own channel", async () => {
  await begin("/imagine a lighthouse");
  await id("command-chip-seed").click();
  await page.keyboard.type("7");
  await page.reload();
  await id("command-option-seed").waitFor();
  assert.deepEqual([await id("command-option-prompt").inputValue(), await id("command-option-seed").inputValue()], ["a lighthouse", "7"]);
  await page.evaluate(() => (location.hash = "#1000000000000000111"));
  await id("welcome").waitFor();
  assert.equal(await id("composer").inputValue(), "");
  await page.goBack();
  await id("command-option-seed").waitFor();
  await begin("");
  await send("/quota");
  await page.reload();
  await withText("Count me").first().waitFor();
  await id("composer").focus();
  await page.keyboard.press("ArrowUp");
  assert.equal(await id("composer").inputValue(), "/quota");
});

test("a message that goes takes neither the reader's place nor the focus", async () => {
  const said = [];
  for (let n = 0; n < 12; n += 1) said.push(await say(`Line ${n}\n`.repeat(9)));
  await fresh(page);
  const list = id("message-list");
  const gone = page.locator(`[data-message-id="${said[3].id}"]`);
  const next = page.locator(`[data-message-id="${said[4].id}"]`);
  await gone.waitFor();
  await list.evaluate((scroller, element) => (scroller.scrollTop += element.getBoundingClientRect().top - scroller.getBoundingClientRect().top + 40), await gone.elementHandle());
  await gone.evaluate((element) => element.focus({ preventScroll: true }));
  const before = (await next.boundingBox()).y;
  await elsewhere("DELETE", `/messages/${said[3].id}?user=${GRACE}`);
  await gone.waitFor({ state: "detached" });
  assert.ok(Math.abs((await next.boundingBox()).y - before) < 2, "the first message that is left stays where it was");
  assert.equal(await page.evaluate(() => document.activeElement.dataset.messageId), said[4].id);
  for (const { id: one } of said.slice(4)) await elsewhere("DELETE", `/messages/${one}?user=${GRACE}`);
  await page.locator(`[data-message-id="${said[11].id}"]`).waitFor({ state: "detached" });
  assert.equal(await focused(), "composer");
});

test("an answer for one person alone is told where they pressed", async () => {
  await fresh(page);
  for (let n = 0; n < 8; n += 1) await say(`Line ${n}\n`.repeat(9));
  const button = id("button-Press").first();
  await button.evaluate((element) => element.scrollIntoView({ block: "center" }));
  await button.click();
  const peek = id("peek");
  await peek.getByText("I do not know this button").waitFor();
  assert.ok((await page.locator(".message", { has: peek }).getByTestId("button-Press").count()) > 0, "it stands in the message of the button");
  assert.ok(await peek.evaluate((element) => element.getBoundingClientRect().bottom < document.getElementById("composer").getBoundingClientRect().top), "and in sight");
  await shot("reach-peek");
  await peek.getByTestId("peek-go").click();
  assert.equal(await peek.count(), 0);
  assert.match(await page.evaluate(() => document.activeElement.textContent), /I do not know this button/);
});

test("the newest grid is fewer than ten Tab stops from the composer, arrows walk in it, and nothing has emoji for a name", async () => {
  await fresh(page);
  const before = await grids().count();
  await send("/imagine a frog --steps 4 --seed 3");
  const grid = grids().nth(before);
  await grid.waitFor({ timeout: minute });
  await id("composer").focus();
  const isThere = () => grid.evaluate((element) => element.contains(document.activeElement));
  let n = 0;
  for (; n < 10 && !(await isThere()); n += 1) await page.keyboard.press("Shift+Tab");
  assert.ok(n < 10, `${n} stops`);
  const stops = await page.evaluate(() => [...document.querySelectorAll(".messages .message")].map((one) => one.querySelectorAll("[tabindex='0']").length));
  assert.ok(stops.every((count) => count <= 1), "a message is one stop");
  await grid.getByTestId("button-U1").focus();
  for (const [key, at] of [["ArrowRight", "button-U2"], ["ArrowDown", "button-V2"], ["ArrowLeft", "button-V1"], ["ArrowUp", "button-U1"]]) {
    await page.keyboard.press(key);
    assert.equal(await focused(), at);
  }
  await page.keyboard.press("Escape");
  assert.equal(await grid.evaluate((element) => element === document.activeElement), true);
  const names = await page.evaluate(() => [...document.querySelectorAll("button, a[href]")].map((one) => one.getAttribute("aria-label") ?? one.textContent).filter((name) => !/\p{L}|\d/u.test(name)));
  assert.deepEqual(names, []);
});

test("the page reported no error", () => assert.deepEqual(problems.filter((text) => !/Failed to load resource/.test(text)), []));
