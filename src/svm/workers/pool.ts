/**
 * Runs a list of jobs, in this thread or on several workers, and gives the outputs in the order of the inputs.
 *
 * Why the dearest first: pairs of classes differ widely in cost. Started last, the dearest would run alone while the
 * other cores wait.
 */
import { DeviceError, OptionError } from "../../errors.ts";
import { platform } from "#workers";
import { breather, type Job, type JobContext, type LongWork, type SharedArrays } from "./job.ts";
import type { WorkerHandle } from "./platform.ts";
import { restoreError, type FromWorker, type ToWorker } from "./protocol.ts";

export interface PoolWork<Input> extends LongWork {
  readonly stage: string;
  readonly shared: SharedArrays;
  /** Rough floating-point operations of one job: decides the order, and whether workers are worth starting. */
  readonly cost: (input: Input) => number;
}

/** Below this much work, starting threads costs more than it saves (about a tenth of a second of arithmetic). */
const worthThreads = 2e9;

/** The number of threads that `runJobs` will use. */
export function threadCount<Input>(inputs: readonly Input[], work: Pick<PoolWork<Input>, "workers" | "cost">): number {
  const { workers } = work;
  if (workers !== undefined && (!Number.isInteger(workers) || workers < 1)) {
    throw new OptionError({ where: "workers", expected: "a whole number from 1", got: String(workers) });
  }
  if (workers !== undefined) return Math.min(workers, Math.max(1, inputs.length));
  const total = inputs.reduce((sum, input) => sum + work.cost(input), 0);
  return total < worthThreads ? 1 : Math.max(1, Math.min(platform.cores(), inputs.length));
}

/** Outputs of `job` over `inputs`. Throws the first failure, typed as the job threw it, or the signal's reason. */
export async function runJobs<Input, Output>(
  job: Job<Input, Output>,
  inputs: readonly Input[],
  work: PoolWork<Input>,
  onOutput?: (output: Output, index: number) => void,
): Promise<Output[]> {
  work.signal?.throwIfAborted();
  const board = new ProgressBoard(inputs.length, work);
  const order = inputs
    .map((_, index) => index)
    .sort((a, b) => work.cost(inputs[b] as Input) - work.cost(inputs[a] as Input) || a - b);
  const threads = threadCount(inputs, work);
  const handles =
    threads === 1
      ? []
      : Array.from({ length: threads }, () => platform.spawn()).filter((handle) => handle !== undefined);
  if (handles.length === 0) return runHere(job, inputs, order, work, board, onOutput);
  const settled = new AbortController(); // takes the abort listener off again: signals may live long
  try {
    return await runOnWorkers(job, inputs, order, work, board, handles, settled.signal, onOutput);
  } finally {
    settled.abort();
    for (const handle of handles) handle.terminate();
  }
}

/** Sums the fractions of all jobs into one line of progress. */
class ProgressBoard {
  private readonly fractions: Float64Array;
  private readonly total: number;
  private readonly work: { readonly stage: string } & Pick<LongWork, "onProgress">;

  constructor(total: number, work: { readonly stage: string } & Pick<LongWork, "onProgress">) {
    this.total = total;
    this.work = work;
    this.fractions = new Float64Array(total);
  }

  report(index: number, fraction: number, detail: string): void {
    this.fractions[index] = fraction;
    const done = this.fractions.reduce((sum, part) => sum + part, 0);
    this.work.onProgress?.({ stage: this.work.stage, done, total: this.total, detail });
  }
}

async function runHere<Input, Output>(
  job: Job<Input, Output>,
  inputs: readonly Input[],
  order: readonly number[],
  work: PoolWork<Input>,
  board: ProgressBoard,
  onOutput?: (output: Output, index: number) => void,
): Promise<Output[]> {
  const outputs = new Array<Output>(inputs.length);
  const breathe = breather(work.signal);
  const context = (progress: JobContext["progress"]): JobContext => ({
    progress,
    breathe,
    ...(work.signal === undefined ? {} : { signal: work.signal }),
  });
  for (const index of order) {
    const progress = (fraction: number, detail = ""): void => board.report(index, fraction, detail);
    const output = await job.run(inputs[index] as Input, work.shared, context(progress));
    outputs[index] = output;
    board.report(index, 1, "");
    onOutput?.(output, index);
    await breathe();
  }
  return outputs;
}

function runOnWorkers<Input, Output>(
  job: Job<Input, Output>,
  inputs: readonly Input[],
  order: readonly number[],
  work: PoolWork<Input>,
  board: ProgressBoard,
  handles: readonly WorkerHandle[],
  settled: AbortSignal,
  onOutput?: (output: Output, index: number) => void,
): Promise<Output[]> {
  return new Promise((resolve, reject) => {
    const outputs = new Array<Output>(inputs.length);
    const queue = [...order];
    let open = inputs.length;
    if (open === 0) resolve(outputs);
    work.signal?.addEventListener("abort", () => reject(work.signal?.reason as Error), { once: true, signal: settled });

    const receive = (message: FromWorker, feed: () => void): void => {
      if (message.kind === "progress") board.report(message.id, message.fraction, message.detail);
      else if (message.kind === "failed") reject(restoreError(message.error));
      else {
        outputs[message.id] = message.output as Output;
        board.report(message.id, 1, "");
        onOutput?.(message.output as Output, message.id);
        open--;
        if (open === 0) resolve(outputs);
        else feed();
      }
    };
    const arrays = shareable(work.shared);
    for (const handle of handles) {
      const send = (message: ToWorker): void => handle.post(message);
      const feed = (): void => {
        const id = queue.shift();
        if (id !== undefined) send({ kind: "run", id, job: job.name, input: inputs[id] });
      };
      handle.onMessage((message) => receive(message as FromWorker, feed));
      handle.onFailure((reason) => reject(workerFailure(job.name, reason)));
      send({ kind: "share", arrays });
      feed();
    }
  });
}

const workerFailure = (job: string, reason: string): DeviceError =>
  new DeviceError({
    where: `worker of ${job}`,
    expected: "a running thread",
    got: reason,
    advice: "pass workers: 1 to run in this thread",
  });

/** The same arrays in shared memory, where there is such a thing (Node; a cross-origin isolated page). */
function shareable(arrays: SharedArrays): SharedArrays {
  return Object.fromEntries(Object.entries(arrays).map(([name, array]) => [name, toShared(array)]));
}

function toShared<T extends SharedArrays[string]>(array: T): T {
  if (typeof SharedArrayBuffer === "undefined" || array.buffer instanceof SharedArrayBuffer) return array;
  const Class = array.constructor as new (buffer: SharedArrayBuffer) => T;
  const copy = new Class(new SharedArrayBuffer(array.byteLength));
  copy.set(array);
  return copy;
}

/** A float32 array that threads can share without a copy, where the platform can. */
export function sharedFloats(length: number): Float32Array {
  return typeof SharedArrayBuffer === "undefined"
    ? new Float32Array(length)
    : new Float32Array(new SharedArrayBuffer(4 * length));
}
