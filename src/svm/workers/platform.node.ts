/** Worker threads in Node. */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { WorkerHandle, WorkerPlatform } from "./platform.ts";

/**
 * A built package starts the JavaScript entry. A source tree starts the TypeScript one, and registers `tsx` first: the
 * loader that Node was started with does not reach a worker's own entry file.
 */
function start(): Worker {
  if (!import.meta.url.endsWith(".ts")) return new Worker(new URL("./entry.node.js", import.meta.url));
  const loader = JSON.stringify(import.meta.resolve("tsx/esm/api"));
  const entry = JSON.stringify(new URL("./entry.node.ts", import.meta.url).href);
  return new Worker(`import(${loader}).then((tsx) => { tsx.register(); return import(${entry}); });`, { eval: true });
}

function spawn(): WorkerHandle {
  const worker = start();
  return {
    post: (message) => worker.postMessage(message),
    onMessage: (listener) => void worker.on("message", listener),
    onFailure: (listener) => {
      worker.on("error", (error) => listener(String(error)));
      worker.on("exit", (code) => code !== 0 && listener(`exit code ${code}`));
    },
    terminate: () => void worker.terminate(),
  };
}

export const platform: WorkerPlatform = { cores: availableParallelism, spawn };
