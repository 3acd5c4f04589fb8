/** Rows of features in WebAssembly memory, and weight vectors over them: what the linear solvers share. */
import type { FeatureMatrix } from "../features.ts";
import { paddedColumns } from "../kernel/rows.ts";
import { alignedBytes, type Placed, type Workspace } from "../wasm/workspace.ts";

/**
 * Each row is followed by one constant feature, `bias` (0: no intercept), so that the intercept is a weight like any
 * other and is regularised like any other: LIBLINEAR's `-B`.
 */
export class DenseRows {
  readonly count: number;
  private readonly columns: number;
  private readonly bias: number;
  private readonly rowBytes: number;
  private readonly rows: Placed<Float32Array>;
  private readonly workspace: Workspace;

  /** Bytes of the rows and of `vectors` weight vectors. */
  static bytes(count: number, columns: number, vectors: number): number {
    const width = paddedColumns(columns + 1);
    return alignedBytes(4 * count * width) + vectors * alignedBytes(8 * width) + 64;
  }

  constructor(workspace: Workspace, { data, rows, columns }: FeatureMatrix, bias: number) {
    this.workspace = workspace;
    this.count = rows;
    this.columns = columns;
    this.bias = bias;
    const width = paddedColumns(columns + 1);
    this.rowBytes = 4 * width;
    this.rows = workspace.floats(rows * width);
    for (let i = 0; i < rows; i++) {
      this.rows.view.set(data.subarray(i * columns, (i + 1) * columns), i * width);
      this.rows.view.fill(0, i * width + columns, (i + 1) * width);
      this.rows.view[i * width + columns] = bias;
    }
  }

  /** A weight vector of zeros. */
  weights(): Placed<Float64Array> {
    const placed = this.workspace.doubles(this.rowBytes / 4);
    placed.view.fill(0);
    return placed;
  }

  /** ⟨weights, x_i⟩ */
  dot(weights: Placed<Float64Array>, i: number): number {
    return this.workspace.loops.weightedSum(weights.at, this.rows.at + i * this.rowBytes, this.rowBytes);
  }

  /** weights += scale · x_i */
  add(weights: Placed<Float64Array>, i: number, scale: number): void {
    this.workspace.loops.addScaled(weights.at, this.rows.at + i * this.rowBytes, scale, this.rowBytes);
  }

  /** ‖x_i‖², the constant feature included. */
  squaredLength(i: number): number {
    const width = this.rowBytes / 4;
    let sum = 0;
    for (let at = i * width; at < (i + 1) * width; at++) sum += (this.rows.view[at] as number) ** 2;
    return sum;
  }

  /** From a weight vector in memory to feature weights and an intercept. */
  split(weights: Placed<Float64Array>): { coefficients: Float64Array; intercept: number } {
    return {
      coefficients: weights.view.slice(0, this.columns),
      intercept: (weights.view[this.columns] as number) * this.bias,
    };
  }
}
