/**
 * What a histogram of oriented gradients is made of, and how large it comes out.
 *
 * Why: HOG has seven choices that interact (cells must fit the picture, blocks must fit the cells). They are
 * checked here once, so that the loops that follow can trust them, and a refusal can say the least legal size.
 *
 * Source: N. Dalal, B. Triggs, "Histograms of Oriented Gradients for Human Detection", CVPR 2005. Names, defaults
 * and layout follow scikit-image's `skimage.feature.hog`.
 */
import { OptionError, ShapeError } from "../../errors.ts";

/** Rows and columns. One number means both. */
export type Extent = number | readonly [rows: number, columns: number];

/** How a block of cells is normalised; see `hog/blocks.ts` for the formulas. */
export type BlockNorm = "L1" | "L1-sqrt" | "L2" | "L2-Hys";

export interface HogOptions {
  /** Bins of gradient direction. Default 9. */
  readonly orientations?: number;
  /**
   * Size of a cell in pixels. Default 8 × 8. Pixels right of and below the last whole cell do not vote (with
   * `trilinear` interpolation, those near it still share in its cells).
   */
  readonly pixelsPerCell?: Extent;
  /** Size of a block in cells. Default 3 × 3. */
  readonly cellsPerBlock?: Extent;
  /** Distance between neighbouring blocks, in cells. Default 1 × 1 (what scikit-image does). */
  readonly blockStride?: Extent;
  /** Default `L2-Hys`. */
  readonly norm?: BlockNorm;
  /** Directions over 360° (dark-to-light differs from light-to-dark) in place of 180°. Default false. */
  readonly signed?: boolean;
  /** Square root of each pixel first ("power law", evens out illumination). Needs pixels ≥ 0. Default false. */
  readonly transformSqrt?: boolean;
  /**
   * The gradient across the picture's border, where a neighbour is missing: `zero` (scikit-image), or `replicate`,
   * which repeats the border pixel. Default `zero`.
   */
  readonly border?: "zero" | "replicate";
  /**
   * `none`: a pixel votes for one bin of one cell (scikit-image). `trilinear`: it shares its vote among the two nearest
   * directions and the four nearest cells (Dalal & Triggs, §6.4), so that a small shift changes the features little.
   * Default `none`.
   */
  readonly interpolation?: "none" | "trilinear";
}

/** Options with every default filled in. Plain data: goes into a saved model as it is. */
export interface HogSettings {
  readonly orientations: number;
  readonly pixelsPerCell: readonly [number, number];
  readonly cellsPerBlock: readonly [number, number];
  readonly blockStride: readonly [number, number];
  readonly norm: BlockNorm;
  readonly signed: boolean;
  readonly transformSqrt: boolean;
  readonly border: "zero" | "replicate";
  readonly interpolation: "none" | "trilinear";
}

/** Sizes that follow from settings and picture. */
export interface HogGeometry {
  readonly cells: readonly [rows: number, columns: number];
  readonly blocks: readonly [rows: number, columns: number];
  /** Block rows, block columns, cell rows, cell columns, orientations: the row-major layout of a feature vector. */
  readonly shape: readonly [number, number, number, number, number];
  /** Length of the feature vector: the product of `shape`. */
  readonly features: number;
}

const norms: readonly BlockNorm[] = ["L1", "L1-sqrt", "L2", "L2-Hys"];

function extent(name: string, value: Extent): readonly [number, number] {
  const [rows, columns] = typeof value === "number" ? [value, value] : value;
  for (const size of [rows, columns]) {
    if (!Number.isInteger(size) || size < 1) {
      throw new OptionError({ where: "hog", expected: `${name} of whole numbers from 1`, got: JSON.stringify(value) });
    }
  }
  return [rows, columns];
}

function oneOf<T extends string>(name: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((candidate) => candidate === value);
  if (found !== undefined) return found;
  throw new OptionError({ where: "hog", expected: `${name} to be one of ${allowed.join(", ")}`, got: value });
}

/** Fills in defaults. Throws `OptionError` for a value that makes no sense whatever the picture. */
export function hogSettings(options: HogOptions = {}): HogSettings {
  const orientations = options.orientations ?? 9;
  if (!Number.isInteger(orientations) || orientations < 1 || orientations > 360) {
    throw new OptionError({
      where: "hog",
      expected: "orientations, a whole number from 1 to 360",
      got: String(orientations),
    });
  }
  return {
    orientations,
    pixelsPerCell: extent("pixelsPerCell", options.pixelsPerCell ?? 8),
    cellsPerBlock: extent("cellsPerBlock", options.cellsPerBlock ?? 3),
    blockStride: extent("blockStride", options.blockStride ?? 1),
    norm: oneOf("norm", options.norm ?? "L2-Hys", norms),
    signed: options.signed ?? false,
    transformSqrt: options.transformSqrt ?? false,
    border: oneOf("border", options.border ?? "zero", ["zero", "replicate"]),
    interpolation: oneOf("interpolation", options.interpolation ?? "none", ["none", "trilinear"]),
  };
}

/** Sizes for a picture of `height` × `width`. Throws `ShapeError` with the least legal size where no block fits. */
export function hogGeometry(height: number, width: number, settings: HogSettings): HogGeometry {
  const { pixelsPerCell, cellsPerBlock, blockStride, orientations } = settings;
  const cells = [Math.floor(height / pixelsPerCell[0]), Math.floor(width / pixelsPerCell[1])] as const;
  if (cells[0] < cellsPerBlock[0] || cells[1] < cellsPerBlock[1]) {
    const least = [pixelsPerCell[0] * cellsPerBlock[0], pixelsPerCell[1] * cellsPerBlock[1]] as const;
    throw new ShapeError({
      where: "hog",
      expected: `a picture of at least ${least[0]}×${least[1]} pixels (pixelsPerCell ${pixelsPerCell.join("×")} times cellsPerBlock ${cellsPerBlock.join("×")})`,
      got: `${height}×${width}`,
      advice: "use smaller cells, fewer cells per block, or a larger picture",
    });
  }
  const blocks = [
    Math.floor((cells[0] - cellsPerBlock[0]) / blockStride[0]) + 1,
    Math.floor((cells[1] - cellsPerBlock[1]) / blockStride[1]) + 1,
  ] as const;
  const shape = [...blocks, ...cellsPerBlock, orientations] as const;
  return { cells, blocks, shape, features: shape.reduce((product, size) => product * size, 1) };
}
