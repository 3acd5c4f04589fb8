/** Plots: what they show is what they were given, and it can be read: no words on words, in every theme. */
import fc from "fast-check";
import sharp from "sharp";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { FASHION_CLASS_NAMES } from "../../src/data/index.ts";
import { normalisationFor, type Normalisation } from "../../src/kernels/index.ts";
import { DataError, ShapeError } from "../../src/errors.ts";
import {
  bestEpoch,
  calibrationPlot,
  classCountsPlot,
  classScoresPlot,
  confidenceHistogram,
  confusionPlot,
  foldPlot,
  learningCurve,
  normalisationPlot,
  pixelPlot,
  precisionRecallPlot,
  renderPng,
  renderSvg,
  rocPlot,
  themes,
  themeStyle,
  trainingCurves,
  type Plot,
  type ThemeName,
} from "../../src/report/index.ts";
import { fiveNumbers } from "../../src/report/plots/foldPlot.ts";
import {
  argMax,
  classificationMetrics,
  confidenceCalibration,
  confusionMatrix,
  rocCurve,
  type EpochResult,
} from "../../src/train/index.ts";
import { collisions, outcasts, sizeOf, wordsIn } from "./svgText.ts";

const test = suite("plots");

const THEMES: readonly ThemeName[] = ["light", "dark", "page"];

function historyOf(epochs: number, validated = true, rate = (_: number) => 1e-3): EpochResult[] {
  return Array.from({ length: epochs }, (_, epoch) => ({
    epoch,
    steps: 10,
    loss: 2 * Math.exp(-epoch / 5) + 0.1,
    accuracy: 1 - 0.8 * Math.exp(-epoch / 5),
    validation: validated ? { loss: 2 * Math.exp(-epoch / 4) + 0.02 * epoch, accuracy: 0.8, count: 100 } : null,
    learningRate: rate(epoch),
    seconds: 1,
  }));
}

/** Samples whose class gets the greatest score more often than not. */
function ranked(classes: number, samples = 300): { truth: number[]; scores: Float64Array } {
  const truth = Array.from({ length: samples }, (_, i) => (i * 7) % classes);
  const raw = truth.map((label, i) =>
    Array.from({ length: classes }, (_, k) => 1 + ((i * 31 + k * 17) % 23) / 4 + (k === label ? 3 : 0)),
  );
  const rows = raw.flatMap((row) => row.map((value) => value / row.reduce((a, b) => a + b)));
  return { truth, scores: Float64Array.from(rows) };
}

/** One of each kind, of classes of these names. */
function allPlots(names: readonly string[], theme: ThemeName): Plot[] {
  const classes = names.length;
  const { truth, scores } = ranked(classes);
  const predicted = argMax(scores, classes);
  const confusion = confusionMatrix(truth, predicted, classes);
  const counts = names.map((_, k) => 10 ** (k % 6));
  const o = { theme };
  return [
    trainingCurves(
      historyOf(classes * 3, true, (epoch) => 1e-3 / (epoch + 1)),
      o,
    ),
    confusionPlot(confusion, names, o),
    classCountsPlot(
      [
        { name: "train", counts },
        { name: "validation", counts },
        { name: "test", counts },
      ],
      names,
      o,
    ),
    classScoresPlot(classificationMetrics(confusion).perClass, names, o),
    rocPlot({ truth, scores, classNames: names }, o),
    precisionRecallPlot({ truth, scores, classNames: names }, o),
    calibrationPlot(confidenceCalibration(truth, scores, classes), o),
    confidenceHistogram(
      Array.from(predicted, (k, row) => scores[row * classes + k]!),
      Array.from(predicted, (k, row) => k === truth[row]),
      o,
    ),
    foldPlot(
      names.map((name, k) => ({ name, scores: [0.8 + k / 1000, 0.9, 0.85] })),
      o,
    ),
    learningCurve(
      [100, 1000].map((samples) => ({ samples, training: [0.9, 1], validation: [0.7, 0.8] })),
      o,
    ),
    pixelPlot(
      Float64Array.from({ length: 256 }, (_, i) => (i % 3 === 0 ? 0 : 1000 - i)),
      o,
    ),
  ];
}

