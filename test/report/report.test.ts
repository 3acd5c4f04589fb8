/** Reports: scikit-learn's table to the character, tables in every format, and warnings that cannot be missed. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { OptionError, ShapeError, type TramaError } from "../../src/errors.ts";
import {
  belowBaseline,
  classificationReport,
  classTable,
  comparedBaseline,
  comparedModel,
  compareModels,
  comparisonTable,
  confusionAsText,
  csvTable,
  fixed,
  landmarkTable,
  markdownTable,
  mistakeTable,
  multiLabelReport,
  recallTable,
  reportAsCsv,
  reportAsJson,
  reportAsMarkdown,
  reportAsText,
  textTable,
  textWidth,
  type ComparedModel,
} from "../../src/report/index.ts";
import { confusionMatrix, frequencyScores, landmarkDistance, recallAtK } from "../../src/train/index.ts";
import { golden } from "../svm/oracle.ts";

interface Labelled {
  readonly truth: readonly number[];
  readonly predicted: readonly number[];
  readonly text: string;
}

interface Fixture {
  readonly answers: readonly (Labelled & { readonly classes: number })[];
  readonly rankings: readonly { truth: readonly number[]; probabilities: readonly number[]; classes: number }[];
  readonly labelSets: {
    readonly labels: number;
    readonly truth: readonly number[];
    readonly decisions: readonly number[];
    readonly probabilities: readonly number[];
    readonly text: string;
  };
}

const fixture = JSON.parse(readFileSync(new URL("../train/fixtures/metrics.json", import.meta.url), "utf8")) as Fixture;
const shared = golden("metrics.json") as
  { readonly cases: readonly (Labelled & { readonly labels: readonly number[] })[] } | undefined;

const printed = (report: Parameters<typeof classTable>[0], digits?: number) =>
  `${textTable(classTable(report, digits === undefined ? {} : { digits }), { gap: 1 }).join("\n")}\n`;

/** Two classes; the model is right in three of four. */
const small = { truth: [0, 0, 1, 1], predicted: [0, 0, 1, 0], classNames: ["cat", "dog"] } as const;

const test = suite("report");

test("the table is the one that scikit-learn prints", () => {
  for (const { truth, predicted, classes, text } of fixture.answers) {
    const classNames = Array.from({ length: classes }, (_, k) => `class number ${k}`);
    // Where no answer is right, scikit-learn prints whole numbers of samples as 1.0.
    assert.is(printed(classificationReport({ truth, predicted, classNames }), 3), text.replace(/(\d+)\.0$/gm, "  $1"));
  }
  for (const { truth, predicted, labels, text } of shared?.cases ?? []) {
    assert.is(printed(classificationReport({ truth, predicted, classNames: labels.map(String) })), text);
  }
  const { truth, decisions, labels, text } = fixture.labelSets;
  const labelNames = Array.from({ length: labels }, (_, k) => String(k));
  assert.is(printed(multiLabelReport({ truth, decisions, labelNames })), text);
});

test("numbers are rounded as Python rounds them: exact ties to the even digit", () => {
  const cases = [
    [0.125, 2, "0.12"],
    [0.375, 2, "0.38"],
    [0.625, 2, "0.62"],
    [-0.125, 2, "-0.12"],
    [0.5, 0, "0"],
    [1.5, 0, "2"],
    [0.0625, 3, "0.062"],
    // Not ties, though they look like some: the nearest doubles are below and above.
    [0.145, 2, "0.14"],
    [0.415, 2, "0.41"],
    [0.285, 2, "0.28"],
    [0.575, 2, "0.57"],
    [0.995, 2, "0.99"],
    [1.005, 2, "1.00"],
    [1 / 3, 4, "0.3333"],
    [1, 2, "1.00"],
    [NaN, 2, "nan"],
  ] as const;
  for (const [value, digits, text] of cases) assert.is(fixed(value, digits), text, `${value} with ${digits}`);
});

test("what is printed is within half a unit of the last digit", () => {
  fc.assert(
    fc.property(fc.double({ min: -10, max: 10, noNaN: true }), fc.integer({ min: 0, max: 6 }), (value, digits) => {
      assert.ok(Math.abs(Number(fixed(value, digits)) - value) <= 0.5 * 10 ** -digits * (1 + 1e-9));
    }),
  );
});

