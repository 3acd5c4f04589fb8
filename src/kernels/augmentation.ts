/**
 * What augmentation does to each image of a batch: random numbers become twelve parameters, which the kernel that gathers
 * the images applies (gatherImages.ts).
 *
 *   x = p₀·column + p₁·row + p₂      y = p₃·column + p₄·row + p₅        where the picture shows what the batch shows at
 *                                                                       (row, column): the inverse of mirror, turn and
 *                                                                       zoom about the centre, then shift
 *   pixel · p₆ + p₇                                                     contrast and brightness
 *   p₈ ≤ row < p₁₀, p₉ ≤ column < p₁₁                                   the rectangle that is erased
 *
 * All are a pure function of seed, step and place in the batch (Philox), so a picture can be made again from these three.
 * Each draw has a fixed place in the stream: to turn one augmentation on leaves the others as they are.
 */
import { OptionError } from "../errors.ts";
import { defineKernel, run, seedKey, type Tensor } from "../tensor/index.ts";
import type { RandomKey } from "./dropout.ts";

/** A number r means −r … r about the neutral value; `[least, most]` the range itself. */
export type DrawRange = number | readonly [least: number, most: number];

/** A rectangle of a fixed size (DeVries and Taylor 2017, "cutout"), its centre anywhere: the border may cut it. */
export interface EraseSize {
  /** In pixels: one number for both, or `[height, width]`. */
  readonly size: number | readonly [height: number, width: number];
  /** Share of the images that are erased. Default: 1. */
  readonly probability?: number;
}

/** A rectangle of random size and shape inside the image (Zhong et al. 2020, "Random erasing data augmentation"). */
export interface EraseArea {
  /** Share of the image's area. */
  readonly area: readonly [least: number, most: number];
  /** Height over width, drawn evenly in its logarithm. Default: `[0.3, 1 / 0.3]`. */
  readonly aspect?: readonly [least: number, most: number];
  /** Share of the images that are erased. Default: 0.5. */
  readonly probability?: number;
}

/** Changes to training images, drawn anew for each image and step. Plain JSON; what is left out is off. */
export interface Augmentation {
  /** Share of the images that are mirrored, left to right. */
  readonly flip?: number;
  /** Degrees, counter-clockwise. */
  readonly rotation?: DrawRange;
  /** Factor of size about the centre, neutral at 1: 0.1 means 0.9 … 1.1. */
  readonly zoom?: DrawRange;
  /** Shift of up to so much of height and width, either way, not rounded to pixels: one number, or `[vertical, horizontal]`. */
  readonly shift?: number | readonly [vertical: number, horizontal: number];
  /** Pads each side by so many pixels and cuts a picture of the old size out: a shift by whole pixels. */
  readonly padCrop?: number;
  /** Summand, in units of white. */
  readonly brightness?: DrawRange;
  /** Factor of the distance from mid-grey, neutral at 1: 0.2 means 0.8 … 1.2. */
  readonly contrast?: DrawRange;
  /** Erases a rectangle. */
  readonly erase?: EraseSize | EraseArea;
  /** What lies around the picture: the fill value, its nearest pixel, or its mirror image (d c b a | a b c d | d c b a). Default: `constant`. */
  readonly outside?: "constant" | "nearest" | "reflect";
  /** Pixel value of what is erased or lies outside, 0…255; `mean` is what normalisation turns into 0. Default: 0. */
  readonly fill?: number | "mean";
}

/** Parameters of an image. */
export const PARAMETERS = 12;

/** Fourth word of the counter: no two uses of one seed and step draw the same numbers. */
const AUGMENTATION_WORD = 2;

/** `cosSin(degrees)`, off by 2⁻²³ anywhere and exact at right angles; WGSL's own functions may be off by 2⁻¹¹. */
export const COS_SIN = /* wgsl */ `
    fn cosSin(degrees: f32) -> vec2f {
      let quarter = floor(degrees / 90.0 + 0.5);
      let a = (degrees - quarter * 90.0) * ${Math.PI / 180};
      let q = a * a;
      let c = 1.0 - q * (1.0 / 2.0 - q * (1.0 / 24.0 - q * (1.0 / 720.0 - q / 40320.0)));
      let s = a * (1.0 - q * (1.0 / 6.0 - q * (1.0 / 120.0 - q * (1.0 / 5040.0 - q / 362880.0))));
      switch (i32(quarter) & 3) {
        case 1: { return vec2f(-s, c); }
        case 2: { return vec2f(-c, -s); }
        case 3: { return vec2f(s, -c); }
        default: { return vec2f(c, s); }
      }
    }`;

