/** Layers that resize NHWC images. */
import { OptionError } from "../../errors.ts";
import { resizeArea, resizeBilinear, resizeNearest, type Pair, type ResizeConvention } from "../../kernels/index.ts";
import type { Tensor } from "../../tensor/index.ts";
import { configOf, expectRank, type Layer } from "../layer.ts";

export interface UpSamplingOptions {
  /** Default: `nearest`. */
  readonly interpolation?: "nearest" | "bilinear";
  readonly name?: string;
}

export interface ResizeOptions {
  /** Default: `bilinear`. */
  readonly interpolation?: "nearest" | "bilinear" | "area";
  /** Of `nearest` and `bilinear`. Default: `halfPixel`. */
  readonly convention?: ResizeConvention;
  /** Of `bilinear`: whether shrinking sees every pixel. Default: false. */
  readonly antialias?: boolean;
  readonly name?: string;
}

type Resize = (x: Tensor, size: readonly [number, number], options: ResizeOptions) => Tensor;

const RESIZE: Readonly<Record<NonNullable<ResizeOptions["interpolation"]>, Resize>> = {
  nearest: resizeNearest,
  bilinear: resizeBilinear,
  area: resizeArea,
};

function resizing(
  kind: string,
  config: Readonly<Record<string, unknown>>,
  sizeFor: (height: number, width: number) => readonly [number, number],
  { interpolation = "bilinear", name, ...options }: ResizeOptions,
): Layer {
  return {
    kind,
    name,
    config: configOf(config),
    children: [],
    build(input) {
      expectRank(kind, input, 3, "[height, width, channels]");
      const [height, width, channels] = input as [number, number, number];
      const resize = Object.hasOwn(RESIZE, interpolation) ? RESIZE[interpolation] : undefined;
      if (!resize) {
        const expected = `an interpolation among ${Object.keys(RESIZE).join(", ")}`;
        throw new OptionError({ where: kind, expected, got: interpolation });
      }
      const size = sizeFor(height, width);
      if (size.length !== 2 || !size.every((extent) => Number.isInteger(extent) && extent > 0)) {
        throw new OptionError({
          where: kind,
          expected: "one or two positive whole numbers",
          got: JSON.stringify(config),
        });
      }
      return { output: [...size, channels], call: (x) => resize(x, size, options) };
    },
  };
}

/** Enlarges images by whole factors: `[h, w, c]` → `[h · scale, w · scale, c]`. `scale`: a number or `[vertical, horizontal]`. */
export function upSampling2d(scale: Pair, options: UpSamplingOptions = {}): Layer {
  const [vertical, horizontal] = typeof scale === "number" ? [scale, scale] : scale;
  return resizing("upSampling2d", { scale, ...options }, (height, width) => [height * vertical, width * horizontal], {
    interpolation: "nearest",
    ...options,
  });
}

/** Resizes images to `size`, `[height, width]`: `[h, w, c]` → `[height, width, c]`. */
export function resize2d(size: readonly [number, number], options: ResizeOptions = {}): Layer {
  return resizing("resize2d", { size, ...options }, () => size, options);
}
