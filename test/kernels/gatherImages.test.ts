import * as tf from "@tensorflow/tfjs";
import fc from "fast-check";
import * as assert from "uvu/assert";
import {
  advance,
  batchOf,
  normalisationFor,
  type Augmentation,
  type BatchLook,
  type ByteImages,
  type Normalisation,
} from "../../src/kernels/index.ts";
import { drawAugmentation, PARAMETERS, planAugmentation } from "../../src/kernels/augmentation.ts";
import { compile, type TypedArray } from "../../src/tensor/index.ts";
import { assertClose } from "../reference/compare.ts";
import * as generate from "../reference/generate.ts";
import * as reference from "../reference/images.ts";
import { nd, size as sizeOf, type Nd } from "../reference/nd.ts";
import { randomWords } from "../reference/philox.ts";
import { assertSameBits } from "../tensor/bits.ts";
import { device, deviceSuite, readFrom } from "../tensor/device.ts";

const tests = deviceSuite("gather images");

type Shape3 = readonly [number, number, number];

/** `count` images of random bytes, and how each begins. */
function images(count: number, shape: Shape3, seed: number): Uint8Array {
  const words = randomWords(count * sizeOf(shape), { key: [seed, 0], words: [0, 0, 9] });
  return Uint8Array.from(words, (word) => word >>> 24);
}

const pictureOf = (bytes: Uint8Array, shape: Shape3, index: number): Nd =>
  nd(shape, bytes.subarray(index * sizeOf(shape), (index + 1) * sizeOf(shape)));

function resident(bytes: Uint8Array, imageShape: Shape3): ByteImages {
  const words = new Uint32Array(Math.ceil(bytes.length / 4));
  new Uint8Array(words.buffer).set(bytes);
  const labels = Uint32Array.from({ length: bytes.length / sizeOf(imageShape) }, (_, index) => index);
  return { pixels: device.tensor(words), labels: device.tensor(labels), imageShape };
}

interface Drawing {
  readonly seed: number;
  readonly step: number;
}

/** The batch of all images in `order`, as the GPU makes it. */
async function batch(
  bytes: Uint8Array,
  shape: Shape3,
  order: readonly number[],
  look: BatchLook,
  { seed, step }: Drawing = { seed: 1, step: 0 },
): Promise<TypedArray> {
  const [x] = await readFrom(device, () => {
    const data = resident(bytes, shape);
    const place = {
      order: device.tensor(Uint32Array.from([0, ...order])),
      cursor: device.tensor(Uint32Array.of(3)),
      rows: order.length,
      stride: order.length,
      batches: 1,
      offset: 1,
    };
    const random = { seed, layer: 4, step: device.tensor(Uint32Array.of(step)) };
    const made = batchOf(data, place, { ...look, random });
    const [oh, ow] = look.size ?? shape;
    assert.equal(made.x.shape, [order.length, oh, ow, look.channels ?? shape[2]]);
    return [made.x];
  });
  return x!;
}

/** The same from the reference. */
function expected(
  bytes: Uint8Array,
  shape: Shape3,
  order: readonly number[],
  look: BatchLook,
  { seed, step }: Drawing = { seed: 1, step: 0 },
): Nd {
  const { size = [shape[0], shape[1]], channels = shape[2], normalisation = { scale: 1, shift: 0 } } = look;
  const { resize = "bilinear", antialias = false, augmentation = {} } = look;
  const same = size[0] === shape[0] && size[1] === shape[1];
  const filter: reference.Filter = same ? "bilinear" : antialias ? "antialias" : resize;
  const how = { size, channels, filter, normalisation, augmentation };
  const pictures = order.map((index, b) => {
    const change = reference.drawnChange(augmentation, size, { key: [seed, 0], layer: 4, step, b });
    return reference.shown(pictureOf(bytes, shape, index), how, change);
  });
  return nd(
    [order.length, ...pictures[0]!.shape],
    pictures.flatMap(({ data }) => Array.from(data)),
  );
}

