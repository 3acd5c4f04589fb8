/**
 * y = activation(op(a) · op(b) + bias), op(m) = m or mᵀ over the last two axes; leading axes are batch axes and
 * broadcast as NumPy's `matmul` does. The bias is a vector over the columns of y.
 */
import { applyUnary, broadcastShape, broadcastSource, sumTo, unary, unaryGrad, type Unary } from "./elementwise.ts";
import { map, requireShape, size, zeros, type Nd } from "./nd.ts";

export interface MatmulOptions {
  readonly transposeA?: boolean | undefined;
  readonly transposeB?: boolean | undefined;
  readonly bias?: Nd | undefined;
  readonly activation?: Unary | undefined;
}

interface Geometry {
  readonly batch: readonly number[];
  readonly m: number;
  readonly k: number;
  readonly n: number;
}

function geometry(a: Nd, b: Nd, { transposeA = false, transposeB = false }: MatmulOptions): Geometry {
  const [rowsA, columnsA] = a.shape.slice(-2) as [number, number];
  const [rowsB, columnsB] = b.shape.slice(-2) as [number, number];
  const [m, k] = transposeA ? [columnsA, rowsA] : [rowsA, columnsA];
  const [kB, n] = transposeB ? [columnsB, rowsB] : [rowsB, columnsB];
  if (k !== kB) throw new RangeError(`matmul: inner extents ${k} and ${kB} differ`);
  return { batch: broadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2)), m, k, n };
}

/** Visits every term of y[…, i, j] = Σₗ op(a)[…, i, l] · op(b)[…, l, j] as flat positions in a, b and y. */
function forEachProduct(a: Nd, b: Nd, options: MatmulOptions, visit: (a: number, b: number, y: number) => void): void {
  const { batch, m, k, n } = geometry(a, b, options);
  const batchA = broadcastSource(a.shape.slice(0, -2), batch);
  const batchB = broadcastSource(b.shape.slice(0, -2), batch);
  for (let t = 0; t < size(batch); t++) {
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        for (let l = 0; l < k; l++) {
          const inA = options.transposeA === true ? l * m + i : i * k + l;
          const inB = options.transposeB === true ? j * k + l : l * n + j;
          visit(batchA[t]! * m * k + inA, batchB[t]! * k * n + inB, (t * m + i) * n + j);
        }
      }
    }
  }
}

function preActivation(a: Nd, b: Nd, options: MatmulOptions): Nd {
  const { batch, m, n } = geometry(a, b, options);
  const z = zeros([...batch, m, n]);
  forEachProduct(a, b, options, (ia, ib, iy) => {
    z.data[iy]! += a.data[ia]! * b.data[ib]!;
  });
  const { bias } = options;
  if (bias === undefined) return z;
  requireShape("matmul: bias", bias.shape, [n]);
  return map(z, (value, i) => value + bias.data[i % n]!);
}

/** y = activation(op(a) · op(b) + bias) */
export function matmul(a: Nd, b: Nd, options: MatmulOptions = {}): Nd {
  return applyUnary(options.activation ?? unary.identity, preActivation(a, b, options));
}

/**
 * dz = dy · activation′(z). Every term a·b of z gives da += dz·b and db += dz·a, which sums over broadcast batches;
 * dbias = Σ dz over all rows.
 */
export function matmulGrad(a: Nd, b: Nd, dy: Nd, options: MatmulOptions = {}): { da: Nd; db: Nd; dbias: Nd } {
  const z = preActivation(a, b, options);
  const dz = unaryGrad(options.activation ?? unary.identity, z, dy);
  const da = zeros(a.shape);
  const db = zeros(b.shape);
  forEachProduct(a, b, options, (ia, ib, iy) => {
    da.data[ia]! += dz.data[iy]! * b.data[ib]!;
    db.data[ib]! += dz.data[iy]! * a.data[ia]!;
  });
  return { da, db, dbias: sumTo(dz, z.shape.slice(-1)) };
}
