/** Adapters in a page: what `navigator.gpu` offers. */
import { DeviceError } from "../errors.ts";
import { bestFirst, describe, hasKind, pick, type Found } from "./choice.ts";
import type { Platform } from "./platform.ts";

export type * from "./platform.ts";

/** The best adapter, or the one asked for by `options.adapter`. */
export const chooseAdapter: Platform["chooseAdapter"] = async (options = {}) => {
  const found = await findAdapters();
  return pick(found, options.adapter, adviseOn(found));
};

/** The adapters that the browser admits to, best first. */
export const listAdapters: Platform["listAdapters"] = async () => {
  const found = await findAdapters();
  return found.map(({ adapter: _, ...candidate }) => candidate);
};

/** What to change to get a better adapter. */
export const adviseOn: Platform["adviseOn"] = (candidates) => {
  return hasKind(candidates, "gpu") ? [] : ["turn on the browser's hardware acceleration"];
};

/** Awaits `promise`: a browser waits well by itself. */
export const waitFor: Platform["waitFor"] = (promise) => promise;

/** A browser shows one adapter per question, so we ask twice; the fallback is one that it never volunteers. */
async function findAdapters(): Promise<Found[]> {
  const gpu = browserGpu();
  const answers = await Promise.all([
    gpu.requestAdapter({ powerPreference: "high-performance" }),
    gpu.requestAdapter({ forceFallbackAdapter: true }),
  ]);
  const found = answers.filter((adapter) => adapter !== null).map((adapter) => describe(adapter, "browser"));
  return bestFirst(found).filter((one, at, all) => all.findIndex(({ name }) => name === one.name) === at);
}

function browserGpu(): GPU {
  const { gpu } = globalThis.navigator as { readonly gpu?: GPU };
  if (gpu !== undefined) return gpu;
  throw new DeviceError({
    where: "openDevice",
    expected: "a browser with WebGPU",
    got: "no `navigator.gpu`",
    advice: "use a current browser, over https or on localhost",
  });
}