const side = fc.constantFrom(1, 2, 3, 4, 5, 7, 8, 12, 13);
/** Normalisations: one that differs from channel to channel, and two that do not. */
const normalisations: readonly ((channels: number) => Normalisation)[] = [
  (channels) => ({
    mean: [30, 80, 120, 200].slice(0, channels),
    std: [40, 60, 90, 20].slice(0, channels),
    order: channels === 3 ? "bgr" : "rgb",
  }),
  () => ({ scale: 2, shift: -0.5 }),
  () => ({ mean: 0.4, std: 0.3, white: 1 }),
];

/** Each with channels of the source and of the batch: a kernel of its own, so there are few. */
const resizes = [
  ["nearest", 1, 3],
  ["nearest", 3, 3],
  ["bilinear", 1, 1],
  ["bilinear", 3, 3],
  ["bilinear", 4, 4],
  ["antialias", 1, 4],
  ["antialias", 3, 1],
  ["area", 1, 3],
  ["area", 2, 2],
] as const;

for (const [method, source, channels] of resizes) {
  tests(`resize: ${method}, ${source} to ${channels} channels`, async () => {
    const cases = fc.record({ from: fc.tuple(side, side), size: fc.tuple(side, side), seed: generate.seed });
    const [per] = normalisations;
    await generate.forAll(
      cases,
      async ({ from: [h, w], size, seed }) => {
        const shape = [h, w, source] as const;
        const bytes = images(3, shape, seed);
        const resize = method === "antialias" ? "bilinear" : method;
        const look = { size, channels, normalisation: per!(channels), resize, antialias: method === "antialias" };
        const got = await batch(bytes, shape, [2, 0], look);
        const want = expected(bytes, shape, [2, 0], look);
        assertClose(got, want, { name: `resize ${method}`, case: { shape, look }, atol: 2e-5 });
      },
      20,
    );
  });
}

tests("pictures that stay as they are keep every byte, whatever their size", async () => {
  for (const shape of [
    [28, 28, 1],
    [5, 3, 1],
    [3, 3, 3],
    [7, 1, 2],
    [1, 1, 1],
    [2, 3, 5],
  ] as const) {
    const bytes = images(5, shape, 3);
    const got = await batch(bytes, shape, [4, 1, 0], { normalisation: { scale: 255, shift: 0 } });
    const want = [4, 1, 0].flatMap((index) => Array.from(pictureOf(bytes, shape, index).data));
    assert.equal(Array.from(got, Math.round), want, shape.join(" × "));
  }
});

tests("grey pictures made larger, four pixels at once, at every place of a word", async () => {
  for (const [h, w, oh, ow] of [
    [28, 28, 48, 48],
    [5, 3, 20, 8],
    [9, 7, 4, 8],
    [1, 1, 4, 4],
    [6, 5, 6, 8],
    [3, 30, 4, 32], // four neighbours see all five of the bytes that are loaded for them
  ] as const) {
    const bytes = images(5, [h, w, 1], 5);
    for (const resize of ["bilinear", "area"] as const) {
      const look: BatchLook = { size: [oh, ow], channels: 3, resize };
      const order = [4, 2, 3, 1, 0];
      const want = expected(bytes, [h, w, 1], order, look);
      assertClose(await batch(bytes, [h, w, 1], order, look), want, { name: resize, case: [h, w, oh, ow], atol: 4e-6 });
    }
  }
});

tests("bilinear and nearest agree with TensorFlow.js, half-pixel centres", async () => {
  tf.env().set("PROD", true);
  await tf.setBackend("cpu");
  for (const [h, w, oh, ow] of [
    [28, 28, 48, 48],
    [28, 28, 13, 7],
    [5, 9, 12, 4],
    [6, 6, 9, 9],
  ] as const) {
    const bytes = images(2, [h, w, 3], 8);
    const theirs = (resize: typeof tf.image.resizeBilinear): Float32Array =>
      tf.tidy(() => {
        const pictures = tf.tensor4d(Float32Array.from(bytes), [2, h, w, 3]);
        return resize(pictures, [oh, ow], false, true).div(tf.scalar(255)).dataSync<"float32">();
      });
    for (const [resize, wanted] of [
      ["bilinear", theirs(tf.image.resizeBilinear)],
      ["nearest", theirs(tf.image.resizeNearestNeighbor)],
    ] as const) {
      const got = await batch(bytes, [h, w, 3], [0, 1], { size: [oh, ow], resize });
      assertClose(got, nd([2, oh, ow, 3], wanted), { name: resize, case: [h, w, oh, ow], atol: 4e-6 });
    }
  }
});

