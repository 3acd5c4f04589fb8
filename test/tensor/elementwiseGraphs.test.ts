/**
 * Element-wise graphs, drawn at random, compiled and compared with the same functions in float64. Each melts into one kernel
 * or a few; a hundred graphs are one program. Of every tenth graph the gradients are compared as well: fused against
 * eager.
 */
import * as assert from "uvu/assert";
import * as ops from "../../src/kernels/index.ts";
import { compile, valueAndGradients, type Tensor, type TypedArray } from "../../src/tensor/index.ts";
import { assertClose } from "../reference/compare.ts";
import { applyBinary, applyUnary, binary, unary } from "../reference/elementwise.ts";
import { values } from "../reference/generate.ts";
import type { Nd } from "../reference/nd.ts";
import { assertSameBits } from "./bits.ts";
import { device, deviceSuite, readFrom } from "./device.ts";

const tests = deviceSuite("element-wise graphs");

/** All of them with TRAMA_LONG=1 (`npm run test:long`): a driver takes 30 ms to compile each. */
const GRAPHS = process.env["TRAMA_LONG"] ? 10_000 : 200;
const PER_PROGRAM = 100;

/** Functions whose values stay near those of their arguments, so that ten of them in a row keep their digits. */
const unaries = ["neg", "abs", "relu", "relu6", "sigmoid", "tanh", "softplus", "silu"] as const;
const binaries = ["add", "sub", "maximum", "minimum", "mul"] as const;

/** Every pair broadcasts: by rows, by columns, by both, and as a scalar. */
const SHAPES = [[6, 8], [8], [6, 1], [1]] as const;
const inputs = SHAPES.map((shape, k) => values([...shape], 40 + k, { min: -2, max: 2 }));

type Instruction =
  | { readonly name: (typeof unaries)[number]; readonly a: number }
  | { readonly name: (typeof binaries)[number]; readonly a: number; readonly b: number };

/** A graph over the four inputs; its value is that of the last instruction. */
function drawGraph(random: () => number): Instruction[] {
  const below = (bound: number) => Math.floor(random() * bound);
  return Array.from({ length: 2 + below(9) }, (_, made): Instruction => {
    const known = inputs.length + made;
    // The latest value is always used, so that all of the graph matters; any other may be used again.
    const [latest, any] = [made === 0 ? 0 : known - 1, below(known)];
    if (random() < 0.45) return { name: unaries[below(unaries.length)]!, a: latest };
    const name = binaries[below(binaries.length)]!;
    return random() < 0.5 ? { name, a: latest, b: any } : { name, a: any, b: latest };
  });
}

/** mulberry32: the graphs of a seed are the same everywhere. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let word = Math.imul(state ^ (state >>> 15), 1 | state);
    word = (word + Math.imul(word ^ (word >>> 7), 61 | word)) ^ word;
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 32;
  };
}

function onDevice(graph: readonly Instruction[], tensors: readonly Tensor[]): Tensor {
  const known = [...tensors];
  for (const each of graph) {
    const made =
      "b" in each ? ops[each.name](known[each.a]!, bounded(known[each.b]!, each.name)) : ops[each.name](known[each.a]!);
    known.push(made);
  }
  return known.at(-1)!;
}

/** A product's second factor is squeezed into ±1: values must not grow without end. */
const bounded = (x: Tensor, name: string): Tensor => (name === "mul" ? ops.tanh(x) : x);

function inFloat64(graph: readonly Instruction[]): Nd {
  const known = [...inputs];
  for (const each of graph) {
    const [a, name] = [known[each.a]!, each.name];
    if (!("b" in each)) known.push(applyUnary(unary[name as (typeof unaries)[number]], a));
    else {
      const b = name === "mul" ? applyUnary(unary.tanh, known[each.b]!) : known[each.b]!;
      known.push(applyBinary(binary[name as (typeof binaries)[number]], a, b));
    }
  }
  return known.at(-1)!;
}

const arrays = inputs.map(({ data }) => Float32Array.from(data));
const specs = SHAPES.map((shape) => ({ shape }));
const graphs = (() => {
  const random = generator(20_261_121);
  return Array.from({ length: GRAPHS }, () => drawGraph(random));
})();

tests(`${GRAPHS} graphs compute what float64 does`, async () => {
  for (let first = 0; first < GRAPHS; first += PER_PROGRAM) {
    const part = graphs.slice(first, first + PER_PROGRAM);
    const program = await compile(device, specs, (...tensors) => part.map((graph) => onDevice(graph, tensors)));
    program.run(arrays);
    const results = await device.readMany(program.outputs);
    program.dispose();
    part.forEach((graph, k) =>
      assertClose(results[k]!, inFloat64(graph), { name: `graph ${first + k}`, case: graph, rtol: 3e-5, atol: 3e-5 }),
    );
  }
});

/** dL/dx of those inputs that the graph uses, for L = Σ y². */
function gradientsOf(graph: readonly Instruction[], tensors: readonly Tensor[]): Tensor[] {
  const used = tensors.filter((_, k) => reaches(graph, k));
  return valueAndGradients(() => ops.sum(ops.square(onDevice(graph, tensors))), used).gradients;
}

/** Whether the value of a graph depends on input k. */
function reaches(graph: readonly Instruction[], k: number): boolean {
  const depends = inputs.map((_, input) => input === k);
  for (const each of graph) depends.push(depends[each.a]! || ("b" in each && depends[each.b]!));
  return depends.at(-1)!;
}

/** Whether thousands of graphs are drawn. */
const LONG = GRAPHS > 200;

/**
 * Equal to the bit, but in the long run: there lavapipe's compiler adds three terms of one gradient in thousands in another
 * order, inside one kernel.
 */
function assertAlike(got: TypedArray, eager: TypedArray, name: string): void {
  if (!LONG) return assertSameBits(got, eager, name);
  const scale = Float32Array.from(eager).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  got.forEach((value: number, at: number) => {
    assert.ok(Math.abs(value - eager[at]!) <= 1e-6 * scale, `${name}: element ${at} is ${value}, not ${eager[at]}`);
  });
}

tests("fused gradients of every tenth graph are the eager ones", async () => {
  const chosen = graphs.filter((_, index) => index % 10 === 0).slice(0, 1000);
  for (let first = 0; first < chosen.length; first += PER_PROGRAM) {
    const part = chosen.slice(first, first + PER_PROGRAM);
    const all = (tensors: readonly Tensor[]) => part.flatMap((graph) => gradientsOf(graph, tensors));
    const program = await compile(device, specs, (...tensors) => all(tensors));
    program.run(arrays);
    const fused = await device.readMany(program.outputs);
    program.dispose();
    const eager = await readFrom(device, () => all(arrays.map((array, k) => device.tensor(array, [...SHAPES[k]!]))));
    fused.forEach((got: TypedArray, k) => assertAlike(got, eager[k]!, `gradient ${k} from graph ${first}`));
  }
});

tests.run();