/** What the draws are drawn from. */
const ranges = {
  flip: "f32", turn0: "f32", turn1: "f32", zoom0: "f32", zoom1: "f32", shiftY: "f32", shiftX: "f32", pad: "f32",
  light0: "f32", light1: "f32", contrast0: "f32", contrast1: "f32",
  erase: "f32", eraseH: "f32", eraseW: "f32", area0: "f32", area1: "f32", aspect0: "f32", aspect1: "f32",
} as const; // prettier-ignore

const kernel = defineKernel({
  name: "drawAugmentation",
  uniforms: { keyLow: "u32", keyHigh: "u32", layer: "u32", h: "f32", w: "f32", ...ranges },
  inputs: { step: "u32" },
  outputs: { p: "f32v" },
  wgsl: ({ fractional, eraseArea }) => /* wgsl */ `
    fn draw(b: u32, block: u32) -> vec4f {                 // four numbers in [0, 1)
      let words = philox(vec4u(b * 4u + block, u.layer, step[0], ${AUGMENTATION_WORD}u), vec2u(u.keyLow, u.keyHigh));
      return vec4f(words >> vec4u(8u)) * 0x1p-24f;
    }
    fn between(a: f32, b: f32, t: f32) -> f32 { return a + (b - a) * t; }
    ${COS_SIN}
    fn run(b: u32) {                                       // one thread per image
      let g = draw(b, 0u); let z = draw(b, 1u); let t = draw(b, 2u); let e = draw(b, 3u);

      let mirror = select(1.0, -1.0, g.x < u.flip);
      let centre = vec2f(u.w - 1.0, u.h - 1.0) * 0.5;
      let crop = floor(vec2f(z.z, z.y) * (2.0 * u.pad + 1.0)) - u.pad;
      ${
        fractional === true
          ? `let turn = cosSin(between(u.turn0, u.turn1, g.y)) / between(u.zoom0, u.zoom1, z.x);
      let span = vec2f(u.w * u.shiftX, u.h * u.shiftY);
      let moved = centre + crop + span * (2.0 * vec2f(g.w, g.z) - 1.0);
      let across = mirror * vec2f(turn.x, -turn.y);        // the inverse of a turn is the turn back
      let down = vec2f(turn.y, turn.x);`
          : `let moved = centre + crop;                           // whole numbers stay whole
      let across = vec2f(mirror, 0.0);
      let down = vec2f(0.0, 1.0);`
      }
      let x0 = centre.x - dot(across, moved);
      let y0 = centre.y - dot(down, moved);

      let gain = between(u.contrast0, u.contrast1, t.y);
      let offset = 0.5 - 0.5 * gain + between(u.light0, u.light1, t.x);

      ${
        eraseArea === true
          ? `let area = between(u.area0, u.area1, e.x) * u.h * u.w;
      let aspect = exp(between(u.aspect0, u.aspect1, e.y));
      let size = min(floor(sqrt(vec2f(area * aspect, area / aspect)) + 0.5), vec2f(u.h, u.w));
      let corner = floor(e.zw * (vec2f(u.h, u.w) - size + 1.0));`
          : `let size = vec2f(u.eraseH, u.eraseW);
      let corner = floor(e.zw * vec2f(u.h, u.w)) - floor(size * 0.5);`
      }
      let rectangle = select(vec4f(), vec4f(corner, corner + size), t.z < u.erase);

      store_p(b * 3u, vec4f(across, x0, down.x));
      store_p(b * 3u + 1u, vec4f(down.y, y0, gain, offset));
      store_p(b * 3u + 2u, rectangle);
    }`,
  flops: (threads) => threads * 400,
});

/** An augmentation with its defaults filled in, and what follows from it for kernels. */
export interface AugmentationPlan {
  /** Whether places between pixels are looked at; otherwise pixels are taken as they are. */
  readonly fractional: boolean;
  readonly moves: boolean;
  readonly tones: boolean;
  readonly erases: boolean;
  readonly outside: "constant" | "nearest" | "reflect";
  readonly fill: number | "mean";
  readonly eraseArea: boolean;
  readonly ranges: Readonly<Record<keyof typeof ranges, number>>;
}

const KEYS: readonly (keyof Augmentation)[] = [
  "flip", "rotation", "zoom", "shift", "padCrop", "brightness", "contrast", "erase", "outside", "fill",
]; // prettier-ignore