/** Rows of `Image.resize(size, Image.BILINEAR)` of Pillow 12.3, mode F, on pixel(y, x) = (37y² + 91x + 13xy) mod 256. */
const pillow: readonly (readonly (readonly number[])[])[] = [
  [
    [66.4422, 145.0457, 116.4743, 107.585],
    [98.4074, 147.2533, 155.4578, 134.6825],
    [138.5102, 159.7657, 147.8571, 122.5102],
  ],
  [
    [67.5455, 149.404, 129.4297, 142.1313, 110.2121],
    [116.2121, 132.8788, 183.9587, 128.3131, 126.8788],
  ],
  [
    [78.0, 92.2941, 120.5714],
    [99.0625, 118.9559, 118.0089],
    [123.4911, 154.1397, 116.6875],
    [96.9732, 163.1838, 136.4196],
    [99.2946, 162.4118, 144.9911],
    [130.4554, 151.8235, 142.4018],
    [141.5268, 165.9191, 119.7232],
    [147.7143, 177.7059, 102.2857],
  ],
];

tests("antialias agrees with Pillow", async () => {
  const bytes = Uint8Array.from({ length: 35 }, (_, at) => {
    const [y, x] = [Math.floor(at / 7), at % 7];
    return (37 * y * y + 91 * x + 13 * x * y) % 256;
  });
  for (const rows of pillow) {
    const size = [rows.length, rows[0]!.length] as const;
    const look: BatchLook = { size, antialias: true, normalisation: { scale: 255, shift: 0 } };
    const got = await batch(bytes, [5, 7, 1], [0], look);
    assertClose(got, nd([1, ...size, 1], rows.flat()), { name: "antialias", case: size, atol: 2e-4 });
  }
});

tests("area weights are overlaps: each output is the mean over its share of the picture", async () => {
  const [h, w, oh, ow, fine] = [6, 10, 4, 4, 12];
  const bytes = images(1, [h, w, 1], 21);
  const got = await batch(bytes, [h, w, 1], [0], { size: [oh, ow], resize: "area" });
  // Both sizes divide the fine grid, whose points are summed one by one.
  const point = (y: number, x: number): number =>
    bytes[Math.floor(y / (fine / h)) * w + Math.floor((x * w) / (fine * 5))]!;
  const want = Array.from({ length: oh * ow }, (_, at) => {
    const [i, j] = [Math.floor(at / ow), at % ow];
    let sum = 0;
    for (let y = 0; y < fine / oh; y++) {
      for (let x = 0; x < (fine * 5) / ow; x++) sum += point(i * (fine / oh) + y, j * ((fine * 5) / ow) + x);
    }
    return sum / ((fine / oh) * ((fine * 5) / ow)) / 255;
  });
  assertClose(got, nd([1, oh, ow, 1], want), { name: "area" });
});

tests("the modes of Keras", async () => {
  const bytes = Uint8Array.of(255, 0, 10, 1, 128, 200);
  const pixels = [
    [255, 0, 10],
    [1, 128, 200],
  ];
  const formulas = {
    caffe: ([r, g, b]: readonly number[]) => [b! - 103.939, g! - 116.779, r! - 123.68],
    tf: (rgb: readonly number[]) => rgb.map((p) => p / 127.5 - 1),
    torch: (rgb: readonly number[]) =>
      rgb.map((p, c) => (p / 255 - [0.485, 0.456, 0.406][c]!) / [0.229, 0.224, 0.225][c]!),
  };
  for (const mode of ["caffe", "tf", "torch"] as const) {
    const got = await batch(bytes, [1, 2, 3], [0], { normalisation: normalisationFor(mode) });
    assertClose(
      got,
      nd(
        [6],
        pixels.flatMap((pixel) => formulas[mode](pixel)),
      ),
      { name: mode, atol: 2e-5 },
    );
    const grey = await batch(Uint8Array.of(77), [1, 1, 1], [0], { channels: 3, normalisation: normalisationFor(mode) });
    assertClose(grey, nd([3], formulas[mode]([77, 77, 77])), { name: `${mode}, grey`, atol: 2e-5 });
  }
});

