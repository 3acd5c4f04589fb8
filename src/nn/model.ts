/** A model: layers built for one input shape, with their parameters on a device. */
import { DeviceError, ShapeError } from "../errors.ts";
import { checkNormalisation, type Normalisation } from "../kernels/index.ts";
import {
  BINDING_ALIGNMENT,
  bytesPerElement,
  type Device,
  formatShape,
  keep,
  RandomStream,
  scope,
  sizeOf,
  Tensor,
} from "../tensor/index.ts";
import type { Shape } from "../tensor/index.ts";
import { initialValues } from "./initialisers.ts";
import {
  LayerBuilder,
  type BuiltLayer,
  type BuiltStep,
  type CallContext,
  type Layer,
  type LayerSummary,
  type Parameter,
} from "./layer.ts";
import { sequential } from "./layers/sequential.ts";

export interface ModelOptions {
  /** Shape of one input, without the batch: `[28, 28, 1]`. */
  readonly input: Shape;
  /** Seed of the initial values. Default: 42. */
  readonly seed?: number;
  /** What is done to pixel values before the first layer. Default: divide by 255. */
  readonly normalisation?: Normalisation;
  /** How images of another size are brought to the input's. Default: bilinear. */
  readonly resize?: Resize;
  /** Names of the classes, in order. */
  readonly classNames?: readonly string[];
}

/** `antialias`: bilinear weights widen to see every pixel of an image made smaller. Default: false. */
export interface Resize {
  readonly mode: "nearest" | "bilinear" | "area";
  readonly antialias?: boolean;
}

/**
 * Parameters that lie side by side in one flat buffer, so that an optimiser updates them all in one dispatch. A model has
 * one chunk for what can be learnt and one for running statistics, or several where the adapter's bindings are small.
 */
export interface ParameterChunk {
  readonly parameters: readonly Parameter[];
  readonly values: Tensor;
}

/** Elements between the starts of two parameters are a multiple of this: bindings must be aligned, even of half the size. */
const ALIGNMENT = BINDING_ALIGNMENT / bytesPerElement("f16");

/** Streams of random numbers below this one belong to steps, from here on to initial values. */
const INITIAL_STREAM = 1 << 16;

/** What a model consists of: made of layers by `build`, or a part of another model's. */
interface Anatomy extends Required<ModelOptions> {
  readonly device: Device;
  readonly architecture: Layer;
  readonly layer: BuiltLayer;
  readonly parameters: readonly Parameter[];
  /** Parameters of the whole before those of this part. */
  readonly parametersBefore: number;
  readonly chunks: readonly ParameterChunk[];
  readonly summaries: readonly LayerSummary[];
}

export class Model {
  readonly device: Device;
  readonly architecture: Layer;
  readonly input: Shape;
  readonly output: Shape;
  readonly seed: number;
  readonly normalisation: Normalisation;
  readonly resize: Resize;
  readonly classNames: readonly string[];
  readonly parameters: readonly Parameter[];
  readonly chunks: readonly ParameterChunk[];
  readonly summaries: readonly LayerSummary[];
  /** The layers that it applies one after the other, those inside of sequences too; none where it is another layer. */
  readonly steps: readonly BuiltStep[];
  readonly #layer: BuiltLayer;
  readonly #parametersBefore: number;

  constructor(anatomy: Anatomy) {
    this.device = anatomy.device;
    this.architecture = anatomy.architecture;
    this.input = anatomy.input;
    this.output = anatomy.layer.output;
    this.seed = anatomy.seed;
    this.normalisation = anatomy.normalisation;
    this.resize = anatomy.resize;
    this.classNames = anatomy.classNames;
    this.parameters = anatomy.parameters;
    this.chunks = anatomy.chunks;
    this.summaries = anatomy.summaries;
    this.steps = anatomy.layer.steps ?? [];
    this.#layer = anatomy.layer;
    this.#parametersBefore = anatomy.parametersBefore;
  }

  /** Number of parameters. */
  get size(): number {
    return this.parameters.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  }

