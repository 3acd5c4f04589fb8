/**
 * jax-js on its WebGPU backend over the same Dawn adapter: every case is a function that `jit` compiles. Its arrays are
 * counted by hand: a function uses its arguments up, and `.ref` keeps one for another use.
 */
import type * as JaxLibrary from "@jax-js/jax";
import { waitFor } from "#gpu";
import type { AdapterOptions, Device } from "../../src/tensor/index.ts";
import type { Contender, Engine, Loaded } from "../engine.ts";
import type { InputSpec, InputValues } from "../inputs.ts";
import { channelsFirst, channelsLast, type Layout } from "../layout.ts";
import { VERSIONS } from "../versions.ts";
import { provideBrowserGlobals } from "./browserGlobals.ts";
import { flattened, type Results } from "./results.ts";

export type JaxApi = typeof JaxLibrary;
export type JaxArray = JaxLibrary.Array;

export interface Jax extends Engine {
  readonly library: "jax";
  readonly jax: JaxApi;
}

export async function jaxEngine(device: Device, options: AdapterOptions): Promise<Jax> {
  await provideBrowserGlobals(options);
  const jax = await import("@jax-js/jax");
  const started = await jax.init("webgpu");
  if (!started.includes("webgpu")) throw new Error("jax-js cannot start its webgpu backend here");
  jax.defaultDevice("webgpu");
  const { queue } = jax.getWebGPUDevice();
  return {
    library: "jax",
    name: "jax-js",
    version: VERSIONS.jax,
    jax,
    enter: async () => undefined,
    sync: () => waitFor(queue.onSubmittedWorkDone(), device.adapter.kind),
  };
}

/** An array that is on the device before anything is timed. */
export function loadArray({ jax }: Jax, input: InputValues, layout?: Layout): JaxArray {
  const { shape, values } = channelsFirst(input, layout);
  const whole = !(values instanceof Float32Array);
  const array = jax.numpy.array(whole ? Int32Array.from(values) : values, { shape: [...shape] });
  submit([array]);
  return array;
}

/** Its work is lazy: this hands over what the arrays need, without waiting for it. */
export function submit(arrays: readonly JaxArray[]): void {
  for (const array of arrays) array.ref.gpuBufferSync();
}

export async function readArray(array: JaxArray, layout?: Layout): Promise<Float32Array<ArrayBuffer>> {
  const values = Float32Array.from((await array.ref.data()) as ArrayLike<number>);
  return channelsLast({ shape: array.shape, values }, layout).values;
}

/** The result of `body`, and its gradients with respect to its arguments for `dy` coming in. */
export function jaxGradients(
  { vjp }: JaxApi,
  body: (...x: JaxArray[]) => JaxArray,
  variables: readonly JaxArray[],
  dy: JaxArray,
): JaxArray[] {
  const [value, pull] = vjp(body, [...variables]);
  const gradients = pull(dy);
  pull.dispose();
  return [value, ...gradients];
}

export interface JaxOp {
  readonly specs: readonly InputSpec[];
  readonly layouts: readonly (Layout | undefined)[];
  readonly op: (jax: JaxApi, ...inputs: JaxArray[]) => Results<JaxArray>;
}

/** An operation over inputs that are on the device. */
export function loadJaxOp(engine: Jax, inputs: readonly InputValues[], { specs, layouts, op }: JaxOp): Loaded {
  const { jax } = engine;
  const arrays = inputs.map((input, index) => loadArray(engine, input, specs[index]!.layout));
  return {
    async start(): Promise<Contender> {
      const compiled = jax.jit((...given: JaxArray[]) => flattened(op(jax, ...given)));
      let results: JaxArray[] = [];
      const drop = () => results.forEach((result) => result.dispose());
      return {
        run(times) {
          for (let turn = 0; turn < times; turn++) {
            drop();
            results = compiled(...arrays.map((array) => array.ref));
            submit(results);
          }
        },
        values: () => Promise.all(results.map((result, index) => readArray(result, layouts[index]))),
        dispose() {
          drop();
          arrays.forEach((array) => array.dispose());
          compiled.dispose();
        },
      };
    },
  };
}

/** A parameter, and what Adam keeps beside it. */
export interface Moments {
  readonly parameter: JaxArray;
  readonly mean: JaxArray;
  readonly square: JaxArray;
}

/** Adam, which jax-js leaves to its users: one step, with the defaults of ours. `count`: steps, this one included. */
export function adam(
  { numpy }: JaxApi,
  { parameter, mean, square }: Moments,
  gradient: JaxArray,
  count: JaxArray,
  rate: number,
): Moments {
  const [beta1, beta2, epsilon] = [0.9, 0.999, 1e-7];
  const m = numpy.add(numpy.multiply(mean, beta1), numpy.multiply(gradient.ref, 1 - beta1));
  const v = numpy.add(numpy.multiply(square, beta2), numpy.multiply(numpy.square(gradient), 1 - beta2));
  const corrected = (average: JaxArray, beta: number, steps: JaxArray) =>
    numpy.trueDivide(average, numpy.subtract(1, numpy.exp(numpy.multiply(steps, Math.log(beta)))));
  const root = numpy.add(numpy.sqrt(corrected(v.ref, beta2, count.ref)), epsilon);
  const shift = numpy.multiply(numpy.trueDivide(corrected(m.ref, beta1, count), root), rate);
  return { parameter: numpy.subtract(parameter, shift), mean: m, square: v };
}

/** Work on a state that each run makes anew from the last: the step of an optimiser. `values` are the first array's. */
export function loadJaxUpdate(
  engine: Jax,
  state: readonly InputValues[],
  fixed: readonly InputValues[],
  step: (jax: JaxApi, state: readonly JaxArray[], fixed: readonly JaxArray[]) => JaxArray[],
): Loaded {
  const { jax } = engine;
  let current = state.map((input) => loadArray(engine, input));
  const given = fixed.map((input) => loadArray(engine, input));
  return {
    async start(): Promise<Contender> {
      const compiled = jax.jit((now: JaxArray[], others: JaxArray[]) => step(jax, now, others));
      return {
        run(times) {
          for (let turn = 0; turn < times; turn++) {
            current = compiled(
              current,
              given.map((array) => array.ref),
            );
            submit(current);
          }
        },
        values: async () => [await readArray(current[0]!)],
        dispose() {
          for (const array of [...current, ...given]) array.dispose();
          compiled.dispose();
        },
      };
    },
  };
}
