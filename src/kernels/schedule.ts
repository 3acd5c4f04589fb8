/**
 * Learning rate schedules: a description, evaluated on the GPU from the step counter, so that steps need no word from the
 * CPU; and by `rateAt` on the CPU, in double precision, for reports and plots. Each formula stands here twice.
 *
 * t counts steps from 0. A cosine falls as (1 + cos πx) / 2 = sin²(π/2·(1 − x)), which keeps its digits as the rate nears
 * its end; the sine is a polynomial, because WGSL promises but three digits of its own.
 */
import { defineKernel, run, type Constants, type Tensor } from "../tensor/index.ts";

/** `rate` · factor^⌊t / every⌋: PyTorch's StepLR. */
interface StepDecay {
  readonly kind: "step";
  readonly rate: number;
  readonly every: number;
  readonly factor: number;
}

/** `rate` · factor^(t / every): Keras' ExponentialDecay. */
interface ExponentialDecay {
  readonly kind: "exponential";
  readonly rate: number;
  readonly every: number;
  readonly factor: number;
}

/** From `rate` to `end` (default: 0) as (1 − t / steps)^power (default: 1), then constant: Keras' PolynomialDecay. */
interface PolynomialDecay {
  readonly kind: "polynomial";
  readonly rate: number;
  readonly steps: number;
  readonly end?: number;
  readonly power?: number;
}

/** From `rate` to `end` (default: 0) along half a cosine, then constant (Loshchilov and Hutter 2017, equation 5). */
interface CosineDecay {
  readonly kind: "cosine";
  readonly rate: number;
  readonly steps: number;
  readonly end?: number;
}

/**
 * The same again and again (ibid.): each period lasts `growth` times as long as the one before (a whole number; default:
 * 1), and begins `shrink` times as high above `end` (default: 1).
 */
interface CosineRestarts {
  readonly kind: "cosineRestarts";
  readonly rate: number;
  readonly steps: number;
  readonly end?: number;
  readonly growth?: number;
  readonly shrink?: number;
}

/**
 * Half a cosine up from rate / startDivisor (default: 25) to `rate`, half a cosine down to that start / endDivisor
 * (default: 10,000), then constant (Smith and Topin 2018; PyTorch's OneCycleLR). The way up takes the share `warmup`
 * (default: 0.3) of all `steps`.
 */
interface OneCycle {
  readonly kind: "oneCycle";
  readonly rate: number;
  readonly steps: number;
  readonly warmup?: number;
  readonly startDivisor?: number;
  readonly endDivisor?: number;
}

interface Constant {
  readonly kind: "constant";
  readonly rate: number;
}

type Plain = Constant | StepDecay | ExponentialDecay | PolynomialDecay | CosineDecay | CosineRestarts | OneCycle;

/**
 * Straight up over `steps` steps (Goyal et al. 2017, section 2.2) from the share `start` (default: 0) of the first rate of
 * what comes `after`: at step t by start + (1 − start) · (t + 1) / steps.
 */
interface Warmup {
  readonly kind: "warmup";
  readonly steps: number;
  readonly start?: number;
  readonly after: number | Plain;
}

/** How the learning rate moves, as JSON. */
export type Schedule = Plain | Warmup;

interface Formula<S> {
  /** By name; those of `wholeNumbers` are u32. */
  readonly uniforms: (schedule: S) => Readonly<Record<string, number>>;
  /** Body of a function of `t: u32` that returns the rate. */
  readonly wgsl: string;
  readonly value: (schedule: S, t: number) => number;
}

const wholeNumbers = new Set(["steps", "growth", "warm"]);

/** From 0 to 1 along half a cosine. */
const wave = (x: number) => Math.sin((Math.PI / 2) * x) ** 2;
const left = (t: number, steps: number) => Math.max(0, steps - t) / steps;
const LEFT = "f32(max(u.steps, t) - t) / f32(u.steps)";

