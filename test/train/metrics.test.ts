/** Metrics against scikit-learn's values, against their definitions, and against each other. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { DataError, NumericError, OptionError, ShapeError, type TramaError } from "../../src/errors.ts";
import {
  accuracy,
  argMax,
  atThreshold,
  balancedAccuracy,
  baselines,
  brierScore,
  calibration,
  classificationMetrics,
  cohenKappa,
  confidenceCalibration,
  confusionMatrix,
  frequencyScores,
  landmarkDistance,
  logLoss,
  matthewsCorrelation,
  meanLandmarks,
  multiLabelAreas,
  multiLabelMetrics,
  oneVsRestAreas,
  precisionRecallCurve,
  recallAtK,
  rocCurve,
  topKAccuracy,
  type AveragedScores,
  type Scores,
} from "../../src/train/metrics/index.ts";
import { golden } from "../svm/oracle.ts";

/** A number, or "nan" or "inf". */
type Value = number | string;
type Triple = readonly [precision: Value, recall: Value, fBeta: Value];

interface ScoreCase extends Readonly<Record<"macro" | "weighted" | "micro", Triple>> {
  readonly zeroDivision: Value;
  readonly beta: number;
  readonly perClass: readonly (readonly Value[])[];
  readonly perSample?: Triple;
}

interface Fixture {
  readonly answers: readonly {
    readonly name: string;
    readonly classes: number;
    readonly truth: readonly number[];
    readonly predicted: readonly number[];
    readonly scores: readonly ScoreCase[];
    readonly balancedAccuracy: number;
    readonly cohenKappa: Value;
    readonly matthews: number;
  }[];
  readonly rankings: readonly {
    readonly name: string;
    readonly classes: number;
    readonly truth: readonly number[];
    readonly probabilities: readonly number[];
    readonly roc: Readonly<Record<"falsePositiveRate" | "truePositiveRate" | "thresholds", readonly Value[]>>;
    readonly rocPoints: number;
    readonly precisionRecall: Readonly<Record<"precision" | "recall" | "thresholds", readonly Value[]>>;
    readonly rocAuc: Areas;
    readonly averagePrecision: Areas;
    readonly logLoss: number;
    readonly brierScore: number;
    readonly binary: { readonly logLoss: number; readonly brierScore: number };
    readonly calibration: readonly Readonly<Record<"frequencies" | "meanProbabilities", readonly number[]>>[];
  }[];
  readonly labelSets: {
    readonly labels: number;
    readonly truth: readonly number[];
    readonly decisions: readonly number[];
    readonly probabilities: readonly number[];
    readonly scores: readonly ScoreCase[];
    readonly errorRate: number;
    readonly subsetAccuracy: number;
    readonly rocAuc: Areas;
    readonly averagePrecision: Areas;
  };
  readonly dummies: {
    readonly classes: number;
    readonly learnt: readonly number[];
    readonly truth: readonly number[];
    readonly scores: readonly ScoreCase[];
    readonly logLoss: number;
    readonly brierScore: number;
  };
}

interface Areas {
  readonly perClass?: readonly number[];
  readonly macro: number;
  readonly weighted: number;
}

interface GoldenCase {
  readonly name: string;
  readonly labels: readonly number[];
  readonly truth: readonly number[];
  readonly predicted: readonly number[];
  readonly confusion: readonly (readonly number[])[];
  readonly report: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly accuracy: number;
  readonly balancedAccuracy: number;
  readonly "fbeta0.5": Readonly<Record<"macro" | "weighted", number>>;
  readonly fbeta2: Readonly<Record<"macro" | "weighted", number>>;
  readonly cohenKappa: number;
  readonly matthews: number;
  readonly negativePredictiveValue: readonly number[];
  readonly specificity: readonly number[];
  readonly probabilities?: readonly (readonly number[])[];
  readonly top1: number;
  readonly top3: number;
  readonly top5: number;
  readonly logLoss: number;
  readonly class0: GoldenCurves;
  readonly class1: GoldenCurves;
}

type GoldenCurves = Readonly<Record<"rocAuc" | "averagePrecision", number>> &
  Readonly<Record<"fpr" | "tpr" | "precision" | "recall", readonly number[]>>;

const fixture = JSON.parse(readFileSync(new URL("fixtures/metrics.json", import.meta.url), "utf8")) as Fixture;
const shared = golden("metrics.json") as { readonly cases: readonly GoldenCase[] } | undefined;

