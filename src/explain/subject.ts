/** What every explanation begins with: inputs as the first layer sees them, and what the model says about them. */
import { OptionError, ShapeError } from "../errors.ts";
import { batchOf, mul, sum, type BatchLook } from "../kernels/index.ts";
import type { CallContext, Model } from "../nn/index.ts";
import { formatShape, holding, sameShape, scope, sizeOf, type Shape, type Tensor } from "../tensor/index.ts";
import { compileRows } from "./rows.ts";
import type { HeatMap } from "./heatMap.ts";

/**
 * One input or several: bytes are pixels, `[count, …shape]`, which are brought to the model's input and normalised as the model
 * wants it; floats are what its first layer sees, `[count, …model.input]`.
 */
export type Inputs = Uint8Array | Float32Array;

/** A class by its number, or by its name in the model's `classNames`. */
export type ClassChoice = number | string;

export interface ExplainOptions {
  /** Number or name of the class to explain, or one for each input. Default: the one that scores most, for each input its own. */
  readonly class?: ClassChoice | readonly ClassChoice[];
  /** `[height, width, channels]` of inputs that are bytes. Default: the model's input. Maps have the size of the model's input. */
  readonly shape?: Shape;
  /** Inputs, or changed copies of one, that go through the model together. Default: 16. */
  readonly batchSize?: number;
}

export interface Explanation {
  /** How much each place speaks for the class. */
  readonly map: HeatMap;
  readonly class: number;
  /** The model's output for the class: a logit, unless the model ends in a softmax. */
  readonly score: number;
  /** Softmax of the outputs at the class. */
  readonly probability: number;
}

/** One input, and the class to explain. */
export interface Subject extends Omit<Explanation, "map"> {
  readonly x: Float32Array;
}

const DEFAULT_BATCH = 16;

/** How layers are called here; `tap` looks inside. */
export function inference(tap?: CallContext["tap"]): CallContext {
  const random = () => {
    throw new Error("a layer drew random numbers outside of training");
  };
  return { training: false, random, ...(tap ? { tap } : {}) };
}

/** Σ scores of the chosen classes; `choice` `[batch, classes]` has a one for each, or zeros. */
export function chosenScore(scores: Tensor, choice: Tensor): Tensor {
  return sum(mul(scores, choice));
}

/** Normalises inputs, and finds for each the class to explain. @throws when inputs, model or class do not fit. */
export async function examine(
  where: string,
  model: Model,
  inputs: Inputs,
  options: ExplainOptions,
): Promise<readonly Subject[]> {
  const count = countOf(where, model, inputs, options);
  const wanted = classNumbers(where, model, count, options.class);
  const values = await valuesOf(model, inputs, options.shape);
  const size = sizeOf(model.input);
  const rows = Array.from({ length: count }, (_, k) => values.subarray(k * size, (k + 1) * size));
  const scores = await scoresOf(model, rows, batchSizeOf(where, options));
  return rows.map((x, k) => {
    const row = scores[k]!;
    const chosen = wanted?.[k] ?? row.indexOf(Math.max(...row));
    return { x, class: chosen, score: row[chosen]!, probability: probabilityOf(row, chosen) };
  });
}

/** The model's outputs for each row. */
export async function scoresOf(
  model: Model,
  rows: readonly Float32Array[],
  batchSize: number,
): Promise<readonly Float32Array[]> {
  const size = Math.min(batchSize, rows.length);
  const program = await compileRows(model.device, size, [model.input], (x) => [model.call(x, inference())]);
  const scores: Float32Array[] = [];
  try {
    await program.run(
      rows.length,
      (k, [x]) => x!.set(rows[k]!),
      (_, [row]) => scores.push(row!),
    );
    return scores;
  } finally {
    program.dispose();
  }
}

export function batchSizeOf(where: string, { batchSize = DEFAULT_BATCH }: ExplainOptions): number {
  requireWhole(where, "batchSize", batchSize);
  return batchSize;
}

export function requireWhole(where: string, name: string, value: number, most = Infinity): void {
  if (Number.isInteger(value) && value >= 1 && value <= most) return;
  const limit = most === Infinity ? "of at least 1" : `from 1 to ${most}`;
  throw new OptionError({ where, expected: `${name}: a whole number ${limit}`, got: String(value) });
}

/** Pixels of pictures of that shape as the first layer sees them; floats are that already. */
export async function valuesOf(model: Model, inputs: Inputs, shape: Shape = model.input): Promise<Float32Array> {
  if (inputs instanceof Float32Array) return inputs;
  const { device } = model;
  const count = inputs.length / sizeOf(shape);
  const words = new Uint32Array(Math.ceil(inputs.length / 4));
  new Uint8Array(words.buffer).set(inputs);
  return holding(async (hold) => {
    const pixels = hold(device.tensor(words));
    const labels = hold(device.zeros([count], "u32"));
    const order = hold(device.tensor(Uint32Array.from({ length: count }, (_, index) => index)));
    const place = { order, cursor: hold(device.zeros([1], "u32")), rows: count, stride: count, batches: 1 };
    const x = scope(device, () => batchOf({ pixels, labels, imageShape: shape }, place, lookOf(model, shape)).x);
    return (await hold(x).read()) as Float32Array;
  });
}

/** How the model wants to see pictures of that shape. */
function lookOf({ input, normalisation, resize }: Model, shape: Shape): BatchLook {
  if (sameShape(input, shape)) return { normalisation };
  const [height = 1, width = 1, channels = 1] = input;
  const { mode, antialias = false } = resize;
  const isSmaller = height < shape[0]! || width < shape[1]!;
  return { normalisation, size: [height, width], channels, resize: mode, antialias: antialias && isSmaller };
}

function countOf(where: string, { input, output }: Model, inputs: Inputs, options: ExplainOptions): number {
  if (output.length !== 1) {
    throw new ShapeError({
      where,
      expected: "a model with one output for each class",
      got: `output ${formatShape(output)}`,
    });
  }
  const shape = inputs instanceof Float32Array ? input : (options.shape ?? input);
  const count = inputs.length / sizeOf(shape);
  if (Number.isInteger(count) && count > 0) return count;
  throw new ShapeError({
    where,
    expected: `inputs of the shape ${formatShape(shape)}, one or several`,
    got: `${inputs.length} values`,
    ...(inputs instanceof Uint8Array && { advice: "say the shape of other pictures as an option" }),
  });
}

/** The class to explain of each input; undefined where none is named. */
function classNumbers(
  where: string,
  model: Model,
  count: number,
  wanted: ExplainOptions["class"],
): readonly number[] | undefined {
  if (wanted === undefined) return undefined;
  if (typeof wanted === "number" || typeof wanted === "string") {
    return new Array<number>(count).fill(classNumber(where, model, wanted));
  }
  if (wanted.length === count) return wanted.map((each) => classNumber(where, model, each));
  throw new OptionError({ where, expected: `${count} classes, one for each input`, got: `${wanted.length}` });
}

function classNumber(where: string, { classNames, output }: Model, wanted: ClassChoice): number {
  const classes = output[0]!;
  const index = typeof wanted === "number" ? wanted : classNames.indexOf(wanted);
  if (Number.isInteger(index) && index >= 0 && index < classes) return index;
  const names = classNames.length > 0 ? `, or one of ${classNames.join(", ")}` : "";
  const expected = `a class from 0 to ${classes - 1}${names}`;
  throw new OptionError({ where, expected, got: JSON.stringify(wanted) });
}

function probabilityOf(scores: Float32Array, index: number): number {
  return 1 / scores.reduce((total, score) => total + Math.exp(score - scores[index]!), 0);
}