/** Rearranged bytes of a picture. */
const rearranged = (bytes: Uint8Array, [h, w, c]: Shape3, from: (i: number, j: number) => readonly [number, number]) =>
  Uint8Array.from({ length: h * w * c }, (_, at) => {
    const [i, j, k] = [Math.floor(at / (w * c)), Math.floor(at / c) % w, at % c];
    const [y, x] = from(i, j);
    return y < 0 || x < 0 || y >= h || x >= w ? 0 : bytes[(y * w + x) * c + k]!;
  });

tests("a mirror image and right angles take pixels as they are", async () => {
  for (const shape of [
    [8, 8, 1],
    [7, 7, 3],
  ] as const) {
    const n = shape[0];
    const bytes = images(1, shape, 2);
    const turns: readonly (readonly [Augmentation, (i: number, j: number) => readonly [number, number]])[] = [
      [{ flip: 1 }, (i, j) => [i, n - 1 - j]],
      [{ rotation: [90, 90] }, (i, j) => [j, n - 1 - i]], // counter-clockwise: the top row was the last column
      [{ rotation: [180, 180] }, (i, j) => [n - 1 - i, n - 1 - j]],
      [{ rotation: [-90, -90] }, (i, j) => [n - 1 - j, i]],
      [{ flip: 1, rotation: [270, 270] }, (i, j) => [n - 1 - j, n - 1 - i]], // mirrored first, then turned
    ];
    for (const [augmentation, from] of turns) {
      const got = await batch(bytes, shape, [0], { augmentation });
      const want = await batch(rearranged(bytes, shape, from), shape, [0], {});
      assertSameBits(got, want, JSON.stringify(augmentation));
    }
  }
});

tests("padding and cropping moves by whole pixels, to all places alike", async () => {
  const shape = [6, 8, 1] as const;
  const bytes = images(1, shape, 12);
  const pad = 2;
  const rows = 600;
  const got = await batch(bytes, shape, new Array<number>(rows).fill(0), { augmentation: { padCrop: pad } });
  const places = new Map<string, readonly [number, number]>();
  for (let dy = -pad; dy <= pad; dy++) {
    for (let dx = -pad; dx <= pad; dx++) {
      const moved = await batch(
        rearranged(bytes, shape, (i, j) => [i - dy, j - dx]),
        shape,
        [0],
        {},
      );
      places.set(moved.join(), [dy, dx]);
    }
  }
  const counts = new Map<string, number>();
  for (let b = 0; b < rows; b++) {
    const place = places.get(got.subarray(b * 48, (b + 1) * 48).join());
    assert.ok(place, `image ${b} is no shifted copy`);
    counts.set(String(place), (counts.get(String(place)) ?? 0) + 1);
  }
  assert.is(counts.size, 25);
  const spread = [...counts.values()].reduce((sum, count) => sum + (count - rows / 25) ** 2 / (rows / 25), 0);
  assert.ok(spread < 52, `χ² with 24 degrees of freedom is ${spread}, beyond 99.9 %`);
});

const augmentation: fc.Arbitrary<Augmentation> = fc.record(
  {
    flip: fc.constantFrom(0, 0.5, 1),
    rotation: fc.constantFrom<NonNullable<Augmentation["rotation"]>>(10, 180, [20, 30]),
    zoom: fc.constantFrom<NonNullable<Augmentation["zoom"]>>(0.2, [0.5, 0.7], [1.5, 3]),
    shift: fc.constantFrom<NonNullable<Augmentation["shift"]>>(0.1, 1, [0.3, 0]),
    padCrop: fc.constantFrom(0, 1, 4),
    brightness: fc.constantFrom<NonNullable<Augmentation["brightness"]>>(0.2, [-0.5, -0.1]),
    contrast: fc.constantFrom<NonNullable<Augmentation["contrast"]>>(0.5, [2, 3]),
    erase: fc.constantFrom<NonNullable<Augmentation["erase"]>>(
      { size: 3 },
      { size: [1, 4], probability: 0.5 },
      { area: [0.02, 0.4] },
      { area: [0.3, 1], aspect: [0.2, 9], probability: 1 },
    ),
    outside: fc.constantFrom("constant", "nearest", "reflect"),
    fill: fc.constantFrom<NonNullable<Augmentation["fill"]>>(0, 255, 100, "mean"),
  },
  { requiredKeys: [] },
);

