/** The same code in a page: Chromium trains with Web Workers, and gets the same bits as Node without any. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build, type BuildOptions } from "esbuild";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { hog, svcDecisions, trainSvc } from "../../src/svm/index.ts";
import { launchChromium, serve } from "../browser/chromium.ts";

const test = suite("svm in a page");
const source = join(import.meta.dirname, "../../src/svm");

/** What both sides run: 240 drawn pictures, four classes, decision values of all. */
const size = 16;
const count = 240;
const pixel = (i: number): number => Math.imul(i + 1, 2654435761) >>> 25;
const label = (i: number): number => i % 4;
const picture = (i: number, r: number, c: number): number =>
  pixel(i * size * size + r * size + c) + ((label(i) < 2 ? r : c) % (label(i) % 2 === 0 ? 4 : 6) < 2 ? 100 : 0);
const features = { pixelsPerCell: 4, cellsPerBlock: 2, orientations: 6, interpolation: "trilinear" } as const;

const pageScript = `
  globalThis.tramaSvmWorker = "/worker.js";
  const { hog, svcDecisions, trainSvc } = await import("/svm.js");
  const images = await (await fetch("/pictures.bin")).arrayBuffer();
  const data = new Uint8Array(images);
  const labels = Array.from({ length: ${count} }, (_, i) => i % 4);
  const matrix = await hog({ data, count: ${count}, height: ${size}, width: ${size} }, ${JSON.stringify(features)});
  const model = await trainSvc(matrix, labels, { C: 2 }, { workers: 2 });
  document.body.dataset.isolated = String(globalThis.crossOriginIsolated);
  document.body.dataset.result = JSON.stringify({ coefficients: Array.from(model.dualCoefficients), decisions: Array.from(await svcDecisions(model, matrix, { workers: 2 })) });
`;

test("HOG, training and prediction with two Web Workers give Node's bits", async () => {
  const data = Uint8Array.from({ length: count * size * size }, (_, at) =>
    picture(Math.floor(at / size ** 2), Math.floor(at / size) % size, at % size),
  );
  const folder = mkdtempSync(join(tmpdir(), "trama-svm-"));
  const bundle: BuildOptions = {
    bundle: true,
    format: "esm",
    platform: "browser",
    conditions: ["source"],
    logLevel: "error",
  };
  await build({ ...bundle, entryPoints: [join(source, "index.ts")], outfile: join(folder, "svm.js") });
  await build({
    ...bundle,
    entryPoints: [join(source, "workers/entry.browser.ts")],
    outfile: join(folder, "worker.js"),
  });
  writeFileSync(join(folder, "pictures.bin"), data);
  writeFileSync(
    join(folder, "index.html"),
    `<!doctype html><body><script type="module">try {${pageScript}} catch (e) { document.body.dataset.error = String(e); }</script>`,
  );
  const { origin, server } = await serve(folder);
  const browser = await launchChromium();
  try {
    const page = await browser.newPage();
    await page.goto(`${origin}/index.html`);
    await page.waitForSelector("body[data-result], body[data-error]", { timeout: 60_000, state: "attached" });
    const { result, error } = await page.evaluate(() => ({
      result: document.body.dataset["result"],
      error: document.body.dataset["error"],
    }));
    assert.is(error, undefined);
    const there = JSON.parse(result ?? "null") as { coefficients: number[]; decisions: number[] };

    const matrix = await hog({ data, count, height: size, width: size }, features);
    const model = await trainSvc(
      matrix,
      Array.from({ length: count }, (_, i) => label(i)),
      { C: 2 },
      { workers: 1 },
    );
    assert.ok(model.supportIndices.length > 20);
    assert.equal(there.coefficients, Array.from(model.dualCoefficients));
    assert.equal(there.decisions, Array.from(await svcDecisions(model, matrix, { workers: 1 })));
  } finally {
    await browser.close();
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  }
});

test.run();
