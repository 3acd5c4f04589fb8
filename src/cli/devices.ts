/** A device for the length of a command, and how it is introduced. */
import { openDevice, type Device } from "../tensor/index.ts";
import type { AdapterOption } from "./options.ts";
import type { Terminal } from "./terminal.ts";
import { labelled } from "./text.ts";

/** Opens a device, and closes it whatever happens, so that the process can end. */
export async function withDevice<T>({ adapter }: AdapterOption, body: (device: Device) => Promise<T>): Promise<T> {
  const device = await openDevice(adapter === undefined ? {} : { adapter });
  try {
    return await body(device);
  } finally {
    await device.close();
  }
}

/** Says which adapter computes; a software adapter is called one. */
export function introduceDevice(device: Device, terminal: Terminal): void {
  const { name, kind, reason, source, driver, features } = device.adapter;
  const what = kind === "gpu" ? "GPU" : terminal.warning("SOFTWARE adapter, which computes on the CPU");
  terminal.say(...labelled(terminal.bold("Adapter"), `${name} · ${what}`, terminal.width));
  terminal.say(...labelled("", terminal.dim(`chosen: ${reason}`), terminal.width));
  const details = `${source} · driver ${driver || "unnamed"} · ${device.variant} kernels · ${features.join(", ")}`;
  terminal.detail(...labelled("", terminal.dim(details), terminal.width));
}

/** An adapter's fields for JSON. */
export function adapterFields(device: Device): Readonly<Record<string, unknown>> {
  const { name, kind, reason, source, driver } = device.adapter;
  return { name, kind, reason, source, driver, variant: device.variant };
}
