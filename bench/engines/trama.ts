/** Our side: operations measured as they are used, compiled. */
import { compile, defineOp, free, keep, valueAndGradients, type Device, type Tensor } from "../../src/tensor/index.ts";
import type { Contender, Engine, Loaded } from "../engine.ts";
import type { InputValues } from "../inputs.ts";
import { VERSIONS } from "../versions.ts";
import { flattened, type Results } from "./results.ts";

export interface Trama extends Engine {
  readonly device: Device;
}

export function tramaEngine(device: Device): Trama {
  return {
    name: "trama",
    version: VERSIONS.trama,
    device,
    enter: async () => undefined,
    sync: () => device.idle(),
  };
}

/** Tensors that a case keeps, and frees together at its end. */
export class Holder {
  readonly #held: Tensor[] = [];

  readonly hold = (tensor: Tensor): Tensor => {
    this.#held.push(keep(tensor));
    return tensor;
  };

  release(): void {
    this.#held.forEach(free);
  }
}

/** A tensor on the device; bytes travel packed, four to a word. */
function loadTensor(device: Device, { values, shape }: InputValues): Tensor {
  if (values instanceof Uint8Array) return device.tensor(new Uint32Array(values.buffer));
  return device.tensor(values, shape);
}

/** An operation over inputs that are on the device. */
export function loadOp(
  device: Device,
  inputs: readonly InputValues[],
  op: (...inputs: Tensor[]) => Results<Tensor>,
): Loaded {
  const holder = new Holder();
  const tensors = inputs.map((input) => holder.hold(loadTensor(device, input)));
  return {
    async start(): Promise<Contender> {
      const program = await compile(device, [], () => flattened(op(...tensors)));
      return {
        run: (times) => program.run([], times),
        values: () => device.readMany(program.outputs),
        dispose() {
          program.dispose();
          holder.release();
        },
      };
    },
  };
}

/** Work that changes the first of its inputs in place. */
export function loadUpdate(
  device: Device,
  inputs: readonly InputValues[],
  update: (...inputs: Tensor[]) => void,
): Loaded {
  const holder = new Holder();
  const tensors = inputs.map((input) => holder.hold(loadTensor(device, input)));
  return {
    async start(): Promise<Contender> {
      const program = await compile(device, [], () => {
        update(...tensors);
        return null;
      });
      return {
        run: (times) => program.run([], times),
        values: () => device.readMany(tensors.slice(0, 1)),
        dispose() {
          program.dispose();
          holder.release();
        },
      };
    },
  };
}

/** A scalar whose gradient with respect to `y` is `dy`: the gradient alone is computed, with nothing added around it. */
const pullFrom = defineOp("pullFrom", {
  forward: (y: Tensor, dy: Tensor) => ({ output: y.device.constant(0), saved: dy }),
  backward: (_one, dy) => [dy, null],
});

/** The gradient of `body` with respect to `variable`, for `dy` coming in. */
export function gradientOf(body: () => Tensor, variable: Tensor, dy: Tensor): Tensor {
  return valueAndGradients(() => pullFrom(body(), dy), [variable]).gradients[0]!;
}

/** The result of `body`, and its gradients with respect to `variables` for `dy` coming in. */
export function withGradients(body: () => Tensor, variables: readonly Tensor[], dy: Tensor): Tensor[] {
  let value: Tensor | undefined;
  const { gradients } = valueAndGradients(() => pullFrom((value = body()), dy), variables);
  return [value!, ...gradients];
}
