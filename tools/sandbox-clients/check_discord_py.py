"""Checks the stand-in with discord.py, unchanged: python check_discord_py.py, after pip install discord.py==2.7.1."""

import asyncio
import io
import logging
import sys
import types

import aiohttp
import discord
from discord import app_commands

import showcase
from stand_in import Failed, Person, check, is_message, running, started

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108020000009077"
    "53de0000000c49444154789c63f8cfc0000003010100c9fe92ef0000000049454e44ae426082"
)


def done(sentence: str) -> None:
    print(f"  discord.py: {sentence}", flush=True)


class Form(discord.ui.Modal, title="Change the prompt"):
    prompt = discord.ui.TextInput(label="Prompt", custom_id="prompt", default="a frog")

    async def on_submit(self, interaction: discord.Interaction):
        await interaction.response.send_message(f"changed to {self.prompt.value}", ephemeral=True)


class Buttons(discord.ui.View):
    def __init__(self):
        super().__init__(timeout=None)

    @discord.ui.button(label="Again", custom_id="again")
    async def again(self, interaction: discord.Interaction, _button: discord.ui.Button):
        await interaction.response.edit_message(content="drawn again")

    @discord.ui.button(label="Change", custom_id="change")
    async def change(self, interaction: discord.Interaction, _button: discord.ui.Button):
        await interaction.response.send_modal(Form())


class Bot(discord.Client):
    """A small bot with a command, a menu, buttons and a form."""

    def __init__(self):
        intents = discord.Intents.default()
        intents.message_content = True
        super().__init__(intents=intents)
        self.tree = app_commands.CommandTree(self)
        self.heard, self.n_resumes, self.n_readies = [], 0, 0

        @self.tree.command(description="Draws")
        async def imagine(interaction: discord.Interaction, prompt: str, style: str = "plain"):
            await interaction.response.defer()
            files = [discord.File(io.BytesIO(PNG), f"{n}.png", description=f"picture {n}") for n in range(2)]
            await interaction.edit_original_response(content=f"{prompt}, {style}", attachments=files, view=Buttons())
            await interaction.followup.send("and that was all")

        @imagine.autocomplete("style")
        async def styles(_interaction: discord.Interaction, typed: str):
            fitting = [style for style in ("ink", "oil", "pencil") if style.startswith(typed)]
            return [app_commands.Choice(name=style, value=style) for style in fitting]

        @self.tree.context_menu(name="Count words")
        async def count(interaction: discord.Interaction, message: discord.Message):
            await interaction.response.send_message(f"{len(message.content.split())} words", ephemeral=True)

    async def setup_hook(self):
        await self.tree.sync()

    async def on_ready(self):
        self.n_readies += 1

    async def on_resumed(self):
        self.n_resumes += 1

    async def on_message(self, message: discord.Message):
        if not message.author.bot:
            self.heard.append(message.content)


class Warnings(logging.Handler):
    """Keeps what the library says of rate limits."""

    def __init__(self):
        super().__init__()
        self.lines = []

    def emit(self, record: logging.LogRecord):
        line = record.getMessage()
        if any(words in line for words in ("We are being rate limited", "Global rate limit has been hit", "has been exhausted")):
            self.lines.append(line)


async def talk(bot: Bot, ada: Person, limits: Warnings) -> None:
    await ada.use("imagine", prompt="a frog", style="ink")
    waiting = await ada.find("the thinking state", lambda kind, data: kind == "message_create" and data["flags"] & 128)
    grid = await ada.find("the edit with files", is_message("a frog, ink"))
    check(grid["id"] == waiting["id"], "the edit changed another message than the deferred one")
    check([file["filename"] for file in grid["attachments"]] == ["0.png", "1.png"], f"attachments: {grid['attachments']}")
    check([file["width"] for file in grid["attachments"]] == [1, 1], f"pictures have sizes: {grid['attachments']}")
    async with ada.session.get(grid["attachments"][1]["url"]) as served:
        check(await served.read() == PNG, "the file that is served is not the one that was sent")
    await ada.find("the follow-up", is_message("and that was all"))
    done("a command was deferred, edited with two files and followed up")

    choices = await ada.suggested("imagine", "style", prompt="a frog", style="p")
    check([choice["value"] for choice in choices] == ["pencil"], f"suggestions: {choices}")
    done("an option suggested its values")

    await ada.operate(grid, "Again")
    await ada.find("the button's answer", is_message("drawn again"))
    done("a button changed its message")

    await ada.operate(grid, "Change")
    modal = await ada.find("the form", lambda kind, _: kind == "modal")
    await ada.submit(modal, prompt="a robot")
    answer = await ada.find("the form's answer", is_message("changed to a robot"))
    check(answer["flags"] & 64 == 64, "the form's answer is for everyone")
    done("a form was opened, sent and answered to its sender alone")

    said = await ada.say("one two three")
    await ada.call("POST", "/commands", json={**await ada.using("Count words", {}), "target": said["id"]})
    await ada.find("the menu's answer", is_message("3 words"))
    done("a message's menu was used")

    await showcase.show(bot, ada, PNG)
    done("embeds, emoji, menus, files, layouts, forms, answers and threads")

    await limited(bot, ada, limits)
    await resumed(bot, ada)