/** Series of an option, as far as tests look into it. */
interface Series {
  readonly type: string;
  readonly name?: string;
  readonly data: readonly (number | null | number[] | { value: number[]; label?: { formatter: string } })[];
  readonly markPoint?: { readonly data: readonly { readonly coord: readonly number[] }[] };
}
const seriesOf = ({ option }: Plot) => option["series"] as Series[];

const LONG = "Uma classe com um nome comprido demais para qualquer eixo";

for (const theme of THEMES) {
  for (const names of [FASHION_CLASS_NAMES.pt, ["não", LONG], [...FASHION_CLASS_NAMES.en, LONG, "<&\"'>"]]) {
    test(`${names.length} classes, ${theme}: words stand apart and inside, numbers are numbers`, async () => {
      for (const plot of allPlots(names, theme)) {
        const svg = await renderSvg(plot);
        assert.not.match(svg, /NaN|undefined|Infinity|\[object/, plot.title);
        assert.equal(sizeOf(svg), [plot.width, plot.height]);
        const words = wordsIn(svg);
        assert.ok(
          words.some(({ text }) => text === plot.title),
          plot.title,
        );
        assert.equal(collisions(words), [], plot.title);
        assert.equal(outcasts(svg, words), [], plot.title);
        assert.ok(svg.includes('role="img"') && plot.description.length > 20, "words for the blind");
        const colours = Array.from(svg.matchAll(/(?:fill|stroke)="([^"]+)"/g), ([, colour]) => colour!);
        const known = new Set<string>(Object.values(themes[theme]).flat().concat("none", "transparent"));
        // Clips and shapes that are not filled have echarts' own colours.
        const strange = colours.filter(
          (colour) => !known.has(colour) && !/^(#000|#fff|rgb\(0,0,0\)|url\()/.test(colour),
        );
        assert.equal(strange, [], plot.title);
      }
    });
  }
}

test("words on words are seen, turned ones too", () => {
  const words = (...texts: readonly string[]) => wordsIn(`<svg viewBox="0 0 100 100">${texts.join("")}</svg>`);
  const first = '<text x="10" y="50" font-size="12">a word</text>';
  assert.is(collisions(words(first, '<text x="30" y="54">another</text>')).length, 1);
  assert.is(collisions(words(first, '<text x="80" y="50">another</text>')).length, 0);
  assert.is(collisions(words(first, '<text transform="translate(30 70) rotate(-90)">another</text>')).length, 1);
  assert.is(outcasts('<svg viewBox="0 0 100 100">', words('<text x="80" y="50">another</text>')).length, 1);
});

test("one epoch and hundreds of them fit, validated or not", async () => {
  for (const epochs of [1, 2, 50, 400]) {
    for (const validated of [true, false]) {
      const svg = await renderSvg(trainingCurves(historyOf(epochs, validated)));
      assert.equal(collisions(wordsIn(svg)), [], `${epochs} epochs`);
      assert.ok(wordsIn(svg).some(({ text }) => text === "1"));
    }
  }
});

test("training curves show the history, and the best epoch is that of least validation loss", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.double({ min: 0, max: 9, noNaN: true }), fc.double({ min: 0, max: 9, noNaN: true })), {
        minLength: 1,
        maxLength: 60,
      }),
      fc.boolean(),
      (losses, validated) => {
        const history = losses.map(([loss, judged], epoch): EpochResult => ({
          ...historyOf(1)[0]!,
          epoch,
          loss,
          validation: validated ? { loss: judged, accuracy: 0.5, count: 1 } : null,
        }));
        const [loss, judged] = seriesOf(trainingCurves(history));
        assert.equal(
          loss!.data,
          history.map((epoch) => epoch.loss),
        );
        const values = losses.map((pair) => pair[validated ? 1 : 0]);
        const best = values.indexOf(Math.min(...values));
        assert.is(bestEpoch(history)!.epoch, best);
        const marked = validated ? judged! : loss!;
        assert.equal(marked.markPoint!.data[0]!.coord, [best, values[best]]);
      },
    ),
    { numRuns: 50 },
  );
  assert.is(bestEpoch([]), null);
  assert.throws(
    () => trainingCurves([]),
    (error: unknown) => error instanceof DataError,
  );
});

