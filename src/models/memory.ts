/**
 * GPU memory that a model will take, known before it is built.
 *
 *   training    2 · parameters + gradients + moments + Σ outputs + 4 · the largest output + 2 · the largest parameter
 *   inference   parameters + 4 · the largest output
 *
 * An estimate from above: outputs that are written into each other or never stored count like all others. Gradients of
 * outputs live for a moment each, and no network here needs more than four at a time; the gradient of a filter is a sum of
 * parts, which lie side by side until they are added. The second set of parameters is what `fit` goes back to when a
 * training diverges.
 */
import { OptionError } from "../errors.ts";
import { adam, outlineOf, type Layer, type LayerSummary, type Optimizer } from "../nn/index.ts";
import { sizeOf, type Shape } from "../tensor/index.ts";

export interface MemoryOptions {
  /** Shape of one picture. */
  readonly input: Shape;
  /** Pictures at a time. Default: 32. */
  readonly batch?: number;
  /** Default: true. */
  readonly training?: boolean;
  /** Whose moments count. Default: `adam()`. */
  readonly optimizer?: Pick<Optimizer, "slots">;
}

/** Bytes, in full precision. The data set comes on top. */
export interface MemoryEstimate {
  readonly parameters: number;
  /** Parameters as they were after the last good epoch. */
  readonly kept: number;
  /** Of all that can be learnt: a frozen layer takes less. */
  readonly gradients: number;
  /** What the optimiser keeps. */
  readonly moments: number;
  /** Outputs of layers, and their gradients. */
  readonly activations: number;
  /** What gradients of filters are added up from. */
  readonly scratch: number;
  readonly total: number;
}

/** Outputs at a time, beyond those that the way back needs. */
const LIVING = 4;
/** Parts of a filter's gradient, as multiples of the filter. */
const PARTS = 2;
const BYTES = 4;

/** Layers that hand their input on, or what the last layer inside has made. */
const VIEWS: ReadonlySet<string> = new Set(["sequential", "identity", "flatten", "reshape"]);

/** Estimates the memory of a model of these layers from above; needs no device. */
export function estimateMemory(architecture: Layer, options: MemoryOptions): MemoryEstimate {
  const { input, batch = 32, training = true, optimizer = adam() } = options;
  if (!Number.isInteger(batch) || batch < 1) {
    throw new OptionError({ where: "estimateMemory", expected: "a batch of at least 1", got: String(batch) });
  }
  const { parameters, summaries, bytes, trainableBytes } = outlineOf(architecture, input);
  const outputs = [input, ...summaries.filter(isStored).map(({ output }) => output)];
  const sizes = outputs.map((shape) => sizeOf(shape) * batch * BYTES);
  const outputBytes = training ? sizes.reduce((sum, size) => sum + size, 0) : 0;
  const largest = Math.max(0, ...parameters.map(({ shape }) => sizeOf(shape) * BYTES));
  const estimate = {
    parameters: bytes,
    kept: training ? bytes : 0,
    gradients: training ? trainableBytes : 0,
    moments: training ? optimizer.slots.length * trainableBytes : 0,
    activations: outputBytes + LIVING * Math.max(...sizes),
    scratch: training ? PARTS * largest : 0,
  };
  return { ...estimate, total: Object.values(estimate).reduce((sum, size) => sum + size, 0) };
}

function isStored({ kind }: LayerSummary): boolean {
  return !VIEWS.has(kind);
}