const formulas: { readonly [K in Plain["kind"]]: Formula<Extract<Plain, { kind: K }>> } = {
  constant: {
    uniforms: ({ rate }) => ({ rate }),
    wgsl: "return u.rate;",
    value: ({ rate }) => rate,
  },
  step: {
    uniforms: ({ rate, every, factor }) => ({ rate, steps: every, log: Math.log(factor) }),
    wgsl: "return u.rate * exp(f32(t / u.steps) * u.log);",
    value: ({ rate, every, factor }, t) => rate * factor ** Math.floor(t / every),
  },
  exponential: {
    uniforms: ({ rate, every, factor }) => ({ rate, log: Math.log(factor) / every }),
    wgsl: "return u.rate * exp(f32(t) * u.log);",
    value: ({ rate, every, factor }, t) => rate * factor ** (t / every),
  },
  polynomial: {
    uniforms: ({ rate, steps, end = 0, power = 1 }) => ({ rate, steps, end, power }),
    wgsl: `let x = ${LEFT}; return mix(u.end, u.rate, select(pow(x, u.power), x, x == 0.0 || u.power == 1.0));`,
    value: ({ rate, steps, end = 0, power = 1 }, t) => end + (rate - end) * left(t, steps) ** power,
  },
  cosine: {
    uniforms: ({ rate, steps, end = 0 }) => ({ rate, steps, end }),
    wgsl: `return mix(u.end, u.rate, wave(${LEFT}));`,
    value: ({ rate, steps, end = 0 }, t) => end + (rate - end) * wave(left(t, steps)),
  },
  cosineRestarts: {
    uniforms: ({ rate, steps, end = 0, growth = 1, shrink = 1 }) => ({
      rate,
      steps,
      end,
      growth,
      log: Math.log(shrink),
    }),
    wgsl: /* wgsl */ `
      var count = 0u; var period = u.steps; var x = t;     // steps since the last restart
      if (u.growth == 1u) { count = t / period; x -= count * period; }
      while (x >= period) {
        x -= period; count++;
        period = select(period * u.growth, 0xffffffffu, period > 0xffffffffu / u.growth);
      }
      return mix(u.end, u.rate, exp(f32(count) * u.log) * wave(f32(period - x) / f32(period)));`,
    value({ rate, steps, end = 0, growth = 1, shrink = 1 }, t) {
      let [count, period, x] = [0, steps, t];
      for (; x >= period; count++) [x, period] = [x - period, period * growth];
      return end + (rate - end) * shrink ** count * wave(left(x, period));
    },
  },
  oneCycle: {
    uniforms: (schedule) => cycle(schedule),
    wgsl: /* wgsl */ `
      let x = f32(t);
      if (x < u.rise) { return mix(u.start, u.rate, wave(x / u.rise)); }
      return mix(u.end, u.rate, wave(max(u.last - x, 0.0) / (u.last - u.rise)));`,
    value(schedule, t) {
      const { rate, start, end, rise, last } = cycle(schedule);
      if (t < rise) return start + (rate - start) * wave(t / rise);
      return end + (rate - end) * wave(Math.max(last - t, 0) / (last - rise));
    },
  },
};

/** The rates of one cycle, and the steps at which it is highest and over. */
function cycle({ rate, steps, warmup = 0.3, startDivisor = 25, endDivisor = 1e4 }: OneCycle) {
  const start = rate / startDivisor;
  return { rate, start, end: start / endDivisor, rise: warmup * steps - 1, last: steps - 1 };
}

const WAVE = /* wgsl */ `
    fn wave(x: f32) -> f32 {                               // sin²(π/2·x), 0 ≤ x ≤ 1
      let y = 1.5707963267948966 * x; let z = y * y;
      let s = y * (1.0 - z / 6.0 * (1.0 - z / 20.0 * (1.0 - z / 42.0 * (1.0 - z / 72.0 * (1.0 - z / 110.0 * (1.0 - z / 156.0))))));
      return s * s;
    }`;

const sourceOf = ({ kind, plateau }: Constants) => /* wgsl */ `${WAVE}
    fn rateOf(t: u32) -> f32 { ${formulas[kind as Plain["kind"]].wgsl} }
    fn run(i: u32) {
      let t = step[0];
      let climb = u.start_ + (1.0 - u.start_) * f32(t + 1u) / f32(max(u.warm, 1u));
      let factor = select(1.0, climb, t < u.warm);
      store_rate(0u, rateOf(max(t, u.warm) - u.warm) * factor${plateau === true ? " * plateau[0]" : ""});
    }`;

export interface ScheduleInputs {
  /** Steps done so far, `[1]`, u32. */
  readonly step: Tensor;
  /** `[1]`, written. */
  readonly rate: Tensor;
  /** `[1]`: every rate is multiplied by it. A reduction on a plateau is decided on the CPU, which writes it here. Default: 1. */
  readonly plateauFactor?: Tensor;
}

/** Puts the learning rate of the next step into `rate`. */
export function scheduleRate(schedule: number | Schedule, { step, rate, plateauFactor }: ScheduleInputs): void {
  const { plain, warm, start } = parts(schedule);
  const plateau = plateauFactor ? { plateau: plateauFactor } : {};
  const { kind } = plain;
  const uniforms = { ...formulas[kind].uniforms(plain as never), warm, start_: start };
  const types = Object.keys(uniforms).map((name) => [name, wholeNumbers.has(name) ? "u32" : "f32"] as const);
  const kernel = defineKernel<string, "rate", string>({
    name: "schedule",
    inputs: { step: "u32", ...(plateauFactor ? { plateau: "f32" } : {}) },
    outputs: { rate: "f32" },
    uniforms: Object.fromEntries(types),
    workgroup: 1,
    wgsl: sourceOf,
  });
  const constants = { kind, plateau: plateauFactor !== undefined };
  run(kernel, { step, ...plateau }, { rate }, uniforms, { constants, threads: 1 });
}

/** The learning rate at a step, counted from 0. */
export function rateAt(schedule: number | Schedule, step: number): number {
  const { plain, warm, start } = parts(schedule);
  const factor = step < warm ? start + ((1 - start) * (step + 1)) / warm : 1;
  return factor * formulas[plain.kind].value(plain as never, Math.max(0, step - warm));
}

function parts(schedule: number | Schedule): { plain: Plain; warm: number; start: number } {
  if (typeof schedule === "number") return { plain: { kind: "constant", rate: schedule }, warm: 0, start: 0 };
  if (schedule.kind !== "warmup") return { plain: schedule, warm: 0, start: 0 };
  const { after, steps, start = 0 } = schedule;
  return { plain: parts(after).plain, warm: steps, start };
}
