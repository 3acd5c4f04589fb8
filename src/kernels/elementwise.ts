/**
 * Element-wise operations, all on one page: a forward expression and its derivatives over lane vectors.
 *
 * A derivative is written in dy and whatever it needs of the arguments or of the result y; only what it names is kept
 * for the backward pass. Operands broadcast as in NumPy; a broadcast operand's gradient is summed back to its shape.
 */
import { OptionError } from "../errors.ts";
import { broadcastShapes, defineOp, runMap, type MapFunction, type Shape, type Tensor } from "../tensor/index.ts";
import { sumTo } from "./reduce.ts";

/** `[forward in x, derivative in dy and x or y]` */
type Unary = readonly [forward: string, derivative: string];
/** `[forward in a and b, dL/da, dL/db]`, derivatives in dy, a, b and y */
type Binary = readonly [forward: string, da: string, db: string];

const GELU_SCALE = "0.7978845608028654"; // √(2/π)
const geluText = (part: "value" | "derivative") => {
  const inner = `${GELU_SCALE} * (x + 0.044715 * x * x * x)`;
  // tanh overflows to NaN for large arguments on some drivers; it has saturated long before 10
  const t = `tanh(clamp(${inner}, f32v(-10.0), f32v(10.0)))`;
  if (part === "value") return `0.5 * x * (1.0 + ${t})`;
  return `dy * (0.5 * (1.0 + ${t}) + 0.5 * x * (1.0 - ${t} * ${t}) * ${GELU_SCALE} * (1.0 + 0.134145 * x * x))`;
};
/** Φ(x) by its tail Φ(−|x|) = φ(x)·P(t), within 7.5e-8 (Abramowitz and Stegun 1964, 26.2.17); WGSL has no erf. */
const NORMAL_DENSITY = "0.3989422804014327 * exp(-0.5 * x * x)";
const TAIL_STEP = "(1.0 / (1.0 + 0.2316419 * abs(x)))";
const NORMAL_TAIL = [1.330274429, -1.821255978, 1.781477937, -0.356563782, 0.31938153].reduce(
  (inner, coefficient) => `${TAIL_STEP} * (${coefficient}${inner && ` + ${inner}`})`,
  "",
);
const NORMAL = `abs(select(f32v(0.0), f32v(1.0), x > f32v(0.0)) - ${NORMAL_DENSITY} * ${NORMAL_TAIL})`;
const SIGMOID = "1.0 / (1.0 + exp(-x))";

const unary = {
  neg: ["-x", "-dy"],
  exp: ["exp(x)", "dy * y"],
  log: ["log(x)", "dy / x"],
  sqrt: ["sqrt(x)", "dy * 0.5 / y"],
  square: ["x * x", "dy * 2.0 * x"],
  abs: ["abs(x)", "dy * sign(x)"],
  relu: ["max(x, f32v(0.0))", "select(f32v(0.0), dy, y > f32v(0.0))"],
  relu6: ["clamp(x, f32v(0.0), f32v(6.0))", "select(f32v(0.0), dy, (y > f32v(0.0)) & (y < f32v(6.0)))"],
  sigmoid: [SIGMOID, "dy * y * (1.0 - y)"],
  tanh: ["tanh(clamp(x, f32v(-10.0), f32v(10.0)))", "dy * (1.0 - y * y)"],
  softplus: ["max(x, f32v(0.0)) + log(1.0 + exp(-abs(x)))", `dy * (${SIGMOID})`],
  silu: [`x * (${SIGMOID})`, `dy * (${SIGMOID}) * (1.0 + x * (1.0 - ${SIGMOID}))`],
  gelu: [geluText("value"), geluText("derivative")],
  geluExact: [`x * ${NORMAL}`, `dy * (${NORMAL} + x * ${NORMAL_DENSITY})`],
} as const satisfies Record<string, Unary>;

const binary = {
  add: ["a + b", "dy", "dy"],
  sub: ["a - b", "dy", "-dy"],
  mul: ["a * b", "dy * b", "dy * a"],
  div: ["a / b", "dy / b", "-dy * y / b"],
  maximum: ["max(a, b)", "select(f32v(0.0), dy, a >= b)", "select(f32v(0.0), dy, a < b)"],
  minimum: ["min(a, b)", "select(f32v(0.0), dy, a <= b)", "select(f32v(0.0), dy, a > b)"],
  pow: ["pow(a, b)", "dy * b * pow(a, b - 1.0)", "dy * y * log(a)"],
} as const satisfies Record<string, Binary>;

export type UnaryName = keyof typeof unary;

/** Activations that a matmul or convolution can apply while it stores: their derivative needs nothing but the result. */
export type FusedActivation = "relu" | "relu6" | "sigmoid" | "tanh";

/** The forward function of a unary operation, for a kernel's epilogue. */
export function activationFunction(name: FusedActivation): MapFunction {
  return { name, parameters: ["x"], body: unary[name][0] };
}

