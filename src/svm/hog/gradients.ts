/**
 * First stage: how steep the picture is at each pixel, and in which direction.
 *
 * Why central differences without smoothing: Dalal & Triggs (§6.3) measured that [−1, 0, 1] at σ = 0 beats every larger
 * or smoother mask. In colour, each pixel takes the channel whose gradient is largest.
 *
 * Why a table: pixels are mostly u8, so differences are whole numbers from −255 to 255. The magnitude and the bin
 * of all 511² pairs are computed once, by the very definition used for floating-point pictures; a square root and
 * an arctangent per pixel become one look-up, with the same result.
 */
import type { HogSettings } from "./options.ts";

/** Where each pixel's vote goes: magnitude (how much) and position among the bins (bin i covers [i, i + 1)). */
export interface GradientField {
  readonly magnitude: Float64Array;
  readonly position: Float64Array;
}

export type Pixels = Uint8Array | Uint8ClampedArray | Float32Array | Float64Array;

const degrees = 180 / Math.PI;

/**
 * Direction of the gradient in units of bins, in [0, orientations). scikit-image: `rad2deg(arctan2(row, column)) % 180`,
 * then bins of 180/orientations degrees each; 360 for both where `signed`.
 */
export function binPosition(row: number, column: number, settings: HogSettings): number {
  const turn = settings.signed ? 360 : 180;
  const angle = Math.atan2(row, column) * degrees;
  const folded = ((angle % turn) + turn) % turn;
  const width = turn / settings.orientations;
  // Bin edges are multiples of `width` as scikit-image computes them; dividing alone may round across one.
  let bin = Math.floor(folded / width);
  if (folded < width * bin) bin--;
  else if (folded >= width * (bin + 1)) bin++;
  const fraction = Math.min(Math.max(folded / width - bin, 0), 1 - 1e-12);
  return bin >= settings.orientations ? settings.orientations - 1e-12 : bin + fraction;
}

interface GradientTable {
  readonly magnitude: Float64Array;
  readonly position: Float64Array;
}

const tableSide = 511;
const tables = new Map<string, GradientTable>();

/** The table for these settings, built on first use and kept: there are few settings in one run. */
function tableFor(settings: HogSettings): GradientTable {
  const key = `${settings.orientations}/${settings.signed}`;
  const known = tables.get(key);
  if (known !== undefined) return known;
  const magnitude = new Float64Array(tableSide * tableSide);
  const position = new Float64Array(tableSide * tableSide);
  for (let row = -255, at = 0; row <= 255; row++) {
    for (let column = -255; column <= 255; column++, at++) {
      magnitude[at] = Math.sqrt(row * row + column * column);
      position[at] = binPosition(row, column, settings);
    }
  }
  const table = { magnitude, position };
  if (tables.size >= 16) tables.clear();
  tables.set(key, table);
  return table;
}

/** Neighbours of each index along one axis; at the border per `border` (equal neighbours give a zero gradient). */
export function neighbours(size: number, border: "zero" | "replicate"): { before: Int32Array; after: Int32Array } {
  const before = Int32Array.from({ length: size }, (_, i) => Math.max(0, i - 1));
  const after = Int32Array.from({ length: size }, (_, i) => Math.min(size - 1, i + 1));
  if (border === "zero") {
    after[0] = before[0] as number;
    before[size - 1] = after[size - 1] as number;
  }
  return { before, after };
}

/** Gradients of pictures of one size, into buffers that the next picture reuses. */
export class GradientStage {
  readonly field: GradientField;
  private readonly rows: { before: Int32Array; after: Int32Array };
  private readonly columns: { before: Int32Array; after: Int32Array };
  private readonly roots: Float64Array;
  private readonly height: number;
  private readonly width: number;
  private readonly channels: number;
  private readonly settings: HogSettings;

  constructor(height: number, width: number, channels: number, settings: HogSettings) {
    this.height = height;
    this.width = width;
    this.channels = channels;
    this.settings = settings;
    this.field = { magnitude: new Float64Array(height * width), position: new Float64Array(height * width) };
    this.rows = neighbours(height, settings.border);
    this.columns = neighbours(width, settings.border);
    this.roots = new Float64Array(settings.transformSqrt ? height * width * channels : 0);
  }

  /** The gradient field of the picture that starts at `offset` of `pixels` (rows, columns, channels; row-major). */
  run(pixels: Pixels, offset: number): GradientField {
    const { transformSqrt } = this.settings;
    if (
      !transformSqrt &&
      this.channels === 1 &&
      (pixels instanceof Uint8Array || pixels instanceof Uint8ClampedArray)
    ) {
      this.fromTable(pixels, offset);
    } else if (transformSqrt) {
      for (let i = 0; i < this.roots.length; i++) this.roots[i] = Math.sqrt(pixels[offset + i] as number);
      this.fromDefinition(this.roots, 0);
    } else {
      this.fromDefinition(pixels, offset);
    }
    return this.field;
  }

  private fromTable(pixels: Uint8Array | Uint8ClampedArray, offset: number): void {
    const table = tableFor(this.settings);
    const { magnitude, position } = this.field;
    const { width, height, rows, columns } = this;
    for (let r = 0, at = 0; r < height; r++) {
      const here = offset + r * width;
      const above = offset + (rows.before[r] as number) * width;
      const below = offset + (rows.after[r] as number) * width;
      for (let c = 0; c < width; c++, at++) {
        const gRow = (pixels[below + c] as number) - (pixels[above + c] as number);
        const gColumn =
          (pixels[here + (columns.after[c] as number)] as number) -
          (pixels[here + (columns.before[c] as number)] as number);
        const entry = (gRow + 255) * tableSide + gColumn + 255;
        magnitude[at] = table.magnitude[entry] as number;
        position[at] = table.position[entry] as number;
      }
    }
  }

  private fromDefinition(pixels: Pixels, offset: number): void {
    const { magnitude, position } = this.field;
    const { width, height, channels, rows, columns } = this;
    for (let r = 0, at = 0; r < height; r++) {
      const above = (rows.before[r] as number) * width;
      const below = (rows.after[r] as number) * width;
      for (let c = 0; c < width; c++, at++) {
        const left = r * width + (columns.before[c] as number);
        const right = r * width + (columns.after[c] as number);
        let [bestRow, bestColumn, best] = [0, 0, -1];
        for (let channel = 0; channel < channels; channel++) {
          const start = offset + channel;
          const gRow =
            (pixels[start + (below + c) * channels] as number) - (pixels[start + (above + c) * channels] as number);
          const gColumn = (pixels[start + right * channels] as number) - (pixels[start + left * channels] as number);
          const squared = gRow * gRow + gColumn * gColumn;
          if (squared > best) [bestRow, bestColumn, best] = [gRow, gColumn, squared]; // ties: the first channel
        }
        magnitude[at] = Math.sqrt(best);
        position[at] = binPosition(bestRow, bestColumn, this.settings);
      }
    }
  }
}
