// What the flows share: one started program with two bots, one browser, one page, and short words for what is on it.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { launch, openPage } from "./browser.mjs";
import { startCompanion } from "./companion.mjs";
import { png } from "./picture.mjs";
import { kill, startSandbox } from "./program.mjs";

const here = dirname(fileURLToPath(import.meta.url));
export const binary = resolve(process.env.ATELIER_BIN ?? join(here, "../../target/release/atelier"));
const shots = resolve(process.env.SCREENSHOTS ?? join(here, "screenshots"));
export const data = mkdtempSync(join(tmpdir(), "atelier-flows-"));
/** What both bots log in with; without it the program would make a word of its own. */
export const TOKEN = "a-word-for-the-flows";
export const HUES = [[[246, 198, 103], [232, 138, 90]], [[111, 208, 192], [27, 143, 138]], [[143, 158, 214], [75, 90, 165]], [[233, 143, 161], [180, 82, 111]]];
export const pictures = HUES.map(([from, to]) => png(160, 160, from, to));
export let program, browser, page, problems;
let companion;

/** Starts everything and opens the page. */
export async function open() {
  mkdirSync(shots, { recursive: true });
  program = await startSandbox(binary, data, tmpdir(), ["sandbox", "--data", data, "--port", "0", "--token", TOKEN]);
  browser = await launch();
  ({ page, problems } = await openPage(browser, program.url));
  companion = await startCompanion(program.url, TOKEN, pictures);
}

/** Ends everything. */
export async function close() {
  companion?.stop();
  await browser?.close();
  if (program) await kill(program);
  rmSync(data, { recursive: true, force: true });
}

/** Elements by their test id. */
export const id = (name, place = page) => place.getByTestId(name);
/** Takes a picture. */
export const shot = (name, place = page) => place.screenshot({ path: join(shots, `flow-${name}.png`) });
/** All messages in view. */
export const messages = (place = page) => id("message", place);
/** The messages that have these words. */
export const withText = (words, place = page) => messages(place).filter({ hasText: words });

/** Types a line and sends it. */
export async function send(line, place = page) {
  await id("composer", place).fill(line);
  await id("send", place).click();
}

/** Acts as somebody else from now on. */
export async function become(name, place = page) {
  const labels = await id("user-switch", place).locator("option").allTextContents();
  await id("user-switch", place).selectOption({ label: labels.find((label) => label.startsWith(name)) });
  await place.getByText(`You are ${name} now`).last().waitFor();
}
