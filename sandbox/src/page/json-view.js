const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|\b(true|false|null)\b|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|([{}[\],])|(\s+)|(.)/g;

/** Cuts JSON text into `{ kind, text }`: key, string, number, literal, mark or space; joined, the texts are the JSON again. */
export function jsonTokens(text) {
  const tokens = [];
  for (const [, string, colon, literal, number, mark, space, other] of text.matchAll(TOKEN)) {
    if (string !== undefined) {
      tokens.push({ kind: colon === undefined ? "string" : "key", text: string });
      if (colon !== undefined) tokens.push({ kind: "mark", text: colon });
    } else if (literal) tokens.push({ kind: "literal", text: literal });
    else if (number) tokens.push({ kind: "number", text: number });
    else if (space) tokens.push({ kind: "space", text: space });
    else tokens.push({ kind: "mark", text: mark ?? other });
  }
  return tokens;
}

/** A value as indented JSON, coloured. */
export function jsonElement(value) {
  const code = document.createElement("code");
  for (const { kind, text } of jsonTokens(JSON.stringify(value, null, 2))) {
    if (kind === "mark" || kind === "space") {
      code.append(text);
      continue;
    }
    const span = document.createElement("span");
    span.className = `json-${kind}`;
    span.textContent = text;
    code.append(span);
  }
  const box = document.createElement("pre");
  box.className = "json";
  box.tabIndex = 0;
  box.append(code);
  return box;
}