const numberOf = (value: Value): number =>
  typeof value === "number" ? value : value === "nan" ? NaN : value === "inf" ? Infinity : Number(value);

/** Equal up to rounding; NaN equals NaN. */
function close(actual: ArrayLike<number> | number, expected: readonly Value[] | Value, what = "", tolerance = 1e-12) {
  const [a, e] = [actual, expected].map((one) =>
    typeof one === "object" ? Array.from(one as ArrayLike<Value>) : [one],
  );
  assert.is(a!.length, e!.length, `${what}: how many`);
  a!.forEach((value, i) => {
    const wanted = numberOf(e![i]!);
    const same = Object.is(value, wanted) || Math.abs((value as number) - wanted) <= tolerance;
    assert.ok(same, `${what}[${i}]: ${value} instead of ${wanted}`);
  });
}

const triple = ({ precision, recall, fBeta }: Scores) => [precision, recall, fBeta];

function sameScores(of: AveragedScores & { readonly perSample?: Scores }, expected: ScoreCase, name: string): void {
  const what = `${name}, zero division ${expected.zeroDivision}, beta ${expected.beta}`;
  (["precision", "recall", "fBeta"] as const).forEach((score, i) => {
    close(
      of.perClass.map((scores) => scores[score]),
      expected.perClass[i]!,
      `${what}: ${score}`,
    );
  });
  for (const average of ["macro", "weighted", "micro"] as const) {
    close(triple(of[average]), expected[average], `${what}: ${average}`);
  }
  if (expected.perSample !== undefined) close(triple(of.perSample!), expected.perSample, `${what}: samples`);
}

const optionsOf = ({ zeroDivision, beta }: ScoreCase) => ({ zeroDivision: numberOf(zeroDivision), beta });

const test = suite("metrics");

test("scores of answers are scikit-learn's, whatever is absent and whatever 0/0 counts as", () => {
  for (const { name, classes, truth, predicted, scores, ...single } of fixture.answers) {
    const confusion = confusionMatrix(truth, predicted, classes);
    for (const expected of scores) sameScores(classificationMetrics(confusion, optionsOf(expected)), expected, name);
    close(balancedAccuracy(confusion, { zeroDivision: NaN }), single.balancedAccuracy, name);
    close(cohenKappa(confusion), single.cohenKappa, name);
    close(matthewsCorrelation(confusion), single.matthews, name);
  }
});

test("what is 0/0 is listed", () => {
  const { undefinedScores } = classificationMetrics({ truth: [0, 0, 1], predicted: [0, 0, 0], classes: 3 });
  assert.equal(undefinedScores, [
    { score: "negativePredictiveValue", at: 0 },
    { score: "precision", at: 1 },
    { score: "precision", at: 2 },
    { score: "recall", at: 2 },
    { score: "f1", at: 2 },
    { score: "fBeta", at: 2 },
  ]);
  assert.equal(classificationMetrics({ truth: [0, 1], predicted: [0, 1], classes: 2 }).undefinedScores, []);
  const nothing = multiLabelMetrics([0, 0], [0, 0], 1, { zeroDivision: NaN });
  const at = new Set(nothing.undefinedScores.map((one) => one.at));
  assert.equal([...at], [0, "macro", "weighted", "micro", "perSample"]);
});

test("curves, areas, losses and calibration are scikit-learn's, ties or not", () => {
  for (const { name, classes, truth, probabilities, ...expected } of fixture.rankings) {
    const own = truth.map((label) => (label === 0 ? 1 : 0));
    const score = truth.map((_, row) => probabilities[row * classes]!);
    const roc = rocCurve(own, score);
    for (const key of ["falsePositiveRate", "truePositiveRate", "thresholds"] as const) {
      close(roc[key], expected.roc[key], `${name}: ${key}`);
    }
    assert.is(rocCurve(own, score, { dropIntermediate: false }).thresholds.length, expected.rocPoints);
    const curve = precisionRecallCurve(own, score);
    for (const key of ["precision", "recall", "thresholds"] as const) {
      close(curve[key], expected.precisionRecall[key], `${name}: ${key}`);
    }
    const areas = oneVsRestAreas(truth, probabilities, classes);
    for (const area of ["rocAuc", "averagePrecision"] as const) {
      for (const key of ["perClass", "macro", "weighted"] as const) close(areas[area][key], expected[area][key]!, area);
    }
    close(roc.area, expected.rocAuc.perClass![0]!);
    close(curve.averagePrecision, expected.averagePrecision.perClass![0]!);
    close(logLoss(truth, probabilities, classes), expected.logLoss);
    close(brierScore(truth, probabilities, classes), expected.brierScore);
    close(logLoss(own, score), expected.binary.logLoss);
    close(brierScore(own, score), expected.binary.brierScore);
    [10, 5].forEach((bins, i) => {
      const { bins: filled } = calibration(own, score, { bins });
      close(
        filled.map(({ frequency }) => frequency),
        expected.calibration[i]!.frequencies,
        `${bins} bins`,
      );
      close(
        filled.map(({ meanProbability }) => meanProbability),
        expected.calibration[i]!.meanProbabilities,
      );
    });
  }
});

