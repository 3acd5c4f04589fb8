/**
 * Third stage: blocks of neighbouring cells, each normalised by itself.
 *
 * Why: contrast differs across a picture and between pictures. Dividing a block by its own length makes a faint fold
 * count like a sharp one. Blocks overlap, so every cell appears several times, relative to different surroundings;
 * it looks redundant and is what makes HOG work (Dalal & Triggs, §6.4).
 *
 * With v the block's values, ε = 1e-5 (§6.4; scikit-image's `_hog_normalize_block`):
 *   L1        v / (‖v‖₁ + ε)
 *   L1-sqrt   √(v / (‖v‖₁ + ε))
 *   L2        v / √(‖v‖₂² + ε²)
 *   L2-Hys    L2, values above 0.2 cut to 0.2, then L2 again, so that one strong edge cannot drown the rest
 */
import type { BlockNorm, HogGeometry, HogSettings } from "./options.ts";

const epsilon = 1e-5;
const hysteresisLimit = 0.2;

/** Normalises `block` in place. Values are ≥ 0. */
export function normalizeBlock(block: Float64Array, norm: BlockNorm): void {
  if (norm === "L1" || norm === "L1-sqrt") {
    let sum = 0;
    for (let i = 0; i < block.length; i++) sum += block[i] as number;
    const length = sum + epsilon;
    for (let i = 0; i < block.length; i++) {
      const share = (block[i] as number) / length;
      block[i] = norm === "L1" ? share : Math.sqrt(share);
    }
    return;
  }
  divideByLength(block);
  if (norm === "L2") return;
  for (let i = 0; i < block.length; i++) if ((block[i] as number) > hysteresisLimit) block[i] = hysteresisLimit;
  divideByLength(block);
}

function divideByLength(block: Float64Array): void {
  let squares = 0;
  for (let i = 0; i < block.length; i++) squares += (block[i] as number) * (block[i] as number);
  const length = Math.sqrt(squares + epsilon * epsilon);
  for (let i = 0; i < block.length; i++) block[i] = (block[i] as number) / length;
}

/** Writes all blocks of one picture to `out` from `start` on, in the order of `HogGeometry.shape`. */
export class BlockStage {
  private readonly block: Float64Array;
  private readonly settings: HogSettings;
  private readonly geometry: HogGeometry;

  constructor(settings: HogSettings, geometry: HogGeometry) {
    this.settings = settings;
    this.geometry = geometry;
    this.block = new Float64Array(settings.cellsPerBlock[0] * settings.cellsPerBlock[1] * settings.orientations);
  }

  run(histograms: Float64Array, out: Float32Array, start: number): void {
    const { block, settings, geometry } = this;
    const { orientations, cellsPerBlock, blockStride, norm } = settings;
    const rowLength = cellsPerBlock[1] * orientations; // cells of one row are adjacent in the histograms
    for (let br = 0, at = start; br < geometry.blocks[0]; br++) {
      for (let bc = 0; bc < geometry.blocks[1]; bc++, at += block.length) {
        const corner = (br * blockStride[0] * geometry.cells[1] + bc * blockStride[1]) * orientations;
        for (let row = 0, k = 0; row < cellsPerBlock[0]; row++) {
          const from = corner + row * geometry.cells[1] * orientations;
          for (let i = 0; i < rowLength; i++, k++) block[k] = histograms[from + i] as number;
        }
        normalizeBlock(block, norm);
        out.set(block, at);
      }
    }
  }
}
