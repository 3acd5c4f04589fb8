/**
 * Keeps Dawn's harmless native warnings off the terminal. They are written to descriptor 2 by C++, where no
 * JavaScript hook sees them, so for the moment of one synchronous call the descriptor leads to a file instead.
 */
import { closeSync, fstatSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const stderr = 2;

/** lavapipe offers more dynamic offsets than Dawn can use; a machine without Vulkan is the adapter list's subject. */
const harmless = [
  "maxDynamicUniformBuffersPerPipelineLayout artificially reduced",
  "maxDynamicStorageBuffersPerPipelineLayout artificially reduced",
  "Couldn't load Vulkan",
  "vkCreateInstance: Found no drivers",
  "vkCreateInstance failed with VK_ERROR_INCOMPATIBLE_DRIVER",
];

/**
 * Runs `call`, which must be synchronous, without the harmless warnings among what it writes to stderr. Every other
 * complaint goes to `take`, and to stderr after all unless `take` returns true.
 */
export function quietly<T>(call: () => T, take: (complaint: string) => boolean = () => false): T {
  const detour = detourStderr();
  if (detour === undefined) return call();
  try {
    return call();
  } finally {
    for (const complaint of complaintsIn(detour.end())) if (!take(complaint)) writeSync(stderr, complaint);
  }
}

/** The complaints in a native log, each with its indented lines of detail, less the harmless ones. */
export function complaintsIn(log: string): string[] {
  const complaints = log.split(/(?<=\n)(?=[^\s])/).filter((text) => text !== "");
  return complaints.filter((text) => !harmless.some((phrase) => text.includes(phrase)));
}

/** Sends descriptor 2 to a file until `end`, which returns what was said; `undefined` where that is unsafe. */
function detourStderr(): { end(): string } | undefined {
  if (!canReopen()) return undefined;
  const opened: number[] = [];
  try {
    const original = keep(opened, openSync(descriptor(stderr), "a"));
    const sink = keep(opened, openNamelessFile());
    leadStderrTo(sink);
    return { end: () => endDetour(original, sink) };
  } catch {
    // A terminal of another user, a full or read-only disk: then the warnings show, which harms nobody.
    opened.forEach(closeSync);
    return undefined;
  }
}

function endDetour(original: number, sink: number): string {
  leadStderrTo(original);
  const said = readFileSync(sink, "utf8");
  closeSync(original);
  closeSync(sink);
  return said;
}

function keep(opened: number[], fd: number): number {
  opened.push(fd);
  return fd;
}

/** A file that has no name any more, so that nothing is left behind whatever happens. */
function openNamelessFile(): number {
  const folder = mkdtempSync(join(tmpdir(), "trama-stderr-"));
  try {
    return openSync(join(folder, "said"), "a+");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Reopening gives a descriptor with an offset of its own. On a terminal, a pipe or a file opened for append that makes
 * no difference; in any other file (`2> log`) later output would overwrite ours, and a socket cannot be reopened.
 */
function canReopen(): boolean {
  if (process.platform !== "linux") return false;
  try {
    const status = fstatSync(stderr);
    return status.isFIFO() || status.isCharacterDevice() || (status.isFile() && isForAppend());
  } catch {
    return false;
  }
}

function isForAppend(): boolean {
  const flags = /^flags:\s*([0-7]+)/m.exec(readFileSync("/proc/self/fdinfo/2", "utf8"))?.[1] ?? "0";
  return (Number.parseInt(flags, 8) & 0o2000) !== 0;
}

/** The lowest free descriptor is given out first, so what is opened right after closing 2 becomes 2. */
function leadStderrTo(fd: number): void {
  closeSync(stderr);
  openSync(descriptor(fd), "a");
}

function descriptor(fd: number): string {
  return `/proc/self/fd/${fd}`;
}