test("scores of sets of labels are scikit-learn's, with labels and samples that have none", () => {
  const { labels, truth, decisions, probabilities, scores, ...expected } = fixture.labelSets;
  assert.equal(
    [...atThreshold(probabilities)].map((d, at) => (decisions[at] === 0 ? 0 : d)),
    decisions,
  );
  for (const one of scores) sameScores(multiLabelMetrics(truth, decisions, labels, optionsOf(one)), one, "label sets");
  const { errorRate, subsetAccuracy } = multiLabelMetrics(truth, decisions, labels);
  close([errorRate, subsetAccuracy], [expected.errorRate, expected.subsetAccuracy]);
  const areas = multiLabelAreas(truth, probabilities, labels);
  for (const area of ["rocAuc", "averagePrecision"] as const) {
    assert.equal(areas[area].undefinedClasses, [3]);
    close([areas[area].macro, areas[area].weighted], [expected[area].macro, expected[area].weighted], area);
  }
});

test("baselines are scikit-learn's dummies", () => {
  const { classes, learnt, truth, scores, ...expected } = fixture.dummies;
  const trivial = baselines(truth, classes, learnt);
  for (const one of scores) sameScores(classificationMetrics(trivial.mostFrequent, optionsOf(one)), one, "dummy");
  close([trivial.logLoss, trivial.brierScore], [expected.logLoss, expected.brierScore]);
  close(trivial.prior, [3 / 6, 2 / 6, 1 / 6]);
  close(trivial.topKAccuracy, [2 / 8, 5 / 8, 1]);
});

/** The golden file may be absent; what it holds beyond the fixture is tested where it is. */
if (shared !== undefined) {
  for (const { name, labels, truth, predicted, ...expected } of shared.cases) {
    test(`golden: ${name}`, () => {
      const classes = labels.length;
      const confusion = confusionMatrix(truth, predicted, classes);
      assert.equal([...confusion.counts], expected.confusion.flat());
      const metrics = classificationMetrics(confusion);
      close([metrics.accuracy, accuracy(confusion)], [expected.accuracy, expected.accuracy]);
      close(balancedAccuracy(confusion), expected.balancedAccuracy);
      close(cohenKappa(confusion), expected.cohenKappa);
      close(matthewsCorrelation(confusion), expected.matthews);
      const rows = metrics.perClass.map((scores, k) => [String(labels[k]), scores, scores.support] as const);
      const averages = [
        ["macro avg", metrics.macro, truth.length],
        ["weighted avg", metrics.weighted, truth.length],
      ] as const;
      for (const [row, scores, support] of [...rows, ...averages]) {
        const { precision, recall, "f1-score": f1, support: wanted } = expected.report[row]!;
        close([scores.precision, scores.recall, scores.f1, support], [precision!, recall!, f1!, wanted!], row);
      }
      close(
        metrics.perClass.map(({ specificity }) => specificity),
        expected.specificity,
      );
      close(
        metrics.perClass.map((scores) => scores.negativePredictiveValue),
        expected.negativePredictiveValue,
      );
      for (const beta of [0.5, 2] as const) {
        const { macro, weighted } = classificationMetrics(confusion, { beta });
        const wanted = beta === 2 ? expected.fbeta2 : expected["fbeta0.5"];
        close([macro.fBeta, weighted.fBeta], [wanted.macro, wanted.weighted]);
      }
      if (expected.probabilities === undefined) return;
      const probabilities = expected.probabilities.flat();
      assert.equal([...argMax(probabilities, classes)], predicted);
      close(
        [1, 3, 5].map((k) => topKAccuracy(truth, probabilities, classes, k)),
        [expected.top1, expected.top3, expected.top5],
      );
      close(logLoss(truth, probabilities, classes), expected.logLoss);
      [expected.class0, expected.class1].forEach((curves, k) => {
        const own = truth.map((label) => (label === k ? 1 : 0));
        const score = truth.map((_, row) => probabilities[row * classes + k]!);
        const roc = rocCurve(own, score, { dropIntermediate: false });
        const curve = precisionRecallCurve(own, score);
        close([roc.area, curve.averagePrecision], [curves.rocAuc, curves.averagePrecision]);
        // The file has twelve decimals of each point.
        close(roc.falsePositiveRate, curves.fpr, "fpr", 1e-11);
        close(roc.truePositiveRate, curves.tpr, "tpr", 1e-11);
        close(curve.precision, curves.precision, "precision", 1e-11);
        close(curve.recall, curves.recall, "recall", 1e-11);
      });
    });
  }
}

