/**
 * Gradients without calculus, to check the gradients that calculus gave.
 */
import { map, zeros, type Nd } from "./nd.ts";

/** ∂f/∂xᵢ ≈ (f(x + h eᵢ) − f(x − h eᵢ)) / 2h for every element of `inputs[which]`; error O(h²) + rounding/h. */
export function finiteDifferences(
  f: (inputs: readonly Nd[]) => number,
  inputs: readonly Nd[],
  which: number,
  epsilon = 1e-6,
): Nd {
  const x = inputs[which]!;
  const moved = (i: number, by: number): readonly Nd[] =>
    inputs.map((input, k) => (k === which ? map(x, (value, j) => (j === i ? value + by : value)) : input));
  const gradient = zeros(x.shape);
  for (let i = 0; i < x.data.length; i++) {
    gradient.data[i] = (f(moved(i, epsilon)) - f(moved(i, -epsilon))) / (2 * epsilon);
  }
  return gradient;
}
