/**
 * Random programs: whatever a step does, in whatever order, the fused and planned program must give the numbers of the
 * eager one. The steps are rich in what fusion and memory planning can get wrong: values read twice or returned, views of
 * one flat buffer, tensors overwritten and changed in place, strided and broadcast reads, several writers of one tensor.
 * All values are small whole numbers, exact in float32, so that no compiler's rearrangement of fused arithmetic shows.
 */
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as ops from "../../src/kernels/index.ts";
import {
  BINDING_ALIGNMENT,
  compile,
  copyInto,
  defineKernel,
  free,
  operandFor,
  run,
  runMapOn,
  scope,
  Tensor,
  viewOperand,
  type TypedArray,
} from "../../src/tensor/index.ts";
import type { Dispatch } from "../../src/tensor/kernel.ts";
import { IDENTITY } from "../../src/tensor/map.ts";
import { planSlots } from "../../src/tensor/plan.ts";
import { Storage } from "../../src/tensor/tensor.ts";
import { assertClose } from "../reference/compare.ts";
import { forAll, tiedValues } from "../reference/generate.ts";
import { nd } from "../reference/nd.ts";
import { device, deviceSuite } from "./device.ts";

const tests = deviceSuite("random programs");

const blend = defineKernel({
  name: "blend",
  inputs: { x: "f32" },
  updates: { p: "f32" },
  wgsl: /* wgsl */ `fn run(i: u32) { p[i] = x[i] - p[i]; }`,
});

/** Two outputs, of which only the first may carry fused work. */
const split = defineKernel({
  name: "split",
  inputs: { x: "f32v" },
  outputs: { whole: "f32v", double: "f32v" },
  wgsl: /* wgsl */ `fn run(i: u32) { store_whole(i, x[i] + 1.0); store_double(i, x[i] * 2.0); }`,
});

/** State outside of the program: a flat buffer with two places, seen as one matrix each, and a matrix of its own. */
interface Outside {
  readonly flat: Tensor;
  readonly views: readonly Tensor[];
  readonly state: Tensor;
}

const PLACES = 2;
const PLACE = BINDING_ALIGNMENT / 4;
const FULL = [4, 4];

function outside(): Outside {
  const flat = device.tensor(Float32Array.from(tiedValues([PLACES * PLACE], 77, 9).data));
  const views = Array.from(
    { length: PLACES },
    (_, k) => new Tensor(device, FULL, "f32", flat.storage, k * BINDING_ALIGNMENT),
  );
  return { flat, views, state: device.tensor(Float32Array.from(tiedValues([16], 78, 9).data), FULL) };
}

/** One instruction: what to do, and three numbers that choose its operands. */
type Instruction = readonly [kind: keyof typeof kinds, a: number, b: number, c: number];

/** All values of a step so far. Every extent is 1 or 4, so that any two of them broadcast. */
interface Machine extends Outside {
  readonly pool: Tensor[];
}

/** Half of all choices fall on one of the last three, as in real programs. */
function pick(list: readonly Tensor[], choice: number): Tensor {
  const index = Math.floor(choice / 2);
  return (choice % 2 === 0 ? list.at(-1 - (index % Math.min(3, list.length))) : list[index % list.length])!;
}

const isFull = ({ size }: Tensor): boolean => size === 16;
/** Keeps products small. */
const small = ops.relu6;
const unaryOps = [ops.relu, ops.neg, ops.relu6] as const;
const binaryOps = [ops.add, ops.sub, ops.maximum, (a: Tensor, b: Tensor) => ops.mul(small(a), small(b))] as const;

/** A tensor may not be read and written by one kernel. */
function write(source: Tensor, target: Tensor, how: (source: Tensor, target: Tensor) => void): void {
  if (source.storage !== target.storage && isFull(source) && isFull(target)) how(source, target);
}

/** What to write into: mostly the views and the state, sometimes a value made before. */
function target({ views, state, pool }: Machine, choice: number): Tensor {
  const places = [...views, state];
  return choice % 4 === 0 ? pick(pool, Math.floor(choice / 4)) : places[Math.floor(choice / 4) % places.length]!;
}