/** Answers of up to 40 samples in up to 6 classes, some of which may be absent. */
const answers = fc.integer({ min: 1, max: 6 }).chain((classes) => {
  const label = fc.nat(classes - 1);
  return fc.record({
    classes: fc.constant(classes),
    pairs: fc.array(fc.tuple(label, label), { minLength: 1, maxLength: 40 }),
    order: fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })),
  });
});

const split = (pairs: readonly (readonly [number, number])[]) => ({
  truth: pairs.map(([truth]) => truth),
  predicted: pairs.map(([, predicted]) => predicted),
});

test("every score is a ratio of outcomes, counted one sample after the other", () => {
  fc.assert(
    fc.property(answers, fc.constantFrom(0.5, 1, 2), ({ classes, pairs }, beta) => {
      const metrics = classificationMetrics({ ...split(pairs), classes }, { beta, zeroDivision: NaN });
      metrics.perClass.forEach((scores, k) => {
        const count = (t: boolean, p: boolean) => pairs.filter(([a, b]) => (a === k) === t && (b === k) === p).length;
        const [tp, fp, fn, tn] = [count(true, true), count(false, true), count(true, false), count(false, false)];
        close(scores.precision, tp / (tp + fp));
        close(scores.recall, tp / (tp + fn));
        close(scores.specificity, tn / (tn + fp));
        close(scores.negativePredictiveValue, tn / (tn + fn));
        assert.is(scores.support, tp + fn);
        const [p, r] = [scores.precision, scores.recall];
        // The definition by precision and recall, where it is defined.
        if (p + r > 0) close(scores.fBeta, ((1 + beta ** 2) * p * r) / (beta ** 2 * p + r));
      });
    }),
  );
});

test("micro-averaged precision, recall and F1 are the accuracy, and so is the weighted recall", () => {
  fc.assert(
    fc.property(answers, ({ classes, pairs }) => {
      const { micro, weighted, accuracy: share } = classificationMetrics({ ...split(pairs), classes });
      close([micro.precision, micro.recall, micro.f1, weighted.recall], [share, share, share, share]);
    }),
  );
});

test("the order of samples changes nothing, new numbers for classes change their order only", () => {
  fc.assert(
    fc.property(answers, ({ classes, pairs, order }) => {
      const keys = [...order.take(pairs.length)];
      const shuffled = pairs
        .map((_, i) => i)
        .sort((a, b) => keys[a]! - keys[b]!)
        .map((i) => pairs[i]!);
      const metrics = classificationMetrics({ ...split(pairs), classes });
      assert.equal(classificationMetrics({ ...split(shuffled), classes }), metrics);
      const renamed = pairs.map(([a, b]) => [classes - 1 - a, classes - 1 - b] as const);
      const [before, after] = [pairs, renamed].map((of) => {
        const { truth, predicted } = split(of);
        return confusionMatrix(truth, predicted, classes);
      });
      const other = classificationMetrics(after!);
      assert.equal(other.perClass.toReversed(), metrics.perClass);
      close(triple(other.macro), triple(metrics.macro));
      close(cohenKappa(after!), cohenKappa(before!));
      close(matthewsCorrelation(after!), matthewsCorrelation(before!));
    }),
  );
});

