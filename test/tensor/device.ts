/**
 * The devices that all tests of a process share: the default adapter, opened once for each family of heavy kernels, and
 * closed after the last suite that asked for them, so that the process ends by itself.
 */
import { suite, type Callback, type Test } from "uvu";
import {
  free,
  openDevice,
  scope,
  type Device,
  type KernelVariant,
  type Tensor,
  type TypedArray,
} from "../../src/tensor/index.ts";

export const device: Device = await openDevice();

/** The families that this adapter can run; `TRAMA_VARIANT` leaves only the one it names. */
export const variants: readonly KernelVariant[] =
  process.env["TRAMA_VARIANT"] || device.subgroupSize === 0 ? [device.variant] : ["tiled", "subgroup"];

const opened = new Map<KernelVariant, Promise<Device>>([[device.variant, Promise.resolve(device)]]);

export function deviceOf(variant: KernelVariant): Promise<Device> {
  const known = opened.get(variant) ?? openDevice({ variant });
  opened.set(variant, known);
  return known;
}

let users = 0;

/** A suite of tests on the shared devices. */
export function deviceSuite(name: string): Test {
  users++;
  const tests = suite(name);
  tests.after(closeAfterLast);
  return tests;
}

const closeAfterLast: Callback = async () => {
  users--;
  if (users > 0) return;
  for (const each of opened.values()) await (await each).close();
};

/** What `body` computes, read back; every tensor that it made is freed. */
export async function readFrom(on: Device, body: () => readonly Tensor[]): Promise<TypedArray[]> {
  const outputs = scope(on, body);
  const values = await on.readMany(outputs);
  outputs.forEach(free);
  return values;
}
