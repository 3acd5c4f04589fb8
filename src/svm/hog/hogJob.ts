/** One block of pictures through the three stages, for one or several scales. */
import type { Job } from "../workers/job.ts";
import { BlockStage } from "./blocks.ts";
import { CellStage } from "./cells.ts";
import { GradientStage, type Pixels } from "./gradients.ts";
import { hogGeometry, type HogSettings } from "./options.ts";

/** The three stages for one size of picture, with their buffers. */
export class HogExtractor {
  readonly features: number;
  private readonly gradients: GradientStage;
  private readonly cells: CellStage;
  private readonly blocks: BlockStage;

  constructor(height: number, width: number, channels: number, settings: HogSettings) {
    const geometry = hogGeometry(height, width, settings);
    this.features = geometry.features;
    this.gradients = new GradientStage(height, width, channels, settings);
    this.cells = new CellStage(height, width, settings, geometry);
    this.blocks = new BlockStage(settings, geometry);
  }

  /** Cell histograms of the picture at `offset` of `pixels`: [cell rows, cell columns, orientations]. Reused by the next call. */
  histograms(pixels: Pixels, offset: number): Float64Array {
    return this.cells.run(this.gradients.run(pixels, offset));
  }

  /** Features of the picture at `offset` of `pixels`, written to `out` from `start` on. */
  extract(pixels: Pixels, offset: number, out: Float32Array, start: number): void {
    this.blocks.run(this.histograms(pixels, offset), out, start);
  }
}

export interface HogJobInput {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly scales: readonly HogSettings[];
  /** Pictures `from` to `to` (exclusive) of the shared array `pixels`; their features go to the shared array `features`. */
  readonly from: number;
  readonly to: number;
}

/** Gives the features of its pictures (a copy, since the shared output may be another thread's memory). */
export const hogJob: Job<HogJobInput, Float32Array> = {
  name: "hog",
  async run({ height, width, channels, scales, from, to }, { pixels }, { progress, breathe }) {
    const extractors = scales.map((settings) => new HogExtractor(height, width, channels, settings));
    const columns = extractors.reduce((sum, { features }) => sum + features, 0);
    const out = new Float32Array((to - from) * columns);
    for (let image = from, at = 0; image < to; image++) {
      for (const extractor of extractors) {
        extractor.extract(pixels as Pixels, image * height * width * channels, out, at);
        at += extractor.features;
      }
      if (image % 256 === 0) {
        progress((image - from) / (to - from));
        await breathe();
      }
    }
    return out;
  },
};