const augmented = fc.record({
  augmentation,
  size: fc.tuple(side, side),
  step: fc.constantFrom(0, 7, 2 ** 32 - 1),
  seed: generate.seed,
});

tests("random parameters agree with the reference", async () => {
  await generate.forAll(augmented, async ({ augmentation: options, size, step, seed }) => {
    const rows = 20;
    const [got] = await readFrom(device, () => {
      const random = { seed, layer: 4, step: device.tensor(Uint32Array.of(step)) };
      return [drawAugmentation(planAugmentation("test", options), rows, size, random)];
    });
    for (let b = 0; b < rows; b++) {
      const row = [...got!.subarray(b * PARAMETERS, (b + 1) * PARAMETERS)];
      const { across, down, gain, offset, rectangle } = reference.drawnChange(options, size, {
        key: [seed, 0],
        layer: 4,
        step,
        b,
      });
      const want = [...across, ...down, gain, offset];
      const what = { options, size, step, seed, b };
      // Places are as exact as the coordinates that they are made of.
      assertClose(row.slice(0, 8), nd([8], want), {
        name: "parameters",
        case: what,
        atol: 1e-6 * Math.max(1, ...size),
      });
      assert.equal(row.slice(8), rectangle, JSON.stringify(what));
    }
  });
});

type Method = "bilinear" | "antialias" | "area" | "as they are";

/**
 * Augmentations by what they compile to, each with a filter and channels of its own. Nearest pixels are not among them: at
 * places between pixels a rounding decides which is nearest.
 */
const changes: readonly (readonly [Augmentation, Method, number, number])[] = [
  [{ flip: 0.5, padCrop: 3 }, "as they are", 1, 1],
  [{ flip: 0.5, padCrop: 2, outside: "reflect", contrast: 0.5 }, "bilinear", 1, 3],
  [{ flip: 0.5, padCrop: 9, outside: "nearest", erase: { size: 3 } }, "area", 3, 3],
  [{ rotation: 180, fill: "mean" }, "as they are", 3, 3],
  [{ rotation: [20, 30], shift: 0.3, outside: "nearest" }, "bilinear", 1, 1],
  [{ zoom: [0.3, 0.7], outside: "reflect", erase: { area: [0.1, 0.5], probability: 0.7 } }, "as they are", 1, 3],
  [{ zoom: [1.5, 3], flip: 1, shift: [0.3, 0], fill: 200 }, "antialias", 3, 1],
  [{ rotation: 45, zoom: 0.2, brightness: [-0.5, -0.1], contrast: [1, 2] }, "area", 1, 1],
  [{ brightness: 0.5, erase: { size: [1, 4], probability: 0.5 }, fill: "mean" }, "bilinear", 3, 3],
];

for (const [options, method, source, channels] of changes) {
  tests(`augmented: ${JSON.stringify(options)}, ${method}, ${source} to ${channels} channels`, async () => {
    const cases = fc.record({
      from: fc.tuple(side, side),
      to: fc.tuple(side, side),
      normalisation: fc.constantFrom(...normalisations.slice(source === channels && channels === 3 ? 0 : 1)),
      seed: generate.seed,
      step: fc.constantFrom(0, 7),
    });
    await generate.forAll(
      cases,
      async ({ from, to, normalisation, ...drawing }) => {
        const shape = [...from, source] as const;
        const size = method === "as they are" ? from : to;
        const resize = method === "area" ? "area" : "bilinear";
        const how = { normalisation: normalisation(channels), augmentation: options };
        const look: BatchLook = { size, channels, resize, antialias: method === "antialias", ...how };
        const bytes = images(3, shape, drawing.seed);
        const got = await batch(bytes, shape, [2, 0, 1], look, drawing);
        const want = expected(bytes, shape, [2, 0, 1], look, drawing);
        assertClose(got, want, { name: "augmented", case: { shape, look, drawing }, atol: 2e-4 });
      },
      15,
    );
  });
}

