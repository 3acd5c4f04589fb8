/** How long each dispatch of a program takes on the GPU: by timestamps where the device has them, else by the clock. */
import type { Device } from "./device.ts";
import type { Step } from "./program.ts";

// GPUBufferUsage and GPUMapMode by value: the globals of those names exist in pages but not in Node.
const MAP_READ = 0x1;
const COPY_SRC = 0x4;
const COPY_DST = 0x8;
const QUERY_RESOLVE = 0x200;

const BYTES_PER_QUERY = 8;
/** WebGPU allows 4096 queries in a set; a step takes two. */
const STEPS_PER_SET = 2048;
/** Runs of a step in one submit when only the clock can tell. */
const REPEATS = 8;

/** Milliseconds of each step. All run in order, once or more, each in a pass of its own. */
export async function timeSteps(device: Device, steps: readonly Step[]): Promise<number[]> {
  if (!device.gpu.features.has("timestamp-query")) return byClock(device, steps);
  const times: number[] = [];
  for (let first = 0; first < steps.length; first += STEPS_PER_SET) {
    times.push(...(await byTimestamps(device, steps.slice(first, first + STEPS_PER_SET))));
  }
  return times;
}

function dispatch(pass: GPUComputePassEncoder, { pipeline, group, workgroups }: Step): void {
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(workgroups[0], workgroups[1], workgroups[2]);
}

async function byTimestamps(device: Device, steps: readonly Step[]): Promise<number[]> {
  const { gpu } = device;
  const count = steps.length * 2;
  const size = count * BYTES_PER_QUERY;
  const querySet = gpu.createQuerySet({ type: "timestamp", count });
  const resolved = gpu.createBuffer({ size, usage: QUERY_RESOLVE | COPY_SRC, label: "timestamps" });
  const staging = gpu.createBuffer({ size, usage: MAP_READ | COPY_DST, label: "timestamps" });
  const encoder = gpu.createCommandEncoder();
  steps.forEach((step, index) => {
    const timestampWrites = { querySet, beginningOfPassWriteIndex: 2 * index, endOfPassWriteIndex: 2 * index + 1 };
    const pass = encoder.beginComputePass({ timestampWrites });
    dispatch(pass, step);
    pass.end();
  });
  encoder.resolveQuerySet(querySet, 0, count, resolved, 0);
  encoder.copyBufferToBuffer(resolved, 0, staging, 0, size);
  gpu.queue.submit([encoder.finish()]);
  await device.wait(staging.mapAsync(MAP_READ));
  const nanoseconds = new BigUint64Array(staging.getMappedRange().slice(0));
  for (const made of [staging, resolved, querySet]) made.destroy();
  return steps.map((_, index) => Number(nanoseconds[2 * index + 1]! - nanoseconds[2 * index]!) / 1e6);
}

/** The time of many runs less that of one: what a submit costs by itself falls out. */
async function byClock(device: Device, steps: readonly Step[]): Promise<number[]> {
  const times: number[] = [];
  for (const step of steps) {
    const one = await submitted(device, step, 1);
    const many = await submitted(device, step, 1 + REPEATS);
    times.push(Math.max(0, many - one) / REPEATS);
  }
  return times;
}

async function submitted(device: Device, step: Step, times: number): Promise<number> {
  const encoder = device.gpu.createCommandEncoder();
  const pass = encoder.beginComputePass();
  for (let turn = 0; turn < times; turn++) dispatch(pass, step);
  pass.end();
  const began = performance.now();
  device.gpu.queue.submit([encoder.finish()]);
  await device.wait(device.gpu.queue.onSubmittedWorkDone());
  return performance.now() - began;
}
