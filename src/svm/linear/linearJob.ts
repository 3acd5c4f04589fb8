/** One weight vector, or the joint training of all (Crammer–Singer): what a worker is given, and gives back. */
import { OptionError } from "../../errors.ts";
import type { Job } from "../workers/job.ts";
import { solveCrammerSinger } from "./crammerSinger.ts";
import { solveLinear } from "./dualCoordinateDescent.ts";
import type { LinearSettings, LinearSolution } from "./problem.ts";
import { solveSgd } from "./sgd.ts";

export interface LinearJobInput {
  readonly columns: number;
  readonly classes: number;
  readonly solver: "dual" | "sgd" | "crammer-singer";
  readonly settings: LinearSettings;
  /** Class code that is +1. Not used by Crammer–Singer. */
  readonly positive: number;
  /** C times the class weight, of each class code. */
  readonly costs: Float64Array;
  readonly start?: Float64Array;
}

/** Shared arrays: `features` (float32, row-major) and `codes`. */
export const linearJob: Job<LinearJobInput, LinearSolution[]> = {
  name: "linear",
  async run({ columns, classes, solver, settings, positive, costs: classCosts, start }, shared, context) {
    const codes = shared["codes"] as Int32Array;
    const features = { data: shared["features"] as Float32Array, rows: codes.length, columns };
    const costs = Float64Array.from(codes, (code) => classCosts[code] as number);
    const warm = start === undefined ? {} : { start };
    if (solver === "crammer-singer") {
      return solveCrammerSinger({ features, codes, classes, costs, ...warm }, settings, context);
    }
    const y = Int8Array.from(codes, (code) => (code === positive ? 1 : -1));
    const problem = { features, y, costs, ...warm };
    if (solver === "dual") return [await solveLinear(problem, settings, context)];
    if (solver === "sgd") return [await solveSgd(problem, settings, context)];
    throw new OptionError({
      where: "trainLinear",
      expected: "solver dual, sgd or crammer-singer",
      got: String(solver),
    });
  },
};
