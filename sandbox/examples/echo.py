import os

import discord
import yarl
from discord import app_commands

url = os.environ.get("SANDBOX_URL", "http://127.0.0.1:8090")
# Both lines: with the first alone the bot would take its token to Discord's own gateway.
discord.http.Route.BASE = f"{url}/api/v10"
discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(url.replace("http", "ws", 1))

client = discord.Client(intents=discord.Intents.default())
tree = app_commands.CommandTree(client)


@tree.command(description="Says it again")
async def echo(interaction: discord.Interaction, words: str):
    await interaction.response.send_message(words)


@client.event
async def setup_hook():
    await tree.sync()


client.run(os.environ.get("DISCORD_TOKEN", "sandbox"))
