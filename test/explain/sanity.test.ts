/**
 * Whether maps say something about the model (Adebayo et al. 2018, section 3): a map that stays the same when the weights
 * are made random explains the picture, not the model. And whether the model really depends on what the maps call hot.
 */
import * as assert from "uvu/assert";
import { syntheticGarments } from "../../src/data/index.ts";
import {
  gradCam,
  integratedGradients,
  occlusion,
  upsample,
  type Explanation,
  type HeatMap,
} from "../../src/explain/index.ts";
import {
  adam,
  build,
  conv2d,
  dense,
  globalAveragePool2d,
  maxPool2d,
  sequential,
  type Model,
} from "../../src/nn/index.ts";
import { evaluate, fit } from "../../src/train/index.ts";
import { device, deviceSuite } from "../tensor/device.ts";

const tests = deviceSuite("sanity of explanations");

const garments = syntheticGarments({ trainCount: 1200, testCount: 60 });
const COUNT = 16;
const SIZE = 28;
const pictures = garments.test.images.subarray(0, COUNT * SIZE * SIZE);
let model = null as unknown as Model;
let classes: readonly number[] = [];

tests.before(async () => {
  const architecture = sequential([
    conv2d(8, 3, { padding: "same", activation: "relu" }),
    maxPool2d(2),
    conv2d(16, 3, { padding: "same", activation: "relu" }),
    maxPool2d(2),
    conv2d(24, 3, { padding: "same", activation: "relu", name: "last" }),
    globalAveragePool2d(),
    dense(10),
  ]);
  model = build(device, architecture, { input: [SIZE, SIZE, 1] });
  await fit(model, garments.train, { epochs: 6, batchSize: 24, optimizer: adam({ learningRate: 0.005 }) });
  const { accuracy } = await evaluate(model, garments.test);
  assert.ok(accuracy > 0.6, `it has learnt something: ${accuracy}`);
  classes = (await gradCam(model, pictures)).map((cam) => cam.class);
});

/** Each explains the classes that the trained model sees. */
const methods: Readonly<Record<string, () => Promise<readonly Explanation[]>>> = {
  "Grad-CAM": () => gradCam(model, pictures, { class: classes }),
  "integrated gradients": () => integratedGradients(model, pictures, { class: classes, steps: 16 }),
  occlusion: () => occlusion(model, pictures, { class: classes, size: 7, stride: 7 }),
};

/** Ranks from 1, the mean rank where values are equal. */
function ranksOf(x: Float32Array): Float64Array {
  const order = Array.from(x.keys()).sort((a, b) => x[a]! - x[b]!);
  const ranks = new Float64Array(x.length);
  for (let start = 0; start < order.length;) {
    let end = start;
    while (end + 1 < order.length && x[order[end + 1]!] === x[order[start]!]) end++;
    for (let k = start; k <= end; k++) ranks[order[k]!] = (start + end) / 2 + 1;
    start = end + 1;
  }
  return ranks;
}

/** Spearman's: Pearson's correlation of the ranks; 0 where one map is flat. */
function rankCorrelation(a: HeatMap, b: HeatMap): number {
  const centred = [a, b].map(({ values }) => ranksOf(values).map((rank) => rank - (values.length + 1) / 2));
  const product = (x: Float64Array, y: Float64Array) => x.reduce((sum, value, k) => sum + value * y[k]!, 0);
  const [x, y] = centred as [Float64Array, Float64Array];
  const scale = Math.sqrt(product(x, x) * product(y, y));
  return scale === 0 ? 0 : product(x, y) / scale;
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Gives the parameters that are named, and at last all of them, their initial values of another seed. */
async function randomised<T>(prefix: string, body: () => Promise<T>): Promise<T> {
  const before = await device.readMany(model.parameters.map(({ tensor }) => tensor));
  const other = build(device, model.architecture, { input: model.input, seed: 4711 });
  const drawn = await device.readMany(other.parameters.map(({ tensor }) => tensor));
  const write = (sources: typeof before) =>
    model.parameters.forEach(({ name, tensor }, k) => name.startsWith(prefix) && device.write(tensor, sources[k]!));
  write(drawn);
  try {
    return await body();
  } finally {
    write(before);
  }
}

for (const [name, explain] of Object.entries(methods)) {
  tests(`${name}: other weights, another map`, async () => {
    const maps = await explain();
    const again = await explain();
    const same = mean(maps.map(({ map }, k) => rankCorrelation(map, again[k]!.map)));
    assert.ok(same > 0.999, `the same weights give the same map: ${same}`);
    // From the top: the classifier alone, then all.
    for (const prefix of ["dense", ""]) {
      const others = await randomised(prefix, () => explain());
      const correlation = mean(maps.map(({ map }, k) => rankCorrelation(map, others[k]!.map)));
      assert.ok(Math.abs(correlation) < 0.5, `${prefix || "all"} random: rank correlation ${correlation}`);
    }
  });
}

const PATCH = 7;

/** Where the sum of a map over a patch is greatest, and where it is least. */
function extremePatches(map: HeatMap): { hottest: Corner; coldest: Corner } {
  const corners: { corner: Corner; heat: number }[] = [];
  for (let top = 0; top + PATCH <= map.height; top++) {
    for (let left = 0; left + PATCH <= map.width; left++) {
      let heat = 0;
      for (let k = 0; k < PATCH * PATCH; k++) {
        heat += map.values[(top + Math.floor(k / PATCH)) * map.width + left + (k % PATCH)]!;
      }
      corners.push({ corner: [top, left], heat });
    }
  }
  corners.sort((a, b) => a.heat - b.heat);
  return { hottest: corners.at(-1)!.corner, coldest: corners[0]!.corner };
}

type Corner = readonly [top: number, left: number];

/** All pictures, each with a patch of its own painted black. */
function covered(corners: readonly Corner[]): Uint8Array {
  const copy = pictures.slice();
  corners.forEach(([top, left], k) => {
    for (let row = top; row < top + PATCH; row++) {
      const start = (k * SIZE + row) * SIZE + left;
      copy.fill(0, start, start + PATCH);
    }
  });
  return copy;
}

for (const name of ["Grad-CAM", "integrated gradients"]) {
  tests(`${name}: covering the hottest patch lowers the score more than covering the coldest`, async () => {
    const explained = await methods[name]!();
    const patches = explained.map(({ map }) => extremePatches(upsample(map, SIZE, SIZE)));
    const dropsOf = async (corners: readonly Corner[]): Promise<number[]> => {
      const after = await gradCam(model, covered(corners), { class: classes });
      return after.map(({ score }, k) => explained[k]!.score - score);
    };
    const hot = await dropsOf(patches.map(({ hottest }) => hottest));
    const cold = await dropsOf(patches.map(({ coldest }) => coldest));
    const right = hot.filter((drop, k) => drop > cold[k]!).length / COUNT;
    assert.ok(right >= 0.75, `in ${right} of the pictures`);
    assert.ok(mean(hot) > mean(cold) + 0.5, `by ${mean(hot)} and ${mean(cold)}`);
  });
}

tests("of a trained network too, integrated gradients are complete to 1 %", async () => {
  const explained = await integratedGradients(model, pictures.subarray(0, 4 * SIZE * SIZE));
  for (const { incompleteness } of explained) assert.ok(incompleteness < 0.01, String(incompleteness));
});

tests.run();
