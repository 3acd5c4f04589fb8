/**
 * Occlusion (Zeiler and Fergus 2014, section 4.2): how much the class's score falls when a patch of the picture is covered.
 *
 *   map[i, j] = mean of (score − score with patch p covered) over all patches p that cover pixel (i, j)
 */
import { OptionError, ShapeError } from "../errors.ts";
import type { Model } from "../nn/index.ts";
import { formatShape, type Shape } from "../tensor/index.ts";
import { compileRows, type RowProgram } from "./rows.ts";
import { batchSizeOf, examine, inference, requireWhole, valuesOf } from "./subject.ts";
import type { ExplainOptions, Explanation, Inputs, Subject } from "./subject.ts";

export interface OcclusionOptions extends ExplainOptions {
  /** Side of the square patch in pixels. Default: a seventh of the picture's shorter side. */
  readonly size?: number;
  /** Pixels from patch to patch, at most `size`; the last ones end at the border. Default: half of `size`. */
  readonly stride?: number;
  /**
   * What patches are filled with: a pixel value, or a value as the first layer sees it where inputs are floats. Default: the
   * median colour of the picture's border, which is most often background.
   */
  readonly fill?: number;
}

export interface Occlusion extends Explanation {
  readonly patches: readonly Patch[];
}

/** A square that was covered. */
export interface Patch {
  readonly top: number;
  readonly left: number;
  readonly size: number;
  /** By how much the score fell: negative where covering helped. */
  readonly drop: number;
}

/**
 * Explains each picture by covering its parts, one after the other.
 * @returns for each picture a map of its size; places below 0 speak against the class.
 * @throws {ShapeError} for a model whose input is no picture. @throws {OptionError} for a patch larger than the picture.
 */
export async function occlusion(model: Model, inputs: Inputs, options: OcclusionOptions = {}): Promise<Occlusion[]> {
  const [height = 0, width = 0] = model.input;
  if (model.input.length !== 3) {
    throw new ShapeError({
      where: "occlusion",
      expected: "a model for pictures [height, width, channels]",
      got: `a model for ${formatShape(model.input)}`,
    });
  }
  const shorter = Math.min(height, width);
  const { size = Math.ceil(shorter / 7), stride = Math.ceil(size / 2), fill } = options;
  requireWhole("occlusion", "size", size, shorter);
  requireWhole("occlusion", "stride", stride, size);
  if (fill !== undefined && !Number.isFinite(fill)) {
    throw new OptionError({ where: "occlusion", expected: "fill: a finite number", got: String(fill) });
  }
  const tops = startsAlong(height, size, stride);
  const corners = tops.flatMap((top) => startsAlong(width, size, stride).map((left) => ({ top, left, size })));
  const subjects = await examine("occlusion", model, inputs, options);
  const colour = fill === undefined ? undefined : await uniformInput(model, inputs, fill);
  const batchSize = Math.min(batchSizeOf("occlusion", options), corners.length);
  const program = await compileRows(model.device, batchSize, [model.input], (x) => [model.call(x, inference())]);
  try {
    const results: Occlusion[] = [];
    for (const subject of subjects) {
      const { x, ...opinion } = subject;
      const patches = await cover(program, model, subject, corners, colour ?? borderColour(x, model.input));
      results.push({ ...opinion, patches, map: { values: meanDrops(patches, height, width), height, width } });
    }
    return results;
  } finally {
    program.dispose();
  }
}

/** Where patches begin along a side: every `stride` pixels, and flush with the end. */
function startsAlong(side: number, size: number, stride: number): number[] {
  const last = side - size;
  const starts = Array.from({ length: Math.ceil(last / stride) }, (_, k) => k * stride);
  return [...starts, last];
}

type Corner = Omit<Patch, "drop">;

async function cover(
  program: RowProgram,
  { input }: Model,
  { x, class: chosen, score }: Subject,
  corners: readonly Corner[],
  colour: Float32Array,
): Promise<Patch[]> {
  const [, width = 1, channels = 1] = input;
  const patches: Patch[] = [];
  await program.run(
    corners.length,
    (k, [copy]) => {
      const { top, left, size } = corners[k]!;
      copy!.set(x);
      for (let row = top; row < top + size; row++) {
        for (let column = left; column < left + size; column++) copy!.set(colour, (row * width + column) * channels);
      }
    },
    (k, [scores]) => patches.push({ ...corners[k]!, drop: score - scores![chosen]! }),
  );
  return patches;
}

function meanDrops(patches: readonly Patch[], height: number, width: number): Float32Array {
  const sums = new Float64Array(height * width);
  const counts = new Uint32Array(height * width);
  for (const { top, left, size, drop } of patches) {
    for (let row = top; row < top + size; row++) {
      for (let at = row * width + left; at < row * width + left + size; at++) {
        sums[at]! += drop;
        counts[at]! += 1;
      }
    }
  }
  return Float32Array.from(sums, (sum, at) => sum / counts[at]!);
}

/** One pixel of a picture that has the same value everywhere, normalised as the others. */
async function uniformInput(model: Model, inputs: Inputs, value: number): Promise<Float32Array> {
  const size = model.input.reduce((product, extent) => product * extent, 1);
  const one = inputs instanceof Float32Array ? new Float32Array(size) : new Uint8Array(size);
  return (await valuesOf(model, one.fill(value))).subarray(0, model.input[2]);
}

/** Median of the outermost pixels, channel by channel. */
function borderColour(x: Float32Array, [height = 1, width = 1, channels = 1]: Shape): Float32Array {
  const isBorder = (row: number, column: number): boolean =>
    row === 0 || column === 0 || row === height - 1 || column === width - 1;
  return Float32Array.from({ length: channels }, (_, channel) => {
    const values = x.filter((_value, at) => {
      const pixel = Math.floor(at / channels);
      return at % channels === channel && isBorder(Math.floor(pixel / width), pixel % width);
    });
    return values.sort()[(values.length - 1) >> 1]!;
  });
}
