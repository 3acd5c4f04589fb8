/**
 * The loops that take the time, in WebAssembly SIMD: dot products of many rows, the exponential of the RBF
 * kernel, and the vector updates of the solvers.
 *
 * Why a 4 × 2 tile. A single dot product loads two numbers for each multiplication and waits on memory. Four
 * query rows against two data rows use each loaded vector several times: 6 loads feed 8 multiplications, and
 * the 8 running sums are as many independent chains as the adders need to stay busy (latency 3, two a cycle).
 * 8 sums, 6 operands and a temporary are 15 registers, all that an x86 engine has to give.
 *
 * Why results do not depend on blocking. Whatever tile a pair of rows falls in, lane l sums the products of
 * features l, l+4, l+8 … in order, and the four lanes are added in one fixed order. So a kernel value is the same
 * bits in any block, cache state or number of workers, and K(a, b) = K(b, a).
 *
 * Addresses are in bytes. Rows are float32, padded with zeros to a multiple of 8 features (`rowBytes` of 32).
 */
import {
  type Code,
  f32,
  f32x4,
  f64,
  f64x2,
  i32,
  i32x4,
  type Local,
  v128,
  wasmFunction,
  whileTrue,
} from "./assembler.ts";

/** Vectors of four that one turn of the inner loop takes: amortises the pointer arithmetic. */
const unroll = 2;
const tileQueries = [0, 1, 2, 3] as const;
const tileRows = [0, 1] as const;

const advance = (pointer: Local, bytes: number): Code => pointer.set(i32.add(pointer.get, i32.const(bytes)));

/** (l0 + l2) + (l1 + l3): the one order of the lanes. */
const sumLanes = (v: Code): Code =>
  f32.add(f32.add(f32x4.lane(v, 0), f32x4.lane(v, 2)), f32.add(f32x4.lane(v, 1), f32x4.lane(v, 3)));

/**
 * out[q][j] = ⟨query q, row j⟩ for j from `first` to `last` (exclusive), for the four queries whose addresses lie at
 * `queries` and the rows whose addresses lie at `rows`; the address of each out[q] lies at `outs`.
 * Rows go in pairs: an odd number of them reads one address more, and writes one value more.
 */
const dots = wasmFunction(
  "dots",
  { queries: "i32", rows: "i32", outs: "i32", first: "i32", last: "i32", rowBytes: "i32" },
  undefined,
  ({ p, local }) => {
    const bytes = local("i32"); // of j values, which are as wide as addresses
    const bytesEnd = local("i32");
    const end = local("i32"); // of the first row of the tile
    const q = tileQueries.map(() => local("i32"));
    const r = tileRows.map(() => local("i32"));
    const x = tileRows.map(() => local("v128"));
    const a = local("v128");
    const sums = tileQueries.map(() => tileRows.map(() => local("v128")));
    const at = <T>(list: readonly T[], index: number): T => list[index] as T;

    const oneVector = (offset: number): Code[] => [
      ...tileRows.map((j) => at(x, j).set(v128.load(at(r, j).get, offset))),
      ...tileQueries.flatMap((i) => [
        a.set(v128.load(at(q, i).get, offset)),
        ...tileRows.map((j) => {
          const sum = at(at(sums, i), j);
          return sum.set(f32x4.add(sum.get, f32x4.mul(a.get, at(x, j).get)));
        }),
      ]),
    ];
    const timesFour = (value: Local): Code => i32.shiftLeft(value.get, i32.const(2));
    const storeTile = tileQueries.flatMap((i) => {
      const out = i32.add(i32.load(p.outs.get, 4 * i), bytes.get);
      return tileRows.map((j) => f32.store(out, sumLanes(at(at(sums, i), j).get), 4 * j));
    });
    return [
      bytes.set(timesFour(p.first)),
      bytesEnd.set(timesFour(p.last)),
      whileTrue(
        i32.less(bytes.get, bytesEnd.get),
        ...tileQueries.map((i) => at(q, i).set(i32.load(p.queries.get, 4 * i))),
        ...tileRows.map((j) => at(r, j).set(i32.load(i32.add(p.rows.get, bytes.get), 4 * j))),
        ...sums.flat().map((sum) => sum.set(v128.zero)),
        end.set(i32.add(at(r, 0).get, p.rowBytes.get)),
        whileTrue(
          i32.less(at(r, 0).get, end.get),
          ...Array.from({ length: unroll }, (_, step) => oneVector(16 * step)).flat(),
          ...[...q, ...r].map((pointer) => advance(pointer, 16 * unroll)),
        ),
        ...storeTile,
        advance(bytes, 8),
      ),
    ];
  },
);

/**
 * e^x of four x in [−87, 0], to float32 precision: x = n·ln 2 + r with |r| ≤ ½ ln 2, then Taylor's series of e^r to r⁷
 * (next term below 6e-9 of the sum), times 2ⁿ through the exponent bits. ln 2 is split so that n·high is exact
 * (Cody & Waite 1980). `Math.exp` would cost more than the dot product, and its bits differ between engines.
 */
const ln2High = 0.693359375;
const ln2Low = Math.LN2 - ln2High;

