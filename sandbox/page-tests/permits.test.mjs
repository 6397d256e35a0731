// Run with: node --test sandbox/page-tests/
import assert from "node:assert/strict";
import { test } from "node:test";
import { usableIn } from "../src/page/commands.js";
import { ABOUT, subjectsOf, withSaid, wordsOf } from "../src/page/permits.js";

const guild = {
  id: "1000000000000000100", roles: [{ id: "1000000000000000100", name: "@everyone" }, { id: "102", name: "Moderator" }],
  channels: [{ id: "110", name: "general", type: 0 }, { id: "120", name: "a thread", type: 11 }],
};
const people = [{ id: "11", username: "ada", guilds: [guild.id] }, { id: "12", username: "grace", guilds: ["7"] }, { id: "1", username: "Atelier", bot: true }];
const subjects = subjectsOf(guild, people, (user) => user.username);

test("a guild says something of its roles, members and channels, and of all channels", () => {
  assert.deepEqual(subjects.map((one) => [one.type, one.id, one.name]), [
    [ABOUT.ROLE, guild.id, "@everyone"], [ABOUT.ROLE, "102", "@Moderator"], [ABOUT.USER, "11", "ada"],
    [ABOUT.CHANNEL, "1000000000000000099", "all channels"], [ABOUT.CHANNEL, "110", "#general"],
  ]);
});

const everyone = { id: guild.id, type: ABOUT.ROLE };
const SAID = [
  [[], everyone, false, [{ ...everyone, permission: false }]],
  [[{ ...everyone, permission: false }], everyone, true, [{ ...everyone, permission: true }]],
  [[{ ...everyone, permission: false }], everyone, null, []],
  [[{ id: guild.id, type: ABOUT.USER, permission: true }], everyone, null, [{ id: guild.id, type: ABOUT.USER, permission: true }]],
];
for (const [before, subject, said, after] of SAID) {
  test(`${said} stands in the place of ${JSON.stringify(before)}`, () => assert.deepEqual(withSaid(before, subject, said), after));
}

test("a permission is shown by name, and by its id where nobody has it any more", () => {
  assert.equal(wordsOf({ ...everyone, permission: false }, subjects), "@everyone: denied");
  assert.equal(wordsOf({ id: "9", type: ABOUT.ROLE, permission: true }, subjects), "9: allowed");
});

const MANAGE_GUILD = String(1n << 5n);
const ADMINISTRATOR = String(1n << 3n);
// The permissions of the person, what the guild says, what the command asks for, and whether it is offered.
const RULES = [
  ["0", undefined, null, true],
  ["0", false, null, false],
  ["0", true, MANAGE_GUILD, true],
  ["0", undefined, MANAGE_GUILD, false],
  [MANAGE_GUILD, false, MANAGE_GUILD, false],
  [ADMINISTRATOR, false, MANAGE_GUILD, true],
];
for (const [permissions, said, needed, expected] of RULES) {
  test(`with ${permissions}, what the guild says (${said}) stands before what the bot asks for (${needed})`, () => {
    for (const of of [undefined, guild.id]) {
      const channel = { guild: { id: guild.id, has_bot: true }, permissions, command_rules: said === undefined ? {} : { 5: said } };
      const command = { id: "5", name: "imagine", default_member_permissions: needed, guild_id: of };
      assert.equal(usableIn([command], channel).length === 1, expected);
    }
  });
}
