// Starts and kills the real program, and knows when its page can be opened.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** Starts `atelier sandbox`, or what `args` say, on a free port and waits for the address that it prints. */
export async function startSandbox(binary, dataDir, workingDir, args = ["sandbox", "--data", dataDir, "--port", "0"]) {
  const child = spawn(binary, args, { cwd: workingDir, stdio: ["ignore", "pipe", "pipe"] });
  const lines = [];
  child.stderr.on("data", (chunk) => lines.push(String(chunk)));
  const started = Date.now();
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(`${line}\n`);
    const url = line.match(/http:\/\/127\.0\.0\.1:\d+/)?.[0];
    if (url) {
      child.stdout.on("data", (chunk) => lines.push(String(chunk)));
      child.stdout.resume();
      return { url, child, output: () => lines.join(""), readyMs: Date.now() - started };
    }
  }
  throw new Error(`the sandbox printed no address:\n${lines.join("")}`);
}

/** Kills the program at once, as a power cut would, and waits until it is gone. */
export async function kill(program) {
  if (program.child.exitCode !== null || program.child.signalCode !== null) return;
  program.child.kill("SIGKILL");
  await once(program.child, "exit");
}
