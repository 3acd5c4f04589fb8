/** Energy: meters that count, meters that cannot be read, and epochs that say which. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as assert from "uvu/assert";
import { syntheticGarments } from "../../src/data/index.ts";
import { build, dense, flatten, sequential, type Json } from "../../src/nn/index.ts";
import { fit, hardwareLog } from "../../src/train/index.ts";
import * as browser from "../../src/train/hardware/meters.browser.ts";
import { openNvidiaSmi } from "../../src/train/hardware/nvidiaSmi.node.ts";
import type { EnergyMeter, PlatformMeters } from "../../src/train/hardware/platform.ts";
import { openRapl } from "../../src/train/hardware/rapl.node.ts";
import { device, deviceSuite } from "../tensor/device.ts";

const tests = deviceSuite("hardware log");
const folder = mkdtempSync(join(tmpdir(), "trama-hardware-"));
tests.after(() => rmSync(folder, { recursive: true }));

const { train } = syntheticGarments({ trainCount: 100, testCount: 50, seed: 2 });
const perceptron = () => build(device, sequential([flatten(), dense(10)]), { input: [28, 28, 1] });

/** A meter that counts 90 J more at each look. */
function steady(name: string): EnergyMeter & { closed: number } {
  let joules = 1000;
  return {
    name,
    closed: 0,
    joules: async () => (joules += 90),
    close() {
      this.closed++;
    },
  };
}

const metersOf = (processor: EnergyMeter | string): PlatformMeters => ({
  openProcessorMeter: async () => processor,
  openGpuMeter: async () => "there is none",
  peakResidentBytes: () => 123,
});

tests("an epoch has the energy of its looks, as Wh and W", async () => {
  const meter = steady("a test");
  const log = hardwareLog(metersOf(meter));
  await fit(perceptron(), train, { epochs: 2, callbacks: [log] });
  const { epochs, processor, gpu, residentBytes } = log.summary;
  assert.equal(
    epochs.map(({ epoch }) => epoch),
    [0, 1],
  );
  for (const { processor: one, seconds } of epochs) {
    assert.equal(one.energy, { value: 90 / 3600, source: "measured: a test" });
    assert.equal(one.power, { value: 90 / seconds, source: "measured: a test" });
  }
  assert.ok(Math.abs(processor.energy.value! - 180 / 3600) < 1e-12);
  const seconds = epochs.reduce((sum, epoch) => sum + epoch.seconds, 0);
  assert.ok(Math.abs(processor.power.value! - 180 / seconds) < 1e-6);
  assert.is(gpu.energy.value, null);
  assert.match(
    gpu.energy.source,
    device.isSoftware ? /^unknown: .*computes on the processor/ : /^unknown: there is none/,
  );
  assert.equal(residentBytes.value, 123);
  assert.is(meter.closed, 1, "the meter is closed in the end");
});

tests("what is unknown says why, and one gap makes the sum unknown", async () => {
  let looks = 0;
  const failing: EnergyMeter = {
    name: "a test",
    joules: async () => (++looks > 2 ? "it broke" : 10 * looks),
    close: () => undefined,
  };
  const log = hardwareLog(metersOf(failing));
  assert.equal(log.summary.processor.power, { value: null, source: "unknown: nothing was trained yet" });
  await fit(perceptron(), train, { epochs: 2, callbacks: [log] });
  const { epochs, processor } = log.summary;
  assert.equal(epochs[0]!.processor.energy.value, 10 / 3600);
  assert.equal(epochs[1]!.processor.energy, { value: null, source: "unknown: it broke" });
  assert.equal(processor.power, { value: null, source: "unknown: it broke" });
  const none = hardwareLog(metersOf("a reason"));
  await fit(perceptron(), train, { epochs: 1, callbacks: [none] });
  assert.equal(none.summary.processor.energy, { value: null, source: "unknown: a reason" });
});

tests("what was measured survives a checkpoint", async () => {
  const log = hardwareLog(metersOf(steady("a test")));
  await fit(perceptron(), train, { epochs: 1, callbacks: [log] });
  const resumed = hardwareLog(metersOf(steady("a test")));
  resumed.resume!(JSON.parse(JSON.stringify(log.state!())) as Json, []);
  assert.equal(resumed.summary.epochs, log.summary.epochs);
});

