/**
 * Greatest and smallest elements over any axes, and where they stand along one.
 *
 *   max:     y[o, i] = maxₖ x[o, k, i]                  dx[o, k, i] = dy[o, i] where k = argMax, else 0
 *   argMax:  y[o, i] = the first k with x[o, k, i] = maxₖ x[o, k, i]
 *
 * All four are one search that carries a value and its place; it starts from a real element, for WGSL has no −∞. Of equal
 * elements the first wins, as in NumPy. Groups of axes are searched one after the other, the last first, and each is an
 * operation of its own: what comes first along the first axis comes first in row order.
 */
import {
  defineKernel,
  defineOp,
  run,
  type BindingType,
  type Constants,
  type Shape,
  type Tensor,
} from "../tensor/index.ts";
import { planReduction, reductionUniforms, roundOf, slicesOf, walk, wideWorkgroup } from "./reduction.ts";
import type { Group, ReduceOptions, Reduction } from "./reduction.ts";
import { reshape } from "./reshape.ts";

const beats = ({ least }: Constants) => (least === true ? "<" : ">");

/** Searches one invocation's elements, from `step` to `step`. An empty slice holds the last element. */
function search(constants: Constants, step: number, later: boolean, lanePlace = (k: string) => `u32v(${k})`): string {
  const place = (k: string) => (later ? `earlier[base + ${k} * u.inner]` : lanePlace(k));
  return /* wgsl */ `
      let start = min(first, end - 1u);
      var best = x[base + start * u.inner];
      var place = ${place("start")};
      for (var k = start + ${step}u; k < end; k += ${step}u) {
        let value = x[base + k * u.inner];
        let better = value ${beats(constants)} best;
        best = select(best, value, better);
        place = select(place, ${place("k")}, better);
      }`;
}

/** The first of two, unless the second beats it or is its equal and stands before it. */
const FOUND = (constants: Constants) => /* wgsl */ `
    struct Found { value: f32, place: u32 }
    fn firstOf(a: Found, b: Found) -> Found {
      if (b.value ${beats(constants)} a.value || (b.value == a.value && b.place < a.place)) { return b; }
      return a;
    }`;

/** Places of the lanes of vector k of a line. */
const alongLine = (k: string) => `(4u * ${k} + vec4u(0u, 1u, 2u, 3u))`;

/** `winner` is the place along k. Rounds after the first find it in `earlier`, beside the value. */
function extremumKernels<I extends string>(name: string, inputs: Readonly<Record<I, "f32v" | "u32v">>) {
  const later = "earlier" in inputs;
  const declaration = { inputs, outputs: { y: "realv", winner: "u32v" }, uniforms: reductionUniforms } as const;
  const keep = (constants: Constants, statement: string) => (constants["keep"] === true ? statement : "");
  return {
    narrow: defineKernel({
      ...declaration,
      name,
      wgsl: (constants) => /* wgsl */ `
    fn run(i: u32) {                                       // one thread per (outer, block, inner)
      ${walk(false, constants)}
      ${search(constants, 1, later)}
      store_y(result, best);
      ${keep(constants, "store_winner(result, place);")}
    }`,
      flops: (threads, u, { width }) => threads * u.block * (width as number),
    }),
    line: defineKernel({
      ...declaration,
      name: `${name}.line`,
      outputs: { y: "real", winner: "u32" },
      wgsl: (constants) => /* wgsl */ `${FOUND(constants)}
    fn run(i: u32) {                                       // one thread per (outer, block)
      ${walk(false, constants)}
      ${search(constants, 1, later, alongLine)}
      let low = firstOf(Found(best.x, place.x), Found(best.y, place.y));
      let won = firstOf(low, firstOf(Found(best.z, place.z), Found(best.w, place.w)));
      store_y(result, won.value);
      ${keep(constants, "store_winner(result, won.place);")}
    }`,
      flops: (threads, u) => threads * u.block * 4,
    }),
    wide: defineKernel({
      ...declaration,
      name: `${name}.wide`,
      grid: "groups",
      workgroup: wideWorkgroup,
      wgsl: (constants) => /* wgsl */ `
    var<workgroup> values: array<f32v, ${wideWorkgroup()}>;
    var<workgroup> places: array<u32v, ${wideWorkgroup()}>;
    fn run(group: vec3u, lane: u32) {                      // one workgroup per (outer, block, columns side by side)
      ${walk(true, constants)}
      ${search(constants, slicesOf(constants), later)}
      values[lane] = best; places[lane] = place;
      for (var half = ${slicesOf(constants) / 2}u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (slice < half) {
          let other = lane + half * ${constants["across"] as number}u;
          let value = values[other];
          let equal = (value == best) & (places[other] < place);
          let better = (value ${beats(constants)} best) | equal;
          best = select(best, value, better); place = select(place, places[other], better);
          values[lane] = best; places[lane] = place;
        }
      }
      if (slice == 0u && wanted == column) {
        store_y(result, best);
        ${keep(constants, "store_winner(result, place);")}
      }
    }`,
      flops: (_, u, { width }) => u.k * u.inner * (width as number),
    }),
  };
}

