/** Activations: one node where opset 17 has one, a few where it has none. */
import type { ActivationName } from "../nn/index.ts";
import type { Value } from "./graph.ts";
import { node, scalar, type Scope, type Translate } from "./scope.ts";

/** Names the result of the function of a value. */
type Apply = (scope: Scope, x: Value, slope: number) => string;

const one =
  (operator: string): Apply =>
  (scope, x) =>
    node(scope, operator, [x.name]);

/** x/2 · (1 + f(x)) */
function halfOf(scope: Scope, x: Value, inner: string): string {
  const shifted = node(scope, "Add", [inner, scalar(scope, "one", 1)]);
  const half = node(scope, "Mul", [x.name, scalar(scope, "half", 0.5)]);
  return node(scope, "Mul", [half, shifted]);
}

const functions: Readonly<Record<ActivationName, Apply>> = {
  relu: one("Relu"),
  relu6: (scope, x) => node(scope, "Clip", [x.name, scalar(scope, "min", 0), scalar(scope, "max", 6)]),
  leakyRelu: (scope, x, slope) => node(scope, "LeakyRelu", [x.name], { alpha: { float: slope } }),
  sigmoid: one("Sigmoid"),
  tanh: one("Tanh"),
  softplus: one("Softplus"),
  silu: (scope, x) => node(scope, "Mul", [x.name, node(scope, "Sigmoid", [x.name])]),
  gelu(scope, x) {
    const square = node(scope, "Mul", [x.name, x.name]);
    const cubic = node(scope, "Mul", [square, scalar(scope, "cubic", 0.044715)]);
    const factor = node(scope, "Add", [cubic, scalar(scope, "linear", 1)]);
    const bent = node(scope, "Mul", [x.name, factor]);
    const scaled = node(scope, "Mul", [bent, scalar(scope, "scale", Math.sqrt(2 / Math.PI))]);
    return halfOf(scope, x, node(scope, "Tanh", [scaled]));
  },
  geluExact(scope, x) {
    const scaled = node(scope, "Mul", [x.name, scalar(scope, "scale", Math.SQRT1_2)]);
    return halfOf(scope, x, node(scope, "Erf", [scaled]));
  },
  softmax: (scope, x) => node(scope, "Softmax", [x.name], { axis: x.channelsFirst ? 1 : -1 }),
};

/** The function of a value; without a name, the value. */
export function activated(scope: Scope, x: Value, name: ActivationName | undefined, slope = 0.01): Value {
  return name === undefined ? x : { ...x, name: functions[name](scope, x, slope) };
}

export const activation: Translate = (scope, x, { config }) => {
  const { kind, slope } = config as { kind: ActivationName; slope?: number };
  return activated(scope, x, kind, slope);
};
