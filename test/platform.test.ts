import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { DeviceError } from "../src/errors.ts";
import { answersTo, bestFirst, pick } from "../src/tensor/choice.ts";
import { complaintsIn } from "../src/tensor/dawn/quiet.ts";
import { readTar } from "../src/tensor/dawn/tar.ts";
import { adviseOn, chooseAdapter, listAdapters, waitFor } from "../src/tensor/gpu.node.ts";
import type { AdapterCandidate } from "../src/tensor/platform.ts";

const run = promisify(execFile);

function candidate(name: string, more: Partial<AdapterCandidate> = {}): AdapterCandidate {
  return {
    name,
    kind: "software",
    source: "",
    driver: "",
    subgroupSize: 0,
    matrixShapes: [],
    features: [],
    limits: {},
    ...more,
  };
}

const gpu = candidate("NVIDIA H200", { kind: "gpu" });
const lavapipe = candidate("llvmpipe (Mesa 25.0.7, LLVM 15.0.6)");
const oldLavapipe = candidate("llvmpipe (Mesa 23.1.0)", { unfit: "Mesa 23.1.0 is older than 25" });
const swiftshader = candidate("SwiftShader Device (Subzero)");

const choice = suite("adapter choice");

choice("a GPU comes before lavapipe, lavapipe before SwiftShader, an old driver last", () => {
  assert.equal(bestFirst([oldLavapipe, swiftshader, lavapipe, gpu]), [gpu, lavapipe, swiftshader, oldLavapipe]);
});

choice("the reason says what was best and what was skipped", () => {
  assert.is(pick([swiftshader, gpu], undefined, []).reason, "the only GPU here");
  assert.is(
    pick([swiftshader, oldLavapipe], undefined, []).reason,
    "no usable GPU here, one software adapter; skipped llvmpipe (Mesa 23.1.0) (Mesa 23.1.0 is older than 25)",
  );
});

choice("a wish is a kind, a family or part of a name", () => {
  assert.ok(answersTo(gpu, "GPU"));
  assert.ok(answersTo(gpu, "h200"));
  assert.ok(answersTo(lavapipe, "lavapipe"));
  assert.not.ok(answersTo(lavapipe, "swiftshader"));
  assert.not.ok(answersTo(lavapipe, " "));
  assert.is(pick([gpu, swiftshader], "swiftshader", []).reason, 'asked for as "swiftshader"');
});

choice("an old driver can still be asked for by name", () => {
  assert.is(pick([swiftshader, oldLavapipe], "lavapipe", []).name, oldLavapipe.name);
});

choice("an unknown name is an error that lists what there is", () => {
  const message =
    'openDevice: expected an adapter that answers to "voodoo", got llvmpipe (Mesa 25.0.7, LLVM 15.0.6), ' +
    "SwiftShader Device (Subzero); ask for one of these by part of its name; or buy one";
  assert.throws(
    () => pick([swiftshader, lavapipe], "voodoo", ["buy one"]),
    (error: unknown) => error instanceof DeviceError && error.message === message,
  );
});

choice.run();

const parts = suite("adapter parts");

parts("native logs lose the harmless warnings, with their lines of detail, and nothing else", () => {
  const log =
    "Warning: Couldn't load Vulkan: libvulkan.so.1\n    at operator() (BackendVk.cpp:368)\n\n" +
    "Warning: real trouble.\n - While doing it\n    at somewhere\n" +
    "Warning: maxDynamicUniformBuffersPerPipelineLayout artificially reduced from 1000000 to 16.\n" +
    "no newline";
  assert.equal(complaintsIn(log), ["Warning: real trouble.\n - While doing it\n    at somewhere\n", "no newline"]);
});

parts("a tar gives its plain files by base name and refuses one cut short", () => {
  const archive = tarOf("deep/../../note.txt", "hello");
  const files = [...readTar(archive)].map(({ name, bytes }) => [name, new TextDecoder().decode(bytes)]);
  assert.equal(files, [["note.txt", "hello"]]);
  assert.throws(() => [...readTar(archive.subarray(0, 514))], /cut short/);
});

function tarOf(name: string, content: string): Uint8Array {
  const archive = new Uint8Array(2048);
  const write = (text: string, at: number): void => archive.set(new TextEncoder().encode(text), at);
  write(name, 0);
  write(content.length.toString(8).padStart(11, "0"), 124);
  write("0", 156);
  write(content, 512);
  return archive;
}

parts.run();

const node = suite("adapters in Node");

