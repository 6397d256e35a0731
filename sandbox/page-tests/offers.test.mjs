// Run with: node --test sandbox/page-tests/
import assert from "node:assert/strict";
import { test } from "node:test";
import { OPTION, unfold } from "../src/page/commands.js";
import { plainText } from "../src/page/markdown.js";
import { commandForWords, offerFor } from "../src/page/offer.js";
import { placeFiles, trayNote } from "../src/page/tray-note.js";

const text = (name, more = {}) => ({ type: OPTION.STRING, name, description: "", required: true, ...more });
const command = (name, ...options) => ({ id: name, type: 1, name, description: "", options });
const entriesOf = (...commands) => unfold(commands);
const imagine = command("imagine", text("prompt", { max_length: 20 }), text("negative", { required: false }), { type: OPTION.INTEGER, name: "seed" });
const info = command("info");

const COMMANDS = [
  ["imagine", [imagine, info]],
  ["imagine", [imagine, command("echo", text("words"))]],
  ["echo", [info, command("echo", text("words"))]],
  [null, [command("echo", text("words")), command("say", text("words"))]],
  [null, [imagine, command("paint", text("prompt"))]],
  ["imagine", [command("shorten", text("prompt")), imagine, command("echo", text("words"))]],
  ["sketch", [command("sketch", text("prompt")), command("draw", text("words"))]],
  [null, [command("shorten", text("prompt")), command("sketch", text("prompt"))]],
  [null, [command("choose", text("prompt", { choices: [{ name: "A", value: "a" }] }))]],
  [null, [command("find", text("prompt", { autocomplete: true }))]],
  [null, [command("mix", text("prompt"), { type: OPTION.USER, name: "who", required: true })]],
  [null, [command("count", { type: OPTION.INTEGER, name: "prompt", required: true })]],
  [null, [command("perhaps", text("prompt", { required: false }))]],
  ["draw picture", [{ ...command("draw"), options: [{ type: OPTION.SUBCOMMAND, name: "picture", description: "", options: [text("prompt")] }] }]],
  [null, [info]],
  [null, []],
];
for (const [path, commands] of COMMANDS) {
  test(`plain words are for ${path} among ${JSON.stringify(commands.map((one) => one.name))}`, () => assert.equal(commandForWords(unfold(commands))?.path ?? null, path));
}

const plain = { content: "a frog", isReply: false, nFiles: 0 };
const SAID = [
  [plain, "/imagine prompt:a frog"],
  [{ ...plain, content: " a frog " }, "/imagine prompt:a frog"],
  [{ ...plain, content: "" }, null],
  [{ ...plain, isReply: true }, null],
  [{ ...plain, nFiles: 1 }, null],
  [{ ...plain, content: "<@12> look" }, null],
  [{ ...plain, content: "see https://x.org" }, null],
  [{ ...plain, content: "more than twenty letters" }, null],
];
for (const [said, line] of SAID) {
  test(`${JSON.stringify(said)} is offered as ${line}`, () => assert.equal(offerFor(entriesOf(imagine, info), said)?.line ?? null, line));
}

test("the button says what the command does, and sends the words as they are", () => {
  const offer = offerFor(entriesOf(imagine), { ...plain, content: "a frog seed:4" });
  assert.equal(offer.label, "Draw it");
  assert.deepEqual(offer.options, [{ name: "prompt", type: OPTION.STRING, value: "a frog seed:4" }]);
  assert.equal(offerFor(entriesOf(command("translate", text("words"))), plain).label, "/translate it");
});

const picture = { name: "cat.png", type: "image/png" };
const notes = { name: "notes.txt", type: "text/plain" };
const taker = (name) => command(name, { type: OPTION.ATTACHMENT, name: "picture" });
const measure = taker("measure");
const NOTES = [
  [[], {}, ""],
  [[picture], {}, ""],
  [[picture], { commands: [imagine] }, "No command takes a picture; it will be posted as a message."],
  [[notes], { commands: [imagine] }, "No command takes a file; it will be posted as a message."],
  [[picture, notes], { commands: [imagine] }, "No command takes a file; they will be posted as a message."],
  [[picture], { commands: [imagine, measure] }, "It will be posted as a message; type /measure to use it there."],
  [[picture], { commands: ["a", "b", "c"].map(taker) }, "It will be posted as a message; type /a, /b or /c to use it there."],
  [[picture], { commands: [..."abcde"].map(taker) }, "It will be posted as a message; type /a, /b, /c, /d or another command to use it there."],
  [[picture, picture], { commands: [measure] }, "They will be posted as a message; type /measure to use one there."],
  [[picture], { form: imagine, commands: [imagine, measure] }, "/imagine takes no picture. It stays here, to be posted as a message."],
  [[picture, picture], { form: imagine }, "/imagine takes no pictures. They stay here, to be posted as a message."],
  [[notes], { form: measure }, "/measure takes no more files. It stays here, to be posted as a message."],
];
for (const [files, { form, commands = [] }, words] of NOTES) {
  test(`${files.length} files with ${form?.name ?? "no form"} among ${commands.length} commands: ${words}`, () => {
    assert.equal(trayNote(files, { entry: form && unfold([form])[0], entries: unfold(commands) }), words);
  });
}

test("files go to the options that take one, in order, and what is left is told", () => {
  const slots = ["one", "two"].map((name) => ({ type: OPTION.ATTACHMENT, name }));
  const options = [text("prompt"), ...slots];
  assert.deepEqual(placeFiles([], options), { values: {}, left: [] });
  assert.deepEqual(placeFiles([picture], options), { values: { one: picture }, left: [] });
  assert.deepEqual(placeFiles([picture, notes, picture], options), { values: { one: picture, two: notes }, left: [picture] });
  assert.deepEqual(placeFiles([picture], options, (option) => option.name !== "one"), { values: { two: picture }, left: [] });
  assert.deepEqual(placeFiles([picture], [text("prompt")]), { values: {}, left: [picture] });
});

const said = (node) => ({ user: "@Ada", time: "now" })[node.type] ?? "";
const WORDS = [
  ["**a pumpkin** `--seed 3` · <@1>\n-# Finished after 3 s", "a pumpkin --seed 3 · @Ada Finished after 3 s"],
  ["# Title\nbelow", "Title below"],
  ["- one\n- two\n  - three\n- four", "one two three four"],
  ["> quoted\n> more\nafter", "quoted more after"],
  ["> - one\n> - two", "one two"],
  ["```\ncode\n```after", "code after"],
  ["<t:0:R> ||hidden||", "now hidden"],
  ["", ""],
];
for (const [source, words] of WORDS) test(`the words of ${JSON.stringify(source)} stand apart`, () => assert.equal(plainText(source, said), words));
