/**
 * One check for every operation: its value and all its gradients against the float64 reference, over generated cases, as
 * part of the loss L = Σ y·r with random r; the same gradients against central differences of the operation itself; and
 * the same step compiled, fused and not, which must give the bits of the eager one.
 */
import type fc from "fast-check";
import * as assert from "uvu/assert";
import type { Test } from "uvu";
import { mul } from "../../src/kernels/elementwise.ts";
import { sum } from "../../src/kernels/reduce.ts";
import { compile, valueAndGradients, type Device, type Tensor, type TypedArray } from "../../src/tensor/index.ts";
import { assertClose } from "../reference/compare.ts";
import { forAll, values } from "../reference/generate.ts";
import { absolute, dot, map, nd, size, type Nd } from "../reference/nd.ts";
import { assertSameBits } from "../tensor/bits.ts";
import { deviceOf, readFrom, variants } from "../tensor/device.ts";

export interface OpCheck<C> {
  readonly cases: fc.Arbitrary<C>;
  /** Default: 20. */
  readonly numRuns?: number;
  /** The differentiable arguments; every value is a float32. */
  readonly arguments: (drawn: C) => readonly Nd[];
  readonly op: (tensors: readonly Tensor[], drawn: C, device: Device) => Tensor;
  readonly reference: (inputs: readonly Nd[], drawn: C) => Nd;
  readonly gradients: (inputs: readonly Nd[], dy: Nd, drawn: C) => readonly Nd[];
  /** Σ|terms| of the value and of each gradient, for operations that add up. */
  readonly magnitudes?: (inputs: readonly Nd[], dy: Nd, drawn: C) => readonly [y: Nd, ...gradients: Nd[]];
  /** Terms of the longest of those sums. Default: 64. */
  readonly terms?: (drawn: C) => number;
  readonly rtol?: number;
  readonly atol?: number;
  /** Whether the operation has families of kernels, each of which must pass. */
  readonly heavy?: boolean;
  /** Cases that are also compiled, and compared with central differences where the arguments are smooth. Default: 3. */
  readonly deep?: number;
  /** Whether a small step from the arguments crosses no kink, so that central differences exist. Default: true. */
  readonly smooth?: boolean;
}

/** Arguments that any operation on one tensor can be checked with. */
export interface Drawn {
  readonly shape: readonly number[];
  readonly seed: number;
}

/** Registers the check of one operation, once for each family of kernels that it has. */
export function checkOp<C extends { readonly seed: number }>(tests: Test, name: string, check: OpCheck<C>): void {
  for (const variant of check.heavy ? variants : [undefined]) {
    tests(variant === undefined ? name : `${name}, ${variant}`, async () => {
      const device = await deviceOf(variant ?? variants.at(-1)!);
      let left = check.deep ?? 3;
      await forAll(
        check.cases,
        async (drawn) => {
          const deep = left > 0;
          await checkCase(device, name, check, drawn, deep);
          if (deep) left--; // not reached by a failing case, so that the search for a smaller one is as deep
        },
        check.numRuns ?? 20,
      );
    });
  }
}

interface Step {
  readonly y: Tensor;
  readonly loss: Tensor;
  readonly gradients: readonly Tensor[];
}

/** L = Σ op(x)·r and its gradients; the last tensor is r. */
function lossStep(op: (tensors: readonly Tensor[]) => Tensor, tensors: readonly Tensor[]): Step {
  const inputs = tensors.slice(0, -1);
  const made: Tensor[] = [];
  const { value, gradients } = valueAndGradients(() => {
    const y = op(inputs);
    made.push(y);
    return sum(mul(y, tensors.at(-1)!));
  }, inputs);
  return { y: made[0]!, loss: value, gradients };
}

const flat = ({ y, loss, gradients }: Step): readonly Tensor[] => [y, loss, ...gradients];

