import fc from "fast-check";
import * as assert from "uvu/assert";
import * as ops from "../../src/kernels/index.ts";
import { valueAndGradients, type Device, type Tensor } from "../../src/tensor/index.ts";
import { assertClose } from "../reference/compare.ts";
import * as generate from "../reference/generate.ts";
import * as reference from "../reference/losses.ts";
import { filled, map, nd, zeros, type Nd } from "../reference/nd.ts";
import { device, deviceSuite, readFrom, variants, deviceOf } from "../tensor/device.ts";
import { checkOp } from "./check.ts";

const tests = deviceSuite("losses");

const reduction = fc.constantFrom<reference.Reduction>("mean", "weightedMean", "sum", "none");
const upload = (on: Device, { data, shape }: Nd): Tensor => on.tensor(Float32Array.from(data), shape);

interface Classified {
  readonly rows: number;
  readonly classes: number;
  readonly dense: boolean;
  readonly labelSmoothing: number;
  readonly classWeights: boolean;
  readonly sampleWeights: boolean;
  readonly reduction: reference.Reduction;
  readonly seed: number;
}

/** Targets of every row, and what was handed over for them. */
function labelled({ rows, classes, dense, seed }: Classified): { targets: Nd; upload: (on: Device) => Tensor } {
  if (dense) {
    const targets = generate.values([rows, classes], seed + 7, { min: 0 }); // they need not sum to 1
    return { targets, upload: (on) => upload(on, targets) };
  }
  const labels = generate.labels(rows, classes, seed + 7);
  return { targets: reference.oneHot(labels, classes), upload: (on) => on.tensor(Uint32Array.from(labels)) };
}

function weightsOf({ rows, classes, seed, ...given }: Classified): { classes: Nd; samples: Nd } {
  const one = (use: boolean, size: number, salt: number): Nd =>
    use ? generate.values([size], seed + salt, { min: 0.25, max: 2 }) : filled([size], 1);
  return { classes: one(given.classWeights, classes, 8), samples: one(given.sampleWeights, rows, 9) };
}

function crossEntropyOf(drawn: Classified): { targets: Nd; weights: Nd } {
  const { targets } = labelled(drawn);
  const { classes, samples } = weightsOf(drawn);
  const weights = map(reference.rowWeights(targets, classes), (weight, row) =>
    drawn.classWeights ? weight * samples.data[row]! : samples.data[row]!,
  );
  return { targets: reference.smoothed(targets, drawn.labelSmoothing), weights };
}

const sizes = {
  "few classes": { rows: [1, 3, 33, 130, 700], classes: [1, 2, 7, 8, 10, 33], heavy: false },
  "many classes": { rows: [1, 5, 9], classes: [64, 68, 101, 300, 1000], heavy: true },
};

