#!/usr/bin/env python3
"""Shows that the tests of kills fail where the promise is broken.

    tools/mutants.py [NAME ...]

Takes a copy of the last commit into a folder of its own, runs the tests there as it is (they must pass), and then for each mutation the one that
has to see it (it must be built, and fail): storage's test of kills, or the storm of the whole program (docs/storm.md). Ends with 1 where a mutation
survives. Takes some minutes, and with the storm half an hour; nothing of the repository is changed.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
ONE = "kill::acknowledged_work_survives_every_kill"
STORM = "storm::every_promise_is_kept_in_a_storm"

HELD = "storage/src/sqlite/held.rs"
CHILD = "storage/tests/kill/child.rs"

# Each is a list of (file, what stands there once, what is put in its place).
MUTATIONS = {
    "no epoch check": [
        (HELD, "WHERE id = ? AND epoch = ? AND status = 'leased'", "WHERE id = ? AND ? IS NOT NULL AND status = 'leased'"),
    ],
    "outbox outside the transaction": [
        ("storage/src/sqlite/ending.rs", "INSERT INTO outbox (", "COMMIT; BEGIN IMMEDIATE; INSERT INTO outbox ("),
    ],
    "acknowledge before commit": [
        (
            CHILD,
            "        let id = lease.job.id;\n        self.point();\n",
            "        let id = lease.job.id;\n"
            "        if turn % 8 < 6 {\n"
            '            say(&format!("done {id} {}", lease.epoch));\n'
            "        }\n"
            "        self.point();\n",
        ),
    ],
    "no unique key": [
        ("migrations/sqlite/0001_first.sql", "key                 TEXT    NOT NULL UNIQUE,", "key                 TEXT    NOT NULL,"),
        ("storage/src/sqlite/enqueue.rs", "    if let Some(id) = same {\n", "    if let Some(id) = same.filter(|_| false) {\n"),
    ],
    "blob after complete": [
        (
            CHILD,
            "            let blob = self.blobs.put(bytes).await.unwrap();\n",
            "            let digest = <sha2::Sha256 as sha2::Digest>::digest(&bytes);\n"
            '            let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();\n'
            "            let blob = storage::BlobKey::parse(&digits).unwrap();\n"
            "            late.push(bytes);\n",
        ),
        (CHILD, "        for index in 0..2 {\n", "        let mut late = Vec::new();\n        for index in 0..2 {\n"),
        (
            CHILD,
            "        self.end(&lease, turn).await;\n",
            "        self.end(&lease, turn).await;\n"
            "        for bytes in late {\n"
            "            self.blobs.put(bytes).await.unwrap();\n"
            "        }\n",
        ),
    ],
    "no received note": [
        (
            "storage/src/sqlite/received.rs",
            "            Ok(are_new)\n        };\n",
            '            sql("DELETE FROM received").execute(db)?;\n            Ok(are_new)\n        };\n',
        ),
    ],
    "no attempt is counted": [
        ("storage/src/sqlite/claim.rs", "attempts = attempts + 1, has_advanced", "has_advanced"),
    ],
}
# Those that another test has to see: a contract test, or the storm.
TESTS = {"no attempt is counted": "a_poison_job_takes_none_of_those_beside_it_along", "no received note": STORM}


def command(test, *arguments):
    package = "atelier" if test == STORM else "atelier-storage"
    return ["cargo", "test", "--quiet", "-p", package, "--test", "it", *arguments]


def reason(output):
    lines = output.splitlines()
    for place, line in enumerate(lines):
        if "panicked at storage/tests/kill.rs" in line or "panicked at storage/tests/contract" in line:
            return " ".join(lines[place + 1 : place + 2])[:110]
        if "panicked at bot/tests/storm.rs" in line:
            return " ".join(lines[place + 2 : place + 3])[:110]
    return ""


def tested(copy, test):
    environment = {"ATELIER_STORM_KILLS": "60", "ATELIER_STORM_SEED": "1", **os.environ}

    def run(*arguments):
        how = {"cwd": copy, "env": environment, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "errors": "replace"}
        done = subprocess.run(command(test, *arguments), check=False, **how)
        return done.returncode, done.stdout

    code, output = run("--no-run")
    if code != 0:
        sys.exit(f"it cannot be built:\n{output[-3000:]}")
    return run(test, "--", "--exact") if test == STORM else run(test)


def main():
    wanted = sys.argv[1:] or list(MUTATIONS)
    unknown = [name for name in wanted if name not in MUTATIONS]
    if unknown:
        sys.exit(f"no mutation is called {', '.join(unknown)}; there are: {', '.join(MUTATIONS)}")
    survivors = []
    with tempfile.TemporaryDirectory(prefix="atelier-mutants-") as folder:
        copy = pathlib.Path(folder) / "copy"
        copy.mkdir()
        archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
        subprocess.run(["tar", "-x"], cwd=copy, check=True, input=archive)
        for test in dict.fromkeys(TESTS.get(name, ONE) for name in wanted):
            code, output = tested(copy, test)
            if code != 0:
                sys.exit(f"{test} fails as it is:\n{output[-3000:]}")
        print("as it is: passes", flush=True)
        for name in wanted:
            before = {}
            for file, old, new in MUTATIONS[name]:
                text = (copy / file).read_text()
                before.setdefault(file, text)
                if text.count(old) != 1:
                    sys.exit(f"{name}: {file} has {text.count(old)} times: {old}")
                (copy / file).write_text(text.replace(old, new))
            code, output = tested(copy, TESTS.get(name, ONE))
            print(f"{name}: {'SURVIVES' if code == 0 else 'fails'}  {reason(output)}", flush=True)
            if code == 0:
                survivors.append(name)
            for file, text in before.items():
                (copy / file).write_text(text)
    sys.exit(1 if survivors else 0)


if __name__ == "__main__":
    main()