function exponential(x: Local, n: Local, power: Local): Code[] {
  const splat = (value: number): Code => f32x4.splat(f32.const(value));
  const taylor = [1 / 5040, 1 / 720, 1 / 120, 1 / 24, 1 / 6, 1 / 2, 1, 1];
  return [
    x.set(f32x4.max(x.get, splat(-87))),
    n.set(f32x4.nearest(f32x4.mul(x.get, splat(Math.LOG2E)))),
    x.set(f32x4.sub(x.get, f32x4.mul(n.get, splat(ln2High)))),
    x.set(f32x4.sub(x.get, f32x4.mul(n.get, splat(ln2Low)))),
    power.set(splat(taylor[0] as number)),
    ...taylor.slice(1).map((coefficient) => power.set(f32x4.add(f32x4.mul(power.get, x.get), splat(coefficient)))),
    n.set(i32x4.shiftLeft(i32x4.add(i32x4.truncateSaturated(n.get), i32x4.splat(i32.const(127))), i32.const(23))),
    x.set(f32x4.mul(power.get, n.get)),
  ];
}

/**
 * In place at `out`: the dot products of one query become RBF kernel values exp(−γ‖q − x‖²), by
 * ‖q − x‖² = ‖q‖² + ‖x‖² − 2⟨q, x⟩. Rounding may make that slightly negative: cut at 0. `negativeGamma` is −γ.
 * Goes in fours: up to three values past `count` are written.
 */
const rbf = wasmFunction(
  "rbf",
  { out: "i32", norms: "i32", count: "i32", queryNorm: "f32", negativeGamma: "f32" },
  undefined,
  ({ p, local }) => {
    const end = local("i32");
    const [x, n, power] = [local("v128"), local("v128"), local("v128")];
    const squared = f32x4.sub(
      f32x4.add(v128.load(p.norms.get), f32x4.splat(p.queryNorm.get)),
      f32x4.add(v128.load(p.out.get), v128.load(p.out.get)),
    );
    return [
      end.set(i32.add(p.out.get, i32.shiftLeft(p.count.get, i32.const(2)))),
      whileTrue(
        i32.less(p.out.get, end.get),
        x.set(f32x4.mul(f32x4.max(squared, v128.zero), f32x4.splat(p.negativeGamma.get))),
        ...exponential(x, n, power),
        v128.store(p.out.get, x.get),
        advance(p.out, 16),
        advance(p.norms, 16),
      ),
    ];
  },
);

/** target[t] += scale · (a[t] − b[t]) for `count` float64 targets and float32 a, b. In fours, as `rbf`. */
const addDifference = wasmFunction(
  "addDifference",
  { target: "i32", a: "i32", b: "i32", scale: "f64", count: "i32" },
  undefined,
  ({ p, local }) => {
    const end = local("i32");
    const twoAt = (bytes: number): Code => {
      const promoted = (row: Local): Code => f64x2.promoteLow(v128.load64Zero(row.get, bytes));
      const change = f64x2.mul(f64x2.sub(promoted(p.a), promoted(p.b)), f64x2.splat(p.scale.get));
      return v128.store(p.target.get, f64x2.add(v128.load(p.target.get, 2 * bytes), change), 2 * bytes);
    };
    return [
      end.set(i32.add(p.a.get, i32.shiftLeft(p.count.get, i32.const(2)))),
      whileTrue(
        i32.less(p.a.get, end.get),
        twoAt(0),
        twoAt(8),
        advance(p.a, 16),
        advance(p.b, 16),
        advance(p.target, 32),
      ),
    ];
  },
);

/** Σ weights[k] · row[k], float64 weights and a float32 row of `rowBytes` (a multiple of 32). */
const weightedSum = wasmFunction(
  "weightedSum",
  { weights: "i32", row: "i32", rowBytes: "i32" },
  "f64",
  ({ p, local }) => {
    const end = local("i32");
    const sums = [0, 1, 2, 3].map(() => local("v128"));
    const total = (a: number, b: number): Code => f64x2.add((sums[a] as Local).get, (sums[b] as Local).get);
    const all = local("v128");
    return [
      end.set(i32.add(p.row.get, p.rowBytes.get)),
      whileTrue(
        i32.less(p.row.get, end.get),
        ...sums.map((sum, i) =>
          sum.set(
            f64x2.add(
              sum.get,
              f64x2.mul(v128.load(p.weights.get, 16 * i), f64x2.promoteLow(v128.load64Zero(p.row.get, 8 * i))),
            ),
          ),
        ),
        advance(p.row, 32),
        advance(p.weights, 64),
      ),
      all.set(f64x2.add(total(0, 2), total(1, 3))),
      f64.add(f64x2.lane(all.get, 0), f64x2.lane(all.get, 1)),
    ];
  },
);

/** weights[k] += scale · row[k], as `weightedSum`. */
const addScaled = wasmFunction(
  "addScaled",
  { weights: "i32", row: "i32", scale: "f64", rowBytes: "i32" },
  undefined,
  ({ p, local }) => {
    const end = local("i32");
    const twoAt = (i: number): Code => {
      const change = f64x2.mul(f64x2.promoteLow(v128.load64Zero(p.row.get, 8 * i)), f64x2.splat(p.scale.get));
      return v128.store(p.weights.get, f64x2.add(v128.load(p.weights.get, 16 * i), change), 16 * i);
    };
    return [
      end.set(i32.add(p.row.get, p.rowBytes.get)),
      whileTrue(
        i32.less(p.row.get, end.get),
        twoAt(0),
        twoAt(1),
        twoAt(2),
        twoAt(3),
        advance(p.row, 32),
        advance(p.weights, 64),
      ),
    ];
  },
);

/** All loops, in the order of their export. */
export const loops = [dots, rbf, addDifference, weightedSum, addScaled];
