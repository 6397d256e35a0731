const MAX_DEPTH = 8;

// Tried in order at each position; a rule answers a node, or null to pass.
const INLINE = [
  [/\\([\\*_~`|<>#\-[\]()@:])/y, (m) => m[1]],
  [/(`+)([^]*?[^`])\1(?!`)/y, (m) => ({ type: "code", text: m[2].replace(/^ (.*) $/s, "$1") })],
  [/<t:(-?\d{1,13})(?::([tTdDfFR]))?>/y, (m) => ({ type: "time", unix: Number(m[1]), style: m[2] })],
  [/<@!?(\d+)>/y, (m) => ({ type: "user", id: m[1] })],
  [/<@&(\d+)>/y, (m) => ({ type: "role", id: m[1] })],
  [/<#(\d+)>/y, (m) => ({ type: "channel", id: m[1] })],
  [/<\/([^:>]+):(\d+)>/y, (m) => ({ type: "command", name: m[1] })],
  [/<a?:(\w+):(\d+)>/y, (m) => `:${m[1]}:`],
  [/<(https?:\/\/[^\s>]+)>/y, (m) => ({ type: "link", url: m[1], children: [m[1]] })],
  [/\[((?:\[[^\]]*\]|[^[\]])+)\]\(<?(https?:\/\/[^\s)>]+)>?(?:\s+"[^"]*")?\)/y,
    (m, inside) => ({ type: "link", url: m[2], children: inside(m[1]) })],
  [/https?:\/\/[^\s<]*[^<.,:;"'\])\s|*~]/y, (m) => ({ type: "link", url: m[0], children: [m[0]] })],
  [/\*\*\*([^]+?)\*\*\*(?!\*)/y, (m, inside) => ({ type: "bold", children: [{ type: "italic", children: inside(m[1]) }] })],
  [/\*\*([^]+?)\*\*(?!\*)/y, (m, inside) => ({ type: "bold", children: inside(m[1]) })],
  [/__([^]+?)__(?!_)/y, (m, inside) => ({ type: "underline", children: inside(m[1]) })],
  [/\*(?=\S)((?:\*\*[^]*?\*\*|[^*])+?)\*(?!\*)/y, (m, inside) => ({ type: "italic", children: inside(m[1]) })],
  [/_((?:__|[^_])+?)_(?!\w)/y, (m, inside, before) => /\w/.test(before) ? null : { type: "italic", children: inside(m[1]) }],
  [/~~([^]+?)~~/y, (m, inside) => ({ type: "strike", children: inside(m[1]) })],
  [/\|\|([^]+?)\|\|/y, (m, inside) => ({ type: "spoiler", children: inside(m[1]) })],
];

/** Parses one run of text into strings and inline nodes `{ type, children }`. */
export function parseInline(text, depth = 0) {
  const nodes = [];
  let plain = "";
  const inside = (part) => (depth < MAX_DEPTH ? parseInline(part, depth + 1) : [part]);
  for (let at = 0; at < text.length; ) {
    const hit = /[\\`<[h*_~|]/.test(text[at]) && match(text, at, inside);
    if (!hit) {
      plain += text[at];
      at += 1;
      continue;
    }
    if (typeof hit.node === "string") plain += hit.node;
    else {
      if (plain) nodes.push(plain);
      plain = "";
      nodes.push(hit.node);
    }
    at += hit.length;
  }
  if (plain) nodes.push(plain);
  return nodes;
}

function match(text, at, inside) {
  for (const [rule, build] of INLINE) {
    rule.lastIndex = at;
    const found = rule.exec(text);
    const node = found && build(found, inside, text[at - 1] ?? " ");
    if (node !== null && node !== undefined) return { node, length: found[0].length };
  }
  return null;
}

const LIST_ITEM = /^(\s*)([-*]|\d{1,9}\.)\s+(.*)$/;

/** Parses a whole text into blocks: paragraph, heading, subtext, quote, list, codeblock. */
export function parse(text) {
  const blocks = [];
  const fence = /```(?:([\w+-]+)\n)?\n?([^]+?)\n?```/g;
  let end = 0;
  for (const found of text.matchAll(fence)) {
    blocks.push(...parseLines(text.slice(end, found.index).replace(/\n$/, "")));
    blocks.push({ type: "codeblock", language: found[1] ?? "", text: found[2] });
    end = found.index + found[0].length;
  }
  const rest = text.slice(end);
  blocks.push(...parseLines(end ? rest.replace(/^\n/, "") : rest));
  return blocks;
}

function parseLines(text) {
  if (!text) return [];
  const lines = text.split("\n");
  const blocks = [];
  let paragraph = [];
  const flush = () => {
    if (paragraph.length) blocks.push({ type: "paragraph", children: parseInline(paragraph.join("\n")) });
    paragraph = [];
  };
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at];
    const heading = /^(#{1,3}) +(\S.*)$/.exec(line);
    const subtext = /^-# +(\S.*)$/.exec(line);
    let block = null;
    if (heading) block = { type: "heading", level: heading[1].length, children: parseInline(heading[2]) };
    else if (subtext) block = { type: "subtext", children: parseInline(subtext[1]) };
    else if (line.startsWith(">>> ")) {
      block = { type: "quote", children: parseLines([line.slice(4), ...lines.slice(at + 1)].join("\n")) };
      at = lines.length;
    } else if (line.startsWith("> ") || line === ">") {
      const from = at;
      while (at + 1 < lines.length && /^>( |$)/.test(lines[at + 1])) at += 1;
      block = { type: "quote", children: parseLines(lines.slice(from, at + 1).map((one) => one.replace(/^> ?/, "")).join("\n")) };
    } else if (LIST_ITEM.test(line)) {
      const from = at;
      while (at + 1 < lines.length && LIST_ITEM.test(lines[at + 1])) at += 1;
      block = list(lines.slice(from, at + 1).map((one) => LIST_ITEM.exec(one)));
    }
    if (block) {
      flush();
      blocks.push(block);
    } else paragraph.push(line);
  }
  flush();
  return blocks;
}

/** Nests items by their indentation; `rows` are matches of `LIST_ITEM`. */
function list(rows) {
  const indent = rows[0][1].length;
  const items = [];
  for (let at = 0; at < rows.length; at += 1) {
    const item = { children: parseInline(rows[at][3]), nested: null };
    const from = at + 1;
    while (at + 1 < rows.length && rows[at + 1][1].length > indent) at += 1;
    if (at >= from) item.nested = list(rows.slice(from, at + 1));
    items.push(item);
  }
  return { type: "list", ordered: /\d/.test(rows[0][2]), start: parseInt(rows[0][2], 10) || 1, items };
}

/** The words of a text without its marks, for labels and announcements; `say` gives those of a node that has none of its own: a mention, a time. */
export function plainText(text, say = () => "") {
  const inline = (node) => {
    if (typeof node === "string") return node;
    return node.text ?? node.children?.map(inline).join("") ?? say(node);
  };
  const block = (node) => (node.type === "quote" ? node.children.map(block).join(" ") : node.items?.map(item).join(" ") ?? inline(node));
  const item = ({ children, nested }) => [children.map(inline).join(""), nested && block(nested)].filter(Boolean).join(" ");
  return parse(text).map(block).join(" ").replace(/\s+/g, " ").trim();
}
