/**
 * Web Workers in a page. A bundler that renames files is told where the worker's script went with
 * `globalThis.tramaSvmWorker = "/assets/svm-worker.js"`; where workers are forbidden, work runs in the page's own thread.
 */
import type { WorkerHandle, WorkerPlatform } from "./platform.ts";

const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";

function spawn(): WorkerHandle | undefined {
  if (typeof Worker === "undefined") return undefined;
  const named = (globalThis as { tramaSvmWorker?: string }).tramaSvmWorker;
  const worker = new Worker(named ?? new URL(`./entry.browser.${extension}`, import.meta.url), { type: "module" });
  return {
    post: (message) => worker.postMessage(message),
    onMessage: (listener) => worker.addEventListener("message", (event) => listener(event.data)),
    onFailure: (listener) => worker.addEventListener("error", (event) => listener(event.message || "could not start")),
    terminate: () => worker.terminate(),
  };
}

export const platform: WorkerPlatform = { cores: () => globalThis.navigator?.hardwareConcurrency ?? 1, spawn };
