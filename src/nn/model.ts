/** A model: layers built for one input shape, with their parameters on a device. */
import { ShapeError } from "../errors.ts";
import type { Normalisation } from "../kernels/index.ts";
import {
  BINDING_ALIGNMENT,
  bytesPerElement,
  type Device,
  formatShape,
  keep,
  RandomStream,
  sizeOf,
  Tensor,
} from "../tensor/index.ts";
import type { Shape } from "../tensor/index.ts";
import { initialisers } from "./initialisers.ts";
import {
  LayerBuilder,
  type BuiltLayer,
  type CallContext,
  type Layer,
  type LayerSummary,
  type Parameter,
} from "./layer.ts";

export interface ModelOptions {
  /** Shape of one input, without the batch: `[28, 28, 1]`. */
  readonly input: Shape;
  /** Seed of the initial values. Default: 42. */
  readonly seed?: number;
  /** What is done to pixel values before the first layer. Default: divide by 255. */
  readonly normalisation?: Normalisation;
  /** Names of the classes, in order. */
  readonly classNames?: readonly string[];
}

/**
 * Parameters of one flat buffer, and a buffer of the same layout for their gradients: an optimiser updates them all in
 * one dispatch. A model has one chunk, or several where the adapter's bindings are too small for one.
 */
export interface ParameterChunk {
  readonly parameters: readonly Parameter[];
  readonly values: Tensor;
  readonly gradients: Tensor;
  /** Views of `gradients`, one for each parameter. */
  readonly gradientViews: readonly Tensor[];
}

/** Elements between the starts of two parameters are a multiple of this, because bindings must be aligned. */
const ALIGNMENT = BINDING_ALIGNMENT / bytesPerElement("f32");

/** Streams of random numbers below this one belong to steps, from here on to initial values. */
const INITIAL_STREAM = 1 << 16;

export class Model {
  readonly device: Device;
  readonly architecture: Layer;
  readonly input: Shape;
  readonly output: Shape;
  readonly seed: number;
  readonly normalisation: Normalisation;
  readonly classNames: readonly string[];
  readonly parameters: readonly Parameter[];
  readonly chunks: readonly ParameterChunk[];
  readonly summaries: readonly LayerSummary[];
  readonly #layer: BuiltLayer;

  constructor(device: Device, architecture: Layer, options: ModelOptions) {
    const { input, seed = 42, normalisation = { scale: 1, shift: 0 }, classNames = [] } = options;
    const builder = new LayerBuilder();
    this.#layer = architecture.build(input, builder);
    this.device = device;
    this.architecture = architecture;
    this.input = input;
    this.output = this.#layer.output;
    this.seed = seed;
    this.normalisation = normalisation;
    this.classNames = classNames;
    this.parameters = builder.parameters;
    this.summaries = builder.summaries;
    this.chunks = layOut(device, builder.parameters);
    this.initialise();
  }

  /** Number of parameters. */
  get size(): number {
    return this.parameters.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  }

  /** Sets every parameter to its initial value under the model's seed. */
  initialise(): void {
    this.parameters.forEach(({ shape, initialiser, tensor }, index) => {
      const random = new RandomStream(this.seed, INITIAL_STREAM + index);
      this.device.write(tensor, initialisers[initialiser](shape, random));
    });
  }

  /** The layers applied to a batch `[batch, …input]`. */
  call(x: Tensor, context: CallContext): Tensor {
    if (x.shape.length !== this.input.length + 1 || this.input.some((extent, axis) => extent !== x.shape[axis + 1])) {
      throw new ShapeError({
        where: "model",
        expected: `a batch of ${formatShape(this.input)}`,
        got: formatShape(x.shape),
      });
    }
    return this.#layer.call(x, context);
  }
}

/** Builds a model: checks every layer's shapes, and puts its parameters on the device. */
export function build(device: Device, architecture: Layer, options: ModelOptions): Model {
  return new Model(device, architecture, options);
}

/** Names and shapes of the parameters that a model of these layers has; needs no device, and allocates nothing. */
export function parametersOf(architecture: Layer, input: Shape): readonly Pick<Parameter, "name" | "shape">[] {
  const builder = new LayerBuilder();
  architecture.build(input, builder);
  return builder.parameters;
}

/** Flat buffers for parameters, in order, each as large as one binding allows. */
function layOut(device: Device, parameters: readonly Parameter[]): ParameterChunk[] {
  const limit = device.gpu.limits.maxStorageBufferBindingSize / bytesPerElement("f32");
  const chunks: { offset: number; parameter: Parameter }[][] = [];
  let used = Number.POSITIVE_INFINITY;
  for (const parameter of parameters) {
    const room = Math.ceil(sizeOf(parameter.shape) / ALIGNMENT) * ALIGNMENT;
    if (used + room > limit) {
      chunks.push([]);
      used = 0;
    }
    chunks.at(-1)!.push({ offset: used, parameter });
    used += room;
  }
  return chunks.map((places) => {
    const last = places.at(-1)!;
    const size = last.offset + Math.ceil(sizeOf(last.parameter.shape) / ALIGNMENT) * ALIGNMENT;
    const [values, gradients] = [keep(device.zeros([size])), keep(device.zeros([size]))];
    const view = (flat: Tensor, { offset, parameter }: (typeof places)[number]) =>
      new Tensor(device, parameter.shape, "f32", flat.storage, offset * bytesPerElement("f32"));
    for (const place of places) place.parameter.tensor = view(values, place);
    const gradientViews = places.map((place) => view(gradients, place));
    return { parameters: places.map(({ parameter }) => parameter), values, gradients, gradientViews };
  });
}
