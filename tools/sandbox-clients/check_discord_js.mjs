// Checks the stand-in with discord.js, unchanged: node check_discord_js.mjs, after npm install.

import {
  ActionRowBuilder,
  ApplicationCommandType,
  AttachmentBuilder,
  ButtonBuilder,
  ButtonStyle,
  Client,
  ContextMenuCommandBuilder,
  Events,
  GatewayIntentBits,
  MessageFlags,
  ModalBuilder,
  RESTEvents,
  SlashCommandBuilder,
  StringSelectMenuBuilder,
  TextInputBuilder,
  TextInputStyle,
} from "discord.js";
import { answerShown, show } from "./showcase.mjs";
import { check, Failed, isMessage, pause, Person, running, start } from "./stand_in.mjs";

const PNG = Buffer.from(
  "89504e470d0a1a0a000000" +
    "0d49484452000000010000000108020000009077" +
    "53de0000000c49444154789c63f8cfc0000003010100c9fe92ef0000000049454e44ae426082",
  "hex",
);

const AsyncFunction = (async () => {}).constructor;

const done = (sentence) => console.log(`  discord.js: ${sentence}`);

const COMMANDS = [
  new SlashCommandBuilder()
    .setName("imagine")
    .setDescription("Draws")
    .addStringOption((option) => option.setName("prompt").setDescription("What to draw").setRequired(true))
    .addStringOption((option) => option.setName("style").setDescription("How to draw it").setAutocomplete(true)),
  new ContextMenuCommandBuilder().setName("Count words").setType(ApplicationCommandType.Message),
];

function rows() {
  const buttons = new ActionRowBuilder().addComponents(
    new ButtonBuilder().setCustomId("again").setLabel("Again").setStyle(ButtonStyle.Primary),
    new ButtonBuilder().setCustomId("change").setLabel("Change").setStyle(ButtonStyle.Secondary),
  );
  const menu = new ActionRowBuilder().addComponents(
    new StringSelectMenuBuilder().setCustomId("size").addOptions({ label: "Small", value: "small" }, { label: "Large", value: "large" }),
  );
  return [buttons, menu];
}

function form() {
  const prompt = new TextInputBuilder().setCustomId("prompt").setLabel("Prompt").setStyle(TextInputStyle.Short).setValue("a frog");
  return new ModalBuilder().setCustomId("form").setTitle("Change the prompt").addComponents(new ActionRowBuilder().addComponents(prompt));
}

/** A small bot with a command, a menu, buttons, a select menu and a form. */
async function answer(interaction) {
  if (await answerShown(interaction)) return;
  if (interaction.isAutocomplete()) {
    const fitting = ["ink", "oil", "pencil"].filter((style) => style.startsWith(interaction.options.getFocused()));
    await interaction.respond(fitting.map((style) => ({ name: style, value: style })));
  } else if (interaction.isChatInputCommand()) {
    await interaction.deferReply();
    const files = [0, 1].map((n) => new AttachmentBuilder(PNG, { name: `${n}.png`, description: `picture ${n}` }));
    const style = interaction.options.getString("style") ?? "plain";
    await interaction.editReply({ content: `${interaction.options.getString("prompt")}, ${style}`, files, components: rows() });
    await interaction.followUp("and that was all");
  } else if (interaction.isMessageContextMenuCommand()) {
    const n = interaction.targetMessage.content.split(/\s+/).length;
    await interaction.reply({ content: `${n} words`, flags: MessageFlags.Ephemeral });
  } else if (interaction.isButton() && interaction.customId === "again") {
    await interaction.update("drawn again");
  } else if (interaction.isButton()) {
    await interaction.showModal(form());
  } else if (interaction.isStringSelectMenu()) {
    await interaction.update(`drawn ${interaction.values[0]}`);
  } else if (interaction.isModalSubmit()) {
    await interaction.reply({ content: `changed to ${interaction.fields.getTextInputValue("prompt")}`, flags: MessageFlags.Ephemeral });
  }
}

async function talk(ada) {
  await ada.use("imagine", { prompt: "a frog", style: "ink" });
  const waiting = await ada.find("the thinking state", (kind, data) => kind === "message_create" && (data.flags & 128) === 128);
  const grid = await ada.find("the edit with files", isMessage("a frog, ink"));
  check(grid.id === waiting.id, "the edit changed another message than the deferred one");
  const names = grid.attachments.map((file) => `${file.filename} ${file.width}`).join();
  check(names === "0.png 1,1.png 1", `attachments: ${names}`);
  const served = Buffer.from(await (await fetch(grid.attachments[1].url)).arrayBuffer());
  check(served.equals(PNG), "the file that is served is not the one that was sent");
  await ada.find("the follow-up", isMessage("and that was all"));
  done("a command was deferred, edited with two files and followed up");

  const choices = await ada.suggested("imagine", "style", { prompt: "a frog", style: "p" });
  check(choices.map((choice) => choice.value).join() === "pencil", `suggestions: ${JSON.stringify(choices)}`);
  done("an option suggested its values");

  await ada.operate(grid, "Again");
  await ada.find("the button's answer", isMessage("drawn again"));
  await ada.operate(grid, "size", ["large"]);
  await ada.find("the select menu's answer", isMessage("drawn large"));
  done("a button and a select menu changed their message");

  await ada.operate(grid, "Change");
  const modal = await ada.find("the form", (kind) => kind === "modal");
  await ada.submit(modal, { prompt: "a robot" });
  const told = await ada.find("the form's answer", isMessage("changed to a robot"));
  check((told.flags & 64) === 64, "the form's answer is for everyone");
  done("a form was opened, sent and answered to its sender alone");

  const said = await ada.say("one two three");
  await ada.use("Count words", {}, { target: said.id });
  await ada.find("the menu's answer", isMessage("3 words"));
  done("a message's menu was used");
}

