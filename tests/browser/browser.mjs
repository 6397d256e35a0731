// One Chromium with pages that remember what went wrong in them.
import { chromium } from "playwright-core";

/** Starts Debian's Chromium, or the one that `CHROMIUM` names. */
export const launch = () => chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});

/** A page on `url` as soon as the bot is online, and the errors that it reports. */
export async function openPage(browser, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, colorScheme: "dark", reducedMotion: "reduce", permissions: ["clipboard-read", "clipboard-write"], ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  const problems = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
  await page.goto(url);
  await page.getByTestId("bot-status").getByText("online").waitFor();
  return { page, problems };
}

/** Drops a file on an element, as a person drags it in from the desktop. */
export async function dropFile(target, { name, type, bytes }) {
  await target.evaluate((element, file) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([Uint8Array.from(file.bytes)], file.name, { type: file.type }));
    for (const kind of ["dragenter", "dragover", "drop"]) element.dispatchEvent(new DragEvent(kind, { dataTransfer: transfer, bubbles: true, cancelable: true }));
  }, { name, type, bytes: [...bytes] });
}
