/** References written from the definitions, in plain float64, and the golden files. Nothing here knows the code under test. */
import { existsSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";

const here = (path: string): URL => new URL(path, import.meta.url);

/** A golden file of the shared folder, or nothing where that folder is absent. */
export function golden(name: string): unknown {
  const file = here(`../../../shared/golden/${name}`);
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : undefined;
}

/** The part of a golden file that lies beside the tests. */
export function selection(name: string): unknown {
  const bytes = readFileSync(here(`fixtures/${name}`));
  return JSON.parse((name.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8"));
}

const dataFolder = here("../../../shared/data/fashion-mnist/");
export const hasFashionMnist = existsSync(dataFolder);

/** Pixels and labels of a range of Fashion-MNIST's test file, read here by hand. */
export function fashionMnist(from: number, to: number): { pixels: Uint8Array; labels: Int32Array } {
  const read = (name: string): Uint8Array => gunzipSync(readFileSync(new URL(name, dataFolder)));
  const pixels = read("t10k-images-idx3-ubyte.gz").slice(16 + from * 784, 16 + to * 784);
  return { pixels, labels: Int32Array.from(read("t10k-labels-idx1-ubyte.gz").subarray(8 + from, 8 + to)) };
}

export interface ReferenceKernel {
  readonly type: "linear" | "rbf" | "polynomial" | "sigmoid";
  readonly gamma: number;
  readonly degree: number;
  readonly coef0: number;
}

/** K(a, b) from its definition. */
export function kernelValue(
  { type, gamma, degree, coef0 }: ReferenceKernel,
  a: ArrayLike<number>,
  b: ArrayLike<number>,
): number {
  let [dot, distance] = [0, 0];
  for (let k = 0; k < a.length; k++) {
    dot += (a[k] as number) * (b[k] as number);
    distance += ((a[k] as number) - (b[k] as number)) ** 2;
  }
  if (type === "linear") return dot;
  if (type === "rbf") return Math.exp(-gamma * distance);
  return type === "polynomial" ? (gamma * dot + coef0) ** degree : Math.tanh(gamma * dot + coef0);
}

/** Row `i` of a row-major matrix. */
export const rowOf = ({ data, columns }: { data: Float32Array; columns: number }, i: number): Float32Array =>
  data.subarray(i * columns, (i + 1) * columns);

/** ½ Σ c_i c_j K_ij − Σ |c_i|: the dual objective from signed coefficients and their vectors. */
export function dualObjective(
  kernel: ReferenceKernel,
  vectors: readonly ArrayLike<number>[],
  coefficients: ArrayLike<number>,
): number {
  let objective = 0;
  vectors.forEach((a, i) => {
    const own = coefficients[i] as number;
    objective -= Math.abs(own);
    vectors.forEach((b, j) => (objective += 0.5 * own * (coefficients[j] as number) * kernelValue(kernel, a, b)));
  });
  return objective;
}

export interface ReferenceHog {
  readonly orientations: number;
  readonly pixelsPerCell: readonly [number, number];
  readonly cellsPerBlock: readonly [number, number];
  readonly blockStride: readonly [number, number];
  readonly norm: "L1" | "L1-sqrt" | "L2" | "L2-Hys";
  readonly signed: boolean;
  readonly transformSqrt: boolean;
  readonly border: "zero" | "replicate";
  readonly interpolation: "none" | "trilinear";
}

/**
 * HOG by the definition, pixel by pixel and bin by bin (Dalal & Triggs 2005): slow, without tables or buffers.
 * `pixel(row, column, channel)` gives the picture.
 */
export function referenceHog(
  height: number,
  width: number,
  channels: number,
  pixel: (r: number, c: number, channel: number) => number,
  o: ReferenceHog,
): number[] {
  const turn = o.signed ? 360 : 180;
  const value = (r: number, c: number, k: number): number =>
    o.transformSqrt ? Math.sqrt(pixel(r, c, k)) : pixel(r, c, k);
  const difference = (size: number, at: number, read: (at: number) => number): number => {
    if (o.border === "zero" && (at === 0 || at === size - 1)) return 0;
    return read(Math.min(size - 1, at + 1)) - read(Math.max(0, at - 1));
  };
  const cells = [Math.floor(height / o.pixelsPerCell[0]), Math.floor(width / o.pixelsPerCell[1])] as const;
  const histogram = new Map<string, number>();
  const vote = (row: number, column: number, bin: number, amount: number): void => {
    if (row < 0 || column < 0 || row >= cells[0] || column >= cells[1]) return;
    const key = `${row},${column},${((bin % o.orientations) + o.orientations) % o.orientations}`;
    histogram.set(key, (histogram.get(key) ?? 0) + amount);
  };
  for (let r = 0; r < height; r++) {
    for (let c = 0; c < width; c++) {
      let [gr, gc, size] = [0, 0, -1];
      for (let k = 0; k < channels; k++) {
        const down = difference(height, r, (at) => value(at, c, k));
        const right = difference(width, c, (at) => value(r, at, k));
        if (Math.hypot(down, right) > size) [gr, gc, size] = [down, right, Math.hypot(down, right)];
      }
      const angle = (((Math.atan2(gr, gc) * (180 / Math.PI)) % turn) + turn) % turn;
      const bin = (angle / turn) * o.orientations;
      if (o.interpolation === "none") {
        vote(Math.floor(r / o.pixelsPerCell[0]), Math.floor(c / o.pixelsPerCell[1]), Math.floor(bin), size);
        continue;
      }
      // Shares fall linearly with the distance from the centres of the two nearest cells and bins.
      const shares = (position: number): [number, number][] => {
        const lower = Math.floor(position - 0.5);
        return [
          [lower, lower + 1.5 - position],
          [lower + 1, position - lower - 0.5],
        ];
      };
      for (const [row, a] of shares((r + 0.5) / o.pixelsPerCell[0])) {
        for (const [column, b] of shares((c + 0.5) / o.pixelsPerCell[1])) {
          for (const [direction, d] of shares(bin)) vote(row, column, direction, size * a * b * d);
        }
      }
    }
  }
  const features: number[] = [];
  const pixels = o.pixelsPerCell[0] * o.pixelsPerCell[1];
  for (let br = 0; br + o.cellsPerBlock[0] <= cells[0]; br += o.blockStride[0]) {
    for (let bc = 0; bc + o.cellsPerBlock[1] <= cells[1]; bc += o.blockStride[1]) {
      const block: number[] = [];
      for (let r = 0; r < o.cellsPerBlock[0]; r++) {
        for (let c = 0; c < o.cellsPerBlock[1]; c++) {
          for (let bin = 0; bin < o.orientations; bin++) {
            block.push((histogram.get(`${br + r},${bc + c},${bin}`) ?? 0) / pixels);
          }
        }
      }
      features.push(...normalised(block, o.norm));
    }
  }
  return features;
}

function normalised(block: readonly number[], norm: ReferenceHog["norm"]): number[] {
  const sum = block.reduce((total, v) => total + Math.abs(v), 0);
  if (norm === "L1") return block.map((v) => v / (sum + 1e-5));
  if (norm === "L1-sqrt") return block.map((v) => Math.sqrt(v / (sum + 1e-5)));
  const unit = (values: readonly number[]): number[] => {
    const length = Math.sqrt(values.reduce((total, v) => total + v * v, 0) + 1e-10);
    return values.map((v) => v / length);
  };
  return norm === "L2" ? unit(block) : unit(unit(block).map((v) => Math.min(v, 0.2)));
}

/** Largest absolute difference. */
export function worstDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Infinity;
  let worst = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs((a[i] as number) - (b[i] as number));
    if (!(difference <= worst)) worst = difference; // NaN counts
  }
  return worst;
}

/** Numbers from −1 to 1 for test data (mulberry32). */
export function noise(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 31 - 1;
  };
}
