"""What the check in Python needs beside the bot: the program `atelier-sandbox`, and a person who talks to the bot."""

import asyncio
import contextlib
import os
import pathlib
import sys
import time

import aiohttp

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Failed(Exception):
    """Says in one sentence what is not as it should be."""


def check(is_so: bool, sentence: str) -> None:
    if not is_so:
        raise Failed(sentence)


def program() -> str:
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    found = os.environ.get("SANDBOX_BIN") or target / "release" / "atelier-sandbox"
    check(pathlib.Path(found).is_file(), f"{found} is not there: cargo build --release -p atelier-sandbox")
    return str(found)


@contextlib.asynccontextmanager
async def started():
    """Starts the program on a free port; gives what `--print-env` says."""
    process = await asyncio.create_subprocess_exec(
        program(), "--listen", "127.0.0.1:0", "--print-env", stdout=asyncio.subprocess.PIPE, env={**os.environ, "RUST_LOG": "off"}
    )
    try:
        settings = {}
        while "DISCORD_TOKEN" not in settings:
            line = (await process.stdout.readline()).decode()
            check(bool(line), "atelier-sandbox ended before it was ready")
            name, _, value = line.strip().partition("=")
            settings[name] = value
        yield settings
    finally:
        if process.returncode is None:
            process.terminate()
        check(await asyncio.wait_for(process.wait(), 10) == 0, f"atelier-sandbox ended with {process.returncode}")


@contextlib.asynccontextmanager
async def running(program: str):
    """Runs a program as somebody does who pasted it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("DISCORD_", "SANDBOX_"))}
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, env=environment)
    try:
        yield
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


class Person:
    """One of the people of the page, over the API of PAGE_API.md."""

    def __init__(self, session: aiohttp.ClientSession, url: str, name: str):
        self.session, self.base, self.name, self.user, self.seq, self.events = session, f"{url}/sandbox/api", name, "", 0, []

    async def call(self, method: str, path: str, **arguments):
        async with self.session.request(method, self.base + path, **arguments) as reply:
            body = await reply.json(content_type=None)
            check(reply.status < 300, f"{method} {path} was answered with {reply.status}: {body}")
            return body

    async def state(self) -> dict:
        return await self.call("GET", "/state", params={"user": self.user} if self.user else {})

    async def enter(self) -> None:
        state = await self.state()
        self.user = next(user["id"] for user in state["users"] if user["username"] == self.name)
        self.seq = state["seq"]
        channels = state["guilds"][0]["channels"]
        self.channel = next(channel["id"] for channel in channels if channel["name"] == "general")

    async def find(self, what: str, fits, within: float = 15.0):
        """The first event (of those kept) that fits; what was looked at is forgotten."""
        until = time.monotonic() + within
        while True:
            while self.events:
                event = self.events.pop(0)
                if fits(event["type"], event["data"]):
                    return event["data"]
            left = until - time.monotonic()
            check(left > 0, f"{what} did not happen within {within:.0f} s")
            params = {"user": self.user, "after": self.seq, "timeout_ms": int(min(left, 5) * 1000)}
            answer = await self.call("GET", "/events/poll", params=params)
            self.seq = answer["seq"]
            self.events += answer["events"]

    async def until_online(self, command: str) -> None:
        for _ in range(300):
            state = await self.state()
            if state["bot"]["online"] and any(known["name"] == command for known in state["commands"]):
                return
            await asyncio.sleep(0.05)
        raise Failed(f"the bot is not online with /{command} after 15 s")

    async def use(self, command: str, **options):
        return await self.call("POST", "/commands", json=await self.using(command, options))

    async def suggested(self, command: str, focused: str, **options):
        body = await self.using(command, options)
        return (await self.call("POST", "/autocomplete", json={**body, "focused": focused}))["choices"]

    async def using(self, command: str, options: dict) -> dict:
        known = next((known for known in (await self.state())["commands"] if known["name"] == command), None)
        check(known is not None, f"/{command} is not registered")
        options = [{"name": name, "value": value} for name, value in options.items()]
        return {"user": self.user, "channel": self.channel, "command": known["id"], "options": options}

    async def operate(self, message: dict, wanted: str, values: list | None = None):
        """Presses a button or chooses from a menu, by its label or its custom id."""
        components = [component for row in message["components"] for component in row["components"]]
        component = next((component for component in components if wanted in (component.get("label"), component.get("custom_id"))), None)
        check(component is not None, f"the message has no {wanted}: {message['components']}")
        body = {"user": self.user, "message": message["id"], "custom_id": component["custom_id"], "values": values or []}
        return await self.call("POST", "/components", json=body)

    async def guide(self, library: str) -> dict:
        """How the page says that a bot connects."""
        guides = (await self.call("GET", "/connect"))["guides"]
        return next(guide for guide in guides if guide["library"] == library)

    async def expect_no_violation(self):
        found = await self.call("GET", "/control/violations")
        told = "\n".join(f"{one['direction']} {one['method']} {one['route']}: {one['message']}" for one in found)
        check(not found, f"{len(found)} violations:\n{told}")

    async def submit(self, modal: dict, **fields):
        body = {"user": self.user, "interaction": modal["interaction"], "custom_id": modal["custom_id"], "fields": fields}
        return await self.call("POST", "/modals", json=body)

    async def say(self, content: str):
        return await self.call("POST", "/messages", json={"user": self.user, "channel": self.channel, "content": content})

    async def fault(self, **fault):
        return await self.call("POST", "/control/faults", json=fault)


def is_message(*words: str):
    """Fits a message, new or changed, that has these words."""
    return lambda kind, data: kind in ("message_create", "message_update") and all(word in data["content"] for word in words)
