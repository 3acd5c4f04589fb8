/** Versions of what is measured and of what it runs on, read from the packages themselves. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(import.meta.url);

/** That of an installed package; "unknown" where all is bundled into one file. */
function versionIn(find: () => string): string {
  try {
    return (JSON.parse(readFileSync(find(), "utf8")) as { version: string }).version;
  } catch {
    return "unknown";
  }
}

export const VERSIONS = {
  node: process.versions.node,
  trama: versionIn(() => `${import.meta.dirname}/../package.json`),
  webgpu: versionIn(() => require.resolve("webgpu/package.json")),
  jax: versionIn(() => join(require.resolve("@jax-js/jax"), "../../package.json")),
} as const;
