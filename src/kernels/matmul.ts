/**
 * Matrix product, with transposes for free and bias and activation on the way out.
 *
 *   y = f(A·B + bias)        A is a or aᵀ, B is b or bᵀ
 *   dA = dz·Bᵀ,  dB = Aᵀ·dz,  dbias = Σ rows of dz,  dz = dy·f′
 */
import { ShapeError } from "../errors.ts";
import { defineOp, formatShape, type Tensor } from "../tensor/index.ts";
import { contract, filterGradient } from "./contraction/index.ts";
import { biasGradient, checkBias, throughActivation, type EpilogueOptions } from "./epilogue.ts";

export interface MatmulOptions extends EpilogueOptions {
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
}

/** Rows, inner extent and columns of the product. */
function extents(a: Tensor, b: Tensor, { transposeA = false, transposeB = false }: MatmulOptions) {
  const [am, ak] = transposeA ? [a.shape[1], a.shape[0]] : a.shape;
  const [bk, bn] = transposeB ? [b.shape[1], b.shape[0]] : b.shape;
  if (a.shape.length === 2 && b.shape.length === 2 && ak === bk) return { m: am!, k: ak!, n: bn! };
  throw new ShapeError({
    where: "matmul",
    expected: "two matrices whose inner extents agree",
    got: `${formatShape(a.shape)}${transposeA ? "ᵀ" : ""} and ${formatShape(b.shape)}${transposeB ? "ᵀ" : ""}`,
    advice: "reshape, or set transposeA or transposeB",
  });
}

/** The product itself, not recorded: a contraction with one tap, whose rows are "images" of one pixel. */
function product(a: Tensor, b: Tensor, transposeA: boolean, transposeB: boolean, finish: EpilogueOptions = {}): Tensor {
  const { m, k, n } = extents(a, b, { transposeA, transposeB });
  const sizes = {
    m, n, taps: 1, channels: k, pixels: 1, ow: 1, h: 1, w: 1, kw: 1,
    stepY: 0, stepX: 0, tapY: 0, tapX: 0, padY: 0, padX: 0, divisorY: 1, divisorX: 1,
    xBatch: transposeA ? 1 : k, xRow: 0, xColumn: 0, xChannel: transposeA ? m : 1,
    wTap: 0, wChannel: transposeB ? 1 : n, wColumn: transposeB ? k : 1,
  }; // prettier-ignore
  return contract({ x: a, w: b, shape: [m, n], sizes, bounded: false, fractional: false, ...finish });
}

/** aᵀ·b for `[rows, k]` and `[rows, n]`: long inside, so it is a filter's gradient over "images" of many rows in a line. */
function outerProduct(a: Tensor, b: Tensor): Tensor {
  const [rows = 1, k = 1] = a.shape;
  const n = b.shape[1]!;
  const ow = greatestDivisor(rows, 256);
  const sizes = {
    n, channels: k, kw: 1, h: 1, w: ow, oh: 1, ow,
    stepY: 0, stepX: 1, tapY: 0, tapX: 0, padY: 0, padX: 0, xBatch: ow * k, xRow: 0, xColumn: k,
  }; // prettier-ignore
  return filterGradient({ x: a, dy: b, shape: [k, n], sizes, batch: rows / ow, taps: 1, bounded: false });
}

/** The greatest divisor of `value` up to `limit`. */
function greatestDivisor(value: number, limit: number): number {
  for (let divisor = Math.min(value, limit); ; divisor--) if (value % divisor === 0) return divisor;
}

/**
 * Product of two matrices. `a` is `[m, k]` (or `[k, m]` with `transposeA`), `b` is `[k, n]` (or `[n, k]` with
 * `transposeB`), `bias` is `[n]`.
 */
export const matmul = defineOp("matmul", {
  forward(a: Tensor, b: Tensor, options: MatmulOptions = {}) {
    const { transposeA = false, transposeB = false, ...finish } = options;
    checkBias("matmul", extents(a, b, options).n, finish);
    const y = product(a, b, transposeA, transposeB, finish);
    return { output: y, saved: { a, b, y, options } };
  },
  backward(dy, { a, b, y, options }, [wantsA, wantsB, wantsBias]) {
    const { transposeA = false, transposeB = false, bias } = options;
    const dz = throughActivation(dy, y, options);
    const da = () => (transposeA ? product(b, dz, transposeB, true) : product(dz, b, false, !transposeB));
    const db = () => {
      if (transposeB) return product(dz, a, true, transposeA);
      return transposeA ? product(a, dz, false, false) : outerProduct(a, dz);
    };
    return [wantsA ? da() : null, wantsB ? db() : null, ...(bias ? [wantsBias ? biasGradient(dz, bias) : null] : [])];
  },
});