tests("nearest pixels of mirrored and cropped pictures", async () => {
  for (const outside of ["constant", "nearest", "reflect"] as const) {
    const bytes = images(2, [9, 6, 3], 30);
    const look: BatchLook = {
      size: [12, 8],
      resize: "nearest",
      augmentation: { flip: 0.5, padCrop: 30, outside, fill: 50 },
    };
    const order = [0, 1, 1, 0, 1, 0];
    const got = await batch(bytes, [9, 6, 3], order, look);
    assertClose(got, expected(bytes, [9, 6, 3], order, look), { name: outside });
  }
});

tests("random parameters have the distributions that they are said to have", async () => {
  const rows = 20_000;
  const options: Augmentation = {
    flip: 0.3,
    rotation: [10, 30],
    zoom: [1, 1],
    brightness: 0.2,
    contrast: [0.5, 2],
    erase: { area: [0.1, 0.2], probability: 0.6, aspect: [0.5, 2] },
  };
  const [p] = await readFrom(device, () => {
    const random = { seed: 11, layer: 0, step: device.tensor(Uint32Array.of(3)) };
    return [drawAugmentation(planAugmentation("test", options), rows, [64, 64], random)];
  });
  const column = (pick: (row: TypedArray) => number): number[] =>
    Array.from({ length: rows }, (_, b) => pick(p!.subarray(b * PARAMETERS, (b + 1) * PARAMETERS)));
  const within = (what: string, values: readonly number[], mean: number, deviation: number): void => {
    const got = values.reduce((sum, value) => sum + value, 0) / values.length;
    const most = (4.5 * deviation) / Math.sqrt(values.length);
    assert.ok(Math.abs(got - mean) < most, `${what}: mean ${got}, expected ${mean} ± ${most}`);
  };
  const uniform = (a: number, b: number): number => (b - a) / Math.sqrt(12);
  within(
    "flip",
    column((row) => (row[0]! < 0 ? 1 : 0)),
    0.3,
    Math.sqrt(0.21),
  );
  const angle = column((row) => (Math.atan2(row[3]!, row[4]!) * 180) / Math.PI);
  within("rotation", angle, 20, uniform(10, 30));
  assert.ok(Math.min(...angle.slice(0, 5000)) > 9.99 && Math.max(...angle.slice(0, 5000)) < 30.01);
  within(
    "contrast",
    column((row) => row[6]!),
    1.25,
    uniform(0.5, 2),
  );
  within(
    "brightness",
    column((row) => row[7]! - 0.5 + 0.5 * row[6]!),
    0,
    uniform(-0.2, 0.2),
  );
  const erased = column((row) => (row[10]! > row[8]! ? 1 : 0));
  within("erasing", erased, 0.6, Math.sqrt(0.24));
  const areas = column((row) => ((row[10]! - row[8]!) * (row[11]! - row[9]!)) / 64 ** 2).filter((area) => area > 0);
  within("area", areas, 0.15, uniform(0.1, 0.2));
});

tests("a compiled step draws anew each time, and the same as an eager one", async () => {
  const shape = [9, 8, 3] as const;
  const data = resident(images(4, shape, 1), shape);
  const step = device.tensor(Uint32Array.of(5));
  const place = {
    order: device.tensor(Uint32Array.of(3, 1, 0, 2)),
    cursor: device.tensor(Uint32Array.of(0)),
    rows: 4,
    stride: 4,
    batches: 1,
  };
  const look: BatchLook = {
    size: [12, 16],
    normalisation: normalisationFor("torch"),
    augmentation: {
      flip: 0.5,
      rotation: 30,
      zoom: 0.2,
      shift: 0.1,
      padCrop: 2,
      brightness: 0.1,
      contrast: 0.3,
      erase: { area: [0.1, 0.3] },
      outside: "reflect",
      fill: "mean",
    },
  };
  const make = (at: typeof step) => batchOf(data, place, { ...look, random: { seed: 99, layer: 0, step: at } });
  const program = await compile(device, [], () => {
    const { x, y } = make(step);
    advance(step);
    return { x, y };
  });
  const seen = new Set<string>();
  for (let turn = 0; turn < 3; turn++) {
    program.run();
    const [x, y] = await device.readMany([program.outputs.x, program.outputs.y]);
    const [eager] = await readFrom(device, () => [make(device.tensor(Uint32Array.of(5 + turn))).x]);
    assertSameBits(x!, eager!, `step ${5 + turn}`);
    assert.equal([...y!], [3, 1, 0, 2]);
    seen.add(x!.join());
  }
  assert.is(seen.size, 3);
  program.dispose();
});

