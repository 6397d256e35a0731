// Run with: node --test sandbox/page-tests/
import assert from "node:assert/strict";
import { test } from "node:test";
import { describeFault, faultBody, FIELDS, kindNames, KINDS, PRESETS } from "../src/page/faults.js";
import { fitsFilter, journalSummary } from "../src/page/journal-line.js";
import { jsonTokens } from "../src/page/json-view.js";
import { activityText, arrangeChannels, fileLimit, guildsOf, isArchived, isLocked, markOf, may, mayWrite, peopleIn, PERMISSION } from "../src/page/places.js";

test("JSON is cut into keys, values and marks, and joined again unchanged", () => {
  const value = { id: "1", n: -1.5e3, ok: true, none: null, list: ["a \"quoted\" word", "with: a colon"], empty: {} };
  const text = JSON.stringify(value, null, 2);
  const tokens = jsonTokens(text);
  assert.equal(tokens.map((token) => token.text).join(""), text);
  const of = (kind) => tokens.filter((token) => token.kind === kind).map((token) => token.text);
  assert.deepEqual(of("key"), ['"id"', '"n"', '"ok"', '"none"', '"list"', '"empty"']);
  assert.deepEqual(of("string"), ['"1"', '"a \\"quoted\\" word"', '"with: a colon"']);
  assert.deepEqual(of("number"), ["-1500"]);
  assert.deepEqual(of("literal"), ["true", "null"]);
});

const BODIES = [
  ["latency", { ms: "1500" }, { kind: "latency", ms: 1500 }],
  ["latency", { ms: "1500", probability: "0.25", count: "3", route: " POST /webhooks " }, { kind: "latency", ms: 1500, probability: 0.25, count: 3, route: "POST /webhooks" }],
  ["token_revoked", { count: "9" }, { kind: "token_revoked" }],
  ["automod", { word: "frog", count: "" }, { kind: "automod", word: "frog" }],
  ["permission_removed", { permission: "ATTACH_FILES", guild: "5", channel: "" }, { kind: "permission_removed", permission: "ATTACH_FILES", guild: "5" }],
];
for (const [kind, typed, body] of BODIES) test(`${kind} with ${JSON.stringify(typed)} is ${JSON.stringify(body)}`, () => assert.deepEqual(faultBody(kind, typed).body, body));

const WRONG = [
  ["latency", {}, "ms", "Milliseconds is needed"],
  ["latency", { ms: "1.5" }, "ms", "Milliseconds: a whole number from 0 to 600000"],
  ["latency", { ms: "10", probability: "2" }, "probability", "Probability: a number from 0 to 1"],
  ["latency", { ms: "-1" }, "ms", "Milliseconds: a whole number from 0 to 600000"],
  ["automod", { word: " " }, "word", "Word is needed"],
];
for (const [kind, typed, field, error] of WRONG) test(`${kind} with ${JSON.stringify(typed)} is refused`, () => assert.deepEqual(faultBody(kind, typed), { error, field }));

test("every preset and every kind's first values can be sent as they are", () => {
  for (const { body } of PRESETS) {
    const { kind, ...fields } = body;
    assert.deepEqual(faultBody(kind, fields).body, body);
  }
  for (const [kind, { first = {}, fields, needed = [] }] of Object.entries(KINDS)) {
    assert.ok([...fields, ...Object.keys(first)].every((name) => FIELDS[name]), kind);
    assert.ok(needed.every((name) => fields.includes(name)), kind);
    const { error, field } = faultBody(kind, first);
    // Only a guild has no first value: it is chosen from those that there are.
    assert.ok(!error || field === "guild", `${kind}: ${error}`);
  }
});

const DESCRIBED = [
  [{ kind: "latency", ms: 1500 }, "1.5 s · until stopped"],
  [{ kind: "rate_limit", ms: 500, probability: 0.5, count: 3 }, "500 ms · 50 % · 3 times left"],
  [{ kind: "rate_limit", ms: 500, scope: "shared", count: 1 }, "500 ms · scope shared · 1 time left"],
  [{ kind: "automod", word: "frog", count: 1, probability: 1 }, "“frog” · 1 time left"],
  [{ kind: "permission_removed", permission: "ATTACH_FILES", channel: "7" }, "ATTACH_FILES · #general · until stopped"],
  [{ kind: "reset", count: 5, remaining: 2 }, "2 times left"],
];
for (const [fault, words] of DESCRIBED) test(`a fault is described as ${words}`, () => assert.equal(describeFault(fault, () => "general"), words));

