/** Adapters in Node: Dawn through the `webgpu` package, on whatever Vulkan, Metal or Direct3D driver there is. */
import { DeviceError } from "../errors.ts";
import { answersTo, bestFirst, describe, hasKind, hasLavapipe, pick, type Found } from "./choice.ts";
import { quietly } from "./dawn/quiet.ts";
import { carrier, findSwiftShader } from "./dawn/swiftshader.ts";
import { driversAreGiven, hasGpuDevice, hasLoader, prepareDrivers, withDrivers } from "./dawn/vulkan.ts";
import type { Platform } from "./platform.ts";

export type * from "./platform.ts";

/** Subgroup matrices hide behind the first; the second would round the times of kernels to 65 µs. */
const toggles = ["enable-dawn-features=allow_unsafe_apis", "disable-dawn-features=timestamp_quantization"];

/** Dawn crashes once the object that `create` gave is collected, so each lives as long as the process. */
const instances = new Map<string, GPU>();

/** Drivers that Dawn would not have, in a clause each. */
const refusals = new Set<string>();

/** The best adapter, or the one asked for by `options.adapter` or `TRAMA_ADAPTER`. */
export const chooseAdapter: Platform["chooseAdapter"] = async (options = {}) => {
  const wish = options.adapter ?? (process.env["TRAMA_ADAPTER"] || undefined);
  const system = await findAdapters({ swiftshader: false });
  const enough =
    wish === undefined ? system.some((one) => one.unfit === undefined) : system.some((one) => answersTo(one, wish));
  const found = enough ? system : await findAdapters({ swiftshader: true });
  const chosen = pick(found, wish, adviseOn(found));
  return { ...chosen, reason: [chosen.reason, ...refusals].join("; ") };
};

/** Every adapter of this machine, best first. */
export const listAdapters: Platform["listAdapters"] = async () => {
  const found = await findAdapters({ swiftshader: true });
  return found.map(({ adapter: _, ...candidate }) => candidate);
};

/** What to install or change to get a better adapter. */
export const adviseOn: Platform["adviseOn"] = (candidates) => {
  if (hasKind(candidates, "gpu")) return [];
  if (process.platform !== "linux") return ["update the driver of this machine's GPU"];
  const hints: readonly (readonly [boolean, string])[] = [
    [driversAreGiven(), "unset VK_DRIVER_FILES and VK_ICD_FILENAMES, which hide all other drivers"],
    [
      hasGpuDevice(),
      "install the Vulkan driver of this machine's GPU (NVIDIA: its own; AMD and Intel: mesa-vulkan-drivers)",
    ],
    [
      !hasLavapipe(candidates),
      "install lavapipe of Mesa 25 or newer (mesa-vulkan-drivers; on Debian 12 from backports)",
    ],
    [!hasKind(candidates, "software"), `run \`npm install --save-dev ${carrier}\`, which brings a software adapter`],
  ];
  return hints.filter(([applies]) => applies).map(([, hint]) => hint);
};

/** Awaits `promise`; on a software adapter it leaves the core to the adapter meanwhile. */
export const waitFor: Platform["waitFor"] = async (promise, kind) => {
  if (kind === "software") await parkUntilSettled(promise);
  return promise;
};

/** A short wait is over before parking pays. */
const patience = 0.15;
/** Milliseconds asleep between two polls: shorter naps burn the core, longer ones delay the answer. */
const shortestNap = 0.3;
const longestNap = 2;
/** A nap is this share of the wait so far, which bounds the delay and spares the adapter during long waits. */
const napShare = 1 / 16;
const pillow = new Int32Array(new SharedArrayBuffer(4));

