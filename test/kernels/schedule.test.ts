import fc from "fast-check";
import * as assert from "uvu/assert";
import { OptionError } from "../../src/errors.ts";
import { rateAt, scheduleRate, type Schedule } from "../../src/kernels/index.ts";
import { sgd } from "../../src/nn/index.ts";
import { compile } from "../../src/tensor/index.ts";
import { forAll } from "../reference/generate.ts";
import * as reference from "../reference/schedules.ts";
import { device, deviceSuite } from "../tensor/device.ts";

const tests = deviceSuite("schedules");

const rate = fc.constantFrom(0.1, 3e-4, 2);
const steps = fc.constantFrom(1, 7, 100, 30_000);
const end = fc.constantFrom(0, 1e-6, 1e-4);

type Plain = Exclude<Schedule, { kind: "warmup" }>;

/** Each kind with its formula, independent of the engine's. */
const kinds: Readonly<Record<string, fc.Arbitrary<readonly [Plain, (t: number) => number]>>> = {
  constant: fc.record({ rate }).map((o) => [{ kind: "constant", ...o }, () => o.rate]),
  step: fc
    .record({ rate, every: steps, factor: fc.constantFrom(0.5, 0.8, 0.96) })
    .map((o) => [{ kind: "step", ...o }, (t) => reference.step(o.rate, o.every, o.factor, t)]),
  exponential: fc
    .record({ rate, every: steps, factor: fc.constantFrom(0.5, 0.96) })
    .map((o) => [{ kind: "exponential", ...o }, (t) => reference.exponential(o.rate, o.every, o.factor, t)]),
  polynomial: fc
    .record({ rate, steps, end, power: fc.constantFrom(0.5, 1, 2, 3) })
    .map((o) => [{ kind: "polynomial", ...o }, (t) => reference.polynomial(o.rate, o.steps, o.end, o.power, t)]),
  cosine: fc
    .record({ rate, steps, end })
    .map((o) => [{ kind: "cosine", ...o }, (t) => reference.cosine(o.rate, o.steps, o.end, t)]),
  cosineRestarts: fc
    .record({ rate, steps, end, growth: fc.constantFrom(1, 2, 3), shrink: fc.constantFrom(1, 0.5) })
    .map((o) => [
      { kind: "cosineRestarts", ...o },
      (t) => reference.cosineRestarts(o.rate, o.steps, o.end, o.growth, o.shrink, t),
    ]),
  oneCycle: fc
    .record({
      rate,
      steps: fc.constantFrom(10, 100, 30_000),
      warmup: fc.constantFrom(0, 0.1, 0.3, 0.9),
      startDivisor: fc.constantFrom(25, 10),
      endDivisor: fc.constantFrom(1e4, 100),
    })
    .map((o) => [
      { kind: "oneCycle", ...o },
      (t) => reference.oneCycle(o.rate, o.steps, o.warmup, o.startDivisor, o.endDivisor, t),
    ]),
};

const warmth = fc.option(fc.record({ steps: fc.constantFrom(1, 5, 1000), start: fc.constantFrom(0, 0.1) }), {
  nil: null,
});

for (const [kind, schedules] of Object.entries(kinds)) {
  tests(`${kind}: the GPU, the CPU and the formula agree`, async () => {
    await forAll(fc.tuple(schedules, warmth), async ([[schedule, formula], warm]) => {
      const whole: Schedule = warm ? { kind: "warmup", ...warm, after: schedule } : schedule;
      const want = (t: number): number => {
        if (!warm) return formula(t);
        return t < warm.steps ? reference.warmup(formula(0), warm.steps, warm.start, t) : formula(t - warm.steps);
      };
      const [step, now] = [device.zeros([1], "u32"), device.zeros([1])];
      const program = await compile(device, [], () => scheduleRate(whole, { step, rate: now }));
      const length = "steps" in schedule ? schedule.steps : "every" in schedule ? schedule.every * 3 : 10;
      const shares = [0, 0.001, 0.1, 0.25, 0.3, 0.5, 0.77, 0.999, 1, 1.5, 4];
      const times = new Set(shares.flatMap((share) => [0, 1].map((more) => Math.floor(share * length) + more)));
      for (const t of [...times, 3, 4, 999, 1000]) {
        device.write(step, Uint32Array.of(t));
        program.run([]);
        const [got, cpu, exact] = [await now.item(), rateAt(whole, t), want(t)];
        const top = Math.max(schedule.rate, "end" in schedule ? (schedule.end ?? 0) : 0);
        const case_ = `${JSON.stringify(whole)} at step ${t}`;
        assert.ok(Math.abs(cpu - exact) <= 1e-12 * top, `${case_}: ${cpu} is not ${exact}`);
        assert.ok(Math.abs(got - cpu) <= 1e-6 * Math.max(cpu, 1e-3 * top), `${case_}: the GPU's ${got} is not ${cpu}`);
      }
      program.dispose();
    }, 8); // prettier-ignore
  });
}

tests("cosine restarts end neither at the greatest step nor with a period beyond a u32", async () => {
  const [step, now] = [device.tensor(Uint32Array.of(2 ** 32 - 1)), device.zeros([1])];
  scheduleRate({ kind: "cosineRestarts", rate: 1, steps: 65_536, growth: 65_536 }, { step, rate: now });
  assert.ok((await now.item()) <= 1);
});

tests("a plateau's factor multiplies whatever the schedule says", async () => {
  const [step, now] = [device.tensor(Uint32Array.of(3)), device.zeros([1])];
  const plateauFactor = device.tensor([0.25]);
  scheduleRate({ kind: "step", rate: 8, every: 3, factor: 0.5 }, { step, rate: now, plateauFactor });
  assert.is(await now.item(), 1);
  scheduleRate(8, { step, rate: now, plateauFactor });
  assert.is(await now.item(), 2);
});

tests("schedules that make no sense are refused by name", () => {
  // prettier-ignore
  const refusals: readonly (readonly [unknown, string])[] = [
    [-1, "expected a positive number as learning rate, got -1"],
    [{ kind: "cosin", rate: 1 }, "expected a schedule of kind constant, step, exponential, polynomial, cosine, cosineRestarts, oneCycle, warmup, got cosin"],
    [{ kind: "cosine", rate: 1 }, "expected a whole number from 1 to 2³¹ as steps of a cosine schedule, got undefined"],
    [{ kind: "cosine", rate: 1, steps: 2.5 }, "expected a whole number from 1 to 2³¹ as steps of a cosine schedule, got 2.5"],
    [{ kind: "oneCycle", rate: 1, steps: 9, warmup: 1 }, "expected a number in [0, 1) as warmup of a oneCycle schedule, got 1"],
    [{ kind: "step", rate: 1, every: 2, gamma: 3 }, "expected options of a step schedule among rate, every, factor, got gamma"],
    [{ kind: "warmup", steps: 3 }, "expected a rate or another schedule as what comes `after` a warm-up, got none"],
    [{ kind: "warmup", steps: 3, after: { kind: "warmup", steps: 3, after: 1 } }, "expected a rate or another schedule as what comes `after` a warm-up, got another warm-up"],
  ];
  for (const [learningRate, message] of refusals) {
    try {
      sgd({ learningRate: learningRate as Schedule });
    } catch (error) {
      assert.instance(error, OptionError);
      assert.is((error as OptionError).message, `sgd: ${message}`);
      continue;
    }
    assert.unreachable(message);
  }
});

tests.run();
