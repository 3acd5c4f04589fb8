/** What an adapter cannot do, or a driver will not, is said before or when it happens; nothing ends in silent zeros. */
import * as assert from "uvu/assert";
import { add, neg } from "../../src/kernels/index.ts";
import { compile, defineKernel, openDevice, run, type Device, type Tensor } from "../../src/tensor/index.ts";
import { excerpt } from "../../src/tensor/pipelines.ts";
import { device, deviceSuite } from "./device.ts";
import { refusal } from "./refused.ts";

const tests = deviceSuite("limits and faults");

async function alone(body: (own: Device) => Promise<void>): Promise<void> {
  const own = await openDevice();
  try {
    await body(own);
  } finally {
    await own.close();
  }
}

const broken = defineKernel({
  name: "broken",
  inputs: { x: "f32" },
  outputs: { y: "f32" },
  wgsl: /* wgsl */ `
fn run(i: u32) {
  let value = x[i] + nonsense;
  store_y(i, value);
}`,
});
const useBroken = (x: Tensor): Tensor => run(broken, { x }, { y: x.shape }, {}).y;

tests("WGSL that does not compile: a program's error names kernel and line, and shows it", async () => {
  const message = await refusal(compile(device, [{ shape: [4] }], useBroken));
  assert.match(
    message,
    /^DeviceError: kernel "broken": expected WGSL that this adapter compiles, got line \d+, column \d+: unresolved value 'nonsense'\n/,
  );
  assert.match(message, /\n> +\d+ \|   let value = x\[i\] \+ nonsense;\n +\d+ \|   store_y\(i, value\);\n/);
  assert.match(message, /; mend the kernel's source$/);
});

tests("WGSL that does not compile: an eager call is refused at the next readback, and the device goes on", () =>
  alone(async (own) => {
    const message = await refusal(useBroken(own.tensor([1])).read());
    assert.match(
      message,
      /^DeviceError: device: expected work that the driver accepts, got .*unresolved value 'nonsense'/,
    );
    assert.match(message, /broken/);
    assert.equal(Array.from(await neg(own.tensor([1])).read()), [-1]);
  }),
);

tests("an excerpt shows two lines on either side, and marks the one", () => {
  const source = ["a", "b", "c", "d", "e", "f"].join("\n");
  assert.is(excerpt(source, 3), "     1 | a\n     2 | b\n>    3 | c\n     4 | d\n     5 | e");
  assert.is(excerpt(source, 1), ">    1 | a\n     2 | b\n     3 | c");
  assert.is(excerpt(source, 6), "     4 | d\n     5 | e\n>    6 | f");
});

const wide = defineKernel({
  name: "wide",
  outputs: { y: "f32" },
  inputs: { x: "f32" },
  grid: "groups",
  wgsl: `fn run(group: vec3u, lane: u32) { store_y(group.x, x[0]); }`,
});

tests("more workgroups than a dimension has are refused, eagerly and compiled", async () => {
  const most = device.gpu.limits.maxComputeWorkgroupsPerDimension;
  const tooMany = (x: Tensor): Tensor => run(wide, { x }, { y: [4] }, {}, { groups: [1, most + 1, 1] }).y;
  const message = `DeviceError: kernel "wide": expected at most ${most} workgroups in a dimension, got 1 × ${most + 1} × 1; use a smaller batch or image`;
  assert.throws(
    () => tooMany(device.tensor([1])),
    (error: unknown) => String(error) === message,
  );
  assert.is(await refusal(compile(device, [{ shape: [1] }], tooMany)), message);
});

tests("an element-wise kernel beyond 65,535 workgroups folds into rows", async () => {
  const count = 65_535 * 64 + 3; // odd: one element a thread
  const x = device.tensor(Float32Array.from({ length: count }, (_, i) => i % 1024));
  const y = await neg(x).read();
  assert.is(
    y.findIndex((value, i) => value !== -(i % 1024)),
    -1,
  );
});

tests("more bindings than a shader may have are refused", () => {
  const most = device.gpu.limits.maxStorageBuffersPerShaderStage;
  const names = Array.from({ length: most }, (_, k) => `x${k}`);
  const greedy = defineKernel({
    name: "greedy",
    inputs: Object.fromEntries(names.map((name) => [name, "f32" as const])),
    outputs: { y: "f32" },
    wgsl: `fn run(i: u32) { store_y(i, 0.0); }`,
  });
  const inputs = Object.fromEntries(names.map((name) => [name, device.tensor([1])]));
  const message = `DeviceError: kernel "greedy": expected at most ${most} storage buffers on this adapter, got ${most + 1}`;
  assert.throws(
    () => run(greedy, inputs, { y: [1] }, {}),
    (error: unknown) => String(error) === message,
  );
});

tests("a chain with more operands than a shader has bindings becomes several kernels", async () => {
  const most = device.gpu.limits.maxStorageBuffersPerShaderStage;
  const terms = Array.from({ length: 2 * most }, (_, k) => device.tensor([k, 1]));
  const program = await compile(device, [], () => terms.slice(1).reduce((sum, term) => add(sum, term), terms[0]!));
  program.run();
  assert.equal(Array.from(await program.outputs.read()), [most * (2 * most - 1), 2 * most]);
  assert.ok(program.length >= 2 && program.length <= 4, `${program.length} kernels`);
});

// The end of a device

const afterwards: Readonly<Record<string, (own: Device, x: Tensor) => unknown>> = {
  read: (_, x) => x.read(),
  tensor: (own) => own.tensor([1]),
  zeros: (own) => own.zeros([1]),
  write: (own, x) => own.write(x, new Float32Array(1)),
  operation: (_, x) => neg(x),
  idle: (own) => own.idle(),
  compile: (own) => compile(own, [{ shape: [1] }], neg),
};

async function wordsAfterwards(own: Device, x: Tensor): Promise<Record<string, string>> {
  const words: Record<string, string> = {};
  for (const [name, use] of Object.entries(afterwards)) {
    words[name] = await refusal(Promise.resolve().then(() => use(own, x))).catch(String);
  }
  return words;
}

const everyUse = (message: string): Record<string, string> =>
  Object.fromEntries(Object.keys(afterwards).map((name) => [name, message]));

tests("a closed device refuses every use in the same words, and closes only once", async () => {
  const own = await openDevice();
  const x = own.tensor([1]);
  const program = await compile(own, [{ shape: [1] }], neg);
  program.run([Float32Array.of(2)]); // still on its way
  await Promise.all([own.close(), own.close()]);
  await own.close();
  const words = "DeviceError: device: expected an open device, got one that was closed";
  assert.equal(await wordsAfterwards(own, x), everyUse(words));
  assert.throws(() => program.run(), "got one that was closed");
});

tests("a lost device refuses every use in the same words", async () => {
  const own = await openDevice();
  const x = neg(own.tensor([1]));
  own.gpu.destroy();
  const first = await refusal(x.read());
  assert.match(
    first,
    /^DeviceError: device: expected a device that keeps working, got a lost one \(.+\); open a new device and load the last checkpoint$/,
  );
  assert.equal(await wordsAfterwards(own, x), everyUse(first));
  await own.close();
});

tests("a device that is lost while a readback waits rejects it", async () => {
  const own = await openDevice();
  const pending = refusal(neg(own.tensor([1])).read());
  own.gpu.destroy();
  assert.match(await pending, /^DeviceError: device: expected a device that keeps working/);
});

tests.run();
