/**
 * What an adapter can do at best: arithmetic of a kernel that only multiplies and adds, and bytes of one that only copies.
 * A kernel can be no faster than the slower of the two demands it makes (Williams, Waterman and Patterson, "Roofline",
 * 2009), so the share of that bound tells how much is left to gain.
 */
import { compile } from "./compile.ts";
import type { Device } from "./device.ts";
import { defineKernel } from "./kernel.ts";
import type { KernelTime, Program } from "./program.ts";
import { COPY, run, runMap } from "./run.ts";
import type { Tensor } from "./tensor.ts";

interface Roofline {
  /** Floating point operations a second. */
  readonly flops: number;
  /** Bytes a second, read and written together. */
  readonly bytes: number;
}

const LOOPS = 128;
/** Multiply-adds that do not wait for each other, and how often they are written out: a turn of the loop is not free. */
const CHAINS = 4;
const UNROLLED = 16;

const chains = (piece: (k: number) => string, separator = " ") =>
  Array.from({ length: CHAINS }, (_, k) => piece(k)).join(separator);

const multiplyAdds = defineKernel({
  name: "roofline.multiplyAdds",
  inputs: { x: "f32v" },
  outputs: { y: "f32v" },
  uniforms: { loops: "u32" },
  wgsl: /* wgsl */ `
    fn run(i: u32) {
      let a = x[i]; let b = x[0]; let loops = u.loops;     // known on the GPU only
      ${chains((k) => `var s${k} = a + ${k}.0;`)}
      for (var turn = 0u; turn < loops; turn++) {
        ${chains((k) => `s${k} = fma(s${k}, a, b);`).repeat(UNROLLED)}
      }
      store_y(i, ${chains((k) => `s${k}`, " + ")});
    }`,
  flops: (threads, u) => threads * 4 * 2 * CHAINS * UNROLLED * u.loops,
});

/** Elements that keep every core busy, and those of a copy that no cache holds. */
const sizesFor = (device: Device) =>
  device.isSoftware ? { arithmetic: 2 ** 14, copy: 2 ** 23 } : { arithmetic: 2 ** 20, copy: 2 ** 26 };

const known = new WeakMap<Device, Promise<Roofline>>();

/** Measured once for each device, in well under a second. */
function rooflineOf(device: Device): Promise<Roofline> {
  const measured = known.get(device) ?? measure(device);
  known.set(device, measured);
  return measured;
}

async function measure(device: Device): Promise<Roofline> {
  const { arithmetic, copy } = sizesFor(device);
  const constants = { width: 4 };
  const compute = (x: Tensor) => run(multiplyAdds, { x }, { y: x.shape }, { loops: LOOPS }, { constants }).y;
  const flops = await best(device, arithmetic, compute, (kernel) => kernel.flops);
  const bytes = await best(
    device,
    copy,
    (x) => runMap(COPY, [x], x.shape),
    (kernel) => kernel.bytes,
  );
  return { flops, bytes };
}

/** The most of something that a one-kernel program did in a second, in a few runs. */
async function best(
  device: Device,
  size: number,
  step: (x: Tensor) => Tensor,
  amount: (kernel: { flops: number; bytes: number }) => number,
): Promise<number> {
  const program = await compile(device, [{ shape: [size] }], step);
  program.run();
  await device.idle();
  let most = 0;
  for (let round = 0; round < 5; round++) {
    const [milliseconds] = await program.times();
    if (milliseconds! > 0) most = Math.max(most, (1000 * amount(program.kernels()[0]!)) / milliseconds!);
  }
  program.dispose();
  return most;
}

/** Runs a program, times each kernel by itself, and holds it against what the adapter can do at best. */
export async function profile(program: Program<unknown>): Promise<KernelTime[]> {
  const { flops, bytes } = await rooflineOf(program.device);
  const times = await program.times();
  return program.kernels().map((kernel, index) => {
    const milliseconds = times[index]!;
    const least = 1000 * Math.max(kernel.flops / flops, kernel.bytes / bytes);
    return Object.assign(kernel, { milliseconds, roofline: milliseconds > 0 ? Math.min(1, least / milliseconds) : 0 });
  });
}
