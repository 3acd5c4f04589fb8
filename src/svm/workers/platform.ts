/**
 * What differs between Node's `worker_threads` and a page's Web Workers, and nothing else.
 * `package.json` maps `#workers` to `platform.node.ts` or `platform.browser.ts`; both export `platform`.
 */

/** One worker thread that serves jobs (`workers/serve.ts`). */
export interface WorkerHandle {
  readonly post: (message: unknown) => void;
  /** Called for every message. */
  readonly onMessage: (listener: (message: unknown) => void) => void;
  /** Called when the thread cannot start, dies, or throws outside a job. */
  readonly onFailure: (listener: (reason: string) => void) => void;
  readonly terminate: () => void;
}

export interface WorkerPlatform {
  /** Cores that this process may use; at least 1. */
  readonly cores: () => number;
  /** Starts a worker, or gives `undefined` where this place has none. */
  readonly spawn: () => WorkerHandle | undefined;
}
