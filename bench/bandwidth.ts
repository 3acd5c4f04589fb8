/** The bandwidth of a plain copy: what a kernel that is bound by memory can reach at best. */
import type { Device } from "../src/tensor/index.ts";
import { interleave, type Plan } from "./harness.ts";
import { median } from "./statistics.ts";

const BYTES = 2 ** 28;

/** GB/s of reading and writing together, by buffer copies. */
export async function copyBandwidth(device: Device, plan: Plan): Promise<number> {
  const [source, target] = [device.pool.acquire(BYTES, "copy"), device.pool.acquire(BYTES, "copy")];
  const copies = {
    enter: async () => undefined,
    run(times: number) {
      const encoder = device.gpu.createCommandEncoder();
      for (let turn = 0; turn < times; turn++) encoder.copyBufferToBuffer(source, 0, target, 0, BYTES);
      device.gpu.queue.submit([encoder.finish()]);
    },
    sync: () => device.idle(),
  };
  try {
    const [samples] = await interleave([copies], plan);
    return (2 * BYTES) / median(samples!) / 1e6;
  } finally {
    device.pool.release(source);
    device.pool.release(target);
    device.pool.trim();
  }
}
