/**
 * Kernel values between blocks of query rows and all rows of a problem.
 *
 * Why blocks: one query against 12,000 rows of 1,296 features reads 62 MB to do 31 million multiplications, and waits for
 * memory. Eight queries share one reading. Rows are taken in strips that stay in the second-level cache while
 * all queries pass over them.
 *
 * Why rows by address: shrinking reorders the samples; swapping two addresses beats moving two rows.
 *
 * Why a centre for RBF: distances do not change when everything is moved, but ‖x‖² + ‖z‖² − 2⟨x, z⟩ loses all digits when
 * the data lie far from the origin (features around 1000 with a spread of 1). So the mean is taken off first.
 */
import { NumericError } from "../../errors.ts";
import type { FeatureMatrix } from "../features.ts";
import { alignedBytes, type Placed, type Workspace } from "../wasm/workspace.ts";
import { fromDotProducts, type KernelSettings } from "./kernels.ts";

/** Queries of one tile of the dot-product loop. */
const tile = 4;
/** Bytes of rows that all queries pass over before the next strip: a quarter of a usual second-level cache. */
const stripBytes = 2 ** 18;

/** Features padded to whole vectors of the unrolled loop. */
export const paddedColumns = (columns: number): number => Math.ceil(columns / 8) * 8;

/** Room for up to 7 values that vector loops write past the end. */
export const slack = 8;

/** Which rows take part. */
export interface RowSelection {
  readonly features: FeatureMatrix;
  readonly indices: Int32Array;
}

export class KernelRows {
  readonly count: number;
  /** Squared lengths, in the current order. */
  private readonly norms: Placed<Float32Array>;
  private readonly addresses: Placed<Int32Array>;
  private readonly data: Placed<Float32Array>;
  private readonly centre: Float32Array | undefined;
  private readonly rowBytes: number;
  private readonly queries: Placed<Int32Array>;
  private readonly outs: Placed<Int32Array>;
  private readonly spare: Placed<Float32Array>;
  /** The whole memory, for kernels that are computed from dot products in JavaScript. */
  readonly heap: Float32Array;
  private readonly workspace: Workspace;
  private readonly kernel: KernelSettings;

  /** Bytes of workspace that a problem of that size takes. */
  static bytes(count: number, columns: number): number {
    const row = 4 * paddedColumns(columns);
    return count * row + 4 * (4 * (count + slack) + 2 * tile) + 64 * 8;
  }

  /** `centre` is taken off every row (`centreOf`); `guests` positions after the rows are left for `load`. */
  constructor(
    workspace: Workspace,
    { features, indices }: RowSelection,
    kernel: KernelSettings,
    centre: Float32Array | undefined,
    guests = 0,
  ) {
    this.workspace = workspace;
    this.kernel = kernel;
    this.centre = centre;
    this.count = indices.length;
    this.rowBytes = 4 * paddedColumns(features.columns);
    const places = this.count + guests;
    this.data = workspace.floats((places * this.rowBytes) / 4);
    this.addresses = workspace.integers(places + slack);
    for (let i = 0; i < this.addresses.view.length; i++) {
      this.addresses.view[i] = this.data.at + Math.min(i, places - 1) * this.rowBytes;
    }
    this.norms = workspace.floats(places + slack);
    this.norms.view.fill(0);
    this.queries = workspace.integers(tile);
    this.outs = workspace.integers(tile);
    this.spare = workspace.floats(places + slack);
    this.heap = new Float32Array(this.spare.view.buffer);
    for (let i = 0; i < this.count; i++) this.load(i, features, indices[i] as number);
  }

