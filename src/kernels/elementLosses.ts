/**
 * Losses between values x and targets t of one shape, element by element, all on one page.
 *
 *   L = Σ w·ℓ(x, t) / divisor        dx = w·ℓ'(x, t) · dy / divisor        w: mask · sample weight
 *
 * A loss is a row of two expressions over lane vectors, ℓ and ℓ', in x, t and at most one parameter p. The value is f32 in
 * any case; the gradient takes the precision of x only once it is scaled by dy.
 */
import { defineOp, runMap, type MapFunction, type Tensor } from "../tensor/index.ts";
import { checkTargets, reduceLosses, type LossOptions } from "./lossReduction.ts";
import { checkNumber, range } from "./ranges.ts";

/** ℓ and ℓ' in x, t and p. */
type Formula = readonly [value: string, slope: string];

const ZERO = "f32v(0.0)";
const ONE = "f32v(1.0)";
/** ln(1 + e^−x), without overflow. */
const SOFTPLUS = `(max(-x, ${ZERO}) + log(1.0 + exp(-abs(x))))`;
const SIDE = `select(-${ONE}, ${ONE}, t > ${ZERO})`;
const SHORTFALL = `max(${ONE} - ${SIDE} * x, ${ZERO})`;

const formulas = {
  sigmoidCrossEntropy: [`(1.0 - t) * x + ${SOFTPLUS}`, "1.0 / (1.0 + exp(-x)) - t"],
  weightedSigmoidCrossEntropy: [
    `(1.0 - t) * x + (1.0 + (p - 1.0) * t) * ${SOFTPLUS}`,
    "1.0 - t - (1.0 + (p - 1.0) * t) / (1.0 + exp(x))",
  ],
  meanSquaredError: ["(x - t) * (x - t)", "2.0 * (x - t)"],
  meanAbsoluteError: ["abs(x - t)", "sign(x - t)"],
  huber: ["select(p * (abs(x - t) - 0.5 * p), 0.5 * (x - t) * (x - t), abs(x - t) <= p)", "clamp(x - t, -p, p)"],
  hinge: [SHORTFALL, `select(${ZERO}, -${SIDE}, ${SHORTFALL} > ${ZERO})`],
  squaredHinge: [`${SHORTFALL} * ${SHORTFALL}`, `-2.0 * ${SIDE} * ${SHORTFALL}`],
} as const satisfies Record<string, Formula>;

const NEGATE: MapFunction = { name: "neg", parameters: ["x"], body: "-x" };

/** Losses of x − t alone: targets get a gradient too. */
const bothWays: ReadonlySet<string> = new Set(["meanSquaredError", "meanAbsoluteError", "huber"]);

/** ℓ of every element. */
function define(name: keyof typeof formulas, where: string = name): (x: Tensor, targets: Tensor, p?: Tensor) => Tensor {
  const [value, slope] = formulas[name];
  return defineOp(name, {
    forward(x: Tensor, targets: Tensor, p?: Tensor) {
      checkTargets(where, x, targets);
      const operands = p ? [x, targets, p] : [x, targets];
      const parameters = ["x", "t", "p"].slice(0, operands.length);
      const output = runMap({ name, parameters, body: value }, operands, x.shape, { where, dtype: "f32" });
      return { output, saved: { parameters, operands, dtype: x.dtype } };
    },
    backward(dy, { parameters, operands, dtype }, wants) {
      const call = { name: `${name}_slope`, parameters: [...parameters, "dy"], body: `(${slope}) * dy` };
      const dx = runMap(call, [...operands, dy], dy.shape, { dtype });
      return [dx, wants[1] === true && bothWays.has(name) ? runMap(NEGATE, [dx], dx.shape) : null];
    },
  });
}

export interface SigmoidCrossEntropyOptions extends LossOptions {
  /** p: what the positive part of each element weighs, of a shape that broadcasts: `[classes]`. Default: 1. */
  readonly positiveWeights?: Tensor;
}

const binary = define("sigmoidCrossEntropy");
const weightedBinary = define("weightedSigmoidCrossEntropy", "sigmoidCrossEntropy");

/**
 * Binary cross entropy of sigmoid(logits) against targets in [0, 1], for labels of which several may apply:
 * −p·t·ln σ(x) − (1 − t)·ln(1 − σ(x)), computed from the logits so that it neither overflows nor takes the logarithm of 0.
 * Targets get no gradient.
 */
export function sigmoidCrossEntropy(x: Tensor, targets: Tensor, options: SigmoidCrossEntropyOptions = {}): Tensor {
  const { positiveWeights } = options;
  return reduceLosses("sigmoidCrossEntropy", x.shape, options, () =>
    positiveWeights ? weightedBinary(x, targets, positiveWeights) : binary(x, targets),
  );
}

const squared = define("meanSquaredError");

/** (x − t)². With a mask of 0 and 1 and the reduction `weightedMean`: the mean over what is visible. */
export function meanSquaredError(x: Tensor, targets: Tensor, options: LossOptions = {}): Tensor {
  return reduceLosses("meanSquaredError", x.shape, options, () => squared(x, targets));
}

const absolute = define("meanAbsoluteError");

/** |x − t|; derivative 0 at 0. */
export function meanAbsoluteError(x: Tensor, targets: Tensor, options: LossOptions = {}): Tensor {
  return reduceLosses("meanAbsoluteError", x.shape, options, () => absolute(x, targets));
}

const bent = define("huber");

export interface HuberOptions extends LossOptions {
  /** δ: where the square ends. Default: 1. */
  readonly delta?: number;
}

/** (x − t)² / 2 up to |x − t| = δ, from there on its tangent δ·(|x − t| − δ/2) (Huber 1964). */
export function huber(x: Tensor, targets: Tensor, options: HuberOptions = {}): Tensor {
  const { delta = 1 } = options;
  checkNumber("huber", "delta", range.positive, delta);
  return reduceLosses("huber", x.shape, options, () => bent(x, targets, x.device.constant(delta)));
}

const oneSided = define("hinge");

/** max(0, 1 − s·x), one class against the rest: s = 1 where the target is positive, else −1. Targets get no gradient. */
export function hinge(x: Tensor, targets: Tensor, options: LossOptions = {}): Tensor {
  return reduceLosses("hinge", x.shape, options, () => oneSided(x, targets));
}

const oneSidedSquare = define("squaredHinge");

/** The square of `hinge`. */
export function squaredHinge(x: Tensor, targets: Tensor, options: LossOptions = {}): Tensor {
  return reduceLosses("squaredHinge", x.shape, options, () => oneSidedSquare(x, targets));
}