async function parkUntilSettled(promise: Promise<unknown>): Promise<void> {
  const wait = { over: false };
  const end = (): boolean => (wait.over = true);
  promise.then(end, end);
  const start = performance.now();
  while (!wait.over) {
    const waited = performance.now() - start;
    const nap = Math.min(longestNap, Math.max(shortestNap, waited * napShare));
    if (waited > patience) Atomics.wait(pillow, 0, 0, nap);
    // Dawn's binding polls in a setImmediate of its own, so its turn comes before ours.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** All adapters that Dawn sees, best first. SwiftShader is brought in only on demand: most machines do without. */
async function findAdapters(include: { readonly swiftshader: boolean }): Promise<Found[]> {
  const drivers = process.platform === "linux" ? linuxDrivers(include.swiftshader) : [];
  const create = await loadDawn();
  const found: Found[] = [];
  for (const { backend, label } of await listLabels(create, drivers)) {
    const selection = label === "" ? [] : [`backend=${backend}`, `adapter=${label}`];
    const adapter = await requestAdapter(create, selection, drivers);
    if (adapter !== null) found.push(describe(adapter, sourceOf(label, backend, drivers), label));
  }
  return bestFirst(found);
}

/** The drivers to add to those that the system's own loader finds. */
function linuxDrivers(swiftshader: boolean): readonly string[] {
  return prepareDrivers(swiftshader || !hasLoader() ? findSwiftShader() : undefined);
}

type Create = (options: string[]) => GPU;

async function loadDawn(): Promise<Create> {
  try {
    return (await import("webgpu")).create;
  } catch (cause) {
    const missing = (cause as { code?: unknown }).code === "ERR_MODULE_NOT_FOUND";
    throw new DeviceError(
      {
        where: "openDevice",
        expected: "the package `webgpu`, which is Dawn for Node",
        got: missing ? "none installed" : String(cause),
        advice: "run `npm install webgpu`",
      },
      { cause },
    );
  }
}

interface Label {
  readonly backend: string;
  readonly label: string;
}

/** A name that no adapter bears. */
const nobody = "adapter=(list all of them)";

/**
 * Dawn's binding has no call that lists adapters, but asked for one that does not exist it names those that do.
 * Should its wording change, the one adapter that it prefers is still found.
 */
async function listLabels(create: Create, drivers: readonly string[]): Promise<Label[]> {
  try {
    await ask(create([...toggles, nobody]), drivers);
  } catch (error) {
    const matches = [...String(error).matchAll(/backend: '([^']*)', name: '([^\n]*)'/g)];
    return matches.map(([, backend = "", label = ""]) => ({ backend, label }));
  }
  return [{ backend: "default", label: "" }];
}

function requestAdapter(
  create: Create,
  selection: readonly string[],
  drivers: readonly string[],
): Promise<GPUAdapter | null> {
  const key = selection.join(" ");
  const instance = instances.get(key) ?? create([...toggles, ...selection]);
  instances.set(key, instance);
  return ask(instance, drivers);
}

/** Dawn loads and asks the drivers before the promise is returned, so what surrounds the call may be synchronous. */
function ask(instance: GPU, drivers: readonly string[]): Promise<GPUAdapter | null> {
  const request = (): Promise<GPUAdapter | null> => instance.requestAdapter({ powerPreference: "high-performance" });
  return quietly(() => withDrivers(drivers, request), noteRefusal);
}

/** A driver too old is no fault of this run: it becomes part of the reason for the choice. */
function noteRefusal(complaint: string): boolean {
  const [, lack] = /^Warning: (.*?)\.?\n - While initializing adapter/.exec(complaint) ?? [];
  if (lack !== undefined) refusals.add(`Dawn refused a driver that is too old or incomplete (${lack})`);
  return lack !== undefined;
}

const backends: Readonly<Record<string, string>> = { vulkan: "Vulkan", metal: "Metal", d3d12: "Direct3D 12" };

function sourceOf(label: string, backend: string, drivers: readonly string[]): string {
  const carried = /swiftshader/i.test(label) && drivers.some((path) => /swiftshader/i.test(path));
  return carried ? carrier : `system ${backends[backend] ?? backend} driver`;
}
