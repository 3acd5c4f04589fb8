import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { test } from "uvu";
import * as assert from "uvu/assert";

const run = promisify(execFile);
const tensor = JSON.stringify(new URL("../../src/tensor/index.ts", import.meta.url).href);
const kernels = JSON.stringify(new URL("../../src/kernels/index.ts", import.meta.url).href);

/** Milliseconds from the last word of a program to the end of its process. */
async function timeToExit(program: string): Promise<number> {
  const code = `
    const { openDevice, compile } = await import(${tensor});
    const { neg } = await import(${kernels});
    ${program}
    console.log(Date.now());`;
  const flags = ["--conditions=source", "--import", import.meta.resolve("tsx"), "--input-type=module", "--eval", code];
  const { stdout } = await run(process.execPath, flags, { timeout: 60_000 });
  const ended = Date.now();
  return ended - Number(stdout.trim().split("\n").at(-1));
}

test("a process ends by itself within a second of closing its device", async () => {
  const milliseconds = await timeToExit(`
    const device = await openDevice();
    const program = await compile(device, [{ shape: [4] }], (x) => neg(x));
    program.run([Float32Array.of(1, 2, 3, 4)]);
    if ((await program.outputs.read())[3] !== -4) throw new Error("wrong result");
    program.run([], 100);
    await device.close();`);
  assert.ok(milliseconds < 1000, `${milliseconds} ms`);
});

test("so does one whose device was lost", async () => {
  const milliseconds = await timeToExit(`
    const device = await openDevice();
    device.gpu.destroy();
    await device.tensor([1]).read().catch(() => undefined);`);
  assert.ok(milliseconds < 1000, `${milliseconds} ms`);
});

test.run();
