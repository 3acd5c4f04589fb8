/** What libraries written for pages look for: WebGPU's constants, and a navigator that has our adapter. */
import { chooseAdapter } from "#gpu";
import type { AdapterOptions } from "../../src/tensor/index.ts";

/** Provides both for good, since some libraries read them in every call. In a page nothing needs to be done. */
export async function provideBrowserGlobals(options: AdapterOptions): Promise<void> {
  if ("document" in globalThis) return;
  const { globals } = await import("webgpu");
  for (const [name, value] of Object.entries(globals)) {
    if (!(name in globalThis)) Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
  // An adapter gives one device only, and ours has given it: each library gets the same adapter anew.
  const gpu = { requestAdapter: async () => (await chooseAdapter(options)).adapter };
  if (!("navigator" in globalThis)) {
    Object.defineProperty(globalThis, "navigator", { value: { userAgent: "node" }, configurable: true });
  }
  Object.defineProperty(globalThis.navigator, "gpu", { value: gpu, configurable: true });
}