  /** Sets every parameter to its initial value under the model's seed. */
  initialise(): void {
    this.parameters.forEach((parameter, index) => {
      const { shape, initialiser, fans, tensor } = parameter;
      const random = new RandomStream(this.seed, INITIAL_STREAM + this.#parametersBefore + index);
      this.device.write(tensor, initialValues(initialiser, shape, random, fans));
      parameter.untrained = true;
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

/**
 * Builds a model: checks every layer's shapes, and puts its parameters on the device.
 * @throws {ShapeError} where an input does not fit its layer. @throws {DeviceError} for a model that is too large for the
 * device; nothing of it stays allocated.
 */
export function build(device: Device, architecture: Layer, options: ModelOptions): Model {
  const { input, seed = 42, normalisation = { scale: 1, shift: 0 }, classNames = [] } = options;
  const { resize = { mode: "bilinear" } } = options;
  checkNormalisation("model", normalisation, input.at(-1) ?? 1);
  const builder = new LayerBuilder();
  const layer = architecture.build(input, builder);
  const { parameters, summaries } = builder;
  const chunks = layOut(device, parameters);
  const settings = { input, seed, normalisation, resize, classNames };
  const made = { device, architecture, layer, parameters, parametersBefore: 0, chunks, summaries };
  const model = new Model({ ...settings, ...made });
  model.initialise();
  return model;
}

/**
 * Some of the layers that a model applies one after the other, as a model: `model.steps` from `begin` up to `end`. It holds
 * the model's own parameters, and draws the same random numbers: what it learns, the model has learnt.
 */
export function partOf(model: Model, begin: number, end: number): Model {
  const { device, steps, seed, resize, classNames } = model;
  const own = steps.slice(begin, end);
  const input = steps[begin - 1]?.output ?? model.input;
  const parameters = own.flatMap((step) => step.parameters);
  const members = new Set(parameters);
  const architecture = sequential(own.map(({ layer }) => layer));
  return new Model({
    device,
    architecture,
    layer: {
      output: own.at(-1)?.output ?? input,
      call: (x, context) => own.reduce((value, { call }) => call(value, context), x),
      steps: own,
    },
    parameters,
    parametersBefore: steps.slice(0, begin).reduce((sum, step) => sum + step.parameters.length, 0),
    chunks: rangesOf(model.chunks, (parameter) => members.has(parameter)),
    summaries: outlineOf(architecture, input).summaries,
    input,
    seed,
    // What comes out of other layers is no picture.
    normalisation: begin === 0 ? model.normalisation : { scale: 1, shift: 0 },
    resize,
    classNames,
  });
}

/** What a model of these layers would be made of. */
export interface Outline {
  readonly output: Shape;
  /** In the order in which layers compute. */
  readonly parameters: readonly Pick<Parameter, "name" | "shape" | "trainable">[];
  readonly summaries: readonly LayerSummary[];
  /** Bytes of the parameters on a device, and of those that training changes, which gradients and moments take as well. */
  readonly bytes: number;
  readonly trainableBytes: number;
}

/** Checks every layer's shapes and says what a model would be made of; needs no device, and allocates nothing. */
export function outlineOf(architecture: Layer, input: Shape): Outline {
  const builder = new LayerBuilder();
  const { output } = architecture.build(input, builder);
  const { parameters, summaries } = builder;
  const trainable = parameters.filter((parameter) => parameter.trainable);
  const bytes = (of: readonly Parameter[]) => roomOfAll(of) * bytesPerElement("f32");
  return { output, parameters, summaries, bytes: bytes(parameters), trainableBytes: bytes(trainable) };
}

/** Names and shapes of the parameters that a model of these layers has; needs no device, and allocates nothing. */
export function parametersOf(architecture: Layer, input: Shape): Outline["parameters"] {
  return outlineOf(architecture, input).parameters;
}

/** Flat buffers for parameters, each as large as one binding allows. What cannot be learnt has its own. */
function layOut(device: Device, parameters: readonly Parameter[]): ParameterChunk[] {
  const limit = device.gpu.limits.maxStorageBufferBindingSize / bytesPerElement("f32");
  const groups: Parameter[][] = [];
  for (const trainable of [true, false]) {
    let used = Number.POSITIVE_INFINITY;
    for (const parameter of parameters.filter((each) => each.trainable === trainable)) {
      if (roomOf(parameter) > limit) throw tooLarge(parameter, limit);
      if (used + roomOf(parameter) > limit) {
        groups.push([]);
        used = 0;
      }
      groups.at(-1)!.push(parameter);
      used += roomOf(parameter);
    }
  }
  const flat = scope(device, () => allocate(device, groups.map(roomOfAll)));
  return groups.map((group, index) => placeIn(keep(flat[index]!), group));
}

function allocate(device: Device, sizes: readonly number[]): Tensor[] {
  try {
    return sizes.map((size) => device.zeros([size]));
  } catch (cause) {
    if (!(cause instanceof DeviceError)) throw cause;
    const bytes = sizes.reduce((sum, size) => sum + size, 0) * bytesPerElement("f32");
    const got = `${inMegabytes(bytes)} of parameters (${cause.message})`;
    const advice = "use a smaller model, or raise openDevice({ memoryBudget })";
    throw new DeviceError(
      { where: "model", expected: "a model that this device has room for", got, advice },
      { cause },
    );
  }
}

function tooLarge({ name, shape }: Parameter, limit: number): DeviceError {
  const bytes = bytesPerElement("f32");
  return new DeviceError({
    where: `parameter "${name}"`,
    expected: `at most ${inMegabytes(limit * bytes)} in one tensor on this adapter`,
    got: `${formatShape(shape)}, ${inMegabytes(sizeOf(shape) * bytes)}`,
    advice: "use a smaller input, a smaller layer, or an adapter with larger bindings",
  });
}

/** As people read it: `411.0 MB`, of a million bytes. */
function inMegabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** Elements that a parameter takes in a flat buffer. */
function roomOf({ shape }: Pick<Parameter, "shape">): number {
  return Math.ceil(sizeOf(shape) / ALIGNMENT) * ALIGNMENT;
}

function roomOfAll(parameters: readonly Parameter[]): number {
  return parameters.reduce((sum, parameter) => sum + roomOf(parameter), 0);
}

/** Makes each parameter a view of `values`. */
function placeIn(values: Tensor, parameters: readonly Parameter[]): ParameterChunk {
  const views = viewsOf(values, parameters);
  parameters.forEach((parameter, index) => {
    parameter.tensor = views[index]!;
  });
  return { parameters, values };
}

/** Views of a flat tensor, one for each of these parameters, in order. It may be stored in any precision. */
export function viewsOf(flat: Tensor, parameters: readonly Parameter[]): Tensor[] {
  let start = 0;
  return parameters.map((parameter) => {
    const offset = flat.byteOffset + start * bytesPerElement(flat.dtype);
    start += roomOf(parameter);
    return new Tensor(flat.device, parameter.shape, flat.dtype, flat.storage, offset);
  });
}

/** What training changes: the runs of neighbouring parameters that are neither statistics nor frozen. */
export function learnableRanges(model: Model): ParameterChunk[] {
  return rangesOf(model.chunks, ({ trainable, frozen }) => trainable && !frozen);
}

/** Runs of neighbouring parameters that belong to what is meant, as flat buffers. */
function rangesOf(chunks: readonly ParameterChunk[], isMeant: (parameter: Parameter) => boolean): ParameterChunk[] {
  return chunks.flatMap(({ parameters, values }) => {
    const ranges: { start: number; parameters: Parameter[] }[] = [];
    let start = 0;
    let open = false;
    for (const parameter of parameters) {
      const meant = isMeant(parameter);
      if (meant && !open) ranges.push({ start, parameters: [] });
      if (meant) ranges.at(-1)!.parameters.push(parameter);
      open = meant;
      start += roomOf(parameter);
    }
    return ranges.map((range) => {
      const offset = values.byteOffset + range.start * bytesPerElement("f32");
      const size = roomOfAll(range.parameters);
      return { parameters: range.parameters, values: new Tensor(values.device, [size], "f32", values.storage, offset) };
    });
  });
}