/** dL/dx of a fused activation, from dL/dy and y. */
export function activationGradient(name: FusedActivation, dy: Tensor, y: Tensor): Tensor {
  return runMap(derivative(name, unary[name][1]), [dy, y], dy.shape);
}

/** A derivative's parameters are the names it mentions, dy first. */
function derivative(name: string, body: string): MapFunction {
  const parameters = ["dy", "x", "a", "b", "y"].filter((word) => new RegExp(`\\b${word}\\b`).test(body));
  return { name: `${name}_derivative`, parameters, body };
}

function defineUnary(name: UnaryName): (x: Tensor) => Tensor {
  const [forwardBody, derivativeBody] = unary[name];
  const forward: MapFunction = { name, parameters: ["x"], body: forwardBody };
  const gradient = derivative(name, derivativeBody);
  return defineOp(name, {
    forward(x: Tensor) {
      const output = runMap(forward, [x], x.shape);
      return { output, saved: { x, y: output } };
    },
    backward(dy, saved) {
      const named: Record<string, Tensor> = { dy, ...saved };
      return [
        runMap(
          gradient,
          gradient.parameters.map((word) => named[word]!),
          dy.shape,
        ),
      ];
    },
  });
}

function defineBinary(name: keyof typeof binary): (a: Tensor, b: Tensor) => Tensor {
  const [forwardBody, ...derivativeBodies] = binary[name];
  const forward: MapFunction = { name, parameters: ["a", "b"], body: forwardBody };
  const gradients = derivativeBodies.map((body, index) => derivative(`${name}_${"ab"[index]}`, body));
  return defineOp(name, {
    forward(a: Tensor, b: Tensor) {
      const output = runMap(forward, [a, b], broadcastShapes(name, a.shape, b.shape));
      return { output, saved: { a, b, y: output } };
    },
    backward(dy, saved, wants) {
      const named: Record<string, Tensor> = { dy, ...saved };
      const gradientOf = (index: 0 | 1, shape: Shape): Tensor | null => {
        if (!wants[index]) return null;
        const { parameters, body } = gradients[index]!;
        const full =
          body === "dy"
            ? dy
            : runMap(
                gradients[index]!,
                parameters.map((word) => named[word]!),
                dy.shape,
              );
        return sumTo(full, shape);
      };
      return [gradientOf(0, saved.a.shape), gradientOf(1, saved.b.shape)];
    },
  });
}

/** −x */
export const neg = defineUnary("neg");
/** eˣ */
export const exp = defineUnary("exp");
/** Natural logarithm; NaN below zero. */
export const log = defineUnary("log");
export const sqrt = defineUnary("sqrt");
/** x² */
export const square = defineUnary("square");
/** |x|; derivative 0 at 0. */
export const abs = defineUnary("abs");
/** max(x, 0); derivative 0 at 0. */
export const relu = defineUnary("relu");
/** min(max(x, 0), 6) */
export const relu6 = defineUnary("relu6");
/** 1 / (1 + e⁻ˣ) */
export const sigmoid = defineUnary("sigmoid");
export const tanh = defineUnary("tanh");
/** ln(1 + eˣ), computed so that it neither overflows nor loses small values. */
export const softplus = defineUnary("softplus");
/** x · sigmoid(x), also called swish (Ramachandran et al. 2017). */
export const silu = defineUnary("silu");
/** Gaussian error linear unit, tanh form (Hendrycks and Gimpel 2016, section 2). */
export const gelu = defineUnary("gelu");
/** Gaussian error linear unit x·Φ(x) (Hendrycks and Gimpel 2016, section 2), PyTorch's default; Φ within 7.5e-8. */
export const geluExact = defineUnary("geluExact");
/** a + b, broadcasting. */
export const add = defineBinary("add");
/** a − b, broadcasting. */
export const sub = defineBinary("sub");
/** a · b element by element, broadcasting. */
export const mul = defineBinary("mul");
/** a / b, broadcasting. */
export const div = defineBinary("div");
/** The greater of a and b, broadcasting; where they are equal the gradient goes to a. */
export const maximum = defineBinary("maximum");
/** The smaller of a and b, broadcasting; where they are equal the gradient goes to a. */
export const minimum = defineBinary("minimum");
/** aᵇ for a > 0, broadcasting. */
export const pow = defineBinary("pow");

/** x if x > 0, else slope · x (Maas et al. 2013), with derivative `slope` at 0. `slope`, in (0, 1], defaults to 0.01. */
export function leakyRelu(x: Tensor, slope = 0.01): Tensor {
  if (!(slope > 0 && slope <= 1)) {
    throw new OptionError({ where: "leakyRelu", expected: "a slope in (0, 1]", got: String(slope) });
  }
  return maximum(mul(x, x.device.constant(slope)), x);
}
