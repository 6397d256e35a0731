// Run with: node --test sandbox/page-tests/
import assert from "node:assert/strict";
import { test } from "node:test";
import { parse, plainText } from "../src/page/markdown.js";

/** A compact spelling of parsed text, so that the table below reads as input and output. */
function spell(node) {
  if (typeof node === "string") return node;
  const inside = (node.children ?? []).map(spell).join("");
  switch (node.type) {
    case "paragraph": return `p{${inside}}`;
    case "heading": return `h${node.level}{${inside}}`;
    case "code": return `code{${node.text}}`;
    case "codeblock": return `pre:${node.language}{${node.text}}`;
    case "link": return `link:${node.url}{${inside}}`;
    case "time": return `time:${node.unix}:${node.style}`;
    case "user": case "role": case "channel": return `${node.type}:${node.id}`;
    case "command": return `command:${node.name}`;
    case "list": return `${node.ordered ? `ol${node.start}` : "ul"}{${node.items.map((item) => `[${item.children.map(spell).join("")}${item.nested ? spell(item.nested) : ""}]`).join("")}}`;
    default: return `${node.type}{${inside}}`;
  }
}

const TABLE = [
  ["**bold** *it* _it_ __under__ ~~gone~~", "p{bold{bold} italic{it} italic{it} underline{under} strike{gone}}"],
  ["***both***", "p{bold{italic{both}}}"],
  ["**bold with *italic* in it**", "p{bold{bold with italic{italic} in it}}"],
  ["||secret **x**||", "p{spoiler{secret bold{x}}}"],
  ["snake_case_word and 2 * 3 * 4", "p{snake_case_word and 2 * 3 * 4}"],
  ["\\*plain\\*", "p{*plain*}"],
  ["`**code**` ``a ` b``", "p{code{**code**} code{a ` b}}"],
  ["a **dangling", "p{a **dangling}"],
  ["<@1> <@!2> <@&3> <#4> </imagine:5> <:party:6>", "p{user:1 user:2 role:3 channel:4 command:imagine :party:}"],
  ["<t:1700000000:R> <t:1700000000>", "p{time:1700000000:R time:1700000000:undefined}"],
  ["see https://example.com/a_b_(c), now.", "p{see link:https://example.com/a_b_(c{https://example.com/a_b_(c}), now.}"],
  ["[text](https://example.com) <https://example.com/x>", "p{link:https://example.com{text} link:https://example.com/x{https://example.com/x}}"],
  ["[bad](javascript:alert(1))", "p{[bad](javascript:alert(1))}"],
  ["<b>html</b> & co", "p{<b>html</b> & co}"],
  ["# One\n### Three\n-# small\n#no", "h1{One}h3{Three}subtext{small}p{#no}"],
  ["> quoted **x**\n> more\nafter", "quote{p{quoted bold{x}\nmore}}p{after}"],
  [">>> all\nof it", "quote{p{all\nof it}}"],
  ["- a\n- b\n  - c\n- d", "ul{[a][bul{[c]}][d]}"],
  ["3. x\n4. y", "ol3{[x][y]}"],
  ["```rust\nfn main() {}\n```", "pre:rust{fn main() {}}"],
  ["before\n```\n# not a heading\n```\nafter", "p{before}pre:{# not a heading}p{after}"],
  ["one\ntwo", "p{one\ntwo}"],
];

for (const [input, expected] of TABLE) {
  test(`parses ${JSON.stringify(input)}`, () => assert.equal(parse(input).map(spell).join(""), expected));
}

test("plain text drops the marks", () => {
  assert.equal(plainText("**a frog** · `--ar 3:2`\n# Big"), "a frog · --ar 3:2 Big");
});

test("hostile nesting ends in bounded time", () => {
  const started = performance.now();
  parse("**_~~||".repeat(600));
  parse("[".repeat(4000));
  assert.ok(performance.now() - started < 2000);
});