test("each score stands beside the best trivial baseline", () => {
  const { truth, probabilities, classes } = fixture.rankings[1]!;
  const classNames = Array.from({ length: classes }, (_, k) => `c${k}`);
  const predicted = truth.map((_, row) => {
    const own = probabilities.slice(row * classes, (row + 1) * classes);
    return own.indexOf(Math.max(...own));
  });
  const report = classificationReport({ truth, predicted, classNames, probabilities });
  const scores = new Map(report.scores.map((score) => [score.metric, score]));
  const counts = classNames.map((_, k) => truth.filter((label) => label === k).length);
  const commonest = counts.indexOf(Math.max(...counts));
  assert.equal(scores.get("accuracy")!.baseline, { value: Math.max(...counts) / 60, by: `always "c${commonest}"` });
  // Drawing by frequency gives every class some recall, and is therefore the better guess where classes count alike.
  assert.is(scores.get("macro F1")!.baseline!.by, "drawn by frequency");
  const entropy = counts.reduce((sum, n) => sum - (n / 60) * Math.log(n / 60), 0);
  assert.ok(Math.abs(scores.get("log loss")!.baseline!.value - entropy) < 1e-12);
  assert.is(scores.get("ROC AUC, macro")!.baseline!.value, 0.5);
  assert.is(scores.get("top-3 accuracy")!.baseline!.by, "always the 3 commonest");
  assert.not.ok(scores.has("top-5 accuracy"), "there are four classes only");
  assert.is(scores.get("calibration error")!.baseline, null);
  assert.equal(report.warnings, []);
  const text = reportAsText(report).join("\n");
  assert.match(text, /^accuracy +0\.\d{4} +0\.\d{4} {2}always "c\d"$/m);
});

test("a score that a trivial baseline reaches is said aloud", () => {
  const by = "always no";
  assert.is(belowBaseline({ metric: "accuracy", value: 0.951 }, { value: 0.95, by }), null);
  const equal = belowBaseline({ metric: "accuracy", value: 0.95 }, { value: 0.95, by });
  assert.is(equal, "accuracy, 0.9500, only equals the trivial baseline's 0.9500 (always no)");
  assert.match(belowBaseline({ metric: "accuracy", value: 0.9 }, { value: 0.95, by })!, /is worse than/);
  assert.match(belowBaseline({ metric: "accuracy", value: NaN }, { value: 0.95, by })!, /cannot be held against/);
  assert.is(belowBaseline({ metric: "loss", value: 0.9, better: "lower" }, { value: 0.95, by }), null);
  assert.match(belowBaseline({ metric: "loss", value: 0.96, better: "lower" }, { value: 0.95, by })!, /is worse than/);
  // Sums in another order are no progress.
  assert.match(belowBaseline({ metric: "accuracy", value: 0.1 + 0.2 }, { value: 0.3, by })!, /only equals/);
});

test("a model that always answers one class is called what it is, in every format", () => {
  const truth = [...new Array<number>(19).fill(0), 1];
  const report = classificationReport({ truth, predicted: truth.map(() => 0), classNames: ["no", "yes"] });
  assert.is(report.metrics.accuracy, 0.95);
  const accuracy = `accuracy, 0.9500, only equals the trivial baseline's 0.9500 (always "no")`;
  assert.ok(report.warnings.includes(accuracy));
  assert.ok(report.warnings.includes(`precision is 0/0, counted as 0, for "yes"`));
  assert.ok(reportAsText(report).includes(`Warning: ${accuracy}.`));
  assert.ok(reportAsMarkdown(report).includes(`- **Warning:** ${accuracy}.`));
  assert.ok((reportAsJson(report)["warnings"] as string[]).includes(accuracy));
  const worse = classificationReport({ truth: [0, 0, 1], predicted: [1, 1, 0], classNames: ["no", "yes"] });
  assert.match(worse.warnings[0]!, /^accuracy, 0\.0000, is worse than/);
});

test("baselines may know the frequencies of the training part only", () => {
  const { scores } = classificationReport(small, { learnt: [1, 1, 0] });
  assert.is(scores[0]!.baseline!.by, `always "dog"`);
});