node("this machine has one, and the choice explains itself", async () => {
  const chosen = await chooseAdapter();
  assert.ok(chosen.reason.length > 0);
  assert.ok((chosen.limits["maxBufferSize"] ?? 0) > 0);
  assert.equal(chosen.features, [...chosen.adapter.features].sort());
});

node("the list is sorted, and its first is what is chosen", async () => {
  const [first] = await listAdapters();
  assert.is(first?.name, (await chooseAdapter({ adapter: first?.name ?? "" })).name);
  assert.not.ok(Object.hasOwn(first ?? {}, "adapter"), "a list holds no adapter that would need freeing");
});

node("SwiftShader can be asked for beside a better adapter", async () => {
  const chosen = await chooseAdapter({ adapter: "swiftshader" });
  assert.is(chosen.kind, "software");
  assert.match(chosen.name, /SwiftShader/);
});

node("each choice gives an adapter that still has its device to give", async () => {
  for (let round = 0; round < 2; round++) {
    const { adapter } = await chooseAdapter();
    (await adapter.requestDevice()).destroy();
  }
});

node("advice is for machines without a GPU only", () => {
  assert.equal(adviseOn([gpu]), []);
  assert.ok(adviseOn([]).length > 0);
});

node("waiting on a software adapter passes values and errors through", async () => {
  const later = new Promise<number>((resolve) => setTimeout(() => resolve(7), 5));
  assert.is(await waitFor(later, "software"), 7);
  const refused = await waitFor(Promise.reject(new Error("no")), "software").catch(String);
  assert.is(refused, "Error: no");
});

node.run();

const fresh = suite("adapters in a fresh process");

/** Runs a program against the platform file and returns its output, both streams in one pipe. */
async function inFreshProcess(program: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
  const face = JSON.stringify(new URL("../src/tensor/gpu.node.ts", import.meta.url).href);
  const folder = mkdtempSync(join(tmpdir(), "trama-platform-"));
  const file = join(folder, "program.mts");
  writeFileSync(file, `const { chooseAdapter, listAdapters, waitFor } = await import(${face});\n${program}`);
  const line = `"${process.execPath}" --conditions=source --import "${import.meta.resolve("tsx")}" "${file}" 2>&1 | cat`;
  try {
    return (await run("/bin/sh", ["-c", line], { env: { ...process.env, ...env } })).stdout;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

fresh("nothing but the program's own words reaches the terminal, and the process ends by itself", async () => {
  const output = await inFreshProcess(`
    const { adapter, kind } = await chooseAdapter();
    const device = await adapter.requestDevice();
    await waitFor(device.queue.onSubmittedWorkDone(), kind);
    device.destroy();
    console.log("done");`);
  assert.is(output, "done\n");
});

fresh("TRAMA_ADAPTER chooses, and an unknown name is refused", async () => {
  const ask = "console.log(await chooseAdapter().then((one) => one.name, String));";
  assert.match(await inFreshProcess(ask, { TRAMA_ADAPTER: "swiftshader" }), /^SwiftShader/);
  assert.match(await inFreshProcess(ask, { TRAMA_ADAPTER: "voodoo" }), /^DeviceError: openDevice: .*"voodoo", got /);
});

fresh("the user's own choice of Vulkan drivers is respected", async () => {
  const output = await inFreshProcess("console.log((await listAdapters()).length);", {
    VK_DRIVER_FILES: join(tmpdir(), "no-such-driver.json"),
    VK_ADD_DRIVER_FILES: undefined,
  });
  assert.match(output, /(^|\n)0\n$/);
});

fresh("SwiftShader is unpacked whole into TRAMA_CACHE, by several processes at once", async () => {
  const cache = mkdtempSync(join(tmpdir(), "trama-cache-"));
  const env = { TRAMA_CACHE: cache, TRAMA_ADAPTER: "swiftshader" };
  try {
    const ask = "console.log((await chooseAdapter()).source);";
    const answers = await Promise.all([inFreshProcess(ask, env), inFreshProcess(ask, env)]);
    assert.equal(answers, ["@sparticuz/chromium\n", "@sparticuz/chromium\n"]);
    assert.is(readdirSync(cache).length, 1, "no draft is left behind");
  } finally {
    rmSync(cache, { recursive: true });
  }
});

fresh("a cache that cannot be written is explained", async () => {
  const ask = "console.log(await chooseAdapter().then((one) => one.name, String));";
  const output = await inFreshProcess(ask, { TRAMA_CACHE: "/dev/null/trama", TRAMA_ADAPTER: "swiftshader" });
  assert.match(output, /^DeviceError: SwiftShader: expected to unpack .* set TRAMA_CACHE to a folder/);
});

fresh.run();