test("the epoch to mark can be given, or none", () => {
  const marks = (best: number | null) =>
    seriesOf(trainingCurves(historyOf(9), { best })).flatMap(({ markPoint }) => markPoint?.data[0]!.coord[0] ?? []);
  assert.equal(marks(3), [3, 3]);
  assert.equal(marks(null), []);
});

test("the learning rate has a panel where it changes", () => {
  assert.is((trainingCurves(historyOf(5)).option["grid"] as unknown[]).length, 2);
  assert.is((trainingCurves(historyOf(5, true, (epoch) => epoch)).option["grid"] as unknown[]).length, 3);
});

test("the confusion matrix has counts and shares of rows", () => {
  const confusion = confusionMatrix([0, 0, 0, 1], [0, 1, 0, 1], 2);
  const [cells, words] = seriesOf(confusionPlot(confusion, ["a", "b"]));
  const shares = cells!.data.map((cell) => (cell as { value: number[] }).value);
  assert.equal(shares, [
    [0, 0, 2 / 3],
    [1, 0, 1 / 3],
    [0, 1, 0],
    [1, 1, 1],
  ]);
  assert.equal(
    words!.data.map((one) => (one as { label: { formatter: string } }).label.formatter),
    ["2\n66.7 %", "1\n33.3 %", "1\n100.0 %"],
  );
  assert.throws(
    () => confusionPlot(confusion, ["a"]),
    (error: unknown) => error instanceof ShapeError,
  );
});

test("of many classes those that are mistaken are shown, and the title says so", () => {
  const truth = Array.from({ length: 60 }, (_, k) => k);
  const predicted = truth.map((k) => (k === 7 ? 50 : k));
  const plot = confusionPlot(
    confusionMatrix(truth, predicted, 60),
    truth.map((k) => `c${k}`),
    { most: 3 },
  );
  assert.equal((plot.option["xAxis"] as { data: string[] }).data, ["c0", "c7", "c50"]);
  assert.match(plot.title, /3 of 60/);
  assert.match(plot.description, /"c7" was taken for "c50": 1 times/);
});

test("ROC curves keep their area, from corner to corner", () => {
  const { truth, scores } = ranked(3, 5000);
  const plot = rocPlot({ truth, scores, classNames: ["a", "b", "c"] });
  seriesOf(plot)
    .filter(({ name }) => name !== undefined)
    .forEach(({ data, name }, k) => {
      const points = data as number[][];
      assert.equal(
        [points[0], points.at(-1)],
        [
          [0, 0],
          [1, 1],
        ],
      );
      const { area } = rocCurve(
        truth.map((label) => Number(label === k)),
        Float64Array.from(truth, (_, row) => scores[row * 3 + k]!),
      );
      const drawn = points
        .slice(1)
        .reduce((sum, [x, y], at) => sum + ((x! - points[at]![0]!) * (y! + points[at]![1]!)) / 2, 0);
      assert.ok(Math.abs(drawn - area) < 5e-3, `${drawn} drawn, ${area} in truth`);
      assert.ok(name!.endsWith(area.toFixed(4)));
    });
});

test("two classes have one curve, and of many the lowest are shown", () => {
  const two = ranked(2);
  assert.is(seriesOf(precisionRecallPlot({ ...two, classNames: ["a", "b"] })).length, 1);
  const many = ranked(12);
  const plot = rocPlot({ ...many, classNames: many.truth.slice(0, 12).map((_, k) => `c${k}`) }, { most: 4 });
  assert.is(seriesOf(plot).length, 1 + 4);
  assert.match(plot.title, /the 4 lowest/);
});

