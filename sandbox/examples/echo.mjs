import { Client, Events, GatewayIntentBits, SlashCommandBuilder } from "discord.js";

const url = process.env.SANDBOX_URL ?? "http://127.0.0.1:8090";
// The gateway's address comes from GET /gateway/bot, so that this is enough.
const client = new Client({ intents: [GatewayIntentBits.Guilds], rest: { api: `${url}/api` } });

const echo = new SlashCommandBuilder()
  .setName("echo")
  .setDescription("Says it again")
  .addStringOption((option) => option.setName("words").setDescription("Anything").setRequired(true));

client.once(Events.ClientReady, () => client.application.commands.set([echo]));
client.on(Events.InteractionCreate, async (interaction) => {
  if (interaction.isChatInputCommand()) await interaction.reply(interaction.options.getString("words"));
});

await client.login(process.env.DISCORD_TOKEN ?? "sandbox");
