/** What libraries written for pages look for: WebGPU's constants, and a navigator that has our adapter. */
import { chooseAdapter } from "#gpu";
import type { AdapterOptions } from "../../src/tensor/index.ts";

/**
 * Runs `body` with a navigator whose `gpu` is the adapter that Trama uses. WebGPU's constants stay, since libraries read them
 * in every call. In a page nothing needs to be done.
 */
export async function withBrowserGlobals<T>(options: AdapterOptions, body: () => Promise<T>): Promise<T> {
  if ("document" in globalThis) return body();
  const { globals } = await import("webgpu");
  for (const [name, value] of Object.entries(globals)) {
    if (!(name in globalThis)) Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
  const before = Object.getOwnPropertyDescriptor(globalThis, "navigator");
  // An adapter gives one device only, and ours has given it: each library gets the same adapter anew.
  const gpu = { requestAdapter: async () => (await chooseAdapter(options)).adapter };
  Object.defineProperty(globalThis, "navigator", { value: { gpu, userAgent: "node" }, configurable: true });
  try {
    return await body();
  } finally {
    if (before) Object.defineProperty(globalThis, "navigator", before);
    else Reflect.deleteProperty(globalThis, "navigator");
  }
}
