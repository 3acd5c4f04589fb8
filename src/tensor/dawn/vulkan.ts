/**
 * Makes Vulkan drivers visible to Dawn in a process that already runs: the loader reads its environment whenever a
 * Vulkan instance is made, and Dawn makes one per `create()`.
 */
import { existsSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import type { SwiftShader } from "./swiftshader.ts";

const soname = "libvulkan.so.1";

/** glibc's RTLD_NODELETE; Node names the other flags only. */
const keepLoaded = 0x1000;

/** Container runtimes mount NVIDIA's driver here, where no loader looks. */
const mountedDrivers = ["/usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json"];

/** Whether the user has said which drivers to load; then we add none. */
export function driversAreGiven(): boolean {
  const { VK_DRIVER_FILES: files, VK_ICD_FILENAMES: older } = process.env;
  return Boolean(files) || Boolean(older);
}

/** Whether the kernel knows a GPU here, with a Vulkan driver or without. */
export function hasGpuDevice(): boolean {
  return ["/dev/nvidia0", "/dev/dri/renderD128"].some((path) => existsSync(path));
}

/** Whether Dawn will find a Vulkan loader. */
export function hasLoader(): boolean {
  return load(soname);
}

/**
 * Prepares for Vulkan, and tells which drivers to add to those that the loader finds by itself: SwiftShader when
 * given, and those in odd places. Where there is no loader, SwiftShader's is loaded: Dawn then finds it by its name.
 */
export function prepareDrivers(swiftshader: SwiftShader | undefined): readonly string[] {
  // Mesa complains on the terminal without a run-time folder.
  process.env["XDG_RUNTIME_DIR"] ||= tmpdir();
  if (swiftshader !== undefined && !hasLoader()) load(swiftshader.loader);
  if (driversAreGiven()) return [];
  const extra = mountedDrivers.filter((path) => existsSync(path));
  return swiftshader === undefined ? extra : [...extra, swiftshader.manifest];
}

/** Runs `call`, which must be synchronous, with drivers added; the program's own environment stays as it was. */
export function withDrivers<T>(drivers: readonly string[], call: () => T): T {
  const { VK_ADD_DRIVER_FILES: before } = process.env;
  const all = [...(before?.split(":") ?? []), ...drivers].filter((path) => path !== "");
  try {
    if (all.length > 0) process.env["VK_ADD_DRIVER_FILES"] = all.join(":");
    return call();
  } finally {
    if (before === undefined) delete process.env["VK_ADD_DRIVER_FILES"];
    else process.env["VK_ADD_DRIVER_FILES"] = before;
  }
}

/**
 * `process.dlopen` loads a library for good before it notices that this one is no Node add-on, which is the only
 * failure that means success here.
 */
function load(library: string): boolean {
  const { RTLD_NOW: now, RTLD_GLOBAL: global } = constants.dlopen;
  try {
    process.dlopen({ exports: {} }, library, now | global | keepLoaded);
    return true;
  } catch (error) {
    return error instanceof Error && error.message.includes("did not self-register");
  }
}