for (const [name, { rows: batches, classes: counts, heavy }] of Object.entries(sizes)) {
  checkOp<Classified>(tests, `softmaxCrossEntropy, ${name}`, {
    cases: fc.record({
      rows: fc.constantFrom(...batches),
      classes: fc.constantFrom(...counts),
      dense: fc.boolean(),
      labelSmoothing: fc.constantFrom(0, 0.1),
      classWeights: fc.boolean(),
      sampleWeights: fc.boolean(),
      reduction,
      seed: generate.seed,
    }),
    numRuns: heavy ? 24 : 40,
    deep: 6,
    heavy,
    arguments: ({ rows, classes, seed }) => [generate.values([rows, classes], seed, { min: -6, max: 6 })],
    op([logits], drawn, on) {
      const { classes, samples } = weightsOf(drawn);
      return ops.softmaxCrossEntropy(logits!, labelled(drawn).upload(on), {
        labelSmoothing: drawn.labelSmoothing,
        reduction: drawn.reduction,
        ...(drawn.classWeights ? { classWeights: upload(on, classes) } : {}),
        ...(drawn.sampleWeights ? { sampleWeights: upload(on, samples) } : {}),
      });
    },
    reference([logits], drawn) {
      const { targets, weights } = crossEntropyOf(drawn);
      return reference.reduced(reference.crossEntropy(logits!, targets), weights, drawn.reduction);
    },
    gradients([logits], dy, drawn) {
      const { targets, weights } = crossEntropyOf(drawn);
      return [reference.crossEntropyGrad(logits!, targets, reference.reducedGrad(weights, drawn.reduction, dy))];
    },
    magnitudes([logits], dy, drawn) {
      const { targets, weights } = crossEntropyOf(drawn);
      const terms = reference.reduced(map(reference.crossEntropy(logits!, targets), Math.abs), weights, drawn.reduction);
      const slopes = reference.reducedGrad(weights, drawn.reduction, map(dy, Math.abs));
      const mass = reference.crossEntropy(zeros(logits!.shape), targets); // Σ q, times ln K
      return [terms, map(logits!, (_, i) => slopes.data[Math.floor(i / drawn.classes)]! * (mass.data[Math.floor(i / drawn.classes)]! + 1))];
    },
    terms: ({ rows, classes }) => rows * classes,
  }); // prettier-ignore
}

tests("a class that is ruled out by −∞ changes nothing, whether targets are numbers or distributions", async () => {
  for (const variant of variants) {
    const on = await deviceOf(variant);
    for (const classes of [3, 100]) {
      const logits = Float32Array.from(generate.values([2, classes], 5).data);
      const blocked = Float32Array.of(...logits.subarray(0, classes), -Infinity, ...logits.subarray(classes), -Infinity);
      const labels = Uint32Array.of(1, 0);
      const targets = Float32Array.from(reference.oneHot(labels, classes + 1).data);
      const [plain, sparse, dense, gradient] = await readFrom(on, () => {
        const z = on.tensor(blocked, [2, classes + 1]);
        const { value, gradients } = valueAndGradients(() => ops.softmaxCrossEntropy(z, on.tensor(labels)), [z]);
        return [
          ops.softmaxCrossEntropy(on.tensor(logits, [2, classes]), on.tensor(labels)),
          value,
          ops.softmaxCrossEntropy(z, on.tensor(targets, [2, classes + 1])),
          ...gradients,
        ];
      });
      assertClose(sparse!, nd([], plain!), { name: "class numbers" });
      assertClose(dense!, nd([], plain!), { name: "distributions" });
      assert.is(gradient![classes], 0);
    }
  }
}); // prettier-ignore

tests("the gradient is rounded to half precision only once a loss scale has raised it", async () => {
  if (!device.gpu.features.has("shader-f16")) return;
  const rows = 4096; // 1/rows times a small probability is far below the smallest f16
  const logits = generate.values([rows, 10], 3, { min: -9, max: 9 });
  const labels = generate.labels(rows, 10, 4);
  const scale = 2 ** 16;
  const [gradient] = await readFrom(device, () => {
    const z = ops.cast(upload(device, logits), "f16");
    const loss = () => ops.mul(ops.softmaxCrossEntropy(z, device.tensor(Uint32Array.from(labels))), device.constant(scale));
    return valueAndGradients(loss, [z]).gradients;
  });
  const rounded = map(logits, (value) => Math.fround(value));
  const want = reference.crossEntropyGrad(rounded, reference.oneHot(labels, 10), filled([rows], scale / rows));
  // Logits of size 9, rounded to half precision, are off by 4e-3, and a probability by as much of itself.
  assertClose(gradient!, want, { name: "gradient", rtol: 2e-2, atol: 1e-4 });
}); // prettier-ignore

interface Regressed {
  readonly shape: readonly number[];
  readonly mask: "none" | "whole" | "row" | "column";
  readonly sampleWeights: boolean;
  readonly parameter: boolean;
  readonly reduction: reference.Reduction;
  readonly seed: number;
}

