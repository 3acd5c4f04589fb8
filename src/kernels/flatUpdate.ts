/**
 * The frame of all optimisers: one dispatch over a flat buffer of parameters p, four to a thread.
 *
 *   g ← clamp(scale · g, ±clipValue)
 *   g ← g + λ·p                            (weight decay as an L2 penalty)   or   p ← p − rate·λ·p   (decoupled)
 *   p ← update(p, g)                       with buffers of the optimiser's own, changed on the way
 *
 * All parameters of a model are one buffer, so one dispatch updates them all. Learning rate, step and gradient scale are
 * read from GPU memory: steps need no word from the CPU. A gradient scale of 0 says that the gradients are worthless (an
 * overflow in half precision): then nothing changes, whatever they hold.
 */
import { OptionError, ShapeError } from "../errors.ts";
import { defineKernel, formatShape, run, type Constants, type Tensor } from "../tensor/index.ts";
import { checkNumber, range, type Range } from "./ranges.ts";

/** What an optimiser's step reads. */
export interface UpdateInputs {
  /** Flat, in the layout of the parameters. */
  readonly gradients: Tensor;
  /** Learning rate, `[1]`. */
  readonly rate: Tensor;
  /** Updates made so far, `[1]`, u32: 0 before the first. */
  readonly step: Tensor;
  /** `[1]`: every gradient is multiplied by it; at 0 the whole update is left out. Default: 1. */
  readonly gradientScale?: Tensor;
}

/** Options of every optimiser. */
export interface UpdateOptions {
  /** λ. Default: 0. */
  readonly weightDecay?: number;
  /** Shrinks the parameters themselves by rate · λ instead of adding λ·p to their gradients. Default: false. */
  readonly decoupled?: boolean;
  /** Bound on the absolute value of each gradient, once it is scaled. Default: none. */
  readonly clipValue?: number;
}

type Slots = Readonly<Record<string, Tensor>>;
type Flags = Readonly<Record<string, boolean>>;

interface UpdateRule<O> {
  readonly name: string;
  /** Names of its options, beside those that every optimiser has. */
  readonly options: readonly (keyof O)[];
  /** Options that change the code. */
  readonly flags?: (options: O) => Flags;
  /** Names of the buffers that it keeps: as large as the parameters, zero at first. */
  readonly slots: (flags: Flags) => readonly string[];
  /** Whether it reads `step`. */
  readonly timed?: boolean;
  /** Values that it reads beside the step's inputs, computed for each step. */
  readonly prepare?: (inputs: UpdateInputs, options: O) => Slots;
  readonly uniforms: (options: O) => Readonly<Record<string, number>>;
  /** `fn update(i: u32, parameter: f32v, gradient: f32v, rate: f32) -> f32v`: writes the slots at i, returns the new parameter. */
  readonly wgsl: (flags: Flags) => string;
  /** Arithmetic for one parameter. */
  readonly flops: number;
}

export interface Update<O> {
  /** One step: changes flat `parameters` and `slots`, all of one size, a multiple of four, in place. */
  (parameters: Tensor, slots: Slots, inputs: UpdateInputs, options?: O): void;
  /** Names of the buffers that it keeps under these options, each as large as the parameters and zero at first. */
  slots(options: O): readonly string[];
  /** Throws at an option that it does not have or that makes no sense. */
  check(options: O): void;
}

/** Makes an optimiser's step from its formula. */
export function defineUpdate<O extends UpdateOptions>(rule: UpdateRule<O>): Update<O> {
  const { name, flags = () => ({}) } = rule;
  const check = (options: O): void => checkOptions(name, options, [...rule.options, ...COMMON] as string[]);
  const step = (parameters: Tensor, slots: Slots, inputs: UpdateInputs, options: O = {} as O): void => {
    check(options);
    const kept = Object.fromEntries(rule.slots(flags(options)).map((slot) => [slot, slots[slot]!]));
    checkFlat(name, parameters, { gradients: inputs.gradients, ...kept });
    const { weightDecay: decay = 0, decoupled = false, clipValue: clip } = options;
    const scale = inputs.gradientScale;
    const read = { g: inputs.gradients, rate: inputs.rate, ...(scale ? { scale } : {}) };
    const extra = { ...(rule.timed ? { step: inputs.step } : {}), ...rule.prepare?.(inputs, options) };
    const uniforms = { ...rule.uniforms(options), decay, clip: clip ?? 0 };
    const frame = { width: 4, scaled: scale !== undefined, clipped: clip !== undefined, decoupled };
    const constants = { ...flags(options), ...frame };
    const kernel = defineKernel<string, never, string>({
      name,
      inputs: { ...typed(read, "f32"), g: "f32v", ...typed(extra, "f32"), ...(rule.timed ? { step: "u32" } : {}) },
      updates: { p: "f32v", ...typed(kept, "f32v") },
      uniforms: typed(uniforms, "f32"),
      wgsl: (chosen) => frameText(chosen) + MOVED + rule.wgsl(chosen as Flags),
      flops: (threads) => threads * 4 * (rule.flops + 2),
    });
    const updates = [parameters, ...Object.values(kept)];
    run(kernel, { ...read, ...extra }, {}, uniforms, { constants, updates, threads: parameters.size / 4 });
  };
  return Object.assign(step, { slots: (options: O) => rule.slots(flags(options)), check });
}

