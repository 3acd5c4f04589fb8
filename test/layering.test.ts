/** The house's plan, enforced: who may import whom, by which door, and what may happen while a file loads. */
import { execFile } from "node:child_process";
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { importsOf, root, sourcesIn, type Import } from "./layering/imports.ts";

const run = promisify(execFile);

const engine = ["nn", "kernels", "tensor", "errors"];

/** What each part may import, besides itself. `index` is the package's face. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  errors: [],
  tensor: ["errors"],
  kernels: ["tensor", "errors"],
  nn: ["kernels", "tensor", "errors"],
  svm: ["errors"],
  data: engine,
  weights: engine,
  models: engine,
  explain: engine,
  onnx: ["weights", ...engine],
  train: ["data", "weights", ...engine],
  report: ["train", "data", "weights", ...engine],
  tune: ["train", ...engine],
  experiments: ["report", "train", "models", "weights", "data", ...engine],
  index: ["tune", "report", "train", "models", "weights", "svm", "data", ...engine],
  cli: [
    "index",
    "experiments",
    "explain",
    "onnx",
    "tune",
    "report",
    "train",
    "models",
    "weights",
    "svm",
    "data",
    ...engine,
  ],
};

/** `src/tensor/shape.ts` belongs to `tensor`, `src/errors.ts` to `errors`. */
function partOf(file: string): string {
  return file.split("/")[1]?.replace(/\.ts$/, "") ?? file;
}

const files = sourcesIn("src");
const written = await importsOf(files, { types: true });
const compiled = await importsOf(files, { types: false });

/** Imports by a path from one part of the house into another; `#` names are doors made for everybody. */
const crossings = written.flatMap(({ from, specifier, to }) =>
  specifier.startsWith(".") ? to.filter((file) => partOf(file) !== partOf(from)).map((file) => ({ from, file })) : [],
);

const layering = suite("layering");

layering("every folder has a place in the plan", () => {
  const strangers = new Set(files.map(partOf).filter((part) => !Object.hasOwn(mayImport, part)));
  assert.equal([...strangers], []);
});

layering("imports lead downwards only", () => {
  const wrong = crossings.filter(({ from, file }) => !mayImport[partOf(from)]?.includes(partOf(file)));
  assert.equal(wrong.map(inWords), []);
});

layering("a folder is entered by its index.ts", () => {
  const wrong = crossings.filter(({ file }) => file.split("/").length > 2 && !/^src\/\w+\/index\.ts$/.test(file));
  assert.equal(wrong.map(inWords), []);
});

layering("no file imports itself by way of others", () => {
  assert.equal(cyclesIn(compiled), []);
});

layering("what only Node has is imported by Node's own files only", () => {
  const wrong = compiled.filter(({ from, specifier }) => specifier.startsWith("node:") && !isForNode(from));
  assert.equal(
    wrong.map(({ from, specifier }) => `${from} imports ${specifier}`),
    [],
  );
});

layering("the library needs no package but the optional ones", () => {
  const foreign = compiled.filter(
    ({ from, specifier }) => partOf(from) !== "cli" && /^(?!node:)[a-z@]/.test(specifier),
  );
  const allowed = new Set(["webgpu", "sharp", "h5wasm", "echarts", "@resvg/resvg-js"]);
  assert.equal(
    foreign
      .filter(({ specifier }) => !allowed.has(specifier))
      .map(({ from, specifier }) => `${from} imports ${specifier}`),
    [],
  );
});

layering("nothing touches the file system or navigator while it loads, in Node", async () => {
  await loadInACell({ platform: "node", conditions: ["source"] });
});

layering("nothing touches the file system or navigator while it loads, in a page", async () => {
  const inputs = await loadInACell({ platform: "browser", conditions: ["source"] });
  assert.equal(
    inputs.filter((file) => file.endsWith(".node.ts")),
    [],
    "a page loads no code of Node's",
  );
});

function inWords({ from, file }: { readonly from: string; readonly file: string }): string {
  return `${from} imports ${file}`;
}

/** Files for Node say so in their name, or are helpers in a folder that only such a file imports. */
function isForNode(file: string): boolean {
  return file.endsWith(".node.ts") || /^src\/(cli|tensor\/dawn)\//.test(file);
}

/** Each cycle once, as `a.ts → b.ts → a.ts`, found by depth-first search. */
function cyclesIn(imports: readonly Import[]): string[] {
  const next = new Map<string, string[]>();
  for (const { from, to } of imports) next.set(from, [...(next.get(from) ?? []), ...to]);
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    const start = path.indexOf(file);
    if (start >= 0) cycles.push([...path.slice(start), file].join(" → "));
    if (start >= 0 || done.has(file)) return;
    for (const target of next.get(file) ?? []) visit(target, [...path, file]);
    done.add(file);
  };
  for (const file of next.keys()) visit(file, []);
  return cycles;
}

/** Makes any look at `navigator` an error; Node's permission model does the same for files. */
const bars = `Object.defineProperty(globalThis, "navigator", { get() { throw new Error("navigator is touched"); } });`;

/** Bundles every folder's face and loads the bundle where neither files nor `navigator` can be had. */
async function loadInACell(options: { platform: "node" | "browser"; conditions: string[] }): Promise<string[]> {
  const faces = files.filter((file) => /^src\/(\w+\/)?index\.ts$/.test(file));
  const contents = faces
    .map((file, index) => `import * as face${index} from "./${file}"; void face${index};`)
    .join("\n");
  const result = await build({
    ...options,
    stdin: { contents: `${contents}\n`, resolveDir: root },
    absWorkingDir: root,
    bundle: true,
    format: "esm",
    write: false,
    metafile: true,
    packages: "external",
    treeShaking: false,
    banner: { js: bars },
    logLevel: "error",
  });
  await runWithoutFiles(result.outputFiles[0]?.text ?? "");
  return Object.keys(result.metafile.inputs);
}

async function runWithoutFiles(program: string): Promise<void> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "trama-cell-")));
  const file = join(folder, "program.mjs");
  const permission = process.allowedNodeEnvironmentFlags.has("--permission")
    ? "--permission"
    : "--experimental-permission";
  try {
    writeFileSync(file, program);
    await run(process.execPath, [permission, `--allow-fs-read=${file}`, file]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

layering.run();
