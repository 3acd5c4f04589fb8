import * as assert from "uvu/assert";
import {
  add,
  averagePool2d,
  concat,
  conv2d,
  matmul,
  mul,
  neg,
  relu,
  sigmoid,
  softmax,
  square,
  sub,
  sum,
  tanh,
  transpose,
} from "../../src/kernels/index.ts";
import {
  BINDING_ALIGNMENT,
  compile,
  copyInto,
  defineKernel,
  run,
  scope,
  Tensor,
  valueAndGradients,
  type Program,
  profile,
} from "../../src/tensor/index.ts";
import { values } from "../reference/generate.ts";
import { device, deviceSuite } from "./device.ts";
import { refusal } from "./refused.ts";

const tests = deviceSuite("compile");

const random = (shape: readonly number[], seed = 1): Tensor =>
  device.tensor(Float32Array.from(values(shape, seed).data), shape);
const full = (value: number, size = 4): Tensor => device.tensor(new Float32Array(size).fill(value));

/** `matmul + add + relu`, one line a kernel. */
const kernelsOf = (program: Program<unknown>): string[] =>
  program.kernels().map(({ name, fused }) => [name.replace(/\.\w+$/, ""), ...fused].join(" + "));

async function lines(step: () => unknown): Promise<string[]> {
  const program = await compile(device, [], step);
  program.dispose();
  return kernelsOf(program);
}

/** What a program without inputs leaves in the tensors that it returns. */
async function resultOf(step: () => readonly Tensor[]): Promise<number[][]> {
  const program = await compile(device, [], step);
  program.run();
  const read = await device.readMany(program.outputs);
  program.dispose();
  return read.map((array) => Array.from(array));
}

const bump = defineKernel({
  name: "bump",
  updates: { p: "f32" },
  wgsl: /* wgsl */ `fn run(i: u32) { p[i] += 1.0; }`,
});
const bumped = (p: Tensor): void => {
  run(bump, {}, {}, {}, { updates: [p], threads: p.size });
};

// What fuses

tests("bias and activation are part of a convolution, given as options or as operations", async () => {
  const [x, w, bias] = [random([1, 5, 5, 3]), random([3, 3, 3, 4]), random([4])];
  assert.equal(await lines(() => conv2d(x, w, { bias, activation: "relu" })), ["contraction + relu"]); // sums begin at the bias
  assert.equal(await lines(() => relu(add(conv2d(x, w), bias))), ["contraction + add + relu"]);
});

tests("chains of maps are one kernel", async () => {
  const x = random([8]);
  assert.equal(await lines(() => tanh(add(mul(neg(x), x), full(2, 8)))), ["map + neg + mul + add + tanh"]);
});

tests("a chain rides on any producer of floats, and a residual is read on the way", async () => {
  const x = random([2, 4, 4, 4]);
  assert.equal(await lines(() => relu(add(averagePool2d(x, { size: 1 }), x))), ["averagePool2d + add + relu"]);
  assert.equal(await lines(() => sum(square(x))).then(([first]) => first), "map + square");
});

tests("a copy into a flat buffer becomes a store to that place", async () => {
  const flat = device.zeros([128]);
  const view = new Tensor(device, [3, 4], "f32", flat.storage, BINDING_ALIGNMENT);
  const [a, b] = [random([3, 5]), random([5, 4], 2)];
  const program = await compile(device, [], () => copyInto(matmul(a, b), view));
  assert.equal(kernelsOf(program), ["contraction"]);
  assert.is(program.memory.planned, 0);
  program.run();
  const [got, want] = await device.readMany([flat, matmul(a, b)]);
  assert.equal(Array.from(got!.subarray(64, 76)), Array.from(want!));
  assert.ok(got!.subarray(0, 64).every((value) => value === 0) && got!.subarray(76).every((value) => value === 0));
});

tests("the derivative of an activation rides on the gradient before it", async () => {
  const [x, w1, w2] = [random([8, 4]), random([4, 4], 2), random([4, 4], 3)];
  const report = await lines(() => {
    const { gradients } = valueAndGradients(() => sum(matmul(matmul(x, w1, { activation: "relu" }), w2)), [w1]);
    return gradients[0];
  });
  assert.ok(report.includes("contraction + relu_derivative"), report.join("\n"));
});

tests("a kernel waits for what the map on its result needs besides", async () => {
  const [a, b, c] = [random([8, 4]), random([4, 4], 2), random([8, 4], 3)];
  assert.equal(await lines(() => add(matmul(a, b), sum(c, { axes: [0] }))), ["sum", "contraction + add"]);
});

tests("work that nobody reads is dropped", async () => {
  const x = random([4]);
  assert.equal(await lines(() => { tanh(x); return neg(x); }), ["map + neg"]); // prettier-ignore
  assert.equal(await lines(() => { tanh(x); }), []); // prettier-ignore
});

