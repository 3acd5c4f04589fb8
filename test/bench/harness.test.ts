/** The bench's arithmetic and its order of events, on a clock that only moves when told to. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compare } from "../../bench/compare.ts";
import { interleave, Interrupted, ratioOf, timingOf, type Plan, type Runnable } from "../../bench/harness.ts";
import { median, midmean, quantile, ratios, spreadOf } from "../../bench/statistics.ts";
import { NumericError } from "../../src/errors.ts";

const statistics = suite("bench: statistics");

statistics("median of odd, even and unsorted lists", () => {
  assert.is(median([3, 1, 2]), 2);
  assert.is(median([4, 1, 3, 2]), 2.5);
  assert.is(median([7]), 7);
  assert.ok(Number.isNaN(median([])));
});

statistics("quantiles are interpolated, and the list is left alone", () => {
  const values = [50, 10, 30, 20, 40];
  assert.is(quantile(values, 0.25), 20);
  assert.is(quantile([10, 20], 0.75), 17.5);
  assert.equal(values, [50, 10, 30, 20, 40]);
});

statistics("spread: middle half and range", () => {
  assert.equal(spreadOf([5, 1, 2, 3, 4]), { lower: 2, upper: 4, least: 1, most: 5 });
});

statistics("midmean drops a quarter at each end", () => {
  assert.is(midmean([0, 1, 3, 1000]), 2);
  assert.is(midmean([6]), 6);
});

statistics("ratios are taken round by round, so that a slow round of both cancels out", () => {
  assert.equal(ratios([10, 100, 12], [2, 20, 2]), [5, 5, 6]);
  assert.is(ratioOf([10, 100, 12], [2, 20, 2]).median, 5);
});

statistics("timing of samples", () => {
  assert.equal(timingOf([2, 9, 4]), { median: 4, spread: { lower: 3, upper: 6.5, least: 2, most: 9 }, rounds: 3 });
});

statistics.run();

const timing = suite("bench: interleaving");

/** Contenders whose calls take the milliseconds given, and the clock that counts them. */
function fakes(...costs: readonly number[]) {
  const log: string[] = [];
  let now = 0;
  const contenders = costs.map((cost, index): Runnable => {
    let asked = 0;
    return {
      enter: async () => {
        now += 1000; // must not be counted
      },
      run(times) {
        log.push(`${index}×${times}`);
        asked += times;
      },
      async sync() {
        now += asked * cost;
        asked = 0;
      },
    };
  });
  return { contenders, log, clock: () => now };
}

const plan: Plan = { rounds: 3, leastRounds: 1, budget: 1e9, sample: 10 };

timing("A B A B after a warm-up, with calls enough to fill a sample", async () => {
  const { contenders, log, clock } = fakes(2, 40);
  const samples = await interleave(contenders, plan, clock);
  assert.equal(samples, [
    [2, 2, 2],
    [40, 40, 40],
  ]);
  assert.equal(log, ["0×1", "0×5", "1×1", "0×5", "1×1", "0×5", "1×1", "0×5", "1×1"]);
});

timing("calls of a sample are capped", async () => {
  const { contenders, log, clock } = fakes(1e-4);
  await interleave(contenders, plan, clock);
  assert.is(log.at(-1), "0×64");
});

timing("the budget ends a slow case after the least rounds", async () => {
  const { contenders, clock } = fakes(500);
  const samples = await interleave(contenders, { ...plan, rounds: 50, leastRounds: 2, budget: 100 }, clock);
  assert.is(samples[0]!.length, 2);
});

timing("an abort stops between samples", async () => {
  const { contenders, clock } = fakes(1);
  try {
    await interleave(contenders, plan, clock, AbortSignal.abort());
    assert.unreachable("it went on");
  } catch (error) {
    assert.instance(error, Interrupted);
  }
});

timing.run();

const agreement = suite("bench: agreement");

const refusal = (of: () => void, pattern: RegExp) =>
  assert.throws(of, (error: unknown) => error instanceof NumericError && pattern.test(error.message));

agreement("tolerance is a share of the greatest value", () => {
  compare("x", [[100, 0.009]], [[100, 0]], 1e-4);
  refusal(() => compare("x", [[100, 0.02]], [[100, 0]], 1e-4), /0\.02 and 0 at element 1/);
});

agreement("lengths, NaN and silent zeros are refused", () => {
  refusal(() => compare("x", [[1]], [[1, 2]], 1), /1 and 2 values/);
  refusal(() => compare("x", [[1, Number.NaN]], [[1, 1]], 1), /NaN and 1/);
  refusal(() => compare("x", [[0, 0]], [[0, 0]], 1), /zeros only/);
});

agreement.run();
