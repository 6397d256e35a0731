// Run with: node --test sandbox/page-tests/
import assert from "node:assert/strict";
import { test } from "node:test";
import { checkValue, OPTION, parseLine, search, toOptions, unfold, usableIn } from "../src/page/commands.js";

const prompt = { type: OPTION.STRING, name: "prompt", description: "what to draw", required: true, max_length: 10 };
const seed = { type: OPTION.INTEGER, name: "seed", description: "", min_value: 0, max_value: 99 };
const aspect = { type: OPTION.STRING, name: "aspect", description: "", choices: [{ name: "Wide", value: "3:2" }] };
const entries = unfold([
  { id: "1", type: 1, name: "imagine", description: "draw pictures", options: [seed, prompt, aspect] },
  { id: "2", name: "settings", description: "", options: [{ type: 1, name: "show", description: "show them" }, { type: 2, name: "style", options: [{ type: 1, name: "set", description: "", options: [aspect] }] }] },
  { id: "3", type: 3, name: "Upscale this", description: "" },
]);

test("unfolds subcommands, puts required options first, leaves menus out", () => {
  assert.deepEqual(entries.map((entry) => entry.path), ["imagine", "settings show", "settings style set"]);
  assert.deepEqual(entries[0].options.map((option) => option.name), ["prompt", "seed", "aspect"]);
});

test("search puts the beginning of a name before its middle and the description", () => {
  assert.deepEqual(search(entries, "s").map((entry) => entry.path), ["settings show", "settings style set"]);
  assert.deepEqual(search(entries, "style").map((entry) => entry.path), ["settings style set"]);
  assert.deepEqual(search(entries, "pict").map((entry) => entry.path), ["imagine"]);
  assert.deepEqual(search(entries, "nothing"), []);
});

const LINES = [
  ["/imagine a frog", "imagine", { prompt: "a frog" }],
  ["/imagine   a frog --ar 3:2 ", "imagine", { prompt: "a frog --ar 3:2" }],
  ["/imagine", "imagine", {}],
  ["/imagine prompt:a frog seed:4", "imagine", { prompt: "a frog", seed: "4" }],
  ["/imagine a frog seed:4", "imagine", { prompt: "a frog seed:4" }],
  ["/settings style set aspect:Wide", "settings style set", { aspect: "Wide" }],
  ["/imaginea frog", null, null],
  ["/settings", null, null],
  ["imagine", null, null],
];

for (const [line, path, values] of LINES) {
  test(`reads the line ${line}`, () => {
    const parsed = parseLine(entries, line);
    assert.equal(parsed?.entry.path ?? null, path);
    assert.deepEqual(parsed?.values ?? null, values);
  });
}

const users = [{ name: "@ada", value: "11" }];
const VALUES = [
  [prompt, "a frog", { value: "a frog" }],
  [prompt, "  ", { error: "prompt is needed" }],
  [prompt, "a very long frog", { error: "prompt: at most 10 characters; this has 16" }],
  [seed, "", {}],
  [seed, "42", { value: 42 }],
  [seed, "4.5", { error: 'seed: a whole number, please; "4.5" is not one' }],
  [seed, "100", { error: "seed: 0 to 99; 100 is outside" }],
  [aspect, "wide", { value: "3:2" }],
  [aspect, "3:2", { value: "3:2" }],
  [aspect, "9:9", { error: "aspect: choose one of Wide" }],
  [{ type: OPTION.NUMBER, name: "guidance", min_value: 1 }, "0.5", { error: "guidance: at least 1; 0.5 is outside" }],
  [{ type: OPTION.BOOLEAN, name: "private" }, "Yes", { value: true }],
  [{ type: OPTION.BOOLEAN, name: "private" }, false, { value: false }],
  [{ type: OPTION.BOOLEAN, name: "private" }, "maybe", { error: "private: true or false" }],
  [{ type: OPTION.USER, name: "who" }, "@Ada", { value: "11" }],
  [{ type: OPTION.USER, name: "who" }, "bob", { error: 'who: "bob" is not known here' }],
];

for (const [option, raw, expected] of VALUES) {
  test(`checks ${option.name} = ${JSON.stringify(raw)}`, () => assert.deepEqual(checkValue(option, raw, { users }), expected));
}

test("subcommands wrap their options", () => {
  assert.deepEqual(toOptions(entries[2], { aspect: "3:2" }), [
    { name: "style", type: 2, options: [{ name: "set", type: 1, options: [{ name: "aspect", type: 3, value: "3:2" }] }] },
  ]);
  assert.deepEqual(toOptions(entries[0], { prompt: "a frog" }), [{ name: "prompt", type: 3, value: "a frog" }]);
});

test("a limit that is null is none", () => {
  const open = { type: OPTION.NUMBER, name: "quota", min_value: null, max_value: null };
  assert.deepEqual(checkValue(open, "5"), { value: 5 });
  assert.deepEqual(checkValue(open, "-5"), { value: -5 });
  assert.deepEqual(checkValue({ ...open, max_value: 4 }, "5"), { error: 'quota: at most 4; 5 is outside' });
});

test("a file is checked against the limit of its guild", () => {
  const picture = { type: OPTION.ATTACHMENT, name: "picture" };
  const file = { name: "fox.png", size: 2 * 1024 ** 2 };
  assert.deepEqual(checkValue(picture, file, {}), { value: file });
  assert.deepEqual(checkValue(picture, file, { fileLimit: 1024 ** 2 }), { error: "picture: at most 1 MB; fox.png has 2 MB" });
});

const CHANNELS = {
  guild: { id: "1", guild: { id: "g", has_bot: true }, permissions: "2048" },
  elsewhere: { id: "2", guild: { id: "h", has_bot: false } },
  bot: { id: "3", type: 1, guild: { id: null } },
  group: { id: "4", type: 3, guild: { id: null }, is_private: true },
};
const USES = [
  [{ name: "plain" }, "guild bot"],
  [{ name: "mine", integration_types: [0, 1], contexts: [0, 1, 2] }, "guild elsewhere bot group"],
  [{ name: "mine, in guilds", integration_types: [1], contexts: [0] }, "guild elsewhere"],
  [{ name: "the guild's", guild_id: "g" }, "guild"],
  [{ name: "not direct", dm_permission: false }, "guild"],
  [{ name: "for moderators", default_member_permissions: "8192" }, "bot"],
  [{ name: "for writers", default_member_permissions: "2048" }, "guild bot"],
  [{ name: "for administrators", default_member_permissions: "0" }, "bot"],
];
for (const [command, places] of USES) {
  test(`a command that is ${command.name} is offered in: ${places}`, () => {
    const found = Object.keys(CHANNELS).filter((name) => usableIn([command], CHANNELS[name]).length);
    assert.equal(found.join(" "), places);
  });
}