async def limited(bot: Bot, ada: Person, limits: Warnings) -> None:
    channel = bot.get_channel(int(ada.channel))
    check(channel is not None, "the bot does not know the channel")
    n_messages = 3
    try:
        await ada.fault(kind="rate_limit", count=1, ms=300, route="POST /channels")
    except Failed:
        # Without that fault the bucket is really exceeded.
        n_messages = 130
    sent = await asyncio.gather(*(channel.send(f"message {n}") for n in range(n_messages)))
    check(len({message.id for message in sent}) == n_messages, "messages were lost or sent twice")
    check(bool(limits.lines), f"{n_messages} messages at once met no rate limit")
    done(f"a rate limit was met and waited for ({limits.lines[0]})")


async def resumed(bot: Bot, ada: Person) -> None:
    # The library waits two seconds for further guilds before it is ready.
    await bot.wait_until_ready()
    await ada.fault(kind="gateway_drop", count=1)
    await ada.say("said while you were away")
    for _ in range(300):
        if bot.n_resumes == 1 and "said while you were away" in bot.heard:
            break
        await asyncio.sleep(0.05)
    check(bot.n_resumes == 1, f"the session was resumed {bot.n_resumes} times after the connection was lost")
    check(bot.heard.count("said while you were away") == 1, f"what was said meanwhile was heard so: {bot.heard}")
    check(bot.n_readies == 1, f"the bot became ready {bot.n_readies} times")
    await ada.use("imagine", prompt="after that")
    await ada.find("an answer after the resume", is_message("after that"))
    done("a lost connection was resumed, what happened meanwhile came once, and commands are answered again")


async def main() -> None:
    async with started() as settings, aiohttp.ClientSession() as session:
        ada = Person(session, settings["SANDBOX_URL"], "ada")
        await ada.enter()
        guide = await ada.guide("discord.py")
        async with running(guide["program"]):
            await ada.until_online("echo")
            await ada.use("echo", words="the page is right")
            await ada.find("the program's answer", is_message("the page is right"))
        done("the page's program answers")

        # The page's lines, with a client that only notes how it is to log in.
        tokens = []
        exec(guide["lines"], {"client": types.SimpleNamespace(run=tokens.append)})
        check(tokens == [settings["DISCORD_TOKEN"]], f"the page's lines log in with {tokens}")
        limits = Warnings()
        logging.getLogger("discord").addHandler(limits)
        logging.getLogger("discord").setLevel(logging.DEBUG)
        logging.getLogger("discord").propagate = False
        async with Bot() as bot:
            working = asyncio.create_task(bot.start(tokens[0]))
            await ada.until_online("imagine")
            done("logged in, and two commands are registered")
            talking = asyncio.create_task(talk(bot, ada, limits))
            await asyncio.wait({working, talking}, return_when=asyncio.FIRST_COMPLETED)
            check(talking.done() or not working.done(), f"the bot ended: {working.done() and working.exception()}")
            await talking
        await asyncio.gather(working, return_exceptions=True)
        await ada.expect_no_violation()
        done("nothing of all this was a violation")


if __name__ == "__main__":
    try:
        asyncio.run(asyncio.wait_for(main(), 60))
    except Failed as failed:
        sys.exit(f"discord.py: {failed}")
    except TimeoutError:
        sys.exit("discord.py: the check did not end within 60 s")
    print("discord.py: everything passed")