function typed<T>(values: Readonly<Record<string, unknown>>, type: T): Record<string, T> {
  return Object.fromEntries(Object.keys(values).map((key) => [key, type]));
}

function frameText({ scaled, clipped, decoupled }: Constants): string {
  return /* wgsl */ `
    fn run(i: u32) {                                       // one thread per four parameters
      ${scaled === true ? "if (scale[0] == 0.0) { return; }" : ""}
      var parameter = p[i];
      var gradient = g[i]${scaled === true ? " * scale[0]" : ""};
      ${clipped === true ? "gradient = clamp(gradient, f32v(-u.clip), f32v(u.clip));" : ""}
      ${decoupled === true ? "parameter -= rate[0] * u.decay * parameter;" : "gradient += u.decay * parameter;"}
      p[i] = update(i, parameter, gradient, rate[0]);
    }`;
}

/**
 * An average that decays by β moves by (1 − β)·(new − old). 1 − β comes from the CPU, rounded once: in f32, 1 − 0.999 is off
 * by 5e-5, and mix() would round β again.
 */
const MOVED = /* wgsl */ `
    fn moved(old: f32v, new_: f32v, fresh: f32) -> f32v { return old + fresh * (new_ - old); }`;

/**
 * 1 − eˣ for x ≤ 0, to a few units in the last place: `oneMinusExp(t · ln β)` is the bias correction 1 − βᵗ. Near 0,
 * 1 − exp(x) would keep but a few digits. The series is summed at x / 16, and e^2a − 1 = e·(e + 2) with e = eᵃ − 1 leads
 * back.
 */
export const ONE_MINUS_EXP = /* wgsl */ `
    fn oneMinusExp(x: f32) -> f32 {
      let a = max(x, -16.0) * (1.0 / 16.0);
      var e = a * (1.0 + a * (1.0 / 2.0) * (1.0 + a * (1.0 / 3.0) * (1.0 + a * (1.0 / 4.0) * (1.0 + a * (1.0 / 5.0) * (1.0 + a * (1.0 / 6.0))))));
      e *= e + 2.0; e *= e + 2.0; e *= e + 2.0; e *= e + 2.0;
      return -e;
    }`;

/** Of an average that decays by β: 1 − β, and ln β, without the rounding of β itself. */
export function averageOf(beta: number): { fresh: number; log: number } {
  return { fresh: 1 - beta, log: Math.log(Math.max(beta, 1e-30)) };
}

/** One thread takes four elements, and finds all buffers equally long. */
export function checkFlat(where: string, parameters: Tensor, others: Slots): void {
  if (parameters.size % 4 !== 0) {
    throw new ShapeError({
      where,
      expected: "a multiple of four parameters",
      got: formatShape(parameters.shape),
      advice: "pad the flat buffer",
    });
  }
  for (const [name, other] of Object.entries(others) as [string, Tensor | undefined][]) {
    if (other?.size === parameters.size) continue;
    const got = other ? formatShape(other.shape) : "none";
    throw new ShapeError({ where, expected: `${parameters.size} values in ${name}`, got });
  }
}

const COMMON: readonly (keyof UpdateOptions)[] = ["weightDecay", "decoupled", "clipValue"];

const { share, positive, notNegative } = range;

/** What the options named here must be; all others are switches. */
const ranges: Readonly<Record<string, Range>> = {
  momentum: share,
  beta1: share,
  beta2: share,
  rho: share,
  epsilon: positive,
  clipValue: positive,
  initial: notNegative,
  momentumDecay: notNegative,
  weightDecay: notNegative,
};

function checkOptions(where: string, options: object, known: readonly string[]): void {
  for (const [name, value] of Object.entries(options)) {
    if (!known.includes(name)) {
      throw new OptionError({ where, expected: `options among ${known.join(", ")}`, got: name });
    }
    if (value === undefined) continue;
    if (ranges[name]) checkNumber(where, name, ranges[name], value);
    else if (typeof value !== "boolean") {
      throw new OptionError({ where, expected: `true or false as ${name}`, got: String(value) });
    }
  }
}
