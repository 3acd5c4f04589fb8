/**
 * The size budget: what a page loads of the engine, minified and compressed.
 * With `--against`, TensorFlow.js is measured beside it (its core, layers and WebGPU backend).
 */
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { bundleForBrowsers } from "./bundles.mjs";

process.chdir(join(import.meta.dirname, ".."));

/** Kilobytes of 1024 bytes: what is aimed at, and what a change may not go beyond without a word. */
const aim = 60;
const limit = 65;
/** What is loaded when it is asked for does not count. */
const budget = { write: false, external: ["*/metrics/named.ts"] };

/** What a page that trains a convolutional network asks for: the rest of the engine stays out of its bundle. */
const page = `
  import { adam, build, conv2d, dense, evaluate, fit, flatten, maxPool2d, openDevice, predict, sequential } from "./src/index.ts";
  globalThis.trama = { adam, build, conv2d, dense, evaluate, fit, flatten, maxPool2d, openDevice, predict, sequential };`;
const engine = ["tensor", "kernels", "nn"].map((part) => `export * from "./src/${part}/index.ts";`).join("\n");

const own = await measureText(page);
report("a page that trains a ConvNet", own);
report("every operation and layer", await measureText(engine));
report("all of trama, data and weights included", await measure("src/index.ts"));
if (process.argv.includes("--against")) {
  const rival = await measureText(
    ["core", "layers", "backend-webgpu"]
      .map((part) => `export * as ${part.replace("-", "_")} from "@tensorflow/tfjs-${part}";`)
      .join("\n"),
  );
  report("tfjs core + layers + webgpu", rival);
  console.log(`ratio: 1 : ${(rival.gzip / own.gzip).toFixed(1)}`);
}
if (own.gzip > aim) console.log(`${(own.gzip - aim).toFixed(1)} KB above the aim of ${aim} KB`);
if (own.gzip > limit) {
  console.error(`over the limit of ${limit} KB`);
  process.exitCode = 1;
}

function measure(entry) {
  return weigh(bundleForBrowsers(entry, budget));
}

function measureText(contents) {
  const stdin = { contents, resolveDir: process.cwd(), loader: "ts" };
  return weigh(bundleForBrowsers("", { ...budget, entryPoints: [], stdin, logLevel: "error" }));
}

async function weigh(bundle) {
  const [{ contents }] = (await bundle).outputFiles;
  return { minified: contents.length / 1024, gzip: gzipSync(contents, { level: 9 }).length / 1024 };
}

function report(name, { minified, gzip }) {
  console.log(`${name}: ${minified.toFixed(1)} KB minified, ${gzip.toFixed(1)} KB with gzip`);
}
