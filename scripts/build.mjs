/**
 * Builds `dist/`: a module for each source file, the command line, and a bundle for plain pages with another that it loads on demand.
 * Type declarations are a step of their own (`npm run types:emit`), so that this one takes a moment only.
 */
import { chmodSync, existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { buildCli, buildModules, bundleForBrowsers, bundleWeightsForBrowsers } from "./bundles.mjs";

process.chdir(join(import.meta.dirname, ".."));
const start = performance.now();
const cli = "src/cli/trama.ts";
const face = "src/index.ts";

rmSync("dist", { recursive: true, force: true });
const library = sources("src").filter((file) => !file.startsWith("src/cli/"));
await Promise.all([
  buildModules(library),
  ...(existsSync(cli) ? [buildCli(cli)] : []),
  ...(existsSync(face)
    ? [bundleForBrowsers(face, { outfile: "dist/trama.browser.js" }), bundleWeightsForBrowsers("dist")]
    : []),
]);
if (existsSync(cli)) chmodSync("dist/cli/trama.js", 0o755);
if (!process.argv.includes("--quiet")) {
  console.log(`dist/: ${library.length} modules in ${Math.round(performance.now() - start)} ms`);
}

function sources(folder) {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return files.filter((file) => file.endsWith(".ts")).map((file) => `${folder}/${file.replaceAll("\\", "/")}`);
}
