/** An epoch as a list of programs: full batches and the smaller one at the end, alone or several to an update. */
import type { BatchPlace } from "../kernels/index.ts";
import type { Program } from "../tensor/index.ts";
import type { Phase } from "./trainingStep.ts";

/** Steps of one kind that follow each other. */
export interface Part {
  readonly program: Program<null>;
  readonly steps: number;
}

export interface PartPlan extends Omit<BatchPlace, "order" | "cursor"> {
  readonly phase: Phase;
}

/** Every kind of step is compiled once, all side by side. */
export async function compileParts(
  batchSize: number,
  count: number,
  accumulate: number,
  compile: (plan: PartPlan) => Promise<Program<null>>,
): Promise<Part[]> {
  const sequence = planEpoch(batchSize, count, accumulate);
  const kinds = new Map(sequence.map(({ key, plan }) => [key, plan]));
  const programs = new Map(
    await Promise.all([...kinds].map(async ([key, plan]) => [key, await compile(plan)] as const)),
  );
  return sequence.map(({ key, steps }) => ({ program: programs.get(key)!, steps }));
}

/** Batches in order, neighbours of one kind together. */
function planEpoch(batchSize: number, count: number, accumulate: number) {
  const full = Math.floor(count / batchSize);
  const rest = count - full * batchSize;
  const batches = full + (rest > 0 ? 1 : 0);
  const sequence: { key: string; plan: PartPlan; steps: number }[] = [];
  for (let batch = 0; batch < batches; batch++) {
    const begin = batch - (batch % accumulate);
    const size = Math.min(accumulate, batches - begin);
    const phase = { first: batch === begin, last: batch === begin + size - 1, count: size };
    const whole = batch < full;
    const key = JSON.stringify([whole, phase]);
    const latest = sequence.at(-1);
    if (latest?.key === key) latest.steps++;
    else sequence.push({ key, plan: { phase, ...placeOf(whole, batchSize, full, rest) }, steps: 1 });
  }
  return sequence;
}

function placeOf(whole: boolean, batchSize: number, full: number, rest: number): Omit<BatchPlace, "order" | "cursor"> {
  if (whole) return { rows: batchSize, stride: batchSize, batches: full };
  return { rows: rest, stride: batchSize, batches: 1, offset: full * batchSize };
}
