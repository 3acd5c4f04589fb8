/** What lies below a folder. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { fileFault } from "./fileFaults.node.ts";

/** See `PlatformFiles.listFiles`. */
export async function listFilesBelow(folder: string): Promise<readonly string[]> {
  try {
    const found = await filesBelow(folder, "");
    return found.sort();
  } catch (cause) {
    throw fileFault(folder, "list", cause);
  }
}

async function filesBelow(folder: string, prefix: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const found: string[] = [];
  for (const entry of entries) {
    if (entry.name.startsWith(".")) continue;
    const path = join(folder, entry.name);
    // A link to a file is a file; a link to a folder is not followed, because it may lead in a circle.
    const kind = entry.isSymbolicLink() ? await stat(path).catch(() => undefined) : entry;
    if (kind?.isFile() === true) found.push(prefix + entry.name);
    if (entry.isDirectory()) found.push(...(await filesBelow(path, `${prefix}${entry.name}/`)));
  }
  return found;
}