const maskShape = ({ shape, mask }: Regressed): readonly number[] => {
  if (mask === "whole") return shape;
  return mask === "row" ? [...shape.slice(0, -1), 1] : shape.slice(-1);
};

/** The weight of every element. */
function elementWeights(drawn: Regressed): { mask: Nd | null; samples: Nd | null; all: Nd } {
  const { shape, seed } = drawn;
  const last = shape.at(-1)!;
  const visible = (extents: readonly number[]): Nd => map(generate.values(extents, seed + 3, { min: 0 }), (v) => (v < 0.4 ? 0 : 1));
  const mask = drawn.mask === "none" ? null : visible(maskShape(drawn));
  mask?.data.set([1]); // something is always visible
  const samples = drawn.sampleWeights ? generate.values([shape[0]!], seed + 4, { min: 0.5, max: 2 }) : null;
  const perRow = zeros(shape).data.length / shape[0]!;
  const all = map(zeros(shape), (_, i) => {
    const place = drawn.mask === "whole" ? i : drawn.mask === "row" ? Math.floor(i / last) : i % last;
    return (mask?.data[place] ?? 1) * (samples?.data[Math.floor(i / perRow)] ?? 1);
  });
  return { mask, samples, all };
} // prettier-ignore

type Options = Pick<ops.LossOptions, "mask" | "sampleWeights" | "reduction">;

interface Tested {
  readonly op: (x: Tensor, targets: Tensor, options: Options, p: Tensor | null, on: Device) => Tensor;
  /** Values of p over the last axis, or one for all; 1 where it is not drawn. */
  readonly parameter?: (drawn: Regressed) => Nd;
  readonly targets?: (shape: readonly number[], seed: number) => Nd;
  /** Both arguments have gradients. */
  readonly both?: boolean;
}

const zeroOrOne = (shape: readonly number[], seed: number): Nd =>
  map(generate.values(shape, seed), (v) => (v > 0 ? 1 : 0));

const elementLosses: Readonly<Record<keyof typeof reference.elementLosses, Tested>> = {
  sigmoidCrossEntropy: {
    op: (x, t, options, p) => ops.sigmoidCrossEntropy(x, t, p ? { ...options, positiveWeights: p } : options),
    parameter: ({ shape, seed }) => generate.values(shape.slice(-1), seed + 5, { min: 0.5, max: 4 }),
    targets: (shape, seed) => generate.values(shape, seed, { min: 0 }),
  },
  meanSquaredError: { op: ops.meanSquaredError, both: true },
  meanAbsoluteError: { op: ops.meanAbsoluteError, both: true },
  huber: {
    op: (x, t, options, p) => ops.huber(x, t, p ? { ...options, delta: 0.5 } : options),
    parameter: () => nd([1], [0.5]),
    both: true,
  },
  hinge: { op: ops.hinge, targets: zeroOrOne },
  squaredHinge: { op: ops.squaredHinge, targets: (shape, seed) => map(zeroOrOne(shape, seed), (t) => 2 * t - 1) },
};

