/**
 * Tests what users get: packs the project, installs the tarball into an empty one without touching the network, and
 * uses it there. Prints one line a check, and `N passed, N failed` last.
 */
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { buildSync } from "esbuild";

const root = join(import.meta.dirname, "..");
const tools = join(root, "node_modules", ".bin");
const project = mkdtempSync(join(tmpdir(), "trama-smoke-"));
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const entries = Object.keys(manifest.exports).filter((path) => !path.endsWith(".json"));
const count = { passed: 0, failed: 0 };
let tarball = "";

/** Ends by itself, or the check fails: a device that keeps the process alive is a fault. */
const patience = 60_000;

const useIt = `
import { build, dense, evaluate, fit, flatten, openDevice, sequential, syntheticGarments } from "trama";
const device = await openDevice();
const { train, test } = syntheticGarments({ trainCount: 256, testCount: 64 });
const model = build(device, sequential([flatten(), dense(32, { activation: "relu" }), dense(10)]), { input: [28, 28, 1] });
const { history } = await fit(model, train, { epochs: 2, batchSize: 64 });
const { count } = await evaluate(model, test);
console.log(history[1].loss < history[0].loss, count);
await device.close();
`;

const useItsTypes = `
import * as trama from "trama";
export const open: Promise<object> = trama.openDevice({ adapter: "swiftshader" });
// @ts-expect-error -- the option is a string, and a package whose types got lost would not notice.
export const wrong = trama.openDevice({ adapter: 1 });
`;

try {
  check("npm pack", pack);
  if (tarball === "") throw new Error("without a tarball there is nothing to test");
  check("only what belongs there is packed", hasNoStrays);
  check("publint", () => tool("publint", "run", tarball, "--strict"));
  check("attw", () => tool("attw", tarball, "--profile", "esm-only", "--no-definitely-typed", "--no-emoji"));
  check("npm install, without dependencies", install);
  for (const entry of entries.filter((path) => path !== "./browser")) {
    check(`import "${nameOf(entry)}"`, () => importEntry(entry));
  }
  check("the browser bundle asks for one package, and for that on demand", () =>
    expect(importsOfBundle() === "dynamic-import h5wasm", importsOfBundle()),
  );
  check("a missing webgpu is explained", () => expect(refusal().includes("npm install webgpu"), refusal()));
  check("a missing h5wasm is explained", () => expect(kerasRefusal().includes("npm install h5wasm"), kerasRefusal()));
  check("a missing echarts is explained", () => expect(plotRefusal().includes("npm install echarts"), plotRefusal()));
  check("a program runs on an adapter and ends", () => expect(runOnAdapter().trim() === "true 64", "it learns"));
  check("its types are found and hold", typeCheck);
  check("trama --help", () =>
    expect(/Usage: trama/.test(node("node_modules/trama/dist/cli/trama.js", "--help")), "a usage"),
  );
} catch (error) {
  console.log(error.message);
} finally {
  rmSync(project, { recursive: true, force: true });
}
console.log(`${count.passed} passed, ${count.failed} failed`);
process.exitCode = count.failed > 0 ? 1 : 0;

function check(name, test) {
  try {
    test();
    count.passed += 1;
    console.log(`ok    ${name}`);
  } catch (error) {
    count.failed += 1;
    console.log(`FAIL  ${name}\n${indent(error.stdout || "")}${indent(error.stderr || error.message)}`);
  }
}

function pack() {
  const name = shell(root, "npm", "pack", "--ignore-scripts=false", "--silent", "--pack-destination", project)
    .trim()
    .split("\n")
    .at(-1);
  tarball = join(project, name);
}

function hasNoStrays() {
  const allowed = /^package\/(dist\/.*\.(js|d\.ts)|package\.json|README\.md|LICENSE|CHANGELOG\.md)$/;
  const strays = shell(root, "tar", "-tzf", tarball)
    .trim()
    .split("\n")
    .filter((file) => !allowed.test(file));
  expect(strays.length === 0, `no ${strays.join(", ")}`);
}

function install() {
  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "empty", private: true, type: "module" }));
  shell(project, "npm", "install", "--offline", "--no-audit", "--no-fund", "--no-package-lock", tarball);
  const installed = readdirSync(join(project, "node_modules")).filter((name) => !name.startsWith("."));
  expect(installed.join() === "trama", `trama alone, not ${installed.join(", ")}`);
}

function importEntry(entry) {
  node(
    "--input-type=module",
    "--eval",
    `if (Object.keys(await import("${nameOf(entry)}")).length === 0) throw new Error("empty");`,
  );
}

function nameOf(entry) {
  return join(manifest.name, entry).replaceAll("\\", "/");
}

/** What the bundle imports from outside of its folder, by a parser's word. */
function importsOfBundle() {
  const entry = join(project, "node_modules/trama/dist/trama.browser.js");
  const { metafile } = buildSync({
    entryPoints: [entry],
    bundle: true,
    packages: "external",
    write: false,
    metafile: true,
    format: "esm",
  });
  return Object.values(metafile.inputs)
    .flatMap(({ imports }) => imports.filter(({ external }) => external).map(({ kind, path }) => `${kind} ${path}`))
    .join(", ");
}

function refusal() {
  const program = `import { openDevice } from "trama"; await openDevice().catch((error) => console.log(error.message));`;
  return node("--input-type=module", "--eval", program);
}

function plotRefusal() {
  const program = `import { pixelPlot, renderSvg } from "trama/report"; await renderSvg(pixelPlot(new Array(256).fill(1))).catch((error) => console.log(error.message));`;
  return node("--input-type=module", "--eval", program);
}

function kerasRefusal() {
  const hdf5 = "Uint8Array.of(0x89, 0x48, 0x44, 0x46)";
  const program = `import { openWeights } from "trama"; await openWeights(${hdf5}).catch((error) => console.log(error.message));`;
  return node("--input-type=module", "--eval", program);
}

/** The adapters are linked, not installed: they are optional, large, and already here. */
function runOnAdapter() {
  for (const name of ["webgpu", "@sparticuz/chromium"]) link(name);
  writeFileSync(join(project, "use.js"), useIt);
  return node("use.js");
}

function typeCheck() {
  writeFileSync(join(project, "use.ts"), useItsTypes);
  const options = {
    strict: true,
    noEmit: true,
    skipLibCheck: false,
    target: "es2022",
    lib: ["es2023", "dom"],
    types: [],
  };
  for (const [module, moduleResolution] of [
    ["nodenext", "nodenext"],
    ["esnext", "bundler"],
  ]) {
    const config = { compilerOptions: { ...options, module, moduleResolution }, files: ["use.ts"] };
    writeFileSync(join(project, "tsconfig.json"), JSON.stringify(config));
    tool("tsc", "-p", project);
  }
}

function link(name) {
  const target = join(project, "node_modules", name);
  mkdirSync(dirname(target), { recursive: true });
  if (!existsSync(target)) symlinkSync(join(root, "node_modules", name), target, "dir");
}

function node(...args) {
  return shell(project, process.execPath, ...args);
}

function tool(name, ...args) {
  return shell(project, join(tools, name), ...args);
}

function shell(cwd, command, ...args) {
  return execFileSync(command, args, { cwd, encoding: "utf8", stdio: "pipe", timeout: patience });
}

function expect(holds, what) {
  if (!holds) throw new Error(`expected ${what}`);
}

/** The first lines tell; the rest of a compiler's answer rarely does. */
function indent(text) {
  const lines = text.trim() === "" ? [] : text.trim().split("\n").slice(0, 12);
  return lines.map((line) => `      ${line}\n`).join("");
}
