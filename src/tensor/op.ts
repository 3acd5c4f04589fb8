/**
 * An operation: what it computes and how gradients pass through it, in one place. None can be defined without its
 * gradient, or the words "not differentiable".
 */
import type { Backward } from "./tape.ts";
import { tensorsIn, type Tensor } from "./tensor.ts";

export interface OpDefinition<A extends readonly unknown[], S> {
  /** Computes the output and names what the gradient needs of it. */
  forward(...args: A): { readonly output: Tensor; readonly saved: S };
  /**
   * From dL/dy to dL/dx for each tensor among the arguments, in order of appearance; null for one that cannot have a
   * gradient. `wants[k]` is false where nobody asks for the k-th: return null and save the work.
   */
  readonly backward:
    "not differentiable" | ((dy: Tensor, saved: S, wants: readonly boolean[]) => readonly (Tensor | null)[]);
}

/** Makes the function that users call. Its tensor arguments may stand alone, in arrays, or in an options object. */
export function defineOp<A extends readonly unknown[], S>(
  name: string,
  definition: OpDefinition<A, S>,
): (...args: A) => Tensor {
  const { forward, backward } = definition;
  return (...args) => {
    const { output, saved } = forward(...args);
    const { tape } = output.device;
    if (tape) {
      const pull: Backward | null =
        backward === "not differentiable" ? null : (dy, wants) => backward(dy, saved, wants);
      tape.record(name, tensorsIn(args), output, pull);
    }
    return output;
  };
}