const ADD = { name: "add", parameters: ["a", "b"], body: "a + b" };

const kinds = {
  unary: ({ pool }, a, b) => unaryOps[b % 3]!(pick(pool, a)),
  binary: ({ pool }, a, b, c) => binaryOps[c % 4]!(pick(pool, a), pick(pool, b)),
  sum: ({ pool }, a, b) => ops.sum(pick(pool, a), { axes: [b % 2], keepDims: true }),
  max: ({ pool }, a, b) => ops.max(pick(pool, a), { axes: [b % 2], keepDims: true }),
  /** x + xᵀ, read twice by one map and in two ways. */
  skew: ({ pool }, a) => {
    const x = pick(pool.filter(isFull), a);
    return runMapOn(ADD, [operandFor(x, FULL), viewOperand(x, FULL, [1, 4])], FULL);
  },
  transpose: ({ pool }, a) => ops.transpose(pick(pool, a)),
  reshape: ({ pool }, a) => ops.reshape(pick(pool, a), [...pick(pool, a).shape].reverse()),
  matmul: ({ pool }, a, b) => {
    const [x, y] = [pick(pool, a), pick(pool, b)];
    return x.shape[1] === y.shape[0] ? ops.matmul(small(x), small(y)) : null;
  },
  stack: ({ pool }, a, b, c) => {
    const full = pool.filter(isFull);
    return ops.slice(ops.concat([pick(full, a), pick(full, b)], 0), [c % 5, 0], FULL);
  },
  split: ({ pool }, a, b) => {
    const { whole, double } = run(
      split,
      { x: pick(pool, a) },
      { whole: pick(pool, a).shape, double: pick(pool, a).shape },
      {},
      { constants: { width: 1 } },
    );
    return b % 2 === 0 ? whole : double;
  },
  /** Writes into a view of the flat buffer, the state, or a value made before. */
  copy: (machine, a, b) => write(pick(machine.pool, a), target(machine, b), copyInto),
  blend: (machine, a, b) =>
    write(pick(machine.pool, a), target(machine, b), (x, p) =>
      run(blend, { x }, {}, {}, { updates: [p], threads: 16 }),
    ),
  /** From now on the view or state is an operand like any other. */
  look: ({ views, state }, a) => [...views, state][a % (PLACES + 1)]!,
} satisfies Record<string, (machine: Machine, a: number, b: number, c: number) => Tensor | null | void>;

const number = fc.nat(999);
const weights = {
  unary: 4,
  binary: 6,
  sum: 1,
  max: 1,
  transpose: 1,
  skew: 1,
  reshape: 1,
  matmul: 1,
  stack: 1,
  split: 1,
  copy: 4,
  blend: 2,
  look: 2,
};
const kind = fc.oneof(
  ...Object.entries(weights).map(([name, weight]) => ({ weight, arbitrary: fc.constant(name as keyof typeof kinds) })),
);
const programs = fc.record({
  instructions: fc.array(fc.tuple(kind, number, number, number), { minLength: 2, maxLength: 14, size: "max" }),
  returned: fc.array(number, { maxLength: 3 }),
});

interface Drawn {
  readonly instructions: readonly Instruction[];
  readonly returned: readonly number[];
}

/** Interprets the instructions over two inputs; returns some of what was made. */
function step({ instructions, returned }: Drawn, state: Outside, inputs: readonly Tensor[]): Tensor[] {
  const machine: Machine = { ...state, pool: [...inputs] };
  for (const [name, a, b, c] of instructions) {
    const made = kinds[name](machine, a, b, c);
    if (made) machine.pool.push(made);
  }
  const made = machine.pool.slice(2);
  return made.length === 0 ? [] : [...new Set([made.at(-1)!, ...returned.map((index) => pick(made, index))])];
}

const shapes = [FULL, [1, 4]];
/** Each turn has other inputs, so that what a turn before left behind is wrong. */
const turns = [0, 1].map((turn) =>
  shapes.map((shape, k) => Float32Array.from(tiedValues(shape, 2 * turn + k, 9).data)),
);