test("the kinds are those that the sandbox names, in whichever form, or all that are known", () => {
  assert.deepEqual(kindNames(["latency", { kind: "reset" }]), ["latency", "reset"]);
  assert.deepEqual(kindNames(undefined), Object.keys(KINDS));
});

test("a journal line is summed up, whether it is text or an object", () => {
  const request = journalSummary({ seq: 4, kind: "request", method: "POST", path: "/webhooks/1", status: 404 });
  assert.deepEqual([request.kind, request.what, request.result, request.isBad], ["request", "POST /webhooks/1", "404", true]);
  const event = journalSummary('{"seq":5,"direction":"event","t":"READY"}');
  assert.deepEqual([event.kind, event.what, event.isBad], ["event", "READY", false]);
  assert.equal(journalSummary("not JSON").what, "not JSON");
  assert.ok(fitsFilter(request, "WEBHOOKS 404") && !fitsFilter(request, "webhooks 500") && fitsFilter(request, ""));
});

const GATEWAY_LINES = [
  [{ kind: "gateway", event: "open", version: "10" }, "a connection opens", "", false],
  [{ kind: "gateway", direction: "to_bot", op: 0, t: "READY", s: 1 }, "to the bot: READY", "", false],
  [{ kind: "gateway", direction: "from_bot", op: 2, t: null, s: null }, "from the bot: IDENTIFY", "", false],
  [{ kind: "gateway", direction: "from_bot", op: null, message: "a payload that cannot be decoded" }, "from the bot: a payload that cannot be decoded", "", false],
  [{ kind: "gateway", direction: "from_bot", op: 77 }, "from the bot: op 77", "", false],
  [{ kind: "gateway", event: "close", by: "sandbox", code: 4002, reason: "Error while decoding payload." }, "closed by the sandbox: Error while decoding payload.", "4002", true],
  [{ kind: "gateway", event: "close", by: "bot", code: 1000, reason: "" }, "closed by the bot", "1000", false],
  [{ kind: "gateway", event: "close", by: "sandbox", code: null, reason: "" }, "broken off by the sandbox", "", false],
  [{ kind: "page", method: "POST", path: "/messages", name: "ada", status: 200 }, "ada: POST /messages", "200", false],
  [{ kind: "note", message: "a bot does this" }, "a bot does this", "", true],
];
for (const [line, what, result, isBad] of GATEWAY_LINES) test(`the journal says: ${what} ${result}`, () => {
  const summary = journalSummary(line);
  assert.deepEqual([summary.what, summary.result, summary.isBad], [what, result, isBad]);
});

const GUILD = "100";
const everyone = (deny) => ({ id: "1", type: 0, guild_id: GUILD, permission_overwrites: [{ id: GUILD, type: 0, allow: "0", deny }] });

test("a channel is locked when everyone may not see it", () => {
  assert.equal(isLocked(everyone("1024")), true);
  assert.equal(isLocked(everyone("2048")), false);
  assert.equal(isLocked({ id: "1", guild_id: GUILD }), false);
});

test("permissions are read from decimal text beyond 2^53, and an administrator has all", () => {
  const channel = { type: 0, permissions: String((1n << 60n) | PERMISSION.SEND_MESSAGES) };
  assert.equal(may(channel, PERMISSION.SEND_MESSAGES), true);
  assert.equal(may(channel, PERMISSION.ATTACH_FILES), false);
  assert.equal(may({ permissions: "8" }, PERMISSION.ATTACH_FILES), true);
  assert.equal(may({}, PERMISSION.ATTACH_FILES), true);
  assert.equal(mayWrite({ ...channel, type: 11 }), false);
  assert.equal(mayWrite({ type: 1, permissions: "0" }), true);
});

