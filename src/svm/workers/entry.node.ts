/** What a Node worker thread runs. */
import { parentPort } from "node:worker_threads";
import { serve } from "./serve.ts";

const port = parentPort;
if (port !== null) {
  serve(
    (handler) => void port.on("message", handler),
    (message) => port.postMessage(message),
  );
}