for (const [name, { op, parameter, targets, both = false }] of Object.entries(elementLosses)) {
  const { value, slope } = reference.elementLosses[name as keyof typeof elementLosses] as reference.ElementLoss;
  const targetsOf = ({ shape, seed }: Regressed): Nd => (targets ?? generate.values)(shape, seed + 1);
  const parameterAt = (drawn: Regressed) => {
    const p = drawn.parameter && parameter ? parameter(drawn) : nd([1], [1]);
    return (i: number) => p.data[i % p.data.length]!;
  };
  checkOp<Regressed>(tests, name, {
    cases: fc.record({
      shape: fc.constantFrom([1, 1], [5, 3], [7, 8], [3, 4, 6], [40, 33]),
      mask: fc.constantFrom("none", "whole", "row", "column"),
      sampleWeights: fc.boolean(),
      parameter: fc.boolean(),
      reduction,
      seed: generate.seed,
    }),
    smooth: false, // kinks of some lie anywhere; the slopes of the reference are checked below
    arguments: (drawn) => [generate.values(drawn.shape, drawn.seed, { min: -3, max: 3 }), ...(both ? [targetsOf(drawn)] : [])],
    op([x, t], drawn, on) {
      const { mask, samples } = elementWeights(drawn);
      const p = drawn.parameter && parameter ? upload(on, parameter(drawn)) : null;
      const options = {
        reduction: drawn.reduction,
        ...(mask ? { mask: upload(on, mask) } : {}),
        ...(samples ? { sampleWeights: upload(on, samples) } : {}),
      };
      return op(x!, t ?? upload(on, targetsOf(drawn)), options, p, on);
    },
    reference([x], drawn) {
      const [t, p] = [targetsOf(drawn), parameterAt(drawn)];
      const terms = map(x!, (v, i) => value(v, t.data[i]!, p(i)));
      return reference.reduced(terms, elementWeights(drawn).all, drawn.reduction);
    },
    gradients([x], dy, drawn) {
      const [t, p] = [targetsOf(drawn), parameterAt(drawn)];
      const factor = reference.reducedGrad(elementWeights(drawn).all, drawn.reduction, dy);
      const dx = map(x!, (v, i) => slope(v, t.data[i]!, p(i)) * factor.data[i]!);
      return both ? [dx, map(dx, (v) => -v)] : [dx];
    },
    rtol: 2e-5,
    atol: 2e-6,
  }); // prettier-ignore

  tests(`${name}: the reference's slope is that of its value`, () => {
    for (const x of [-2.9, -0.7, 0.3, 1.9]) {
      for (const t of [0.9, 0.1]) {
        const numeric = (value(x + 1e-6, t, 0.77) - value(x - 1e-6, t, 0.77)) / 2e-6;
        assert.ok(Math.abs(numeric - slope(x, t, 0.77)) < 1e-8, `${name} at ${x}, ${t}`);
      }
    }
  });
}

tests("confident logits: the sigmoid's cross entropy neither overflows nor takes the logarithm of 0", async () => {
  const x = [200, 200, -200, -200, 0, 30];
  const t = [1, 0, 1, 0, 0.5, 1];
  const loss = ops.sigmoidCrossEntropy(device.tensor(x), device.tensor(t), { reduction: "none" });
  assertClose(await loss.read(), nd([6], [0, 200, 200, 0, Math.LN2, Math.exp(-30)]), { name: "losses" });
});

checkOp<Omit<Classified, "dense" | "labelSmoothing" | "classWeights">>(tests, "categoricalHinge", {
  cases: fc.record({
    rows: fc.constantFrom(1, 7, 65),
    classes: fc.constantFrom(2, 5, 70),
    sampleWeights: fc.boolean(),
    reduction,
    seed: generate.seed,
  }),
  smooth: false,
  arguments: ({ rows, classes, seed }) => [generate.values([rows, classes], seed, { distinct: true, min: -2, max: 2 })],
  op([scores], { rows, classes, sampleWeights, reduction: how, seed }, on) {
    const labels = on.tensor(Uint32Array.from(generate.labels(rows, classes, seed + 1)));
    const weights = sampleWeights ? { sampleWeights: upload(on, generate.values([rows], seed + 2, { min: 0.5 })) } : {};
    return ops.categoricalHinge(scores!, labels, { reduction: how, ...weights });
  },
  reference([scores], { rows, classes, sampleWeights, reduction: how, seed }) {
    const weights = sampleWeights ? generate.values([rows], seed + 2, { min: 0.5 }) : filled([rows], 1);
    const terms = reference.categoricalHinge(scores!, generate.labels(rows, classes, seed + 1)).rows;
    return reference.reduced(terms, weights, how);
  },
  gradients([scores], dy, { rows, classes, sampleWeights, reduction: how, seed }) {
    const weights = sampleWeights ? generate.values([rows], seed + 2, { min: 0.5 }) : filled([rows], 1);
    const labels = generate.labels(rows, classes, seed + 1);
    const { rows: terms, rivals } = reference.categoricalHinge(scores!, labels);
    const factor = reference.reducedGrad(weights, how, dy);
    const dx = zeros(scores!.shape);
    rivals.forEach((rival, row) => {
      if (terms.data[row]! <= 0) return;
      dx.data[rival] = factor.data[row]!;
      dx.data[row * classes + labels[row]!] = -factor.data[row]!;
    });
    return [dx];
  },
});