  /**
   * Puts row `row` of `source` at `position`: padded with zeros, less the centre. Its squared length comes from the same
   * loop as all dot products, so that the distance of a point from itself is exactly 0.
   */
  load(position: number, { data, columns }: FeatureMatrix, row: number): void {
    const { centre } = this;
    const out = this.data.view;
    const from = row * columns;
    const to = (position * this.rowBytes) / 4;
    if (centre === undefined) out.set(data.subarray(from, from + columns), to);
    else for (let c = 0; c < columns; c++) out[to + c] = (data[from + c] as number) - (centre[c] as number);
    out.fill(0, to + columns, to + this.rowBytes / 4);

    this.queries.view.fill(this.addresses.view[position] as number);
    this.outs.view.fill(this.spare.at);
    this.workspace.loops.dots(this.queries.at, this.addresses.at, this.outs.at, position, position + 1, this.rowBytes);
    const norm = this.spare.view[position] as number;
    if (!Number.isFinite(norm)) throw tooLarge(`a squared length of ${norm}`);
    this.norms.view[position] = norm;
  }

  /** K(x, x) of the row at `position`. Throws `NumericError` where it is not finite. */
  diagonal(position: number): number {
    if (this.kernel.type === "rbf") return 1;
    this.spare.view[0] = this.norms.view[position] as number;
    fromDotProducts(this.kernel, this.spare.view, 0, 1);
    const value = this.spare.view[0];
    if (!Number.isFinite(value)) throw tooLarge(`K(x, x) = ${value}`);
    return value;
  }

  /** Exchanges the rows at two positions. */
  swap(a: number, b: number): void {
    exchange(this.addresses.view, a, b);
    exchange(this.norms.view, a, b);
  }

  /**
   * Kernel values of the rows at `positions` with the rows `from … to`, written from address `outs[i] + 4 · from` on
   * (each with `slack`). All are computed in one pass over the rows.
   */
  compute(positions: readonly number[], outs: readonly number[], from: number, to: number): void {
    const strip = Math.max(2, Math.floor(stripBytes / this.rowBytes / 2) * 2);
    for (let first = from; first < to; first += strip) {
      const last = Math.min(to, first + strip);
      for (let q = 0; q < positions.length; q += tile) this.tileOf(positions, outs, q, first, last);
    }
    positions.forEach((position, q) => this.finish(position, outs[q] as number, from, to));
  }

  private tileOf(
    positions: readonly number[],
    outs: readonly number[],
    start: number,
    first: number,
    last: number,
  ): void {
    const own = positions[start] as number; // fills an incomplete tile; the result goes to the spare row
    for (let i = 0; i < tile; i++) {
      const position = positions[start + i];
      this.queries.view[i] = this.addresses.view[position ?? own] as number;
      this.outs.view[i] = position === undefined ? this.spare.at : (outs[start + i] as number);
    }
    this.workspace.loops.dots(this.queries.at, this.addresses.at, this.outs.at, first, last, this.rowBytes);
  }

  /** From dot products to kernel values. */
  private finish(position: number, out: number, from: number, to: number): void {
    if (this.kernel.type === "rbf") {
      const norm = this.norms.view[position] as number;
      this.workspace.loops.rbf(out + 4 * from, this.norms.at + 4 * from, to - from, norm, -this.kernel.gamma);
    } else {
      fromDotProducts(this.kernel, this.heap, out / 4 + from, out / 4 + to);
    }
  }
}

const tooLarge = (got: string): NumericError =>
  new NumericError({
    where: "svm kernel",
    expected: "finite kernel values",
    got,
    advice: "scale the features, or lower gamma or degree",
  });

export function exchange(list: { [index: number]: number }, a: number, b: number): void {
  const held = list[a] as number;
  list[a] = list[b] as number;
  list[b] = held;
}

/** The mean of the chosen rows where the kernel does not change under translation, else nothing. */
export function centreOf({ features, indices }: RowSelection, kernel: KernelSettings): Float32Array | undefined {
  if (kernel.type !== "rbf") return undefined;
  const { data, columns } = features;
  const sums = new Float64Array(columns);
  for (const index of indices) {
    for (let c = 0, at = index * columns; c < columns; c++, at++) sums[c] = (sums[c] as number) + (data[at] as number);
  }
  return Float32Array.from(sums, (sum) => sum / indices.length);
}

/** Bytes of one cached row of a problem of `count` samples. */
export const cachedRowBytes = (count: number): number => alignedBytes(4 * (count + slack));
