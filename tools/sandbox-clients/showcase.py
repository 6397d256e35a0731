"""Everything that discord.py 2.7 can put into a message and a form: none of it is a violation, whatever the library writes out."""

import datetime
import io

import discord
from discord import ui

from stand_in import Person, check, is_message

PALETTE = discord.PartialEmoji(name="palette", id=1000000000000000190)
MOVING = discord.PartialEmoji(name="moving", id=1000000000000000191, animated=True)
PICTURE = "https://pictures.example/a.png"


def embeds(filename: str) -> list[discord.Embed]:
    full = discord.Embed(title="An embed", description="with everything", url=PICTURE, colour=0x11AA88, timestamp=datetime.datetime.now(datetime.UTC))
    full.set_author(name="Ada", url=PICTURE, icon_url=PICTURE).set_footer(text="below", icon_url=PICTURE)
    full.set_image(url=f"attachment://{filename}").set_thumbnail(url=PICTURE)
    full.add_field(name="one", value="1").add_field(name="two", value="2", inline=False)
    return [full, discord.Embed(description="and one with nothing but words")]


class Order(ui.Modal, title="An order"):
    about = ui.TextDisplay("What shall it be?")
    size = ui.Label(text="Size", component=ui.Select(options=[discord.SelectOption(label="Small", emoji="🐁"), discord.SelectOption(label="Large", emoji=PALETTE)]))
    words = ui.Label(text="Words", description="Anything", component=ui.TextInput(style=discord.TextStyle.long, required=False))

    async def on_submit(self, interaction: discord.Interaction):
        await interaction.response.send_message(f"ordered {self.size.component.values[0]}", ephemeral=True)


class Choices(ui.View):
    """Every kind of button and menu, with emoji of both kinds."""

    def __init__(self):
        super().__init__(timeout=None)
        for n, emoji in enumerate(["🎨", PALETTE, MOVING]):
            self.add_item(ui.Button(emoji=emoji, custom_id=f"emoji {n}"))
        self.add_item(ui.Button(label="Away", url=PICTURE))
        for kind in (ui.UserSelect, ui.RoleSelect, ui.MentionableSelect):
            self.add_item(kind(custom_id=kind.__name__, placeholder="Who?"))

    @ui.button(label="Order", emoji="📝", custom_id="order")
    async def order(self, interaction: discord.Interaction, _button: ui.Button):
        await interaction.response.send_modal(Order())

    @ui.select(custom_id="style", options=[discord.SelectOption(label="Ink", emoji="🖋️"), discord.SelectOption(label="Oil", emoji=PALETTE, description="slow", default=True)])
    async def style(self, interaction: discord.Interaction, select: ui.Select):
        await interaction.response.edit_message(content=f"chosen {select.values[0]}", embeds=interaction.message.embeds)


class Layout(ui.LayoutView):
    """A message that is laid out by components alone."""

    def __init__(self, filename: str):
        super().__init__(timeout=None)
        gallery = ui.MediaGallery(discord.MediaGalleryItem(f"attachment://{filename}", description="a picture"), discord.MediaGalleryItem(PICTURE, spoiler=True))
        section = ui.Section("A section", accessory=ui.Thumbnail(PICTURE))
        beside = ui.Section("with a button", accessory=ui.Button(emoji="🎨", custom_id="beside"))
        row = ui.ActionRow(ui.Button(label="Below", custom_id="below"))
        inner = [ui.TextDisplay("Inside"), gallery, ui.Separator(spacing=discord.SeparatorSpacing.large), row]
        self.add_item(section).add_item(beside).add_item(ui.Container(*inner, accent_colour=0x11AA88))


async def show(bot: discord.Client, ada: Person, png: bytes) -> None:
    """Sends, edits, answers, forwards and reacts."""
    channel = bot.get_channel(int(ada.channel))
    file = lambda: discord.File(io.BytesIO(png), "a.png", description="a picture", spoiler=False)
    sent = await channel.send("shown", embeds=embeds("a.png"), file=file(), view=Choices(), allowed_mentions=discord.AllowedMentions.none())
    shown = await ada.find("the message with everything", is_message("shown"))
    await ada.operate(shown, "style", ["Ink"])
    await ada.find("the menu's answer", is_message("chosen Ink"))
    await ada.operate(shown, "order")
    form = await ada.find("the order's form", lambda kind, _: kind == "modal")
    await ada.submit(form, **{form["components"][1]["component"]["custom_id"]: ["Large"]})
    await ada.find("the order's answer", is_message("ordered Large"))

    # What came from the stand-in goes back as the library writes it.
    known = await channel.fetch_message(sent.id)
    await known.edit(content="sent back", embeds=known.embeds, view=ui.View.from_message(known, timeout=None))
    two = await channel.send("two files", files=[file(), discord.File(io.BytesIO(png), "b.png", spoiler=True)])
    edited = await two.edit(content="fewer files", attachments=two.attachments[:1])
    check([kept.filename for kept in edited.attachments] == ["a.png"], f"an edit kept {edited.attachments}")
    laid_out = await channel.send(view=Layout("b.png"), file=discord.File(io.BytesIO(png), "b.png"))
    await laid_out.edit(view=ui.LayoutView.from_message(await channel.fetch_message(laid_out.id), timeout=None))
    await known.reply("an answer", mention_author=False)
    await known.forward(channel)
    await known.add_reaction("🎨")
    await known.add_reaction(PALETTE)
    await channel.send("quietly", silent=True, suppress_embeds=True, tts=False, nonce=5, delete_after=None)
    thread = await known.create_thread(name="a thread", auto_archive_duration=60)
    await thread.send(embed=discord.Embed(title="inside"))
