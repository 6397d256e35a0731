#!/usr/bin/env python3
"""How soon a bot acknowledges commands that come at a fixed rate: while its engine has nothing to do, while it draws and while its queue is full.

    python tools/bench/acknowledged.py --atelier target/dist/atelier [--rate 200] [--seconds 20] [--folder DIR]

Starts `atelier sandbox`, types `/imagine` at that rate whatever comes back, and reads from the stand-in's journal when each interaction was sent over the
gateway and when its callback arrived. For an engine that takes no time each asks for two grids, which is answered with a question about the price: noted, deferred, recorded and answered,
and nothing drawn. Prints the times of all of them; bot, stand-in and this program share the machine.
"""

import argparse
import http.client
import json
import pathlib
import socket
import subprocess
import tempfile
import threading
import time

LIMITS = """
[limits]
max_active_per_user = 1000000
max_queued_per_guild = {queue}
max_queued = {queue}
daily_row_megapixels = 1000000000.0
daily_row_megapixels_per_user = 0.0
"""
N_TYPING = 8


class Api:
    """The stand-in's own interface, on one connection."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def ask(self, method, path, body=None):
        headers = {"content-type": "application/json"} if body else {}
        self.connection.request(method, f"/sandbox/api{path}", json.dumps(body) if body else None, headers)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:200]}")
        return json.loads(text)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Journal(threading.Thread):
    """Reads when interactions were sent, and when their callbacks came."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.api, self.is_over = Api(port), False
        self.sent, self.answered, self.refused = {}, {}, 0

    def run(self):
        after, is_last = 0, False
        while not is_last:
            is_last = self.is_over
            page = self.api.ask("GET", f"/journal?after={after}&limit=1000")
            for line in page["lines"]:
                self.note(line)
            is_last = is_last and not page["lines"]
            if not page["lines"]:
                time.sleep(0.05)
            after = page["seq"]

    def note(self, line):
        if line["kind"] == "gateway" and line.get("t") == "INTERACTION_CREATE":
            body = line["body"]
            # A long body stands there cut off, as text.
            number = body["id"] if isinstance(body, dict) else body.split('"id":"', 1)[1].split('"', 1)[0]
            self.sent[number] = line["at_ms"]
        elif line["kind"] == "rest" and line["path"].endswith("/callback"):
            number = line["path"].split("/interactions/")[1].split("/")[0]
            self.answered[number] = line["at_ms"] - line["ms"]
            self.refused += line["status"] >= 300


def type_some(port, body, numbers, start, rate, made):
    api = Api(port)
    for number in numbers:
        time.sleep(max(0.0, start + number / rate - time.monotonic()))
        made.append(api.ask("POST", "/commands", body)["interaction"])


def measure(arguments, name, queue, prompt="a frog --images 1"):
    with tempfile.TemporaryDirectory(prefix="atelier-acknowledged-", dir=arguments.folder) as folder:
        config = pathlib.Path(folder) / "atelier.toml"
        config.write_text(LIMITS.format(queue=queue))
        port = free_port()
        command = [arguments.atelier, "--config", str(config), "sandbox", "--data", folder, "--port", str(port)]
        log = open(pathlib.Path(folder) / "log", "w")
        bot = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            print(f"{name}: {tell(run(arguments, port, prompt))}", flush=True)
        finally:
            bot.terminate()
            bot.wait(60)


def state_with_command(port):
    for _ in range(600):
        try:
            state = Api(port).ask("GET", "/state?user=ada")
            if any(command["name"] == "imagine" for command in state["commands"]):
                return state
        except (OSError, RuntimeError):
            pass
        time.sleep(0.1)
    raise SystemExit("the bot did not come")


def run(arguments, port, prompt):
    state = state_with_command(port)
    command = next(command["id"] for command in state["commands"] if command["name"] == "imagine")
    guild = state["guilds"][0]
    channel = next(channel["id"] for channel in guild["channels"] if channel["name"] == "general")
    options = [{"name": "prompt", "value": prompt}]
    body = {"user": "ada", "channel": channel, "command": command, "options": options}
    for _ in range(3):
        Api(port).ask("POST", "/commands", body)
    time.sleep(3)
    journal, made = Journal(port), []
    journal.start()
    n, start = int(arguments.rate * arguments.seconds), time.monotonic() + 0.5
    typing = [
        threading.Thread(target=type_some, args=(port, body, range(first, n, N_TYPING), start, arguments.rate, made))
        for first in range(N_TYPING)
    ]
    for thread in typing:
        thread.start()
    for thread in typing:
        thread.join()
    took = time.monotonic() - start
    time.sleep(4)
    journal.is_over = True
    journal.join()
    waits = sorted(journal.answered[number] - journal.sent[number] for number in made if number in journal.answered and number in journal.sent)
    return n / took, len(made) - len(waits), journal.refused, waits


def tell(measured):
    rate, n_unanswered, n_refused, waits = measured
    at = lambda part: waits[int((len(waits) - 1) * part)]
    return (
        f"{len(waits)} at {rate:.0f} a second: median {at(0.5)} ms, {at(0.9)} of 90 in 100, {at(0.99)} of 99 in 100, at most {waits[-1]}; "
        f"{n_unanswered} without a callback in time, {n_refused} callbacks refused"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--atelier", required=True)
    parser.add_argument("--rate", type=float, default=200.0)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--folder", help="where databases are, on the disk to measure")
    arguments = parser.parse_args()
    measure(arguments, "while the engine has nothing to do", 1000000, "a {red, blue} frog --images 1")
    measure(arguments, "while it draws", 1000000)
    measure(arguments, "with a full queue", 4)


if __name__ == "__main__":
    main()