test("truth and answers change places: precision and recall do, kappa and Matthews stay", () => {
  fc.assert(
    fc.property(answers, ({ classes, pairs }) => {
      const { truth, predicted } = split(pairs);
      const [a, b] = [confusionMatrix(truth, predicted, classes), confusionMatrix(predicted, truth, classes)];
      const [one, other] = [classificationMetrics(a), classificationMetrics(b)];
      close(
        one.perClass.map(({ precision }) => precision),
        other.perClass.map(({ recall }) => recall),
      );
      close(
        one.perClass.map(({ f1 }) => f1),
        other.perClass.map(({ f1 }) => f1),
      );
      close(cohenKappa(a), cohenKappa(b));
      close(matthewsCorrelation(a), matthewsCorrelation(b));
    }),
  );
});

/** Positives and negatives with scores that often tie. */
const scored = fc.tuple(
  fc.array(fc.integer({ min: -4, max: 6 }), { minLength: 1, maxLength: 20 }),
  fc.array(fc.integer({ min: -6, max: 4 }), { minLength: 1, maxLength: 20 }),
);

const binary = ([positives, negatives]: [number[], number[]]) => ({
  truth: [...positives.map(() => 1), ...negatives.map(() => 0)],
  scores: [...positives, ...negatives].map((score) => score / 8),
});

test("the ROC area is the Mann–Whitney statistic, and no increasing function of the scores changes it", () => {
  fc.assert(
    fc.property(scored, (sides) => {
      const [positives, negatives] = sides;
      const { truth, scores } = binary(sides);
      let wins = 0;
      for (const p of positives) for (const n of negatives) wins += p > n ? 1 : p === n ? 0.5 : 0;
      const { area } = rocCurve(truth, scores);
      close(area, wins / (positives.length * negatives.length));
      assert.is(rocCurve(truth, scores.map(Math.exp)).area, area);
      close(
        rocCurve(
          truth,
          scores.map((score) => -score),
        ).area,
        1 - area,
      );
      close(
        rocCurve(
          truth.map((t) => 1 - t),
          scores.map((score) => -score),
        ).area,
        area,
      );
    }),
  );
});

test("each point of a curve is the confusion at its threshold, and areas are those under the points", () => {
  fc.assert(
    fc.property(scored, (sides) => {
      const { truth, scores } = binary(sides);
      const roc = rocCurve(truth, scores);
      roc.thresholds.forEach((threshold, i) => {
        const { perClass } = multiLabelMetrics(truth, atThreshold(scores, threshold), 1);
        close(roc.truePositiveRate[i]!, perClass[0]!.recall);
        close(roc.falsePositiveRate[i]!, 1 - perClass[0]!.specificity);
      });
      let area = 0;
      roc.falsePositiveRate.forEach((x, i) => {
        if (i === 0) return;
        area += ((x - roc.falsePositiveRate[i - 1]!) * (roc.truePositiveRate[i]! + roc.truePositiveRate[i - 1]!)) / 2;
      });
      close(roc.area, area);
      const { thresholds, precision, recall, averagePrecision } = precisionRecallCurve(truth, scores);
      let steps = 0;
      thresholds.forEach((threshold, i) => {
        const { perClass } = multiLabelMetrics(truth, atThreshold(scores, threshold), 1);
        close([precision[i]!, recall[i]!], [perClass[0]!.precision, perClass[0]!.recall]);
        steps += (recall[i]! - recall[i + 1]!) * precision[i]!;
      });
      close(averagePrecision, steps);
    }),
  );
});

test("thresholds that separate nothing are the diagonal", () => {
  const flat = rocCurve([1, 0, 1, 0], [0.5, 0.5, 0.5, 0.5]);
  assert.equal([...flat.falsePositiveRate, ...flat.truePositiveRate, flat.area], [0, 1, 0, 1, 0.5]);
  close(precisionRecallCurve([1, 0, 0, 0], [1, 1, 1, 1]).averagePrecision, 0.25);
});

test("classes that cannot be ranked against others are named and left out of averages", () => {
  const { rocAuc, averagePrecision } = oneVsRestAreas([0, 0, 1], [3, 1, 0, 2, 1, 0, 1, 2, 0], 3);
  assert.equal([...rocAuc.perClass], [1, 1, NaN]);
  assert.equal([rocAuc.macro, rocAuc.weighted, rocAuc.undefinedClasses], [1, 1, [2]]);
  assert.equal(averagePrecision.undefinedClasses, [2]);
  // Only one class at all: ranking has no negatives, precision has no need of them.
  const alone = oneVsRestAreas([0, 0], [1, 0, 1, 0], 2);
  assert.equal([alone.rocAuc.macro, alone.rocAuc.undefinedClasses], [NaN, [0, 1]]);
  assert.equal([alone.averagePrecision.macro, alone.averagePrecision.undefinedClasses], [1, [1]]);
});

