// What the check in JavaScript needs beside the bot: the program `atelier-sandbox`, and a person who talks to the bot.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Says in one sentence what is not as it should be. */
export class Failed extends Error {}

export function check(isSo, sentence) {
  if (!isSo) throw new Failed(sentence);
}

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Starts the program on a free port; gives what `--print-env` says, and how to end it. */
export async function start() {
  const target = process.env.CARGO_TARGET_DIR ?? `${ROOT}/target`;
  const program = process.env.SANDBOX_BIN ?? `${target}/release/atelier-sandbox`;
  check(existsSync(program), `${program} is not there: cargo build --release -p atelier-sandbox`);
  const child = spawn(program, ["--listen", "127.0.0.1:0", "--print-env"], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, RUST_LOG: "off" },
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  process.once("exit", () => child.kill());
  const settings = {};
  for await (const line of createInterface({ input: child.stdout })) {
    const [name, ...value] = line.split("=");
    settings[name] = value.join("=");
    if (name === "DISCORD_TOKEN") break;
  }
  check(settings.DISCORD_TOKEN, "atelier-sandbox ended before it was ready");
  const stop = async () => {
    child.kill("SIGTERM");
    const code = await ended;
    check(code === 0, `atelier-sandbox ended with ${code}`);
  };
  return { settings, stop };
}

/** Runs a program as somebody does who pasted it, from here, where `node_modules` is. Gives how to end it. */
export function running(source) {
  const isOurs = (name) => name.startsWith("DISCORD_") || name.startsWith("SANDBOX_");
  const child = spawn(process.execPath, ["--input-type=module"], {
    cwd: fileURLToPath(new URL(".", import.meta.url)),
    stdio: ["pipe", "inherit", "inherit"],
    env: Object.fromEntries(Object.entries(process.env).filter(([name]) => !isOurs(name))),
  });
  process.once("exit", () => child.kill());
  child.stdin.end(source);
  return async () => {
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
  };
}

/** One of the people of the page, over the API of PAGE_API.md. */
export class Person {
  events = [];

  static async enter(url, name) {
    const person = new Person();
    person.base = `${url}/sandbox/api`;
    const state = await person.call("GET", "/state");
    person.user = state.users.find((user) => user.username === name).id;
    person.seq = state.seq;
    person.channel = state.guilds[0].channels.find((channel) => channel.name === "general").id;
    return person;
  }

  async call(method, path, body) {
    const reply = await fetch(this.base + path, {
      method,
      body: body && JSON.stringify(body),
      headers: body && { "content-type": "application/json" },
    });
    const answer = await reply.json();
    check(reply.ok, `${method} ${path} was answered with ${reply.status}: ${JSON.stringify(answer)}`);
    return answer;
  }

  state = () => this.call("GET", `/state?user=${this.user}`);

  /** The first event (of those kept) that fits; what was looked at is forgotten. */
  async find(what, fits, within = 15_000) {
    const until = Date.now() + within;
    for (;;) {
      while (this.events.length > 0) {
        const event = this.events.shift();
        if (fits(event.type, event.data)) return event.data;
      }
      const left = until - Date.now();
      check(left > 0, `${what} did not happen within ${within / 1000} s`);
      const answer = await this.call("GET", `/events/poll?user=${this.user}&after=${this.seq}&timeout_ms=${Math.min(left, 5000)}`);
      this.seq = answer.seq;
      this.events.push(...answer.events);
    }
  }

  async untilOnline(command) {
    for (let n = 0; n < 300; n += 1) {
      const state = await this.state();
      if (state.bot.online && state.commands.some((known) => known.name === command)) return;
      await pause(50);
    }
    throw new Failed(`the bot is not online with /${command} after 15 s`);
  }

  async using(command, options) {
    const known = (await this.state()).commands.find((known) => known.name === command);
    check(known, `${command} is not registered`);
    const given = Object.entries(options).map(([name, value]) => ({ name, value }));
    return { user: this.user, channel: this.channel, command: known.id, options: given };
  }

  use = async (command, options = {}, more = {}) => this.call("POST", "/commands", { ...(await this.using(command, options)), ...more });

  suggested = async (command, focused, options) =>
    (await this.call("POST", "/autocomplete", { ...(await this.using(command, options)), focused })).choices;

  async operate(message, wanted, values = []) {
    const components = message.components.flatMap((row) => row.components);
    const component = components.find((component) => [component.label, component.custom_id].includes(wanted));
    check(component, `the message has no ${wanted}: ${JSON.stringify(message.components)}`);
    return this.call("POST", "/components", { user: this.user, message: message.id, custom_id: component.custom_id, values });
  }

  submit = (modal, fields) =>
    this.call("POST", "/modals", { user: this.user, interaction: modal.interaction, custom_id: modal.custom_id, fields });

  say = (content) => this.call("POST", "/messages", { user: this.user, channel: this.channel, content });

  /** How the page says that a bot connects. */
  guide = async (library) => (await this.call("GET", "/connect")).guides.find((guide) => guide.library === library);

  async expectNoViolation() {
    const found = await this.call("GET", "/control/violations");
    check(found.length === 0, `${found.length} violations:\n${found.map((one) => `${one.direction} ${one.method} ${one.route}: ${one.message}`).join("\n")}`);
  }

  fault = (fault) => this.call("POST", "/control/faults", fault);
}

/** Fits a message, new or changed, that has these words. */
export const isMessage = (words) => (kind, data) => ["message_create", "message_update"].includes(kind) && data.content.includes(words);
