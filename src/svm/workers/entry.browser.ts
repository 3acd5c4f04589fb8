/** What a Web Worker runs. */
import type { ToWorker } from "./protocol.ts";
import { serve } from "./serve.ts";

serve(
  (handler) => globalThis.addEventListener("message", (event) => handler((event as MessageEvent<ToWorker>).data)),
  (message) => (globalThis as unknown as { postMessage(message: unknown): void }).postMessage(message),
);