tests("fusion can be left out", async () => {
  const x = random([4]);
  const program = await compile(device, [], () => neg(tanh(x)), { fuse: false });
  assert.equal(kernelsOf(program), ["map + tanh", "map + neg"]);
});

// What must not fuse

tests("a value that two kernels read is made once and stored", async () => {
  const x = random([4]);
  const report = await lines(() => { const y = tanh(x); return [neg(y), softmax(y)]; }); // prettier-ignore
  assert.equal(report, ["map + tanh", "map + neg", "softmax"]);
});

tests("a value that is returned is stored, even where a map reads it", async () => {
  const x = full(0.5);
  assert.equal(await resultOf(() => { const y = neg(x); return [y, add(y, y)]; }), [Array(4).fill(-0.5), Array(4).fill(-1)]); // prettier-ignore
});

tests("a value that one map reads in two places fuses and is computed once", async () => {
  const x = full(3);
  assert.equal(await resultOf(() => { const y = neg(x); return [mul(y, y)]; }), [Array(4).fill(9)]); // prettier-ignore
  assert.equal(await lines(() => { const y = neg(x); return mul(y, y); }), ["map + neg + mul"]); // prettier-ignore
});

tests("a strided or broadcast read does not fuse with what makes it", async () => {
  const x = random([3, 3]);
  assert.equal(await lines(() => transpose(neg(x))), ["map + neg", "map + copy"]);
  assert.equal(await lines(() => add(x, sum(x, { axes: [0] }))), ["sum", "map + add"]);
});

tests("a map does not move above the making of its other operand", async () => {
  const x = full(1);
  const [outputs] = [await resultOf(() => { const a = neg(x); const b = sigmoid(full(0)); return [b, add(a, b)]; })]; // prettier-ignore
  assert.equal(outputs, [Array(4).fill(0.5), Array(4).fill(-0.5)]);
});

tests("a map does not move above an update in place of its other operand", async () => {
  const [x, p] = [full(10), full(1)];
  assert.equal(await resultOf(() => { const a = neg(x); bumped(p); return [add(a, p)]; }), [Array(4).fill(-8)]); // prettier-ignore
});

tests("a producer keeps its place before an update in place of what it reads", async () => {
  const p = full(1);
  assert.equal(await resultOf(() => { const a = neg(p); bumped(p); return [add(a, full(5))]; }), [Array(4).fill(4)]); // prettier-ignore
});

tests("a kernel does not wait past a change of what it reads, nor past work on more than it saves", async () => {
  const p = full(1);
  assert.equal(await resultOf(() => { const a = neg(p); bumped(p); return [add(a, sum(p))]; }), [Array(4).fill(7)]); // prettier-ignore
  const large = random([64]);
  const report = await lines(() => { const a = neg(p); return add(a, sum(square(large))); }); // prettier-ignore
  assert.equal(report, ["map + neg", "map + square", "sum", "map + add"]);
});

tests("a copy does not move above a read of what it overwrites", async () => {
  const [x, p] = [full(7), full(1)];
  assert.equal(await resultOf(() => { const a = neg(x); const old = tanh(sub(p, p)); const sum_ = add(old, p); copyInto(a, p); return [sum_]; }), [Array(4).fill(1)]); // prettier-ignore
  assert.equal(Array.from(await p.read()), Array(4).fill(-7));
});

tests("a copy does not move above another write to the same place", async () => {
  const [x, p] = [full(7), full(1)];
  await resultOf(() => { const a = neg(x); copyInto(x, p); copyInto(a, p); return []; }); // prettier-ignore
  assert.equal(Array.from(await p.read()), Array(4).fill(-7));
});

tests("a copy over its own operand stays a kernel of its own", async () => {
  const p = full(2);
  await resultOf(() => { copyInto(neg(p), p); return []; }); // prettier-ignore
  assert.equal(Array.from(await p.read()), Array(4).fill(-2));
});

tests("a value that is changed in place after it was made does not fuse across the change", async () => {
  const x = full(1);
  assert.equal(await resultOf(() => { const a = neg(x); bumped(a); return [add(a, full(5))]; }), [Array(4).fill(5)]); // prettier-ignore
});

tests("a value that several kernels write part by part does not fuse with the first of them", async () => {
  const [a, b] = [full(1), full(2)];
  assert.equal(await resultOf(() => [neg(concat([a, b]))]), [[-1, -1, -1, -1, -2, -2, -2, -2]]);
});

tests("views of one flat buffer: reading one part and writing another keeps its order", async () => {
  const flat = device.tensor(Float32Array.from({ length: 128 }, (_, i) => (i < 64 ? 1 : 2)));
  const [low, high] = [0, BINDING_ALIGNMENT].map((offset) => new Tensor(device, [4], "f32", flat.storage, offset)) as [
    Tensor,
    Tensor,
  ];
  const [seen] = await resultOf(() => { const a = full(9); const doubled = add(a, a); const seen_ = add(low, full(0)); copyInto(doubled, low); return [seen_]; }); // prettier-ignore
  assert.equal(seen, Array(4).fill(1));
  assert.equal(
    (await device.readMany([low, high])).map((array) => array[0]),
    [18, 2],
  );
});

