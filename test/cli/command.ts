/** The real command line as a child process, in a folder of its own. */
import { execFile, spawn } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const root = join(import.meta.dirname, "../..");

export interface Outcome {
  /** Exit code; null when a signal ended the process. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  /** Without what Dawn's native code says there. */
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Folder of the package to run; default: this one. */
  readonly home?: string;
  /** Called with all that was said so far, whenever there is more; what it returns is sent to the process. */
  readonly onOutput?: (stdout: string, stderr: string) => NodeJS.Signals | undefined;
}

/** A process that has not ended by then does not end by itself. */
const PATIENCE_MS = 180_000;

/** A package as users get it, and a folder to use it in. */
export class Workplace {
  readonly folder = mkdtempSync(join(tmpdir(), "trama-cli-"));
  /** A copy of what was built: another build may replace `dist/` while these tests run. */
  readonly home = join(this.folder, "package");

  static async build(): Promise<Workplace> {
    await promisify(execFile)(process.execPath, ["scripts/build.mjs", "--quiet"], { cwd: root });
    const place = new Workplace();
    copyPackage(root, place.home);
    symlinkSync(join(root, "node_modules"), join(place.home, "node_modules"), "dir");
    return place;
  }

  trama(args: readonly string[], { env = {}, home = this.home, onOutput }: RunOptions = {}): Promise<Outcome> {
    const child = spawn(process.execPath, [join(home, "dist/cli/trama.js"), ...args], {
      cwd: this.folder,
      env: { ...process.env, NO_COLOR: "1", TRAMA_DATA: "", ...env },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: PATIENCE_MS,
      killSignal: "SIGKILL",
    });
    let [stdout, stderr] = ["", ""];
    const react = (): void => {
      const signal = onOutput?.(stdout, stderr);
      if (signal !== undefined) child.kill(signal);
    };
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
      react();
    });
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
      react();
    });
    return new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr: withoutDawn(stderr) }));
    });
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }
}

/** What is published, without what it depends on. */
export function copyPackage(from: string, to: string): void {
  cpSync(join(from, "dist"), join(to, "dist"), { recursive: true });
  cpSync(join(from, "package.json"), join(to, "package.json"));
}

function withoutDawn(text: string): string {
  return text.replace(/^Warning: max\w+ artificially reduced.*\n/gm, "");
}

/** Lines of `--json`; throws when one is not JSON. */
export function eventsIn(stdout: string): Record<string, unknown>[] {
  const lines = stdout.split("\n").filter((line) => line !== "");
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}
