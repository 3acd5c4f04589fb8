/**
 * Matrix product, with transposes for free and bias and activation on the way out.
 *
 *   y = f(A·B + bias)        A is a or aᵀ, B is b or bᵀ, over the last two axes
 *   dA = dz·Bᵀ,  dB = Aᵀ·dz,  dbias = Σ rows of dz,  dz = dy·f′
 *
 * Axes before the last two count products and broadcast as NumPy's do; gradients add up over what was broadcast. Rows of
 * many matrices that meet one and the same b are rows of a single, taller matrix.
 */
import { ShapeError } from "../errors.ts";
import {
  broadcastShapes,
  COPY,
  defineOp,
  formatShape,
  runMap,
  sizeOf,
  type Dtype,
  type Shape,
  type Tensor,
} from "../tensor/index.ts";
import { contract, filterGradient, SINGLE } from "./contraction/index.ts";
import { biasGradient, checkBias, finishOf, throughActivation, type EpilogueOptions } from "./epilogue.ts";
import { sumTo } from "./reduce.ts";

const where = "matmul";

export interface MatmulOptions extends EpilogueOptions {
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
}

const batchOf = ({ shape }: Tensor): Shape => shape.slice(0, -2);

/** Rows, inner extent and columns of each product, and the axes that count them. */
function extents(a: Tensor, b: Tensor, transposeA: boolean, transposeB: boolean) {
  const [am, ak] = transposeA ? [a.shape.at(-1), a.shape.at(-2)] : [a.shape.at(-2), a.shape.at(-1)];
  const [bk, bn] = transposeB ? [b.shape.at(-1), b.shape.at(-2)] : [b.shape.at(-2), b.shape.at(-1)];
  if (a.shape.length >= 2 && b.shape.length >= 2 && ak === bk) {
    return { batch: broadcastShapes(where, batchOf(a), batchOf(b)), m: am!, k: ak!, n: bn! };
  }
  throw new ShapeError({
    where,
    expected: "two matrices whose inner extents agree",
    got: `${formatShape(a.shape)}${transposeA ? "ᵀ" : ""} and ${formatShape(b.shape)}${transposeB ? "ᵀ" : ""}`,
    advice: "reshape, or set transposeA or transposeB",
  });
}

/** A tensor of one matrix, or of one for each product: where only some of the axes broadcast, it is copied. */
function matricesOf(x: Tensor, batch: Shape): { x: Tensor; count: number } {
  const count = sizeOf(batchOf(x));
  if (count === 1 || count === sizeOf(batch)) return { x, count };
  return { x: runMap(COPY, [x], [...batch, ...x.shape.slice(-2)], { where }), count: sizeOf(batch) };
}

interface ProductOptions extends EpilogueOptions {
  readonly dtype?: Dtype;
}

/** The products themselves, not recorded: contractions with one tap, whose rows are the pixels of a line. */
function product(a: Tensor, b: Tensor, transposeA: boolean, transposeB: boolean, options: ProductOptions = {}): Tensor {
  const { batch, m, k, n } = extents(a, b, transposeA, transposeB);
  const [left, right] = [matricesOf(a, batch), matricesOf(b, batch)];
  const matrices = right.count === 1 ? 1 : sizeOf(batch);
  const sizes = {
    ...SINGLE, m: (m * sizeOf(batch)) / matrices, n, taps: 1, channels: k, pixels: m, ow: m, h: 1, w: m, kh: 1, kw: 1,
    stepY: 0, stepX: 1, tapY: 0, tapX: 0, padY: 0, padX: 0,
    xBatch: m * k, xRow: 0, xColumn: transposeA ? 1 : k, xChannel: transposeA ? m : 1,
    wTap: 0, wChannel: transposeB ? 1 : n, wColumn: transposeB ? k : 1, cRow: n,
    matrices, xMatrix: left.count === 1 ? 0 : m * k, wMatrix: right.count === 1 ? 0 : k * n, cMatrix: m * n,
  }; // prettier-ignore
  return contract({ where, x: left.x, w: right.x, shape: [...batch, m, n], sizes, bounded: false, ...options });
}

/**
 * aᵀ·b for `[…, rows, k]` and `[…, rows, n]`: long inside, so it is the gradient of a filter with one tap. Where one
 * matrix of `shape` is wanted, the sum runs over the rows of all.
 */
function outerProduct(a: Tensor, b: Tensor, shape: Shape): Tensor {
  const { batch, m: k, n } = extents(a, b, true, false);
  const [left, right] = [matricesOf(a, batch), matricesOf(b, batch)];
  const count = sizeOf(batch);
  const together = sizeOf(shape) === k * n && left.count === right.count;
  const [matrices, rows] = together ? [1, a.size / k] : [count, a.shape.at(-2)!];
  const sizes = {
    n, channels: k, kw: 1, h: 1, w: rows, oh: 1, ow: rows, stepY: 0, stepX: 1, tapY: 0, tapX: 0, padY: 0, padX: 0,
    xBatch: 0, xRow: 0, xColumn: k, dyRow: n, dwRow: n,
    matrices, xMatrix: left.count === 1 ? 0 : rows * k, dyMatrix: right.count === 1 ? 0 : rows * n, dwMatrix: k * n,
  }; // prettier-ignore
  const made = together ? shape : [...batch, k, n];
  return filterGradient({ where, x: left.x, dy: right.x, shape: made, sizes, batch: 1, taps: 1, bounded: false });
}

/**
 * Product of two matrices. `a` is `[…, m, k]` (or `[…, k, m]` with `transposeA`), `b` is `[…, k, n]` (or `[…, n, k]` with
 * `transposeB`), `bias` is `[n]`. Leading axes broadcast.
 */
export const matmul = defineOp("matmul", {
  forward(a: Tensor, b: Tensor, options: MatmulOptions = {}) {
    const { transposeA = false, transposeB = false } = options;
    checkBias(where, extents(a, b, transposeA, transposeB).n, options);
    const y = product(a, b, transposeA, transposeB, finishOf(options));
    return { output: y, saved: { a, b, y, options } };
  },
  backward(dy, { a, b, y, options }, [wantsA, wantsB, wantsBias]) {
    const { transposeA = false, transposeB = false, bias } = options;
    const dz = throughActivation(dy, y, options);
    const da = () => (transposeA ? product(b, dz, transposeB, true) : product(dz, b, false, !transposeB));
    const db = () => {
      if (!transposeA) return transposeB ? outerProduct(dz, a, b.shape) : outerProduct(a, dz, b.shape);
      const whole = { dtype: "f32" } as const; // as every sum that may be a parameter's gradient
      return transposeB ? product(dz, a, true, true, whole) : product(a, dz, false, false, whole);
    };
    return [
      wantsA ? sumTo(da(), a.shape) : null,
      wantsB ? sumTo(db(), b.shape) : null,
      ...(bias ? [wantsBias ? biasGradient(dz, bias) : null] : []),
    ];
  },
});
