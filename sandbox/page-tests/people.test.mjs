// What stands for people: the commands for them, and the colour of the bot.
import assert from "node:assert/strict";
import { test } from "node:test";
import { hueOf } from "../src/page/dom.js";
import { state } from "../src/page/state.js";
import { commandItems, MESSAGE_COMMAND, personAt, withLines } from "../src/page/user-menu.js";

const USER_COMMAND = 2;
const channel = { id: "110", guild: { id: "100", has_bot: true } };

test("commands for people and for messages are apart", () => {
  state.commands = [{ id: "1", type: 1, name: "imagine" }, { id: "2", type: USER_COMMAND, name: "Wave at" }, { id: "3", type: MESSAGE_COMMAND, name: "Count letters" }];
  const names = (type) => commandItems(type, channel, "7").map((item) => [item.label, item.testid]);
  assert.deepEqual(names(USER_COMMAND), [["Wave at", "user-command-Wave at"]]);
  assert.deepEqual(names(MESSAGE_COMMAND), [["Count letters", "message-command-Count letters"]]);
});

test("an element stands for the person that it is marked with", () => {
  state.users = new Map([["11", { id: "11", username: "ada" }]]);
  state.bot = { id: "1", username: "echo" };
  const at = (id) => personAt({ closest: () => (id ? { dataset: { user: id } } : null) })?.username;
  assert.deepEqual([at("11"), at("1"), at("99"), at(null)], ["ada", "echo", undefined, undefined]);
});

test("groups of a menu have lines between them, and empty ones none", () => {
  assert.deepEqual(withLines([["a", false], [], [null], ["b"]]), ["a", { line: true }, "b"]);
});

test("the hue of a colour is found", () => {
  for (const [color, hue] of [[0xff0000, 0], [0x00ff00, 120], [0x0000ff, 240], [0x0f8a86, 178], [0x808080, 0], [0xff00ff, 300]]) assert.equal(hueOf(color), hue, color.toString(16));
});
