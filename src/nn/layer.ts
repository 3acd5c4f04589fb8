/**
 * What a layer is. A layer is a description: what it would need for an input of some shape, and how it computes. It holds
 * no memory, knows no device, and can be written as JSON; `build` turns a tree of layers into a model.
 */
import { OptionError, ShapeError, TramaError } from "../errors.ts";
import type { FusedActivation, RandomKey } from "../kernels/index.ts";
import { formatShape, sizeOf, type Shape, type Tensor } from "../tensor/index.ts";
import { checkInitialiser, fansOf, type Fans, type Initialiser } from "./initialisers.ts";

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** A layer's options as JSON: with `kind`, all that is needed to make it again. Undefined means the default. */
export type LayerConfig = Readonly<Record<string, Json>>;

export interface Layer {
  /** `conv2d`, `dense`, …: the function that makes it. */
  readonly kind: string;
  /** The user's name for it; default: the kind, numbered. */
  readonly name: string | undefined;
  readonly config: LayerConfig;
  /** Layers inside this one, in order. */
  readonly children: readonly Layer[];
  /** Checks the input's shape (without the batch), declares parameters, and says what comes out and how. */
  build(input: Shape, builder: LayerBuilder): BuiltLayer;
}

export interface BuiltLayer {
  /** Shape of the output, without the batch. */
  readonly output: Shape;
  call(x: Tensor, context: CallContext): Tensor;
  /** Multiply-adds and the like for one input, for summaries. Default: 0. */
  readonly flops?: number;
  /** The layers that it applies one after the other, where that is all it does. */
  readonly steps?: readonly BuiltStep[];
}

/** A layer that was built inside another, and what it is made of. */
export interface BuiltStep extends BuiltLayer {
  readonly layer: Layer;
  /** Names from the model's layer inwards. */
  readonly path: string;
  /** Its own and those of the layers inside it. */
  readonly parameters: readonly Parameter[];
  /** Whether it draws random numbers in training. */
  readonly draws: boolean;
}

/** What a layer may know when it computes. */
export interface CallContext {
  /** Training: dropout drops, batch norm uses the batch. */
  readonly training: boolean;
  /** Random numbers of a layer, new at each step. */
  random(layer: number): RandomKey;
  /** Sees what each layer makes, in the order in which it is made, and returns what goes on in its place. */
  readonly tap?: (output: Tensor, layer: TappedLayer) => Tensor;
}

export interface TappedLayer {
  /** Names from the model's layer inwards: `block/conv2d`. */
  readonly path: string;
  readonly kind: string;
}

export interface Parameter {
  /** `conv2d_1/kernel` */
  readonly name: string;
  readonly shape: Shape;
  /** Learnt by an optimiser; running statistics are not. */
  readonly trainable: boolean;
  /** Left as it is in training. A frozen batch norm normalises with its running statistics. */
  frozen: boolean;
  /** Still as it was initialised: neither loaded nor trained. Whoever writes values of worth sets it to false. */
  untrained: boolean;
  readonly initialiser: Initialiser;
  readonly fans: Fans;
  /** Its place on the device; known once the model is built. */
  tensor: Tensor;
}

/** One line of a model's summary. */
export interface LayerSummary {
  readonly name: string;
  readonly kind: string;
  readonly depth: number;
  readonly output: Shape;
  readonly parameters: number;
  readonly flops: number;
}

/** What a layer sees while it is built: it declares parameters and builds its children. */
export class LayerBuilder {
  readonly parameters: Parameter[] = [];
  readonly summaries: LayerSummary[] = [];
  readonly #counts = new Map<string, number>();
  readonly #path: string[] = [];
  #layers = 0;

  /**
   * Declares a parameter of the layer that is being built. `fans` default to those of `[…receptive field, in, out]`: other
   * layouts, such as depthwise filters, tell theirs.
   */
  parameter(
    name: string,
    shape: Shape,
    initialiser: Initialiser,
    trainable = true,
    fans: Fans = fansOf(shape),
  ): Parameter {
    checkInitialiser(name, initialiser);
    const path = [...this.#path, name].join("/");
    const parameter = { name: path, shape, initialiser, fans, trainable, frozen: false, untrained: true };
    this.parameters.push(parameter as Parameter);
    return parameter as Parameter;
  }

  /** A number of its own for a layer that draws random numbers. */
  layerNumber(): number {
    return this.#layers++;
  }

  /** Builds a layer under its name; errors inside carry that name. */
  build(layer: Layer, input: Shape): BuiltStep {
    const name = this.#uniqueName(layer.name ?? layer.kind);
    this.#path.push(name);
    const [firstParameter, position, drawing] = [this.parameters.length, this.summaries.length, this.#layers];
    try {
      const built = layer.build(input, this);
      const parameters = this.parameters.slice(firstParameter);
      const own = parameters.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
      const { output, flops = 0 } = built;
      const depth = this.#path.length - 1;
      this.summaries.splice(position, 0, { name, kind: layer.kind, depth, output, parameters: own, flops });
      const path = this.#path.join("/");
      return { ...tappable(built, { path, kind: layer.kind }), layer, path, parameters, draws: this.#layers > drawing };
    } catch (error) {
      throw error instanceof TramaError ? inLayer(error, this.#path.join("/")) : error;
    } finally {
      this.#path.pop();
    }
  }

  #uniqueName(wanted: string): string {
    const path = [...this.#path, wanted].join("/");
    const count = this.#counts.get(path) ?? 0;
    this.#counts.set(path, count + 1);
    return count === 0 ? wanted : `${wanted}_${count}`;
  }
}

/** The same layer, which shows what it makes to whoever looks on. */
function tappable(built: BuiltLayer, layer: TappedLayer): BuiltLayer {
  return {
    ...built,
    call(x, context) {
      const y = built.call(x, context);
      return context.tap ? context.tap(y, layer) : y;
    },
  };
}

/** The same complaint, naming the layer once. */
function inLayer(error: TramaError, path: string): TramaError {
  if (error.where.startsWith("layer ")) return error;
  const { expected, got, advice } = error;
  const kind = error.constructor as new (complaint: object, options: ErrorOptions) => TramaError;
  return new kind({ where: `layer "${path}"`, expected, got, ...(advice ? { advice } : {}) }, { cause: error });
}

/** Throws unless a layer's input has the given rank (without the batch). */
export function expectRank(kind: string, input: Shape, rank: number, layout: string): void {
  if (input.length === rank) return;
  throw new ShapeError({ where: kind, expected: `an input ${layout}`, got: formatShape(input) });
}

/** Throws unless there is a positive whole number of what a layer consists of. */
export function expectCount(kind: string, what: string, count: number): void {
  if (Number.isInteger(count) && count > 0) return;
  throw new OptionError({ where: kind, expected: `a positive whole number of ${what}`, got: String(count) });
}

/** Drops undefined options, so that a config holds only what differs from the defaults. */
export function configOf(options: Readonly<Record<string, unknown>>): LayerConfig {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as LayerConfig;
}

const fusedActivations: readonly string[] = ["relu", "relu6", "sigmoid", "tanh"] satisfies FusedActivation[];

/** Throws unless the activation, if any, is one that kernels apply to their result. */
export function expectActivation(kind: string, activation: FusedActivation | undefined): void {
  if (activation === undefined || fusedActivations.includes(activation)) return;
  throw new OptionError({
    where: kind,
    expected: `an activation among ${fusedActivations.join(", ")}`,
    got: activation,
    advice: "put others into a layer of their own: activation(name)",
  });
}