test("shares of histograms sum to one", () => {
  const confidence = [0, 0.05, 0.5, 0.99, 1];
  const [right, wrong] = seriesOf(confidenceHistogram(confidence, [true, false, true, true, true], { bins: 10 }));
  assert.equal(right!.data, [25, 0, 0, 0, 0, 25, 0, 0, 0, 50]);
  assert.equal(wrong!.data, [100, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  const bars = seriesOf(calibrationPlot(confidenceCalibration([0, 1], [0.75, 0.25, 0.125, 0.875], 2, { bins: 4 })));
  assert.equal(bars.at(-1)!.data, [
    [0.625, 0.5],
    [0.875, 0.5],
  ]);
});

test("boxes are NumPy's percentiles", () => {
  assert.equal(fiveNumbers([10, 1, 4, 2, 3]), [1, 2, 3, 4, 10]);
  assert.equal(fiveNumbers([1, 2, 3, 4]), [1, 1.75, 2.5, 3.25, 4]);
  assert.equal(fiveNumbers([5]), [5, 5, 5, 5, 5]);
});

test("equal plots give equal text, and names of clips differ between plots", async () => {
  const plots = [trainingCurves(historyOf(3)), trainingCurves(historyOf(4))];
  const [first, again, other] = await Promise.all([plots[0]!, plots[0]!, plots[1]!].map(renderSvg));
  assert.is(first, again);
  const ids = (svg: string) => new Set(Array.from(svg.matchAll(/ id="([^"]+)"/g), ([, id]) => id!));
  assert.ok(ids(first!).size > 0);
  assert.ok([...ids(first!)].every((id) => !ids(other!).has(id)));
});

test("a PNG has the size that was asked for, the theme's surface, and something on it", async () => {
  for (const theme of ["light", "dark"] as const) {
    const plot = trainingCurves(historyOf(5), { theme });
    const { data, info } = await sharp(await renderPng(plot, { scale: 1.5 }))
      .removeAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    assert.equal([info.width, info.height], [plot.width * 1.5, plot.height * 1.5]);
    const corner = `#${data.subarray(0, 3).toString("hex")}`;
    assert.is(corner, themes[theme].surface);
    const colours = new Set<string>();
    for (let at = 0; at < data.length; at += 3) colours.add(data.toString("hex", at, at + 3));
    assert.ok(colours.has(themes[theme].series[0]!.slice(1)), "the line is there");
    assert.ok(colours.size > 50, "and words, with soft edges");
  }
});

test("the page's style gives every colour of the page's theme, in both modes", () => {
  const style = themeStyle("auto");
  const wanted = (Object.values(themes.page).flat() as string[]).map(
    (colour) => /^var\((--[\w-]+)\)$/.exec(colour)![1]!,
  );
  for (const name of wanted) assert.is(style.split(`${name}:`).length, 3, name);
  assert.ok(themeStyle("dark").includes(`--trama-ink:${themes.dark.ink}`));
});

// Machado, Oliveira and Fernandes (2009), severity 1.0, on linear RGB.
const SIGHTS: Readonly<Record<string, readonly (readonly number[])[]>> = {
  normal: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};

function linear(colour: string): number[] {
  return [1, 3, 5].map((at) => {
    const value = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
}

/** CIE L*a*b* under D65. */
function labOf([r, g, b]: readonly number[]): number[] {
  const f = (t: number): number => (t > 216 / 24389 ? Math.cbrt(t) : ((24389 / 27) * t + 16) / 116);
  const x = f((0.4124 * r! + 0.3576 * g! + 0.1805 * b!) / 0.95047);
  const y = f(0.2126 * r! + 0.7152 * g! + 0.0722 * b!);
  const z = f((0.0193 * r! + 0.1192 * g! + 0.9505 * b!) / 1.08883);
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

/** WCAG 2.2, "contrast ratio". */
function contrast(a: string, b: string): number {
  const [light, dark] = [a, b]
    .map((colour) => {
      const [r, g, blue] = linear(colour);
      return 0.2126 * r! + 0.7152 * g! + 0.0722 * blue! + 0.05;
    })
    .sort((p, q) => q - p);
  return light! / dark!;
}

test("colours stand out from the surface, and from each other for every kind of sight", () => {
  for (const theme of ["light", "dark"] as const) {
    const { series, surface, ink, muted, good, bad } = themes[theme];
    for (const colour of [...series, good, bad]) assert.ok(contrast(colour, surface) >= 3, `${colour} on ${surface}`);
    for (const text of [ink, muted]) assert.ok(contrast(text, surface) >= 4.5, `${text} on ${surface}`);
    for (const [sight, matrix] of Object.entries(SIGHTS)) {
      const seen = (colour: string): number[] =>
        labOf(
          matrix.map((row) =>
            Math.min(
              1,
              Math.max(
                0,
                row.reduce((sum, m, i) => sum + m * linear(colour)[i]!, 0),
              ),
            ),
          ),
        );
      const apart = (a: string, b: string): number => Math.hypot(...seen(a).map((value, i) => value - seen(b)[i]!));
      series.forEach((a, at) => {
        for (const b of series.slice(at + 1)) assert.ok(apart(a, b) > 15, `${a} and ${b}, ${sight}, ${theme}`);
      });
      assert.ok(apart(good, bad) > 15, `right and wrong, ${sight}, ${theme}`);
    }
  }
});

/** Images of noise, dark ones more often; the second one rises from 0. */
function noise(channels: number, side = 12) {
  const length = side * side * channels;
  const images = Uint8Array.from({ length: 2 * length }, (_, at) =>
    at < length ? ((at * 7919) % 251) * (at % 3 === 0 ? 1 : 0) : (at - length) % 256,
  );
  return { images, shape: [side, side, channels] as const, count: 2 };
}

const NORMALISATIONS: readonly [string, number, Normalisation][] = [
  ["p/255", 1, { scale: 1, shift: 0 }],
  ["standard", 1, { mean: 72.94, std: 90.02 }],
  ["caffe", 3, normalisationFor("caffe")],
  ["torch", 3, normalisationFor("torch")],
];

for (const [name, channels, normalisation] of NORMALISATIONS) {
  test(`normalisation ${name}: words stand apart in every theme`, async () => {
    for (const theme of THEMES) {
      const plot = normalisationPlot(noise(channels), normalisation, { theme, index: 1 });
      const svg = await renderSvg(plot);
      assert.not.match(svg, /NaN|undefined|Infinity|\[object/);
      assert.equal(sizeOf(svg), [plot.width, plot.height]);
      const words = wordsIn(svg);
      assert.equal(collisions(words), [], theme);
      assert.equal(outcasts(svg, words), [], theme);
    }
  });
}

test("after normalisation, values, mean and deviation are those of the formula, channel by channel", () => {
  const dataset = noise(3);
  // Caffe's mean is in the order blue, green, red in which the channels leave.
  const [blue, green, red] = [103.939, 116.779, 123.68];
  const plot = normalisationPlot(dataset, normalisationFor("caffe"));
  const values = Array.from(dataset.images, (pixel, at) => pixel - [red, green, blue][at % 3]!);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const std = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
  const text = `value after normalisation: mean ${mean.toFixed(1)}, standard deviation ${std.toFixed(1)}.`;
  assert.ok(plot.description.includes(text), `${plot.description} lacks ${text}`);
  const lines = seriesOf(plot).filter(({ type }) => type === "line");
  assert.equal(
    lines.map(({ name }) => name),
    ["red", "green", "blue", "red", "green", "blue"],
  );
  [red, green, blue].forEach((shift, channel) => {
    const own = dataset.images.filter((_, at) => at % 3 === channel);
    (lines[3 + channel]!.data as [number, number | null][]).forEach(([x, share], pixel) => {
      assert.ok(Math.abs(x - (pixel - shift)) < 1e-9);
      const count = own.filter((value) => value === pixel).length;
      assert.ok(Math.abs((share ?? 0) - (100 * count) / own.length) < 1e-9);
    });
  });
});

test("zero is white after normalisation, and each side of it has its colour", () => {
  const images = Uint8Array.of(0, 100, 200, 100);
  const plot = normalisationPlot({ images, shape: [2, 2, 1], count: 1 }, { mean: 100, std: 100 });
  const after = seriesOf(plot)[2]!.data as unknown as { itemStyle: { color: string } }[];
  const rgb = after.map(({ itemStyle }) => itemStyle.color.match(/\d+/g)!.map(Number));
  assert.equal(
    [rgb[1], rgb[3]],
    [
      [255, 255, 255],
      [255, 255, 255],
    ],
  );
  assert.ok(rgb[0]![0]! > rgb[0]![2]!, "below: red outweighs blue");
  assert.ok(rgb[2]![2]! > rgb[2]![0]!, "above: blue outweighs red");
});

test("a normalisation that does not fit, and an image that there is not, are refused", () => {
  const torch = normalisationFor("torch");
  assert.throws(() => normalisationPlot(noise(1), torch), /a normalisation of 1 channels, got 3/);
  assert.throws(() => normalisationPlot(noise(3), torch, { index: 2 }), /an image from 0 to 1, got 2/);
});

test.run();