// Programs

tests("inputs replace the placeholders, outputs are overwritten, and runs repeat", async () => {
  const program = await compile(device, [{ shape: [2] }, { shape: [2] }], (a, b) => ({ both: [add(a, b)], a }));
  program.run([Float32Array.of(1, 2), Float32Array.of(10, 20)]);
  assert.equal(Array.from(await program.outputs.both[0]!.read()), [11, 22]);
  program.run();
  program.run([Float32Array.of(0, 0), Float32Array.of(1, 1)]);
  assert.equal(Array.from(await program.outputs.both[0]!.read()), [1, 1]);
  assert.equal(Array.from(await program.outputs.a.read()), [0, 0]);
});

tests("several runs go out in one submit, and state moves on the GPU", async () => {
  const p = full(0);
  const program = await compile(device, [], () => bumped(p));
  program.run([], 50);
  assert.equal(Array.from(await p.read()), Array(4).fill(50));
});

tests("a step that throws leaves the device as it was", async () => {
  const before = device.memory;
  const failing = compile(device, [{ shape: [4] }], (x) => {
    neg(x);
    throw new RangeError("mine");
  });
  assert.is(await refusal(failing), "RangeError: mine");
  assert.is(device.memory.buffersInUse, before.buffersInUse);
  assert.equal(Array.from(await neg(full(1)).read()), Array(4).fill(-1));
});

tests("eager work goes on while a program is being built", async () => {
  const pending = compile(device, [{ shape: [4] }], (x) => sigmoid(neg(x)));
  const [mine, inScope] = [full(3), scope(device, () => neg(full(4)))];
  await pending;
  assert.equal(
    (await device.readMany([mine, inScope])).map((array) => array[0]),
    [3, -4],
  );
});

tests("wrong inputs are refused", async () => {
  const program = await compile(device, [{ shape: [2] }, { shape: [1], dtype: "u32" }], (x) => neg(x));
  const run_ =
    (...inputs: (Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>)[]) =>
    () =>
      program.run(inputs);
  assert.throws(run_(new Float32Array(2)), /program: expected 2 inputs, got 1/);
  assert.throws(run_(new Float32Array(3), new Uint32Array(1)), /program: expected 2 values for input 0 \[2\], got 3/);
  assert.throws(run_(new Float32Array(2), new Float32Array(1)), /program: expected u32 for input 1, got Float32Array/);
});

tests("a disposed program says so, and so do its outputs", async () => {
  const program = await compile(device, [{ shape: [4] }], (x) => neg(x));
  program.run([new Float32Array(4)]);
  program.dispose();
  program.dispose();
  assert.throws(() => program.run(), /disposed/);
  assert.match(await refusal(program.outputs.read()), /freed/);
});

tests("a tensor that exists only inside a program cannot be read", async () => {
  const leaked: Tensor[] = [];
  const program = await compile(device, [], () => {
    leaked.push(softmax(neg(full(1))));
    return add(leaked[0]!, transpose(leaked[0]!));
  });
  program.run();
  assert.match(await refusal(leaked[0]!.read()), /only inside a compiled program/);
});

tests("an asynchronous step is refused", async () => {
  const pending = compile(device, [], () => Promise.resolve(neg(full(1))));
  assert.match(await refusal(pending), /compile: expected a step that returns at once/);
});

tests("a report names kernels, work and memory", async () => {
  const [a, b] = [random([64, 32]), random([32, 16], 2)];
  const program = await compile(device, [], () => softmax(relu(matmul(a, b))));
  const [product, last] = program.kernels();
  assert.is(product!.flops, 2 * 64 * 32 * 16);
  assert.is(product!.bytes, 4 * (64 * 32 + 32 * 16 + 64 * 16));
  assert.is(last!.name, "softmax");
  assert.equal(program.memory, { planned: 4 * 64 * 16, unshared: 4 * 64 * 16 });
  assert.match(program.explain(), /^ {2}1 .* 3 {6}0\.01 {7}0\.07 {2}contraction\.\w+ \+ relu$/m);
});

tests("a profile adds times and what the adapter could do at best", async () => {
  const [a, b] = [random([256, 256]), random([256, 256], 2)];
  const program = await compile(device, [], () => matmul(a, b));
  const times = await profile(program);
  for (const { milliseconds, roofline } of times) {
    assert.ok(milliseconds >= 0 && roofline >= 0 && roofline <= 1, `${milliseconds} ms, ${roofline}`);
  }
  assert.match(program.explain(times), /roofline {2}kernel/);
  assert.match(program.explain(times), / % {2}contraction\.\w+$/m);
});

tests.run();