test("top-k accuracy grows with k from the accuracy to 1", () => {
  const rows = fc.array(fc.tuple(fc.nat(3), fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 4, maxLength: 4 })), {
    minLength: 1,
    maxLength: 20,
  });
  fc.assert(
    fc.property(rows, (samples) => {
      const truth = samples.map(([label]) => label);
      const scores = samples.flatMap(([, row]) => row);
      const shares = [1, 2, 3, 4].map((k) => topKAccuracy(truth, scores, 4, k));
      const predicted = argMax(scores, 4);
      close(shares[0]!, truth.filter((label, i) => predicted[i] === label).length / truth.length);
      assert.equal(
        shares,
        shares.toSorted((a, b) => a - b),
      );
      assert.is(shares[3], 1);
    }),
  );
});

test("losses: known values, surely wrong answers, rounding of f32", () => {
  close(logLoss([0, 1], [0.5, 0.5, 0.25, 0.75], 2), (Math.log(2) - Math.log(0.75)) / 2);
  close(brierScore([0, 1], [0.5, 0.5, 0.25, 0.75], 2), (0.25 + 0.0625) / 2);
  close(logLoss([1], [0]), -Math.log(2 ** -52));
  close(logLoss([1], Float32Array.of(0)), -Math.log(2 ** -23));
  close(logLoss([0], Float32Array.of(0.7, 0.2, 0.1), 3), -Math.log(0.7), "f32", 1e-6);
  close(brierScore([2], [1, 0, 0], 3), 2);
});

test("calibration: a sure forecaster who is always right is calibrated, one who is always wrong is off by 1", () => {
  const right = calibration([1, 0, 1], [1, 0, 1]);
  assert.equal([right.expectedError, right.maximumError, right.bins.length], [0, 0, 2]);
  assert.is(calibration([0, 1], [1, 0]).expectedError, 1);
  const half = confidenceCalibration([0, 1], [0.75, 0.25, 0.75, 0.25], 2, { bins: 2 });
  assert.equal(half.bins, [{ lower: 0.5, upper: 1, samples: 2, meanProbability: 0.75, frequency: 0.5 }]);
  assert.is(half.expectedError, 0.25);
  // Edges belong to the bin below, 0 to the first.
  const edges = calibration([1, 1, 1, 1], [0, 0.25, 0.5, 1], { bins: 4 });
  assert.equal(
    edges.bins.map(({ upper, samples }) => [upper, samples]),
    [
      [0.25, 2],
      [0.5, 1],
      [1, 1],
    ],
  );
});

test("each probability is in the bin whose edges are around it", () => {
  const share = fc.integer({ min: 0, max: 30 }).map((i) => i / 30);
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 30 }),
      fc.oneof(share, fc.double({ min: 0, max: 1, noNaN: true })),
      (bins, p) => {
        const [bin] = calibration([1], [p], { bins }).bins;
        assert.ok(p <= bin!.upper && (p > bin!.lower || bin!.lower === 0), `${p} in (${bin!.lower}, ${bin!.upper}]`);
      },
    ),
  );
});

test("baselines: what their definitions say, and no agreement beyond chance", () => {
  fc.assert(
    fc.property(answers, ({ classes, pairs }) => {
      const { truth, predicted: learnt } = split(pairs);
      const { prior, commonest, mostFrequent, stratified, topKAccuracy: topK } = baselines(truth, classes, learnt);
      const shareOf = (k: number) => truth.filter((label) => label === k).length / truth.length;
      close(accuracy(mostFrequent), shareOf(commonest));
      close(
        accuracy(stratified),
        prior.reduce((sum, p, k) => sum + p * shareOf(k), 0),
      );
      close(topK[0]!, shareOf(commonest));
      close(topK.at(-1)!, 1);
      for (const confusion of [mostFrequent, stratified]) {
        close(
          confusion.counts.reduce((sum, count) => sum + count, 0),
          truth.length,
          "samples",
          1e-9,
        );
        close(cohenKappa(confusion, { zeroDivision: 0 }), 0, "kappa", 1e-9);
        close(matthewsCorrelation(confusion), 0, "Matthews", 1e-7);
      }
    }),
  );
});

test("the most frequent answer is scored as if it had been given, to what is 0/0", () => {
  fc.assert(
    fc.property(answers, ({ classes, pairs }) => {
      const { truth } = split(pairs);
      const { commonest, mostFrequent } = baselines(truth, classes);
      const given = classificationMetrics({ truth, predicted: truth.map(() => commonest), classes });
      assert.equal(classificationMetrics(mostFrequent), given);
    }),
  );
});