const firstRound = extremumKernels("extremum", { x: "f32v" });
const laterRound = extremumKernels("extremum.later", { x: "f32v", earlier: "u32v" });

interface Search {
  readonly where: string;
  readonly least: boolean;
  /** Whether places are wanted. */
  readonly keep: boolean;
}

interface Found {
  /** `[outer, 1, inner]`, both. */
  readonly y: Tensor;
  readonly winner: Tensor;
}

/** Searches one group in rounds of blocks. */
function searchGroup(x: Tensor, { outer, k, inner }: Group, wanted: Search, earlier?: Tensor): Found {
  const { form, constants, uniforms, grid } = roundOf(x.device, { outer, k, inner });
  const { where, least, keep } = wanted;
  const shape = [outer, uniforms.blocks, inner];
  const outputs = { y: shape, winner: keep ? shape : [4] };
  const options = { where, constants: { ...constants, least, keep }, ...grid };
  const found =
    earlier && keep
      ? run(laterRound[form], { x, earlier }, outputs, uniforms, options)
      : run(firstRound[form], { x }, outputs, uniforms, options);
  return uniforms.blocks === 1
    ? found
    : searchGroup(found.y, { outer, k: uniforms.blocks, inner }, wanted, found.winner);
}

/** Elements (or vectors) that one invocation of the gradient writes. */
const BLOCK = 16;

/** `places`: where the elements of vector k stand along k. */
function gradientKernel(
  name: string,
  inputs: Readonly<{ dy: BindingType; winner: BindingType }>,
  places: (k: string) => string,
) {
  return defineKernel({
    name,
    inputs,
    outputs: { dx: "realv" },
    uniforms: reductionUniforms,
    wgsl: (constants) => /* wgsl */ `
    fn run(i: u32) {                                       // one thread per (outer, block, inner)
      ${walk(false, constants)}
      let d = f32v(dy[outer * u.inner + column]); let place = u32v(winner[outer * u.inner + column]);
      for (var k = first; k < end; k++) { store_dx(base + k * u.inner, select(f32v(), d, place == ${places("k")})); }
    }`,
  });
}

const gradientKernels = {
  narrow: gradientKernel("extremum.grad", { dy: "f32v", winner: "u32v" }, (k) => `u32v(${k})`),
  line: gradientKernel("extremum.grad.line", { dy: "f32", winner: "u32" }, alongLine),
};

function gradientOf(where: string, dy: Tensor, winner: Tensor, { outer, k, inner }: Group, shape: Shape): Tensor {
  const form = inner === 1 && k % 4 === 0 ? "line" : "narrow";
  const width = form === "line" || inner % 4 === 0 ? 4 : 1;
  const [along, columns] = form === "line" ? [k / width, 1] : [k, inner / width];
  const blocks = Math.ceil(along / BLOCK);
  const options = { where, constants: { width }, threads: outer * blocks * columns };
  const sizes = { k: along, block: BLOCK, blocks, inner: columns };
  return run(gradientKernels[form], { dy, winner }, { dx: shape }, sizes, options).dx;
}

function define(name: string, least: boolean): (x: Tensor, options?: ReduceOptions) => Tensor {
  const overGroup = defineOp(name, {
    forward(x: Tensor, group: Group) {
      const keep = x.device.tape?.tracks(x) ?? false;
      const { y, winner } = searchGroup(x, group, { where: name, least, keep });
      return { output: y, saved: { winner, group, shape: x.shape } };
    },
    backward: (dy, { winner, group, shape }) => [gradientOf(name, dy, winner, group, shape)],
  });
  return (x, options = {}) => {
    const { groups, outShape } = planReduction(name, x.shape, options);
    return reshape(groups.reduce(overGroup, x), outShape);
  };
}

/** Maximum over axes. Where several elements are greatest, the first in row order gets the gradient. */
export const max = define("max", false);

/** Minimum over axes. Where several elements are smallest, the first in row order gets the gradient. */
export const min = define("min", true);

/** Maximum over the axes of a reduction, with its shape. For use inside of operations: it is not recorded. */
export function maxOver(x: Tensor, { where, groups, outShape }: Reduction): Tensor {
  const wanted = { where, least: false, keep: false };
  return reshape.raw(
    groups.reduce((partial, group) => searchGroup(partial, group, wanted).y, x),
    outShape,
  );
}

function defineArg(name: string, least: boolean): (x: Tensor, axis?: number) => Tensor {
  return defineOp(name, {
    forward(x: Tensor, axis: number = -1) {
      const { groups, outShape } = planReduction(name, x.shape, { axes: [axis] });
      const { winner } = searchGroup(x, groups[0]!, { where: name, least, keep: true });
      return { output: reshape.raw(winner, outShape), saved: null };
    },
    backward: "not differentiable",
  });
}

/** Index of the greatest element along `axis` (default: the last), u32, without that axis; of equal ones the first. */
export const argMax = defineArg("argMax", false);

/** Index of the smallest element along `axis` (default: the last), u32, without that axis; of equal ones the first. */
export const argMin = defineArg("argMin", true);
