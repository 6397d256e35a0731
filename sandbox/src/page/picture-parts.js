const BUTTON = 2;
const UPSCALE = /^U([1-9])$/;

/**
 * Of how many pictures a message's only picture is made: as many as its buttons number, U1 to U4, which is how bots that draw offer
 * one of a grid; 1 where no such buttons say so.
 */
export function partsByButtons(components) {
  const buttons = (components ?? []).flatMap((row) => row.components ?? []).filter((one) => one.type === BUTTON);
  const numbers = new Set(buttons.map((one) => UPSCALE.exec(one.label ?? "")?.[1]).filter(Boolean).map(Number));
  return numbers.size > 1 && Math.max(...numbers) === numbers.size ? numbers.size : 1;
}

/** Where part `index` of `n` stands in a grid of so many pixels: as square as can be and never taller than wide. */
export function partOf(n, index, { width, height }) {
  const columns = Math.ceil(Math.sqrt(n));
  const rows = Math.ceil(n / columns);
  const edge = (length, cells, at) => Math.round((length * at) / cells);
  const [column, row] = [index % columns, Math.floor(index / columns)];
  const [x, y] = [edge(width, columns, column), edge(height, rows, row)];
  return { x, y, width: edge(width, columns, column + 1) - x, height: edge(height, rows, row + 1) - y };
}

/** What the big view goes through: each picture as it is, then its parts one by one, as `{ picture, part }` with `part` from 1, 0 for the whole. */
export function stopsOf(pictures) {
  return pictures.flatMap((picture) => [0, ...Array.from({ length: picture.nParts > 1 ? picture.nParts : 0 }, (_, index) => index + 1)]
    .map((part) => ({ picture, part })));
}

/** The file name of a picture, or of one of its parts. */
export function fileNameOf(source, part = 0) {
  const name = source.filename || lastSegment(source.url) || "picture.png";
  return part ? `${name.replace(/\.\w+$/, "")}-${part}.png` : name;
}

function lastSegment(url) {
  try {
    return decodeURIComponent(new URL(url).pathname.split("/").at(-1));
  } catch {
    return "";
  }
}