/** Checks an augmentation, and fills in its defaults. */
export function planAugmentation(where: string, augmentation: Augmentation): AugmentationPlan {
  const need = (sound: boolean, option: string, expected: string): void => {
    const got = JSON.stringify(augmentation[option as keyof Augmentation]) ?? "undefined";
    if (!sound) throw new OptionError({ where: `${where}, augmentation`, expected: `${option}: ${expected}`, got });
  };
  for (const option of Object.keys(augmentation)) {
    need((KEYS as readonly string[]).includes(option), option, `one of the augmentations ${KEYS.join(", ")}`);
  }
  const range = (option: "rotation" | "zoom" | "brightness" | "contrast", neutral: number, least: number) => {
    const given = augmentation[option] ?? 0;
    const [a, b] = typeof given === "number" ? [neutral - given, neutral + given] : given;
    need(Number.isFinite(a) && Number.isFinite(b) && least <= a && a <= b, option, `a range of numbers ≥ ${least}`);
    return [a, b] as const;
  };
  const { flip = 0, padCrop = 0, outside = "constant", fill = 0, erase } = augmentation;
  const [turn0, turn1] = range("rotation", 0, Number.NEGATIVE_INFINITY);
  const [zoom0, zoom1] = range("zoom", 1, LEAST_ZOOM);
  const [light0, light1] = range("brightness", 0, Number.NEGATIVE_INFINITY);
  const [contrast0, contrast1] = range("contrast", 1, 0);
  const [shiftY, shiftX] = pair(augmentation.shift ?? 0);
  need(isShare(flip), "flip", "a share of 0 … 1");
  need(isShare(shiftY) && isShare(shiftX), "shift", "one or two shares of 0 … 1");
  need(Number.isInteger(padCrop) && padCrop >= 0, "padCrop", "a whole number of pixels ≥ 0");
  need(["constant", "nearest", "reflect"].includes(outside), "outside", "constant, nearest or reflect");
  need(fill === "mean" || Number.isFinite(fill), "fill", 'a pixel value or "mean"');
  const rectangle = erasure(erase, (sound, expected) => need(sound, "erase", expected));
  const fractional = turn0 !== 0 || turn1 !== 0 || zoom0 !== 1 || zoom1 !== 1 || shiftY > 0 || shiftX > 0;
  return {
    fractional,
    moves: fractional || flip > 0 || padCrop > 0,
    tones: light0 !== 0 || light1 !== 0 || contrast0 !== 1 || contrast1 !== 1,
    erases: rectangle.erase > 0,
    outside,
    fill,
    eraseArea: erase !== undefined && "area" in erase,
    ranges: {
      flip, turn0, turn1, zoom0, zoom1, shiftY, shiftX, pad: padCrop,
      light0, light1, contrast0, contrast1, ...rectangle,
    }, // prettier-ignore
  };
}

/** A picture that is zoomed out further than this is a dot. */
const LEAST_ZOOM = 0.01;

const isShare = (value: unknown): boolean => typeof value === "number" && value >= 0 && value <= 1;

const pair = (value: number | readonly [number, number]): readonly [number, number] =>
  typeof value === "number" ? [value, value] : value;

function erasure(erase: Augmentation["erase"], need: (sound: boolean, expected: string) => void) {
  const none = { erase: 0, eraseH: 0, eraseW: 0, area0: 0, area1: 0, aspect0: 0, aspect1: 0 };
  if (erase === undefined) return none;
  need("size" in erase || "area" in erase, "a size in pixels, or an area");
  if ("size" in erase) {
    const { size, probability = 1 } = erase;
    const [eraseH, eraseW] = pair(size);
    need(
      [eraseH, eraseW].every((side) => Number.isInteger(side) && side > 0),
      "a size of whole pixels",
    );
    need(isShare(probability), "a probability of 0 … 1");
    return { ...none, erase: probability, eraseH, eraseW };
  }
  const { area, aspect = [0.3, 1 / 0.3], probability = 0.5 } = erase;
  need(area.every(isShare) && area[0] <= area[1], "an area of two shares of 0 … 1, the lesser first");
  need(aspect[0] > 0 && aspect[0] <= aspect[1], "an aspect of two ratios above 0, the lesser first");
  need(isShare(probability), "a probability of 0 … 1");
  const [aspect0, aspect1] = [Math.log(aspect[0]), Math.log(aspect[1])];
  return { ...none, erase: probability, area0: area[0], area1: area[1], aspect0, aspect1 };
}

/** `[rows, PARAMETERS]`: what happens to each image of a batch of pictures of `[height, width]`. */
export function drawAugmentation(
  plan: AugmentationPlan,
  rows: number,
  [h, w]: readonly [number, number],
  { seed, layer, step }: RandomKey,
): Tensor {
  const [keyLow, keyHigh] = seedKey(seed);
  const { fractional, eraseArea } = plan;
  const options = { threads: rows, constants: { width: 4, fractional, eraseArea } };
  return run(kernel, { step }, { p: [rows, PARAMETERS] }, { keyLow, keyHigh, layer, h, w, ...plan.ranges }, options).p;
}