test("fractions that round do not make a ratio of nothing", () => {
  // Truth is one class: there is no other to tell it apart from, and nothing to correlate.
  for (let samples = 1; samples < 60; samples++) {
    const learnt = Array.from({ length: 100 }, (_, i) => (i * i) % 11);
    const { stratified } = baselines(new Uint8Array(samples), 11, learnt);
    const { perClass, undefinedScores } = classificationMetrics(stratified);
    assert.is(perClass[0]!.specificity, 0);
    assert.ok(
      undefinedScores.some(({ score, at }) => score === "specificity" && at === 0),
      `${samples} samples`,
    );
    assert.is(matthewsCorrelation(stratified), 0, `${samples} samples`);
  }
});

test("the expectation of drawing by the prior is the mean of many draws", () => {
  const truth = [0, 0, 0, 1, 1, 2];
  let [state, hits] = [1, 0];
  const draws = 60_000;
  for (let i = 0; i < draws; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    if (truth[Math.floor((state / 2 ** 32) * 6)] === truth[i % 6]) hits++;
  }
  close(accuracy(baselines(truth, 3).stratified), hits / draws, "accuracy", 0.01);
});

test("baselines lose what they never saw, but not everything", () => {
  const { logLoss: loss, prior } = baselines([0, 1], 2, [0, 0]);
  assert.equal([...prior], [1, 0]);
  close(loss, -Math.log(2 ** -52) / 2);
});

test("recall at k: over all labels, and within each type", () => {
  //               texture     shape
  const truth = [1, 0, 0, /**/ 1, 0, /* */ 0, 0, 1, /**/ 0, 1];
  const scores = [0.9, 0.8, 0.7, 0.1, 0.2, 0.3, 0.2, 0.1, 0.4, 0.5];
  const types = [
    { name: "texture", labels: [0, 1, 2] },
    { name: "shape", labels: [3, 4] },
    { name: "none", labels: [1] },
  ];
  assert.equal(recallAtK(truth, scores, 5, 1, types), {
    k: 1,
    overall: 2 / 4,
    types: [
      { name: "texture", recall: 1 / 2, positives: 2 },
      { name: "shape", recall: 1 / 2, positives: 2 },
      { name: "none", recall: NaN, positives: 0 },
    ],
  });
  assert.is(recallAtK(truth, scores, 5, 5).overall, 1);
  // Of equal scores the first is ahead.
  assert.is(recallAtK([0, 1], [1, 1], 2, 1).overall, 0);
  const frequent = frequencyScores(truth, 5, 2);
  close(frequent.slice(5), [0.5, 0, 0.5, 0.5, 0.5]);
  assert.is(recallAtK(truth, frequent, 5, 1).overall, 1 / 4);
});

test("landmarks: distance in pictures' widths and heights, of what is visible", () => {
  //             collar  hem  |  collar  hem(hidden)
  const truth = [10, 10, 20, 40, 30, 10, NaN, NaN];
  const found = [13, 14, 20, 40, 30, 30, 0, 0];
  const visible = [1, 1, 1, 0];
  const { perPart, visible: counts, mean, pooled } = landmarkDistance(truth, found, visible, 2, { extent: [10, 20] });
  const distances = [Math.hypot(0.3, 0.2), 0, 1] as const;
  close(perPart, [(distances[0] + 1) / 2, 0]);
  assert.equal([...counts], [2, 1]);
  close(mean, (distances[0] + 1) / 4);
  close(pooled, (distances[0] + 1) / 3);
  const never = landmarkDistance([0, 0, 9, 9], [1, 0, 0, 0], [1, 0], 2);
  assert.equal([[...never.perPart], never.mean, never.pooled], [[1, NaN], 1, 1]);
  assert.equal([...meanLandmarks(truth, visible, 2, 2)], [20, 10, 20, 40, 20, 10, 20, 40]);
  // A part that was never seen is put where the others are.
  assert.equal([...meanLandmarks([2, 4, 0, 0, 4, 8, 0, 0], [1, 0, 1, 0], 2, 1)], [3, 6, 3, 6]);
});

function refusal(body: () => unknown): unknown {
  try {
    return body();
  } catch (error) {
    return error;
  }
}

