/** `--profile`: where the time of a training step goes, kernel by kernel. */
import type { Device, KernelTime } from "../src/tensor/index.ts";
import { trainingSetup, type NetworkName } from "./networks.ts";
import { midmean } from "./statistics.ts";

const WARM_UP = 2;

/** Each kernel of the network's training step with its mean time over `rounds` steps, in order. */
async function profileStep(device: Device, network: NetworkName, rounds: number): Promise<KernelTime[]> {
  const program = await trainingSetup(device, network).compile();
  program.run([], WARM_UP);
  await device.idle();
  const runs: KernelTime[][] = [];
  for (let round = 0; round < rounds; round++) runs.push(await program.profile());
  program.dispose();
  const times = (index: number) => runs.map((run) => run[index]!.milliseconds);
  return runs[0]!.map((kernel, index) => Object.assign(kernel, { milliseconds: midmean(times(index)) }));
}

function line(
  { name, fused, workgroups, milliseconds, flops, bytes }: KernelTime,
  index: number,
  total: number,
): string {
  return [
    String(index + 1).padStart(3),
    [name, ...fused].join(" + ").padEnd(56),
    workgroups.join("×").padStart(12),
    milliseconds.toFixed(3).padStart(9),
    perSecond(flops, milliseconds).padStart(8),
    perSecond(bytes, milliseconds).padStart(7),
    `${((100 * milliseconds) / total).toFixed(1)} %`.padStart(8),
  ].join(" ");
}

/** In thousand millions; a kernel below the timer's resolution has no rate. */
function perSecond(amount: number, milliseconds: number): string {
  return milliseconds > 0 ? (amount / milliseconds / 1e6).toFixed(1) : "–";
}

const HEAD = `  # ${"kernel + what is fused into it".padEnd(56)}    workgroups        ms  GFLOP/s    GB/s        %`;

/** The table of a network's training step. */
export async function profileTable(device: Device, network: NetworkName, rounds: number): Promise<string> {
  const kernels = await profileStep(device, network, rounds);
  const total = kernels.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  const means = device.gpu.features.has("timestamp-query") ? "timestamps" : "the clock, each kernel repeated";
  return [
    `${network} training step, by ${means}, means of the middle half of ${rounds} steps: ${total.toFixed(2)} ms in ${kernels.length} kernels`,
    HEAD,
    ...kernels.map((kernel, index) => line(kernel, index, total)),
  ].join("\n");
}