test("CSV and JSON have all digits, and tell classes from averages and baselines", () => {
  const report = classificationReport({ ...small, classNames: [`cat, "small"`, "macro avg"] });
  const [head, ...rows] = reportAsCsv(report).split("\r\n");
  assert.is(head, "kind,name,precision,recall,f1-score,specificity,npv,support");
  assert.is(rows[0], `class,"cat, ""small""",${2 / 3},1,0.8,0.5,1,2`);
  assert.is(rows[1], `class,macro avg,1,0.5,${2 / 3},1,${2 / 3},2`);
  assert.is(rows[3], `average,macro avg,${(2 / 3 + 1) / 2},0.75,${(0.8 + 2 / 3) / 2},0.75,${(1 + 2 / 3) / 2},4`);
  assert.match(rows[5]!, /^baseline,"always ""cat, ""small"""": micro avg"/);
  const json = JSON.parse(JSON.stringify(reportAsJson(report))) as Record<string, unknown>;
  assert.equal(json["confusion"], [
    [2, 0],
    [1, 1],
  ]);
  assert.is(json["accuracy"], 0.75);
  assert.equal(
    (json["classes"] as { name: string; recall: number }[]).map(({ recall }) => recall),
    [1, 0.5],
  );
  assert.equal(
    (json["baselines"] as { accuracy: number }[]).map(({ accuracy }) => accuracy),
    [0.5, 0.5],
  );
});

test("Markdown: one table of classes, one of scores", () => {
  const markdown = reportAsMarkdown(classificationReport(small, {}), { extended: true });
  assert.match(markdown, /^\| +\| precision \| +recall \| f1-score \| specificity \| +npv \| support \|\n\| -+: \|/);
  assert.match(markdown, /^\| +cat \| +0\.67 \| +1\.00 \| +0\.80 \| +0\.50 \| +1\.00 \| +2 \|$/m);
  assert.match(markdown, /^\| accuracy +\| 0\.7500 \| +0\.5000 \| always "cat" +\|$/m);
});

test("sets of labels: the better of two baselines that give everyone the same", () => {
  const { truth, decisions, probabilities, labels } = fixture.labelSets;
  const labelNames = Array.from({ length: labels }, (_, k) => `l${k}`);
  const { scores, confusion } = multiLabelReport({ truth, decisions, labelNames, scores: probabilities });
  const of = new Map(scores.map((score) => [score.metric, score]));
  assert.is(confusion, null);
  // Every label for everyone: all positives found, at the price of a precision of their share.
  const share = truth.filter((flag) => flag === 1).length / truth.length;
  assert.is(of.get("micro F1")!.baseline!.by, "every label");
  assert.ok(Math.abs(of.get("micro F1")!.baseline!.value - (2 * share) / (1 + share)) < 1e-12);
  assert.is(of.get("error rate")!.baseline!.by, "labels that half have");
  assert.is(of.get("error rate")!.better, "lower");
  assert.is(of.get("ROC AUC, macro")!.baseline!.value, 0.5);
});

test("the confusion matrix has names of columns on stairs; too wide, it becomes a list of mistakes", () => {
  const confusion = confusionMatrix([0, 0, 1, 2, 2, 2], [0, 1, 1, 0, 0, 2], 3);
  assert.equal(confusionAsText(confusion, ["T-shirt/top", "Bag", "Tênis"]), [
    "             T-shirt/top",
    "             │  Bag",
    "             │  │  Tênis",
    "T-shirt/top  1  1  ·",
    "Bag          ·  1  ·",
    "Tênis        2  ·  1",
  ]);
  assert.equal(confusionAsText(confusion, ["T-shirt/top", "Bag", "Tênis"], { width: 20 }), [
    "class        taken for    samples  of its class",
    "Tênis        T-shirt/top        2        66.7 %",
    "T-shirt/top  Bag                1        50.0 %",
  ]);
  assert.is(mistakeTable(confusion, ["a", "b", "c"], 1).rows.length, 1);
});

test("no line of a matrix is wider than asked", () => {
  const name = fc.string({ unit: fc.constantFrom("a", "b", "衬", "é"), minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(fc.array(name, { minLength: 1, maxLength: 12 }), fc.integer({ min: 60, max: 120 }), (names, width) => {
      const labels = names.map((_, k) => k);
      const lines = confusionAsText(confusionMatrix(labels, labels, names.length), names, { width });
      assert.ok(lines.every((line) => textWidth(line) <= width));
    }),
  );
});

const convnet: ComparedModel = {
  name: "ConvNet",
  scores: { accuracy: 0.9123, "macro F1": 0.911 },
  parameters: 474_590,
  bytes: 1_898_360,
  trainSeconds: 61.23,
  inferenceSeconds: 0.0812,
  watts: null,
};
const svm: ComparedModel = { name: "HOG | SVM", scores: { accuracy: 0.926 }, trainSeconds: 1200.04, watts: 65.2 };
const trivial: ComparedModel = { name: `always "Bag"`, scores: { accuracy: 0.1, "macro F1": 0.1 } };

test("models side by side: best first, the baseline among them, what is not measured unknown", () => {
  const comparison = compareModels([convnet, svm], trivial);
  assert.equal(textTable(comparisonTable(comparison)), [
    "      model         accuracy  macro F1  parameters       MB  train s  inference s        W",
    "best  HOG | SVM       0.9260   unknown     unknown  unknown   1200.0      unknown     65.2",
    "      ConvNet         0.9123    0.9110     474,590      1.9     61.2        0.081  unknown",
    '      always "Bag"    0.1000    0.1000           –        –        –            –        –',
  ]);
  assert.match(
    markdownTable(comparisonTable(comparison, { scores: ["accuracy"] })),
    /^\| best \| HOG \\\| SVM +\| +0\.9260 \| +unknown/m,
  );
  assert.equal(comparison.warnings, []);
});

test("a comparison without a winner says so", () => {
  const guess = { ...convnet, name: "guess", scores: { accuracy: 0.1 } };
  const { rows, warnings } = compareModels([guess], trivial);
  assert.equal(
    rows.map(({ isBest }) => isBest),
    [false, false],
  );
  assert.match(warnings[0]!, /^accuracy of guess, 0\.1000, only equals/);
  const missing = compareModels([svm, convnet], trivial, { by: "macro F1" });
  assert.equal(
    missing.rows.map(({ name }) => name),
    ["ConvNet", `always "Bag"`, "HOG | SVM"],
  );
  assert.match(missing.warnings[0]!, /HOG \| SVM, nan, cannot be held against/);
  const loss = (name: string, value: number): ComparedModel => ({ name, scores: { loss: value } });
  const byLoss = compareModels([loss("a", 0.5), loss("b", 0.3)], loss("prior", 2.3), { by: "loss", better: "lower" });
  assert.equal(
    byLoss.rows.map(({ name, isBest }) => [name, isBest]),
    [
      ["b", true],
      ["a", false],
      ["prior", false],
    ],
  );
});

test("a constant is not taken for a measurement", () => {
  const models = [
    { ...convnet, watts: 65 },
    { ...svm, watts: 65 },
  ];
  assert.equal(compareModels(models, trivial).warnings, ["all 2 powers are 65 W, as measured ones would hardly be"]);
  assert.equal(compareModels([svm], trivial).warnings, []);
});

test("a report is a row of a comparison", () => {
  const report = classificationReport(small);
  const { rows } = compareModels([comparedModel("net", report, { parameters: 12 })], comparedBaseline(report));
  assert.equal(
    rows.map(({ name, scores, isBest }) => [name, scores["accuracy"], isBest]),
    [
      ["net", 0.75, true],
      ["trivial baseline", 0.5, false],
    ],
  );
});

test("attributes and landmarks, beside their baselines", () => {
  const truth = [1, 0, 1, 0, 1, 1];
  const types = [
    { name: "texture", labels: [0, 1] },
    { name: "shape", labels: [2] },
  ];
  const at = (scores: ArrayLike<number>) => [1, 2].map((k) => recallAtK(truth, scores, 3, k, types));
  assert.equal(textTable(recallTable(at([0.9, 0.1, 0.5, 0.1, 0.2, 0.3]), at(frequencyScores(truth, 3, 2)))), [
    "         recall@1  baseline  recall@2  baseline  labels",
    "texture    1.0000    0.5000    1.0000    1.0000       2",
    "shape      1.0000    1.0000    1.0000    1.0000       2",
    "all        0.5000    0.5000    1.0000    0.7500",
  ]);
  const collar = landmarkDistance([0, 0, 1, 1], [0.3, 0.4, 1, 1], [1, 0], 2);
  assert.equal(textTable(landmarkTable(collar, collar, ["collar", "hem"])), [
    "               distance  baseline  visible",
    "collar           0.5000    0.5000        1",
    "hem                 nan       nan        0",
    "mean of parts    0.5000    0.5000",
    "all visible      0.5000    0.5000",
  ]);
});

test("text is measured in columns of a terminal", () => {
  const widths = [
    ["abc", 3],
    ["Tênis", 5],
    ["e\u0301", 1],
    ["衬衫", 4],
    ["Ａ", 2],
    ["👕", 2],
    ["👩‍👩‍👧", 2],
    ["❤️", 2],
    ["\u001b[1mbold\u001b[22m", 4],
    ["a\u200bb", 2],
    ["", 0],
    ["│·–", 3],
  ] as const;
  for (const [text, width] of widths) assert.is(textWidth(text), width, JSON.stringify(text));
  const table = {
    columns: [{ title: "name", align: "left" }, { title: "n" }],
    rows: [
      ["衬衫", "1"],
      ["👕 Bag\nx", "22"],
    ],
  } as const;
  assert.equal(textTable(table), ["name       n", "衬衫       1", "👕 Bag x  22"]);
  assert.equal(markdownTable(table).split("\n"), [
    "| name     |   n |",
    "| -------- | --: |",
    "| 衬衫     |   1 |",
    "| 👕 Bag x |  22 |",
  ]);
});

/** CSV by RFC 4180, read by its grammar. */
function readCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let rest = text;
  while (rest.length > 0) {
    const cell = /^(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/.exec(rest);
    assert.ok(cell, `not CSV: ${JSON.stringify(rest)}`);
    row.push(cell[1]?.replaceAll('""', '"') ?? cell[2]!);
    if (cell[3] === "\r\n") {
      rows.push(row);
      row = [];
    }
    rest = rest.slice(cell[0].length);
  }
  return rows;
}

test("CSV comes back as it was, whatever is in the cells", () => {
  const cell = fc.string({ unit: fc.constantFrom("a", ",", '"', "\n", "\r", " ", "é"), maxLength: 6 });
  fc.assert(
    fc.property(fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 5 }), ([titles, ...rows]) => {
      const table = { columns: titles!.map((title) => ({ title })), rows };
      assert.equal(readCsv(csvTable(table)), [titles, ...rows]);
    }),
  );
});

test("a Markdown table has as many cells in each line, whatever is in them", () => {
  const cell = fc.string({ unit: fc.constantFrom("a", "|", "\\", "\n", " "), maxLength: 6 });
  fc.assert(
    fc.property(fc.array(fc.tuple(cell, cell), { maxLength: 5 }), (rows) => {
      const lines = markdownTable({ columns: [{ title: "x" }, { title: "y" }], rows }).split("\n");
      assert.is(lines.length, rows.length + 2);
      for (const line of lines) assert.is(line.replace(/\\[\\|]/g, "").match(/\|/g)!.length, 3);
    }),
  );
});

for (const [what, kind, message, body] of [
  [
    "fewer names than classes",
    Error,
    /true classes from 0 to 1/,
    () => classificationReport({ truth: [2], predicted: [0], classNames: ["a", "b"] }),
  ],
  [
    "a score that the baseline lacks",
    OptionError,
    /compareModels.*\(accuracy, macro F1\), got "loss"/,
    () => compareModels([], trivial, { by: "loss" }),
  ],
  [
    "baselines at another k",
    ShapeError,
    /k of 1, got 2/,
    () => recallTable([recallAtK([1, 0], [1, 0], 2, 1)], [recallAtK([1, 0], [1, 0], 2, 2)]),
  ],
  [
    "names of other parts",
    ShapeError,
    /1 names of parts, got 0/,
    () => {
      const distance = landmarkDistance([0, 0], [0, 0], [1], 1);
      return landmarkTable(distance, distance, []);
    },
  ],
] as const) {
  test(`refused: ${what}`, () => {
    let caught: unknown;
    try {
      body();
    } catch (error) {
      caught = error;
    }
    assert.instance(caught, kind);
    assert.match((caught as TramaError).message, message);
  });
}

test.run();
