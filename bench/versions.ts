/** Versions of all that is measured, read from the packages themselves. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

function versionIn(path: string): string {
  return (JSON.parse(readFileSync(path, "utf8")) as { version: string }).version;
}

export const VERSIONS = {
  node: process.versions.node,
  trama: versionIn(`${import.meta.dirname}/../package.json`),
  webgpu: versionIn(require.resolve("webgpu/package.json")),
  tfjs: versionIn(require.resolve("@tensorflow/tfjs/package.json")),
} as const;
