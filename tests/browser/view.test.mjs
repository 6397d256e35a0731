// Links to messages, what can be done with pictures, what the page says of dropped files, of plain words and of its connection.
import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { after, before, test } from "node:test";
import { dropFile } from "./browser.mjs";
import { kill, startSandbox } from "./program.mjs";
import { binary, browser, close, data, id, messages, open, page, pictures, problems, program, send, shot, TOKEN, withText } from "./stage.mjs";

const minute = 60_000;
const grids = () => messages().filter({ has: id("button-U1") });

before(open);
after(close);

/** Says many things at once, as others do while one is away. */
const chatter = (n) => page.evaluate(async (n) => {
  const { state } = await import("/state.js");
  for (let line = 0; line < n; line += 1) {
    const body = JSON.stringify({ user: state.me, channel: state.channel, content: `line ${line}` });
    await fetch("/sandbox/api/messages", { method: "POST", headers: { "content-type": "application/json" }, body });
  }
}, n);

/** Whether an element's middle can be seen in the list. */
const isInView = (element) => element.evaluate((one) => {
  const [box, list] = [one.getBoundingClientRect(), document.querySelector(".scroller").getBoundingClientRect()];
  const middle = box.top + box.height / 2;
  return middle > list.top && middle < list.bottom;
});

test("plain words get a quiet button that draws them, and it is gone after use", async () => {
  await send("a frog");
  await id("offer-use").getByText("Draw it").waitFor();
  await shot("view-1-offer");
  await id("offer-use").click();
  await id("offer").waitFor({ state: "detached" });
  await grids().first().waitFor({ timeout: 2 * minute });
  await withText("a frog").and(grids()).first().waitFor();
  await send("good morning");
  await id("offer").waitFor();
  await id("offer-leave").click();
  await id("offer").waitFor({ state: "detached" });
});

test("a replaced preview is served on, so that nobody who is slow sees a hole", async () => {
  const lastPreview = page.waitForResponse((answer) => answer.url().includes("preview.jpg"));
  await send("/imagine a strawberry --steps 12 --seed 3");
  const preview = (await lastPreview).url();
  await grids().nth(1).waitFor({ timeout: 2 * minute });
  assert.equal(await page.evaluate(async (url) => (await fetch(url)).status, preview), 200);
});

test("a link to a message goes there in the same tab, however far back it is, and back returns", async () => {
  const target = await grids().first().getAttribute("data-message-id");
  const channel = await page.evaluate(() => location.hash.slice(1));
  await chatter(240);
  await page.reload();
  await withText("line 239").waitFor();
  assert.equal(await page.locator(`[data-message-id="${target}"]`).count(), 0, "it is not loaded yet");
  await send("/history");
  const history = withText("newest first").last();
  await history.waitFor();
  await history.getByText("open", { exact: true }).last().click();
  const article = page.locator(`[data-message-id="${target}"]`);
  await page.locator(`.visited[data-message-id="${target}"]`).waitFor();
  assert.ok(await isInView(article), "it is before the person's eyes");
  await shot("view-2-visited");
  assert.ok(page.url().endsWith(`#${channel}/${target}`), page.url());
  assert.equal(page.context().pages().length, 1);
  await page.goBack();
  await page.waitForFunction(([element]) => element.getBoundingClientRect().bottom <= innerHeight, [await history.elementHandle()]);
  assert.ok(page.url().endsWith(`#${channel}`), page.url());

  for (const [words, link] of [["by Discord's address", `https://discord.com/channels/1000000000000000100/${channel}/${target}`], ["by the page's", `${program.url}/channels/@me/${channel}/${target}`]]) {
    await send(`${words} ${link}`);
    const shown = withText(words).last().locator("a.mention");
    await shown.getByText("› message").waitFor();
    assert.equal(await shown.getAttribute("target"), null);
    await shown.click();
    await page.waitForFunction((id) => document.activeElement?.dataset.messageId === id, target);
    assert.ok(await isInView(article), link);
    await page.goBack();
    await id("jump-to-present").waitFor({ state: "hidden" });
  }
  await send("elsewhere https://example.org/ and [gone](https://discord.com/channels/1/2/3)");
  const others = withText("elsewhere").last().locator("a");
  await others.nth(1).waitFor();
  assert.deepEqual(await others.evaluateAll((all) => all.map((one) => one.target)), ["_blank", "_blank"]);

  await page.goto(`${program.url}/channels/1000000000000000100/${channel}/${target}`);
  await page.locator(`.visited[data-message-id="${target}"]`).waitFor();
});

