/**
 * Clamp: values are kept between two bounds.
 *
 *   y = min(max(x, low), high)          dx = dy where low ≤ x ≤ high, else 0
 */
import { OptionError } from "../errors.ts";
import { defineOp, runMap, type MapFunction, type Tensor } from "../tensor/index.ts";

const CLAMP: MapFunction = { name: "clamp", parameters: ["x", "low", "high"], body: "clamp(x, low, high)" };
const GRADIENT: MapFunction = {
  name: "clamp_derivative",
  parameters: ["x", "low", "high", "dy"],
  body: "select(f32v(0.0), dy, (x >= low) & (x <= high))",
};

/** min(max(x, low), high); the bounds themselves pass the gradient on, as in PyTorch. Throws `OptionError` if low > high. */
export const clamp = defineOp("clamp", {
  forward(x: Tensor, low: number, high: number) {
    if (!(low <= high)) {
      throw new OptionError({ where: "clamp", expected: "low ≤ high", got: `${low} and ${high}` });
    }
    const operands = [x, x.device.constant(low), x.device.constant(high)];
    return { output: runMap(CLAMP, operands, x.shape), saved: operands };
  },
  backward: (dy, operands) => [runMap(GRADIENT, [...operands, dy], dy.shape)],
});