for (const [what, kind, message, body] of [
  [
    "fewer answers than samples",
    ShapeError,
    /confusionMatrix: expected 3 predictions.*got 2/,
    () => confusionMatrix([0, 1, 1], [0, 1], 2),
  ],
  [
    "no samples",
    DataError,
    /at least one sample/,
    () => classificationMetrics({ truth: [], predicted: [], classes: 2 }),
  ],
  [
    "a true class out of range",
    DataError,
    /true classes from 0 to 1, got 2 at position 1/,
    () => confusionMatrix([0, 2], [0, 1], 2),
  ],
  [
    "an answer out of range",
    DataError,
    /predicted classes from 0 to 1, got -1 at position 0/,
    () => confusionMatrix([0, 1], [-1, 1], 2),
  ],
  ["half a class", DataError, /got 0.5/, () => confusionMatrix([0.5], [0], 2)],
  ["no classes", OptionError, /classes: a whole number of at least 1, got 0/, () => confusionMatrix([0], [0], 0)],
  [
    "a negative beta",
    OptionError,
    /beta.*got -1/,
    () => classificationMetrics({ truth: [0], predicted: [0], classes: 1 }, { beta: -1 }),
  ],
  [
    "another zero division",
    OptionError,
    /0, 1 or NaN, got 2/,
    () => classificationMetrics({ truth: [0], predicted: [0], classes: 1 }, { zeroDivision: 2 }),
  ],
  [
    "a score that is NaN",
    NumericError,
    /rocCurve: expected finite scores, got NaN at position 1/,
    () => rocCurve([0, 1], [0, NaN]),
  ],
  ["an infinite score", NumericError, /finite/, () => topKAccuracy([0], [Infinity, 0], 2, 1)],
  ["positives alone", DataError, /negative sample, got none/, () => rocCurve([1, 1], [0, 1])],
  ["negatives alone", DataError, /positive sample, got none/, () => precisionRecallCurve([0, 0], [0, 1])],
  ["labels other than 0 and 1", DataError, /from 0 to 1, got 2/, () => rocCurve([0, 2], [0, 1])],
  ["a k of 0", OptionError, /k from 1 to 2, got 0/, () => topKAccuracy([0], [0, 1], 2, 0)],
  ["a k above the classes", OptionError, /k from 1 to 2, got 3/, () => topKAccuracy([0], [0, 1], 2, 3)],
  ["rows of another width", ShapeError, /got 3/, () => topKAccuracy([0], [0, 1, 2], 2, 1)],
  ["scores that are no whole rows", OptionError, /3 over 2/, () => argMax([0, 1, 2], 2)],
  [
    "logits for probabilities",
    NumericError,
    /probabilities from 0 to 1, got 3 at position 0/,
    () => logLoss([0], [3, -2], 2),
  ],
  ["rows that do not sum to 1", NumericError, /sum to 1, got 0.7.*softmax/, () => brierScore([0], [0.2, 0.5], 2)],
  ["an empty bin count", OptionError, /bins/, () => calibration([0], [0.5], { bins: 0 })],
  ["a threshold that is NaN", OptionError, /NaN/, () => atThreshold([0], NaN)],
  ["labels that are no whole rows", ShapeError, /3 in all/, () => multiLabelMetrics([0, 1, 1], [0, 1, 1], 2)],
  [
    "a type with a label twice",
    OptionError,
    /type "hem".*got 1/,
    () => recallAtK([0, 1], [0, 1], 2, 1, [{ name: "hem", labels: [1, 1] }]),
  ],
  [
    "an empty type",
    OptionError,
    /type "hem".*none/,
    () => recallAtK([0, 1], [0, 1], 2, 1, [{ name: "hem", labels: [] }]),
  ],
  ["no label at all", DataError, /one label/, () => recallAtK([0, 0], [0, 1], 2, 1)],
  ["no visible landmark", DataError, /visible/, () => landmarkDistance([0, 0], [0, 0], [0], 1)],
  ["a visible landmark nowhere", NumericError, /landmark 0.*NaN/, () => landmarkDistance([0, NaN], [0, 0], [1], 1)],
  [
    "a picture without width",
    OptionError,
    /above 0/,
    () => landmarkDistance([0, 0], [0, 0], [1], 1, { extent: [0, 1] }),
  ],
] as const) {
  test(`refused: ${what}`, () => {
    const error = refusal(body) as TramaError;
    assert.instance(error, kind);
    assert.match(error.message, message);
  });
}

test.run();