/** Everything observable after two runs. */
async function observe(
  state: Outside,
  runTwice: () => readonly Tensor[] | Promise<readonly Tensor[]>,
): Promise<TypedArray[]> {
  const outputs = await runTwice();
  return device.readMany([state.flat, state.state, ...outputs]);
}

async function eagerly(drawn: Drawn): Promise<TypedArray[]> {
  const state = outside();
  return observe(state, () => {
    let outputs: Tensor[] = [];
    for (const arrays of turns) {
      outputs = scope(device, () =>
        step(
          drawn,
          state,
          shapes.map((shape, k) => device.tensor(arrays[k]!, shape)),
        ),
      );
    }
    return outputs;
  });
}

async function compiled(drawn: Drawn, fuse: boolean): Promise<TypedArray[]> {
  const state = outside();
  const specs = shapes.map((shape) => ({ shape }));
  const program = await compile(device, specs, (...tensors) => step(drawn, state, tensors), { fuse });
  try {
    return await observe(state, () => {
      for (const arrays of turns) program.run(arrays);
      return program.outputs;
    });
  } finally {
    program.dispose();
    free(state.flat);
    free(state.state);
  }
}

tests("the fused and planned program gives the numbers of the eager step", async () => {
  await forAll(
    programs,
    async (drawn) => {
      const want = await eagerly(drawn);
      for (const fuse of [false, true]) {
        (await compiled(drawn, fuse)).forEach((got, k) => {
          const what = `fuse ${fuse}, ${["flat buffer", "state"][k] ?? `output ${k - 2}`}`;
          assertClose(got, nd([got.length], want[k]!), { name: what, rtol: 0, atol: 0 });
        });
      }
    },
    300,
  );
});

tests.run();

/** A list of dispatches as planning sees it: which storages each reads and writes. */
function dispatchesOver(
  storages: readonly Storage[],
  uses: readonly (readonly [reads: readonly number[], write: number])[],
): Dispatch[] {
  const tensorOf = (index: number): Tensor => new Tensor(device, [1], "f32", pickStorage(storages, index));
  return uses.map(([reads, written]) => ({
    kernel: blend,
    constants: {},
    inputs: reads.map(tensorOf),
    updates: [],
    outputs: [tensorOf(written)],
    uniforms: {},
    extent: 1,
    epilogue: IDENTITY,
  }));
}

const pickStorage = (storages: readonly Storage[], index: number): Storage => storages[index % storages.length]!;

test("planned memory: no two storages that live at once share a slot, and every storage has one that holds it", async () => {
  const drawn = fc.record({
    bytes: fc.array(fc.constantFrom(4, 8, 64, 100), { minLength: 1, maxLength: 12 }),
    uses: fc.array(fc.tuple(fc.array(number, { maxLength: 3 }), number), { minLength: 1, maxLength: 20 }),
  });
  await forAll(drawn, ({ bytes, uses }) => {
    const storages = bytes.map((size) => new Storage(size, null));
    const slots = planSlots(dispatchesOver(storages, uses));
    const touched = (storage: Storage): number[] =>
      uses.flatMap(([reads, written], at) => ([...reads, written].some((k) => pickStorage(storages, k) === storage) ? [at] : []));
    for (const storage of storages) {
      const homes = slots.filter((slot) => slot.storages.includes(storage));
      assert.is(homes.length, touched(storage).length > 0 ? 1 : 0);
      for (const home of homes) assert.ok(home.bytes >= storage.bytes);
    }
    for (const slot of slots) {
      slot.storages.forEach((one, k) => {
        for (const other of slot.storages.slice(k + 1)) {
          const [a, b] = [touched(one), touched(other)];
          assert.ok(a.at(-1)! < b[0]! || b.at(-1)! < a[0]!, `lives ${a.join()} and ${b.join()} share a slot`);
        }
      });
    }
  }, 500); // prettier-ignore
});

test("a chain of any length needs two buffers", () => {
  const storages = Array.from({ length: 20 }, () => new Storage(64, null));
  const chain = storages.slice(1).map((_, k) => [[k], k + 1] as const);
  assert.is(planSlots(dispatchesOver(storages, chain)).length, 2);
});

test.run();
