/**
 * Jobs: the independent pieces that long work is cut into (a pair of classes, a fold, a block of rows).
 *
 * Why: the same job gives the same bits in any thread, in any order. So the model does not depend on how many
 * workers there were, and one core runs the very code that many run.
 */

/** Arrays that every job of one call reads. Shared between threads where the platform can, else copied once to each. */
export type SharedArrays = Readonly<Record<string, Float32Array | Float64Array | Int32Array | Uint8Array>>;

/** What a running job can say to whoever waits. */
export interface JobContext {
  /** How far this job is, from 0 to 1, and what it is doing. */
  readonly progress: (fraction: number, detail?: string) => void;
  /**
   * Lets the event loop turn (a page repaints, Ctrl-C is heard), and throws the signal's reason once aborted.
   * Cheap to call often: it pauses only when 50 ms have passed.
   */
  readonly breathe: () => Promise<void>;
  /** For work inside the job. Only in the caller's own thread: a worker is stopped from outside. */
  readonly signal?: AbortSignal;
}

/** A named function of plain data. The name finds it in a worker (`workers/registry.ts`). */
export interface Job<Input, Output> {
  readonly name: string;
  readonly run: (input: Input, shared: SharedArrays, context: JobContext) => Promise<Output>;
}

/** How far a long piece of work is. */
export interface Progress {
  /** `hog`, `train`, `predict`, `grid search`. */
  readonly stage: string;
  /** Finished jobs, including the finished fractions of running ones. */
  readonly done: number;
  readonly total: number;
  /** What was last heard, for people. */
  readonly detail: string;
}

/** Options of everything that may take long. */
export interface LongWork {
  /** Threads. Default: all cores where the work is worth it. 1 runs in the caller's thread. The result is the same. */
  readonly workers?: number;
  /** Stops the work; the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
}

/** A context for work that nobody watches. */
export const silentContext: JobContext = { progress: () => {}, breathe: async () => {} };

/** Makes a `breathe` that pauses at most every `interval` milliseconds. */
export function breather(signal: AbortSignal | undefined, interval = 50): () => Promise<void> {
  let last = performance.now();
  return async () => {
    if (performance.now() - last < interval) return;
    await new Promise((resume) => setTimeout(resume, 0));
    signal?.throwIfAborted();
    last = performance.now();
  };
}
