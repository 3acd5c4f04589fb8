/** `--profile`: where the time of a training step goes, kernel by kernel. */
import { profile, type Device, type KernelTime } from "../src/tensor/index.ts";
import type { Precision } from "../src/train/trainingStep.ts";
import { trainingSetup, type Network } from "./networks.ts";
import { midmean } from "./statistics.ts";

const WARM_UP = 2;

/** The table of a network's training step: each kernel with its mean time over `rounds` steps. */
export async function profileTable(
  device: Device,
  network: Network,
  precision: Precision,
  rounds: number,
): Promise<string> {
  const program = await trainingSetup(device, network, precision).compile();
  program.run([], WARM_UP);
  await device.idle();
  const runs: KernelTime[][] = [];
  for (let round = 0; round < rounds; round++) runs.push(await profile(program));
  const mean = (index: number, of: (kernel: KernelTime) => number) => midmean(runs.map((run) => of(run[index]!)));
  const kernels = runs[0]!.map((kernel, index) =>
    Object.assign(kernel, {
      milliseconds: mean(index, ({ milliseconds }) => milliseconds),
      roofline: mean(index, ({ roofline }) => roofline),
    }),
  );
  program.dispose();
  const means = device.gpu.features.has("timestamp-query") ? "timestamps" : "the clock, each kernel repeated";
  return `${network.name} training step, ${precision}, by ${means}, means of the middle half of ${rounds} steps\n${program.explain(kernels)}`;
}
