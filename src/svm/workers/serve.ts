/** A worker's side: receives shared arrays once, then runs one job after another. */
import type { SharedArrays } from "./job.ts";
import { flattenError, type FromWorker, type ToWorker } from "./protocol.ts";
import { jobNamed } from "./registry.ts";

/** Serves messages that arrive through `listen`, answering with `post`. A pool stops a job by ending the thread. */
export function serve(
  listen: (handler: (message: ToWorker) => void) => void,
  post: (message: FromWorker) => void,
): void {
  let shared: SharedArrays = {};
  listen((message) => {
    if (message.kind === "share") {
      shared = message.arrays;
      return;
    }
    const { id } = message;
    const progress = (fraction: number, detail = ""): void => post({ kind: "progress", id, fraction, detail });
    Promise.resolve()
      .then(() => jobNamed(message.job).run(message.input, shared, { progress, breathe: async () => {} }))
      .then(
        (output) => post({ kind: "done", id, output }),
        (error: unknown) => post({ kind: "failed", id, error: flattenError(error) }),
      );
  });
}