function domain(root: string, id: string, name: string, energy: number): string {
  const path = join(root, id);
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, "name"), `${name}\n`);
  writeFileSync(join(path, "max_energy_range_uj"), "1000000\n");
  writeFileSync(join(path, "energy_uj"), `${energy}\n`);
  return join(path, "energy_uj");
}

tests("RAPL: packages are summed, parts and the whole platform are not, and counters come round", async () => {
  const root = join(folder, "powercap");
  const first = domain(root, "intel-rapl:0", "package-0", 900_000);
  const second = domain(root, "intel-rapl:1", "package-1", 100_000);
  const others = [domain(root, "intel-rapl:0:0", "core", 0), domain(root, "intel-rapl:2", "psys", 0)];
  const meter = (await openRapl(root)) as EnergyMeter;
  assert.is(meter.name, "RAPL, 2 processor packages");
  assert.is(await meter.joules(), 0);
  writeFileSync(first, "200000");
  writeFileSync(second, "150000");
  for (const other of others) writeFileSync(other, "999999");
  assert.ok(Math.abs(((await meter.joules()) as number) - 0.35) < 1e-9);
  assert.is(await meter.joules(), await meter.joules(), "looking costs nothing");
  rmSync(second);
  assert.is(await meter.joules(), "RAPL counters can no longer be read");
  meter.close();
});

tests("RAPL: a machine without counters says so", async () => {
  assert.match((await openRapl(join(folder, "nothing"))) as string, /shows no RAPL/);
  domain(join(folder, "odd"), "intel-rapl:0", "psys", 1);
  assert.match((await openRapl(join(folder, "odd"))) as string, /no processor package/);
  const broken = join(folder, "broken");
  writeFileSync(domain(broken, "intel-rapl:0", "package-0", 1), "nonsense");
  assert.match((await openRapl(broken)) as string, /cannot be read/);
});

/** A program in the place of nvidia-smi that prints these lines every 20 ms. */
function smi(name: string, lines: readonly string[]): string {
  const path = join(folder, name);
  const text = lines.map((line) => `${line}\\n`).join("");
  writeFileSync(path, `#!${process.execPath}\nsetInterval(() => process.stdout.write("${text}"), 20);\n`);
  chmodSync(path, 0o755);
  return path;
}

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

tests("nvidia-smi: power over time is energy", async () => {
  const command = smi("two", ["0, NVIDIA A1, 7.00", "1, NVIDIA B2, 250.00"]);
  const meter = (await openNvidiaSmi("NVIDIA B2", command)) as EnergyMeter;
  assert.is(meter.name, "nvidia-smi, NVIDIA B2");
  const [began, before] = [performance.now(), (await meter.joules()) as number];
  await wait(150);
  const [ended, after] = [performance.now(), (await meter.joules()) as number];
  assert.ok(Math.abs(after - before - (250 * (ended - began)) / 1000) < 2.5, "250 W, but for 10 ms of the clock");
  meter.close();
  await wait(100);
  assert.match((await meter.joules()) as unknown as string, /nvidia-smi has ended/);
});

tests("nvidia-smi: what cannot be told apart, or is not told, is unknown", async () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    [smi("twins", ["0, NVIDIA B2, 250.00", "1, NVIDIA B2, 30.00"]), /2 GPUs are called NVIDIA B2/],
    [smi("strangers", ["0, NVIDIA A1, 7.00"]), /knows no NVIDIA B2/],
    [smi("silent", ["0, NVIDIA B2, [N/A]"]), /does not tell the power/],
    [join(folder, "missing"), /there is no nvidia-smi/],
  ];
  for (const [command, reason] of cases) assert.match((await openNvidiaSmi("NVIDIA B2", command)) as string, reason);
});

tests("a page knows nothing, and says so", async () => {
  const log = hardwareLog(browser);
  await fit(perceptron(), train, { epochs: 1, callbacks: [log] });
  const { processor, residentBytes } = log.summary;
  assert.match(processor.energy.source, /^unknown: a page/);
  assert.match(residentBytes.source, /^unknown: a page/);
});

tests.run();
