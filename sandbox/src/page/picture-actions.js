import { h, toast } from "./dom.js";
import { hereAs } from "./links.js";
import { fileNameOf, partOf } from "./picture-parts.js";

const PNG = "image/png";

/** A picture's bytes; throws a sentence where they are not to be had. */
export async function bytesOf(source) {
  // Another site's picture can be shown, but neither read nor kept.
  const answer = await fetch(hereAs(source.url, location.origin)).catch(() => null);
  if (!answer?.ok) throw new Error(answer ? "This picture is gone." : "This picture is of another site; open it in a tab.");
  return answer.blob();
}

/** One part of a picture that is a grid, as a PNG. */
export async function partBytes(source, { part, n }) {
  const whole = await createImageBitmap(await bytesOf(source));
  const { x, y, width, height } = partOf(n, part - 1, whole);
  return drawn(whole, { x, y, width, height });
}

async function pngOf(bytes) {
  if (bytes.type === PNG) return bytes;
  const whole = await createImageBitmap(bytes);
  return drawn(whole, { x: 0, y: 0, width: whole.width, height: whole.height });
}

function drawn(bitmap, { x, y, width, height }) {
  const canvas = h("canvas", { width, height });
  canvas.getContext("2d").drawImage(bitmap, x, y, width, height, 0, 0, width, height);
  bitmap.close();
  return new Promise((resolve) => canvas.toBlob(resolve, PNG));
}

/** Saves bytes as a file of the person. */
export function saveBytes(bytes, name) {
  const url = URL.createObjectURL(bytes);
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** Puts a picture on the clipboard, as the PNG that every program takes. `bytes` is a promise: the browser allows it only at once. */
export async function copyBytes(bytes) {
  if (!navigator.clipboard?.write) return toast("The browser does not let this page copy", "error");
  try {
    await navigator.clipboard.write([new ClipboardItem({ [PNG]: bytes.then(pngOf) })]);
    toast("Picture copied");
  } catch (error) {
    toast(error.name === "NotAllowedError" ? "The browser does not let this page copy" : error.message, "error");
  }
}

const refused = (error) => toast(error.message, "error");

/** What can be done with a picture, for the menu of its message. */
export const pictureItems = ({ source }) => [
  { label: "Open picture", icon: "open", testid: "menu-picture-open", onPick: () => open(hereAs(source.url, location.origin), "_blank", "noopener") },
  { label: "Save picture", icon: "download", testid: "menu-picture-save", onPick: () => bytesOf(source).then((bytes) => saveBytes(bytes, fileNameOf(source)), refused) },
  { label: "Copy picture", icon: "picture", testid: "menu-picture-copy", onPick: () => copyBytes(bytesOf(source)) },
];