checkOp(tests, "softFBeta", {
  cases: fc.record({
    rows: fc.constantFrom(1, 6, 65),
    classes: fc.constantFrom(1, 4, 33),
    beta: fc.constantFrom(0.5, 1, 2),
    seed: generate.seed,
  }),
  arguments: ({ rows, classes, seed }) => [generate.values([rows, classes], seed, { min: -3, max: 3 })],
  op: ([x], { rows, classes, beta, seed }, on) =>
    ops.softFBeta(x!, upload(on, zeroOrOne([rows, classes], seed + 1)), { beta }),
  reference: ([x], { rows, classes, beta, seed }) =>
    nd([], [reference.softFBeta(x!, zeroOrOne([rows, classes], seed + 1), beta, 1e-7)]),
  gradients([x], dy, { rows, classes, beta, seed }) {
    const slopes = reference.softFBetaGrad(x!, zeroOrOne([rows, classes], seed + 1), beta, 1e-7);
    return [map(slopes, (slope) => slope * dy.data[0]!)];
  },
});

tests("tally counts hits as the first greatest logit, for class numbers and distributions, few and many", async () => {
  for (const variant of variants) {
    const on = await deviceOf(variant);
    for (const [rows, classes] of [
      [1, 2],
      [130, 10],
      [700, 7],
      [9, 64],
      [5, 101],
    ] as const) {
      // prettier-ignore
      const logits = generate.tiedValues([rows, classes], rows + classes);
      const labels = generate.labels(rows, classes, rows);
      const first = Array.from({ length: rows }, (_, row) => {
        const line = logits.data.subarray(row * classes, (row + 1) * classes);
        return line.indexOf(Math.max(...line));
      });
      for (let row = 0; row < rows; row += 2) labels[row] = first[row]!; // half of them hit
      const hits = first.filter((label, row) => label === labels[row]).length;
      const [sparse, dense] = await readFrom(on, () => {
        const totals = [on.tensor([0.5, 1, 2]), on.zeros([3])];
        const z = upload(on, logits);
        ops.tally(totals[0]!, on.tensor([2]), z, on.tensor(Uint32Array.from(labels)));
        ops.tally(totals[1]!, on.tensor([2]), z, upload(on, reference.oneHot(labels, classes)));
        return totals;
      });
      assert.equal(Array.from(sparse!), [0.5 + 2 * rows, 1 + hits, 2 + rows]);
      assert.equal(Array.from(dense!), [2 * rows, hits, rows]);
    }
  }
});

tests("a row of NaN is no hit", async () => {
  const totals = device.zeros([3]);
  ops.tally(totals, device.tensor([1]), device.tensor([NaN, NaN], [1, 2]), device.tensor(Uint32Array.of(0)));
  assert.equal(Array.from(await totals.read()), [1, 0, 1]);
});

tests("counters advance together", async () => {
  const counters = [device.tensor(Uint32Array.of(3)), device.zeros([1], "u32"), device.tensor(Uint32Array.of(7))];
  ops.advance(...counters);
  ops.advance(counters[1]!);
  assert.equal((await device.readMany(counters)).map(([count]) => count), [4, 2, 8]);
}); // prettier-ignore

tests.run();