test("threads stand behind their channel, channels by position", () => {
  const thread = { id: "9", type: 11, parent_id: "1" };
  const lost = { id: "8", type: 11, parent_id: "77" };
  const arranged = arrangeChannels([lost, { id: "2", type: 0, position: 2 }, thread, { id: "1", type: 0, position: 1 }]);
  assert.deepEqual(arranged.map((channel) => channel.id), ["1", "9", "2", "8"]);
});

test("a person sees the guilds that they are in, and all where nothing is said", () => {
  const answer = { users: [{ id: "1", guilds: ["b"] }, { id: "2" }], guilds: [{ id: "a" }, { id: "b" }] };
  assert.deepEqual(guildsOf(answer, "1").map((guild) => guild.id), ["b"]);
  assert.deepEqual(guildsOf(answer, "2").map((guild) => guild.id), ["a", "b"]);
});

const ACTIVITIES = [[{ type: 4, name: "Custom Status", state: "draws" }, "draws"], [{ type: 3, name: "the queue" }, "Watching the queue"], [undefined, ""]];
for (const [activity, words] of ACTIVITIES) test(`a bot that is ${words || "silent"}`, () => assert.equal(activityText({ activities: activity && [activity] }), words));

test("each guild has its own limit for files", () => {
  assert.equal(fileLimit({ guild: { attachment_size_limit: 5 } }), 5);
  assert.equal(fileLimit({ guild: { id: null } }), 10 * 1024 ** 2);
  assert.equal(fileLimit(undefined), 10 * 1024 ** 2);
});

test("a locked thread is for moderators, an archived one wakes up by a word", () => {
  const thread = (metadata, permissions) => ({ type: 11, permissions: String(permissions), thread_metadata: metadata });
  const writes = PERMISSION.SEND_MESSAGES_IN_THREADS;
  assert.equal(mayWrite(thread({ archived: true, locked: false }, writes)), true);
  assert.equal(mayWrite(thread({ archived: true, locked: true }, writes)), false);
  assert.equal(mayWrite(thread({ locked: true }, writes | PERMISSION.MANAGE_THREADS)), true);
  assert.equal(isArchived(thread({ archived: true }, 0)), true);
  assert.equal(isArchived({ type: 0 }), false);
});

test("a fault that outlives the sandbox says so", () => {
  assert.equal(describeFault({ kind: "token_revoked" }, undefined, true), "until stopped · kept over a restart");
  assert.equal(describeFault({ kind: "latency", ms: 5 }), "5 ms · until stopped");
});

const MARKS = [[{ type: 0, guild_id: "1" }, "#"], [{ type: 11, guild_id: "1" }, ""], [{ type: 1 }, "@"], [{ type: 3 }, ""], [undefined, ""]];
for (const [channel, mark] of MARKS) test(`a channel of type ${channel?.type} is marked by "${mark}"`, () => assert.equal(markOf(channel), mark));

test("a line of the journal says what a fault or a violation was, and ids by their ends", () => {
  assert.equal(journalSummary({ kind: "fault", fault: { kind: "token_revoked" } }).what, "token revoked began");
  assert.equal(journalSummary({ kind: "fault", fault: { kind: "token_revoked", ended: true } }).what, "token revoked ended");
  assert.equal(journalSummary({ kind: "violation", violation: { message: "too long" } }).what, "too long");
  const path = "/interactions/1574587310605860112/{token}/callback";
  assert.equal(journalSummary({ kind: "rest", method: "POST", path }).what, "POST /interactions/…0112/{token}/callback");
});

test("the people of a place are its members, and the bot where it is one", () => {
  const all = [{ id: "1", guilds: ["g"] }, { id: "2", guilds: [] }, { id: "3", guilds: ["g"] }];
  const names = (channel) => peopleIn(channel, all, "1", { id: "b" }).map((user) => user.id).join("");
  assert.equal(names({ guild: { id: "g", has_bot: true } }), "13b");
  assert.equal(names({ guild: { id: "g", has_bot: false } }), "13");
  assert.equal(names({ type: 1, guild: { id: null } }), "1b");
  assert.equal(names({ type: 3, is_private: true, guild: { id: null }, recipients: [{ id: "2" }] }), "12");
});
