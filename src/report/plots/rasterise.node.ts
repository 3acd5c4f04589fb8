/** SVG to PNG in Node; see `PlatformRasteriser`, whose docstrings hold for the functions here. */
import { createRequire } from "node:module";
import { DataError, FormatError } from "../../errors.ts";
import type { PlatformRasteriser } from "./rasterise.ts";

const FONT = "@expo-google-fonts/noto-sans";
const FACES = ["400Regular/NotoSans_400Regular.ttf", "700Bold/NotoSans_700Bold.ttf"];

export async function svgToPng(svg: string, scale: number): Promise<Uint8Array> {
  const { Resvg } = await load("@resvg/resvg-js", "draws PNG files", () => import("@resvg/resvg-js"));
  const { resolve } = createRequire(import.meta.url);
  const fontFiles = await load(FONT, "is the font of PNG files", async () =>
    FACES.map((face) => resolve(`${FONT}/${face}`)),
  );
  const font = { loadSystemFonts: false, fontFiles, defaultFontFamily: "Noto Sans" };
  try {
    return new Resvg(svg, { font, fitTo: { mode: "zoom", value: scale } }).render().asPng();
  } catch (cause) {
    const got = cause instanceof Error ? cause.message : String(cause);
    throw new FormatError({ where: "svgToPng", expected: "an SVG picture", got }, { cause });
  }
}

/** Optional packages, because only pictures need them. */
async function load<T>(name: string, purpose: string, find: () => Promise<T>): Promise<T> {
  try {
    return await find();
  } catch (cause) {
    const { code } = cause as { code?: unknown };
    const missing = code === "ERR_MODULE_NOT_FOUND" || code === "MODULE_NOT_FOUND";
    const got = missing ? "none installed" : cause instanceof Error ? cause.message : String(cause);
    const expected = `the package \`${name}\`, which ${purpose}`;
    throw new DataError({ where: "pictures", expected, got, advice: `run \`npm install ${name}\`` }, { cause });
  }
}

// Compile-time proof that this file shows the whole face.
void ({ svgToPng } satisfies PlatformRasteriser);
