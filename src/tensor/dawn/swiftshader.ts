/**
 * SwiftShader, the software adapter of last resort: it travels, with a Vulkan loader, inside the npm package
 * `@sparticuz/chromium`, so that a machine without any graphics library still has an adapter.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { brotliDecompressSync } from "node:zlib";
import { DeviceError } from "../../errors.ts";
import { readTar } from "./tar.ts";

/** The npm package that carries SwiftShader. */
export const carrier = "@sparticuz/chromium";

/** The unpacked archive is 15 MB; anything far beyond that is not the archive we know. */
const mostBytes = 256 * 2 ** 20;

/** Where the two files that matter lie. */
export interface SwiftShader {
  /** The manifest that the Vulkan loader reads. */
  readonly manifest: string;
  /** A Vulkan loader, for machines that have none. */
  readonly loader: string;
}

/**
 * SwiftShader's files, unpacked into the cache on first use; `undefined` where the package is not installed or
 * holds nothing for this machine.
 * @throws DeviceError when the package is there but cannot be unpacked.
 */
export function findSwiftShader(): SwiftShader | undefined {
  const home = process.platform === "linux" && process.arch === "x64" ? packageFolder() : undefined;
  if (home === undefined || !existsSync(archiveIn(home))) return undefined;
  const folder = join(cacheFolder(), `swiftshader-${versionOf(home)}`);
  if (!existsSync(filesIn(folder).manifest)) unpack(archiveIn(home), folder);
  return filesIn(folder);
}

/** Trama's cache: `TRAMA_CACHE`, else `$XDG_CACHE_HOME/trama`, else `~/.cache/trama`. */
function cacheFolder(): string {
  const { TRAMA_CACHE: own, XDG_CACHE_HOME: xdg } = process.env;
  return own || join(xdg || join(homedir(), ".cache"), "trama");
}

/** Looks beside the user's program first, then beside Trama itself. */
function packageFolder(): string | undefined {
  for (const from of [join(process.cwd(), "package.json"), import.meta.url]) {
    const folders = createRequire(from).resolve.paths(carrier) ?? [];
    const home = folders.map((folder) => join(folder, carrier)).find((path) => existsSync(join(path, "package.json")));
    if (home !== undefined) return home;
  }
  return undefined;
}

function versionOf(home: string): string {
  const { version } = JSON.parse(readFileSync(join(home, "package.json"), "utf8")) as { version: string };
  return version;
}

function archiveIn(home: string): string {
  return join(home, "bin", "swiftshader.tar.br");
}

function filesIn(folder: string): SwiftShader {
  return { manifest: join(folder, "vk_swiftshader_icd.json"), loader: join(folder, "libvulkan.so.1") };
}

/** Unpacks beside the target and renames, so that two processes may race and nobody sees half a folder. */
function unpack(archive: string, target: string): void {
  let draft: string | undefined;
  try {
    mkdirSync(dirname(target), { recursive: true });
    draft = mkdtempSync(`${target}-`);
    const bytes = brotliDecompressSync(readFileSync(archive), { maxOutputLength: mostBytes });
    for (const file of readTar(bytes)) writeFileSync(join(draft, file.name), file.bytes, { mode: 0o755 });
    moveInto(target, draft);
  } catch (cause) {
    throw new DeviceError(
      {
        where: "SwiftShader",
        expected: `to unpack ${archive} into ${target}`,
        got: cause instanceof Error ? cause.message : String(cause),
        advice: "set TRAMA_CACHE to a folder that can be written",
      },
      { cause },
    );
  } finally {
    if (draft !== undefined) rmSync(draft, { recursive: true, force: true });
  }
}

function moveInto(target: string, draft: string): void {
  try {
    renameSync(draft, target);
  } catch (error) {
    // Another process was faster, and its folder is as good as ours.
    if (!existsSync(filesIn(target).manifest)) throw error;
  }
}