async function limited(client, ada) {
  const limits = [];
  // A limit that the library foresaw is an event of its own; one that it met is told for debugging only.
  client.rest.on(RESTEvents.RateLimited, (limit) => limits.push(`${limit.method} ${limit.route}, ${limit.timeToReset} ms`));
  client.rest.on(RESTEvents.Debug, (text) => text.includes("429") && limits.push(text.split("\n")[0].trim()));
  const channel = await client.channels.fetch(ada.channel);
  let nMessages = 3;
  try {
    await ada.fault({ kind: "rate_limit", count: 1, ms: 300, route: "POST /channels" });
  } catch {
    // Without that fault the bucket is really exceeded.
    nMessages = 130;
  }
  const sent = await Promise.all(Array.from({ length: nMessages }, (_, n) => channel.send(`message ${n}`)));
  check(new Set(sent.map((message) => message.id)).size === nMessages, "messages were lost or sent twice");
  check(limits.length > 0, `${nMessages} messages at once met no rate limit`);
  done(`a rate limit was met and waited for (${limits[0]})`);
}

async function resumed(client, ada) {
  const seen = { resumes: 0, readies: 0, heard: [] };
  client.on(Events.ShardResume, () => (seen.resumes += 1));
  client.on(Events.ShardReady, () => (seen.readies += 1));
  client.on(Events.MessageCreate, (message) => message.author.bot || seen.heard.push(message.content));
  await ada.fault({ kind: "gateway_drop", count: 1 });
  await ada.say("said while you were away");
  for (let n = 0; n < 300 && (seen.resumes === 0 || seen.heard.length === 0); n += 1) await pause(50);
  check(seen.resumes === 1, `the session was resumed ${seen.resumes} times after the connection was lost`);
  check(seen.heard.join() === "said while you were away", `what was said meanwhile was heard so: ${JSON.stringify(seen.heard)}`);
  check(seen.readies === 0, "the bot identified anew");
  await ada.use("imagine", { prompt: "after that" });
  await ada.find("an answer after the resume", isMessage("after that"));
  done("a lost connection was resumed, what happened meanwhile came once, and commands are answered again");
}

async function main() {
  const { settings, stop } = await start();
  const ada = await Person.enter(settings.SANDBOX_URL, "ada");
  const guide = await ada.guide("discord.js");
  const endProgram = running(guide.program);
  await ada.untilOnline("echo");
  await ada.use("echo", { words: "the page is right" });
  await ada.find("the program's answer", isMessage("the page is right"));
  await endProgram();
  done("the page's program answers");

  const intents = [GatewayIntentBits.Guilds, GatewayIntentBits.GuildMessages, GatewayIntentBits.MessageContent];
  let fault;
  let ready;
  class Bot extends Client {
    constructor(options) {
      super(options);
      this.on(Events.Error, (error) => (fault ??= error));
      this.on(Events.InteractionCreate, (interaction) => answer(interaction).catch((error) => (fault ??= error)));
      ready = new Promise((resolve) => this.once(Events.ClientReady, resolve));
    }
  }
  // The page's lines, with this bot.
  const client = await new AsyncFunction("Client", "intents", `${guide.lines}\nreturn client;`)(Bot, intents);
  await ready;
  await client.application.commands.set(COMMANDS);
  await ada.untilOnline("imagine");
  done("logged in, and two commands are registered");
  try {
    await talk(ada);
    await show(client, ada, PNG);
    done("embeds, emoji, menus, files, layouts, forms, answers and threads");
    await limited(client, ada);
    await resumed(client, ada);
    check(!fault, `the bot failed: ${fault?.stack}`);
    await ada.expectNoViolation();
    done("nothing of all this was a violation");
  } catch (error) {
    throw fault ? new Failed(`${error.message}; the bot failed: ${fault.stack}`) : error;
  }
  await client.destroy();
  await stop();
}

const late = setTimeout(() => {
  console.error("discord.js: the check did not end within 60 s");
  process.exit(1);
}, 60_000);
try {
  await main();
  clearTimeout(late);
  console.log("discord.js: everything passed");
} catch (error) {
  console.error(`discord.js: ${error instanceof Failed ? error.message : error.stack}`);
  process.exit(1);
}