async function checkCase<C extends { readonly seed: number }>(
  device: Device,
  name: string,
  check: OpCheck<C>,
  drawn: C,
  deep: boolean,
): Promise<void> {
  const inputs = check.arguments(drawn);
  const want = check.reference(inputs, drawn);
  const r = values(want.shape, drawn.seed + 101);
  const arrays = [...inputs, r].map((x) => Float32Array.from(x.data));
  const shapes = [...inputs, r].map(({ shape }) => shape);
  const op = (tensors: readonly Tensor[]): Tensor => check.op(tensors, drawn, device);
  const step = (...tensors: Tensor[]): Step => lossStep(op, tensors);
  const upload = (): Tensor[] => arrays.map((array, k) => device.tensor(array, shapes[k]));

  const [plain, ...eager] = await readFrom(device, () => {
    const tensors = upload();
    const outputs = [op(tensors.slice(0, -1)), ...flat(step(...tensors))];
    assert.equal(outputs[0]!.shape, want.shape, `${name} ${JSON.stringify(drawn)}: shape`);
    return outputs;
  });
  const [y, loss, ...gradients] = eager as [TypedArray, TypedArray, ...TypedArray[]];
  assertSameBits(plain!, y, `${name} ${JSON.stringify(drawn)}: the value outside of a tape`);

  const [magnitude, ...gradientMagnitudes] = check.magnitudes?.(inputs, r, drawn) ?? [];
  const close = (what: string, got: ArrayLike<number>, expected: Nd, bound?: Nd): void =>
    assertClose(got, expected, {
      name: `${name}: ${what}`,
      case: drawn,
      ...(check.rtol === undefined ? {} : { rtol: check.rtol }),
      ...(check.atol === undefined ? {} : { atol: check.atol }),
      ...(bound === undefined ? {} : { magnitude: bound, terms: check.terms?.(drawn) ?? 64 }),
    });
  close("value", y, want, magnitude);
  const total = nd([], [dot(nd(want.shape, y), r)]);
  const mass = nd([], [dot(absolute(nd(want.shape, y)), absolute(r))]);
  assertClose(loss, total, { name: `${name}: Σ y·r`, case: drawn, magnitude: mass, terms: want.data.length });
  check
    .gradients(inputs, r, drawn)
    .forEach((gradient, k) => close(`gradient ${k}`, gradients[k]!, gradient, gradientMagnitudes[k]));
  if (!deep) return;

  if (check.smooth ?? true) await checkDifferences(device, name, op, inputs, r, gradients);
  for (const fuse of [false, true]) {
    const program = await compile(
      device,
      shapes.map((shape) => ({ shape })),
      step,
      { fuse },
    );
    program.run(arrays);
    const compiled = await device.readMany(flat(program.outputs));
    program.dispose();
    compiled.forEach((got, k) =>
      sameNumbers(device, `${name} ${JSON.stringify(drawn)}: output ${k}, fuse ${fuse}`, got, eager[k]!, fuse),
    );
  }
}

/** A GPU's compiler may turn a product and a sum that fusion brought together into one rounding; software does not. */
function sameNumbers(device: Device, what: string, got: TypedArray, want: TypedArray, fused: boolean): void {
  if (device.isSoftware || !fused) assertSameBits(got, want, what);
  else assertClose(got, nd([want.length], want), { name: what, rtol: 1e-5, atol: 1e-5 });
}

const STEP = 2 ** -8;

/** dL/dx · v ≈ (L(x + h v) − L(x − h v)) / 2h along one random direction v for each argument. */
async function checkDifferences(
  device: Device,
  name: string,
  op: (tensors: readonly Tensor[]) => Tensor,
  inputs: readonly Nd[],
  r: Nd,
  gradients: readonly TypedArray[],
): Promise<void> {
  if (inputs.some(({ shape }) => size(shape) > 250)) return;
  for (const [which, x] of inputs.entries()) {
    const direction = values(x.shape, which + 1, { avoid: [0] });
    const lossAt = async (distance: number): Promise<number> => {
      const moved = map(x, (value, i) => value + distance * direction.data[i]!);
      const [y] = await readFrom(device, () => [
        op(inputs.map((input, k) => device.tensor(Float32Array.from((k === which ? moved : input).data), input.shape))),
      ]);
      return dot(nd(r.shape, y!), r);
    };
    const numeric = ((await lossAt(STEP)) - (await lossAt(-STEP))) / (2 * STEP);
    const gradient = nd(x.shape, gradients[which]!);
    const scale = dot(absolute(gradient), absolute(direction));
    const difference = Math.abs(numeric - dot(gradient, direction));
    assert.ok(
      difference <= 0.01 * scale + 0.002,
      `${name}: gradient ${which} is off its central difference by ${difference}`,
    );
  }
}