tests("one augmentation more leaves the draws of the others as they are", async () => {
  const bytes = images(1, [6, 6, 1], 4);
  const order = new Array<number>(12).fill(0);
  const flipped = await batch(bytes, [6, 6, 1], order, { augmentation: { flip: 0.5 } });
  const both = await batch(bytes, [6, 6, 1], order, { augmentation: { flip: 0.5, brightness: [0, 0.001] } });
  assertClose(both, nd([12, 36], flipped), { name: "flip with brightness", atol: 0.0011 });
});

tests("half precision is an option of the batch", async () => {
  if (!device.gpu.features.has("shader-f16")) return;
  const bytes = images(2, [4, 4, 1], 6);
  const half = await batch(bytes, [4, 4, 1], [1, 0], { size: [8, 8], channels: 3, dtype: "f16" });
  const full = await batch(bytes, [4, 4, 1], [1, 0], { size: [8, 8], channels: 3 });
  assertClose(half, nd([full.length], full), { name: "f16", rtol: 2 ** -10, atol: 1e-6 });
  assert.is.not(half.join(), full.join());
});

const refusals: readonly (readonly [string, BatchLook, RegExp])[] = [
  ["an unknown augmentation", { augmentation: { rotate: 3 } as Augmentation }, /rotate/],
  ["a share above 1", { augmentation: { flip: 2 } }, /flip: a share of 0 … 1, got 2/],
  ["a range upside down", { augmentation: { rotation: [5, -5] } }, /rotation/],
  ["a zoom of nothing", { augmentation: { zoom: 1 } }, /zoom/],
  ["padding by half a pixel", { augmentation: { padCrop: 0.5 } }, /padCrop/],
  ["a shift that is no number", { augmentation: { shift: Number.NaN } }, /shift/],
  ["an unknown outside", { augmentation: { outside: "wrap" as "reflect", flip: 1 } }, /outside/],
  ["an unknown fill", { augmentation: { fill: "grey" as "mean" } }, /fill/],
  ["an area above 1", { augmentation: { erase: { area: [0, 2] } } }, /erase/],
  ["an erasure of nothing", { augmentation: { erase: { size: 0 } } }, /erase/],
  ["an erasure without a size", { augmentation: { erase: {} as { size: 1 } } }, /erase/],
  ["an empty picture", { size: [0, 4] }, /size/],
  ["an unknown filter", { size: [2, 2], resize: "cubic" as "area" }, /resize/],
  ["antialias of another filter", { size: [2, 2], resize: "area", antialias: true }, /antialias/],
  ["channels that cannot be made", { channels: 2 }, /channels/],
  ["means for other channels", { normalisation: { mean: [1, 2], std: 1 } }, /3 channels/],
  ["a standard deviation of 0", { normalisation: { mean: 1, std: 0 } }, /normalisation/],
];

for (const [what, look, message] of refusals) {
  tests(`refused: ${what}`, () => {
    const place = {
      order: device.tensor(Uint32Array.of(0)),
      cursor: device.tensor(Uint32Array.of(0)),
      rows: 1,
      stride: 1,
      batches: 1,
    };
    const random = { seed: 0, layer: 0, step: place.cursor };
    const data = resident(images(1, [4, 4, 3], 0), [4, 4, 3]);
    assert.throws(() => batchOf(data, place, { random, ...look }), message);
  });
}

tests("refused: an augmentation without a random key", () => {
  const place = {
    order: device.tensor(Uint32Array.of(0)),
    cursor: device.tensor(Uint32Array.of(0)),
    rows: 1,
    stride: 1,
    batches: 1,
  };
  const data = resident(images(1, [4, 4, 1], 0), [4, 4, 1]);
  assert.throws(() => batchOf(data, place, { augmentation: { flip: 0.5 } }), /random key/);
});

tests.run();
