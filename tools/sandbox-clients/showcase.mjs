// Everything that discord.js 14 can put into a message and a form: none of it is a violation, whatever the library writes out.

import {
  ActionRowBuilder,
  AttachmentBuilder,
  ButtonBuilder,
  ButtonStyle,
  ChannelSelectMenuBuilder,
  ContainerBuilder,
  EmbedBuilder,
  FileBuilder,
  LabelBuilder,
  MediaGalleryBuilder,
  MentionableSelectMenuBuilder,
  MessageFlags,
  ModalBuilder,
  RoleSelectMenuBuilder,
  SectionBuilder,
  SeparatorBuilder,
  SeparatorSpacingSize,
  StringSelectMenuBuilder,
  TextDisplayBuilder,
  TextInputBuilder,
  TextInputStyle,
  ThumbnailBuilder,
  UserSelectMenuBuilder,
} from "discord.js";
import { check, isMessage } from "./stand_in.mjs";

const PALETTE = "1000000000000000190";
const PICTURE = "https://pictures.example/a.png";
const row = (...components) => new ActionRowBuilder().addComponents(...components);
const button = (id) => new ButtonBuilder().setCustomId(id).setStyle(ButtonStyle.Secondary);

function embeds(filename) {
  const full = new EmbedBuilder().setTitle("An embed").setDescription("with everything").setURL(PICTURE).setColor(0x11aa88).setTimestamp();
  full.setAuthor({ name: "Ada", url: PICTURE, iconURL: PICTURE }).setFooter({ text: "below", iconURL: PICTURE });
  full.setImage(`attachment://${filename}`).setThumbnail(PICTURE);
  full.addFields({ name: "one", value: "1", inline: true }, { name: "two", value: "2" });
  return [full, new EmbedBuilder({ description: "and one with nothing but words" })];
}

/** Every kind of button and menu, with emoji of both kinds, as a text, an id and an object. */
function choices() {
  const buttons = ["🎨", PALETTE, `<a:moving:${PALETTE}>`, { id: PALETTE, name: "palette" }].map((emoji, n) => button(`emoji ${n}`).setEmoji(emoji));
  const options = [{ label: "Ink", value: "ink", emoji: "🖋️" }, { label: "Oil", value: "oil", description: "slow", default: true, emoji: { id: PALETTE } }];
  const menus = [
    new StringSelectMenuBuilder().setCustomId("style").setOptions(options),
    new UserSelectMenuBuilder().setCustomId("who").setPlaceholder("Who?"),
    new MentionableSelectMenuBuilder().setCustomId("whom").setMaxValues(2),
    new ChannelSelectMenuBuilder().setCustomId("where").setChannelTypes(0),
  ];
  return [row(...buttons, button("order").setLabel("Order").setEmoji("📝")), ...menus.map((menu) => row(menu))];
}

function order() {
  const sizes = new StringSelectMenuBuilder().setCustomId("size").addOptions({ label: "Small", value: "small", emoji: { name: "🐁" } }, { label: "Large", value: "large" });
  const words = new TextInputBuilder().setCustomId("words").setStyle(TextInputStyle.Paragraph).setRequired(false);
  return new ModalBuilder().setCustomId("order").setTitle("An order")
    .addTextDisplayComponents(new TextDisplayBuilder().setContent("What shall it be?"))
    .addLabelComponents(new LabelBuilder().setLabel("Size").setStringSelectMenuComponent(sizes), new LabelBuilder().setLabel("Words").setDescription("Anything").setTextInputComponent(words));
}

/** A message that is laid out by components alone. */
function layout(filename) {
  const text = (words) => new TextDisplayBuilder().setContent(words);
  const gallery = new MediaGalleryBuilder().addItems({ media: { url: `attachment://${filename}` }, description: "a picture" }, { media: { url: PICTURE }, spoiler: true });
  const container = new ContainerBuilder().setAccentColor(0x11aa88).addTextDisplayComponents(text("Inside")).addMediaGalleryComponents(gallery)
    .addSeparatorComponents(new SeparatorBuilder().setSpacing(SeparatorSpacingSize.Large)).addFileComponents(new FileBuilder().setURL(`attachment://${filename}`))
    .addActionRowComponents(row(new RoleSelectMenuBuilder().setCustomId("role")));
  const section = new SectionBuilder().addTextDisplayComponents(text("A section")).setThumbnailAccessory(new ThumbnailBuilder({ media: { url: PICTURE } }));
  const beside = new SectionBuilder().addTextDisplayComponents(text("with a button")).setButtonAccessory(button("beside").setEmoji("🎨"));
  return [section, beside, container];
}

/** Answers to the message of `show`; `false` for what it does not know. */
export async function answerShown(interaction) {
  if (interaction.customId === "order" && interaction.isButton()) await interaction.showModal(order());
  else if (interaction.customId === "order") await interaction.reply({ content: `ordered ${interaction.fields.getStringSelectValues("size")[0]}`, flags: MessageFlags.Ephemeral });
  else if (interaction.customId === "style") await interaction.update({ content: `chosen ${interaction.values[0]}`, embeds: interaction.message.embeds });
  else return false;
  return true;
}

/** Sends, edits, answers, forwards and reacts. */
export async function show(client, ada, png) {
  const channel = await client.channels.fetch(ada.channel);
  const file = (name) => new AttachmentBuilder(png, { name, description: "a picture" });
  const sent = await channel.send({ content: "shown", embeds: embeds("a.png"), files: [file("a.png")], components: choices(), allowedMentions: { parse: [] } });
  const shown = await ada.find("the message with everything", isMessage("shown"));
  const emoji = shown.components[0].components.map((component) => component.emoji.name).join();
  check(emoji === "🎨,palette,moving,palette,📝", `emoji: ${emoji}`);
  await ada.operate(shown, "style", ["ink"]);
  await ada.find("the menu's answer", isMessage("chosen ink"));
  await ada.operate(shown, "order");
  const form = await ada.find("the order's form", (kind) => kind === "modal");
  await ada.submit(form, { size: ["large"] });
  await ada.find("the order's answer", isMessage("ordered large"));

  // What came from the stand-in goes back as the library writes it.
  const known = await channel.messages.fetch({ message: sent.id, force: true });
  await known.edit({ content: "sent back", embeds: known.embeds, components: known.components });
  const two = await channel.send({ content: "two files", files: [file("a.png"), file("b.png").setSpoiler(true)] });
  const edited = await two.edit({ content: "fewer files", attachments: [two.attachments.first()] });
  check(edited.attachments.size === 1, `an edit kept ${edited.attachments.size} files`);
  const laidOut = await channel.send({ components: layout("b.png"), files: [file("b.png")], flags: MessageFlags.IsComponentsV2 });
  const again = await channel.messages.fetch({ message: laidOut.id, force: true });
  await laidOut.edit({ components: again.components, flags: MessageFlags.IsComponentsV2 });
  await known.reply({ content: "an answer", allowedMentions: { repliedUser: false }, failIfNotExists: false });
  await known.forward(channel);
  await known.react("🎨");
  await known.react(PALETTE);
  await channel.send({ content: "quietly", flags: [MessageFlags.SuppressNotifications, MessageFlags.SuppressEmbeds], nonce: "5", enforceNonce: true });
  const thread = await known.startThread({ name: "a thread", autoArchiveDuration: 60 });
  await thread.send({ embeds: [{ title: "inside" }] });
}
