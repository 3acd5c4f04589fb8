/** Plots in a page: the option that Node draws as SVG is a live chart there, and pictures become PNG without Node. */
import { join } from "node:path";
import { build } from "esbuild";
import sharp from "sharp";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { EpochResult } from "../../src/train/index.ts";
import { themes } from "../../src/report/index.ts";
import { launchChromium } from "./chromium.ts";

const test = suite("plots in a page");
const source = join(import.meta.dirname, "../../src");

const history: EpochResult[] = [3, 2, 1.5].map((loss, epoch) => ({
  epoch,
  steps: 1,
  loss,
  accuracy: epoch / 4,
  validation: { loss: loss + 0.1, accuracy: epoch / 5, count: 10 },
  learningRate: 0.1,
  seconds: 1,
}));

const program = `
  import * as echarts from "echarts";
  import { pictureGrid, renderPng, renderSvg, trainingCurves } from "./report/index.ts";
  window.draw = async (history) => {
    const plot = trainingCurves(history, { theme: "dark" });
    const place = document.createElement("div");
    place.style.cssText = "width:900px;height:340px";
    document.body.append(place);
    const chart = echarts.init(place);
    chart.setOption(plot.option);
    const tile = { picture: { pixels: Uint8Array.of(0, 255, 255, 0), shape: [2, 2, 1] }, lines: ["a tile"] };
    return {
      series: chart.getOption().series.map(({ data }) => data),
      canvases: place.querySelectorAll("canvas").length,
      svg: await renderSvg(plot),
      png: Array.from(await renderPng(plot, { scale: 1 })),
      sheet: Array.from(await renderPng(await pictureGrid([tile], { title: "x" }), { scale: 1 })),
    };
  };
`;

interface Drawn {
  readonly series: readonly (readonly number[])[];
  readonly canvases: number;
  readonly svg: string;
  readonly png: readonly number[];
  readonly sheet: readonly number[];
}

test("one option, live and still", async () => {
  const { outputFiles } = await build({
    stdin: { contents: program, resolveDir: source },
    bundle: true,
    format: "esm",
    platform: "browser",
    conditions: ["source"],
    write: false,
    logLevel: "error",
  });
  const browser = await launchChromium();
  try {
    const page = await browser.newPage();
    const faults: string[] = [];
    page.on("pageerror", (error) => faults.push(error.message));
    await page.addScriptTag({ content: outputFiles[0]!.text, type: "module" });
    await page.waitForFunction("window.draw");
    const drawn = (await page.evaluate(`window.draw(${JSON.stringify(history)})`)) as Drawn;
    assert.equal(faults, []);
    assert.equal(drawn.series[0], [3, 2, 1.5]);
    assert.is(drawn.canvases, 1);
    assert.match(drawn.svg, /^<svg role="img" aria-label="Training\. /);
    const { data, info } = await sharp(Uint8Array.from(drawn.png))
      .removeAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    assert.equal([info.width, info.height], [900, 336]);
    assert.is(`#${data.subarray(0, 3).toString("hex")}`, themes.dark.surface);
    const sheet = await sharp(Uint8Array.from(drawn.sheet)).metadata();
    assert.is(sheet.width, 276);
  } finally {
    await browser.close();
  }
});

test.run();