test("a picture is saved and copied from its menu, by mouse and by keyboard", async () => {
  const picture = grids().first().locator(".picture");
  await picture.click({ button: "right", position: { x: 60, y: 60 } });
  await shot("view-3-menu");
  const [saved] = await Promise.all([page.waitForEvent("download"), id("menu-picture-save").click()]);
  assert.equal(saved.suggestedFilename(), "grid.png");
  await picture.focus();
  await page.keyboard.press("Shift+F10");
  await id("menu-picture-copy").click();
  await id("toast").getByText("Picture copied").waitFor();
  const copied = await page.evaluate(async () => {
    const [item] = await navigator.clipboard.read();
    const bitmap = await createImageBitmap(await item.getType("image/png"));
    return bitmap.width;
  });
  assert.equal(copied, await picture.locator("img").evaluate((image) => image.naturalWidth));
  await grids().first().locator(".author").click({ button: "right" });
  assert.equal(await id("menu-picture-save").count(), 0);
  await page.keyboard.press("Escape");
});

test("the big view shows the four of a grid one by one and saves what it shows; thumbnails are not in its row", async () => {
  await id("jump-to-present").click();
  await grids().last().locator(".picture").click();
  const width = () => page.waitForFunction(() => document.querySelector(".lightbox-image").naturalWidth).then((found) => found.jsonValue());
  const whole = await width();
  for (let part = 1; part <= 4; part += 1) {
    await page.keyboard.press("ArrowRight");
    await id("lightbox").getByText(`Picture ${part} of 4`).waitFor();
    assert.ok(Math.abs((await width()) - whole / 2) <= 1, `part ${part}`);
  }
  await page.keyboard.press("2");
  await id("lightbox").getByText("Picture 2 of 4").waitFor();
  await width();
  await shot("view-4-part");
  const [saved] = await Promise.all([page.waitForEvent("download"), id("lightbox-save").click()]);
  assert.equal(saved.suggestedFilename(), "grid-2.png");
  const thumbnails = await page.locator(".embed-thumbnail img").evaluateAll((all) => all.map((one) => one.src));
  assert.ok(thumbnails.length > 0);
  const seen = [];
  for (await page.keyboard.press("0"); await id("lightbox-next").isVisible(); await page.keyboard.press("ArrowRight")) seen.push(await id("lightbox-image").getAttribute("src"));
  assert.deepEqual(seen.filter((src) => thumbnails.includes(src)), []);
  await page.keyboard.press("Escape");
  assert.ok((await page.locator(".embed-thumbnail img").first().getAttribute("alt")).includes("a "), "a thumbnail is called after what it shows");
});

test("a dropped picture says what becomes of it, and goes to the command that takes one", async () => {
  await dropFile(id("message-list"), { name: "sunset.png", type: "image/png", bytes: pictures[0] });
  await id("tray-note").getByText(/^It will be posted as a message; type \/.*\/measure.* to use it there\.$/).waitFor();
  await id("composer").pressSequentially("/show ");
  await id("tray-note").getByText("/show takes no picture. It stays here, to be posted as a message.").waitFor();
  await shot("view-5-tray");
  await id("command-leave").click();
  await send("/measure");
  await withText("sunset.png: 160 × 160").waitFor();
  assert.equal(await id("tray").isVisible(), false);
});

test("the header tells when the connection is lost, and nothing of it is left once it is back", async () => {
  const port = new URL(program.url).port;
  await kill(program);
  await id("bot-status").getByText("not connected").waitFor();
  await send("is anybody there");
  await id("composer-error").getByText("does not answer").waitFor();
  await shot("view-6-lost");
  const again = await startSandbox(binary, data, tmpdir(), ["sandbox", "--data", data, "--port", port, "--token", TOKEN]);
  try {
    await id("bot-status").getByText("online", { exact: true }).waitFor();
    await id("composer-error").waitFor({ state: "hidden" });
    assert.equal(await id("composer").inputValue(), "is anybody there");
  } finally {
    await kill(again);
  }
});

test("the page reported no error but the lost connection", () => assert.deepEqual(problems.filter((text) => !/net::ERR_/.test(text)), []));
