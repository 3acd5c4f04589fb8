/** Every job that a worker can be asked for, by name. */
import { gridJob } from "../pipeline/gridJob.ts";
import { hogJob } from "../hog/hogJob.ts";
import { linearJob } from "../linear/linearJob.ts";
import { decisionJob } from "../svc/predict.ts";
import { svcJob } from "../svc/svcJob.ts";
import type { Job } from "./job.ts";

const jobs: readonly Job<never, unknown>[] = [hogJob, svcJob, decisionJob, linearJob, gridJob];

/** The job of that name. Both sides are built from one source, so a missing name is a fault, not a user's error. */
export function jobNamed(name: string): Job<unknown, unknown> {
  const job = jobs.find((candidate) => candidate.name === name);
  if (job === undefined) throw new Error(`no job named ${name}`);
  return job as Job<unknown, unknown>;
}
