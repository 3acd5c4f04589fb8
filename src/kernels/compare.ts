/**
 * Comparisons and choices, element by element; operands broadcast as in NumPy.
 *
 *   greater(a, b) = 1 where a > b, 0 elsewhere, and so on        not differentiable: its derivative is 0 wherever it exists
 *   select(c, a, b) = a where c ≠ 0, b elsewhere                 da = dy where c ≠ 0, db = dy elsewhere
 */
import { broadcastShapes, defineOp, runMap, type MapFunction, type Tensor } from "../tensor/index.ts";
import { sumTo } from "./reduce.ts";

function define(name: string, operator: string): (a: Tensor, b: Tensor) => Tensor {
  const call: MapFunction = {
    name,
    parameters: ["a", "b"],
    body: `select(f32v(0.0), f32v(1.0), a ${operator} b)`,
  };
  return defineOp(name, {
    forward: (a: Tensor, b: Tensor) => ({
      output: runMap(call, [a, b], broadcastShapes(name, a.shape, b.shape)),
      saved: null,
    }),
    backward: "not differentiable",
  });
}

/** 1 where a = b, else 0. */
export const equal = define("equal", "==");
/** 1 where a ≠ b, else 0. */
export const notEqual = define("notEqual", "!=");
/** 1 where a > b, else 0. */
export const greater = define("greater", ">");
/** 1 where a ≥ b, else 0. */
export const greaterEqual = define("greaterEqual", ">=");
/** 1 where a < b, else 0. */
export const less = define("less", "<");
/** 1 where a ≤ b, else 0. */
export const lessEqual = define("lessEqual", "<=");

const SELECT: MapFunction = {
  name: "select",
  parameters: ["condition", "a", "b"],
  body: "select(b, a, condition != f32v(0.0))",
};
const WHERE_TRUE: MapFunction = {
  name: "select_a_derivative",
  parameters: ["condition", "dy"],
  body: "select(f32v(0.0), dy, condition != f32v(0.0))",
};
const WHERE_FALSE: MapFunction = {
  name: "select_b_derivative",
  parameters: ["condition", "dy"],
  body: "select(dy, f32v(0.0), condition != f32v(0.0))",
};

/** `a` where `condition` (f32) is not 0, `b` elsewhere; all three broadcast. */
export const select = defineOp("select", {
  forward(condition: Tensor, a: Tensor, b: Tensor) {
    const where = "select";
    const shape = broadcastShapes(where, broadcastShapes(where, condition.shape, a.shape), b.shape);
    const output = runMap(SELECT, [condition, a, b], shape, { where, dtype: a.dtype });
    return { output, saved: { condition, shapes: [a.shape, b.shape] } };
  },
  backward(dy, { condition, shapes }, wants) {
    const gradients = [WHERE_TRUE, WHERE_FALSE].map((call, k) =>
      wants[k + 1] ? sumTo(runMap(call, [condition, dy], dy.shape, { dtype: dy.dtype }), shapes[k]!) : null,
    );
    return [null, ...gradients];
  },
});
