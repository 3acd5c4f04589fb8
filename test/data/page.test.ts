/** Data sets in a page: a chosen folder gives the pixels that Node reads, IDX files are read in pieces, and nothing of Node's is there. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import sharp from "sharp";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { encodeIdx, loadImageFolder, syntheticGarments, type FolderReport } from "../../src/data/index.ts";
import { launchChromium, serve } from "../browser/chromium.ts";

const test = suite("data sets in a page");
const source = join(import.meta.dirname, "../../src/data");
const options = { size: [12, 12], channels: 3, fit: "contain", invert: "lightBackground" } as const;

const pageScript = `
  const data = await import("/data.js");
  const input = document.querySelector("input");
  input.addEventListener("change", async () => {
    const { dataset, paths, report } = await data.loadImageFolder(data.filesOf(input.files), ${JSON.stringify(options)});
    document.body.dataset.folder = JSON.stringify({ images: Array.from(dataset.images), labels: Array.from(dataset.labels), paths, report });
  });
  const png = await data.encodePng({ pixels: Uint8Array.of(1, 99, 200, 255), shape: [2, 2, 1] });
  const back = await data.decodePicture(png, "png");
  const fields = { classNames: [..."0123456789"], origin: "page", split: "test" };
  const stream = await data.openIdxStream("/ranged/images", "/ranged/labels", fields);
  const { images, labels } = await stream.read([7, 2, 3]);
  const refused = await data.openIdxStream("/images.idx", "/ranged/labels", fields).catch(String);
  const listing = await data.openImageFolder("/pictures").catch(String);
  document.body.dataset.result = JSON.stringify({ back: Array.from(back.pixels), images: Array.from(images), labels: Array.from(labels), refused, listing });
`;

interface PageResult {
  readonly back: readonly number[];
  readonly images: readonly number[];
  readonly labels: readonly number[];
  readonly refused: string;
  readonly listing: string;
}

interface FolderResult {
  readonly images: readonly number[];
  readonly labels: readonly number[];
  readonly paths: readonly string[];
  readonly report: FolderReport;
}

const { test: garments } = syntheticGarments({ trainCount: 1, testCount: 20, seed: 8 });
const ranged: Readonly<Record<string, Uint8Array>> = {
  "/ranged/images": encodeIdx({ type: "uint8", shape: [20, 28, 28], data: garments.images }),
  "/ranged/labels": encodeIdx({ type: "uint8", shape: [20], data: garments.labels }),
};

async function writePictures(folder: string): Promise<void> {
  const noise = Uint8Array.from({ length: 20 * 14 * 3 }, (_, at) => 190 + 50 * Math.sin(at / 9));
  const picture = () => sharp(noise, { raw: { width: 20, height: 14, channels: 3 } });
  const files: Readonly<Record<string, Uint8Array>> = {
    "a/plain.png": await picture().png().toBuffer(),
    "a/small.webp": await picture().webp({ lossless: true }).toBuffer(),
    "b/turned.jpg": await picture()
      .jpeg({ quality: 100, chromaSubsampling: "4:4:4" })
      .withMetadata({ orientation: 6 })
      .toBuffer(),
    "b/broken.png": (await picture().png().toBuffer()).subarray(0, 90),
    "b/moving.gif": await picture().gif().toBuffer(),
  };
  for (const [name, bytes] of Object.entries(files)) {
    mkdirSync(join(folder, name, ".."), { recursive: true });
    writeFileSync(join(folder, name), bytes);
  }
}

test("a chosen folder and files read in pieces", async () => {
  const folder = mkdtempSync(join(tmpdir(), "trama-data-page-"));
  const bundled = await build({
    bundle: true,
    format: "esm",
    platform: "browser",
    conditions: ["source"],
    logLevel: "error",
    metafile: true,
    entryPoints: [join(source, "index.ts")],
    outfile: join(folder, "data.js"),
  });
  assert.equal(
    Object.keys(bundled.metafile.inputs).filter((file) => /\.node\.ts$|sharp/.test(file)),
    [],
  );
  writeFileSync(join(folder, "images.idx"), ranged["/ranged/images"]!);
  const html = `<!doctype html><input type=file webkitdirectory><script type="module">try {${pageScript}} catch (e) { document.body.dataset.error = String(e); }</script>`;
  writeFileSync(join(folder, "index.html"), html);
  await writePictures(join(folder, "pictures"));
  const { origin, server } = await serve(folder);
  const browser = await launchChromium();
  try {
    const page = await browser.newPage();
    await page.route("**/ranged/*", async (route, request) => {
      const bytes = ranged[new URL(request.url()).pathname]!;
      const [, from, to] = /bytes=(\d+)-(\d+)/.exec((await request.headerValue("range")) ?? "")!;
      const body = Buffer.from(bytes.subarray(Number(from), Number(to) + 1));
      const headers = { "content-range": `bytes ${from}-${to}/${bytes.length}` };
      await route.fulfill({ status: 206, headers, body });
    });
    await page.goto(`${origin}/index.html`);
    await page.waitForSelector("body[data-result], body[data-error]", { timeout: 60_000, state: "attached" });
    const first = await page.evaluate(() => Object.fromEntries(Object.entries(document.body.dataset)));
    assert.is(first["error"], undefined);
    const result = JSON.parse(first["result"]!) as PageResult;
    assert.equal(
      result.back,
      [1, 99, 200, 255].flatMap((value) => [value, value, value]),
    );
    assert.equal(
      result.labels,
      [7, 2, 3].map((index) => garments.labels[index]),
    );
    assert.equal(
      result.images,
      [7, 2, 3].flatMap((index) => Array.from(garments.images.subarray(index * 784, (index + 1) * 784))),
    );
    assert.match(result.refused, /ignores ranges/);
    assert.match(result.listing, /webkitdirectory/);

    await page.setInputFiles("input", join(folder, "pictures"));
    await page.waitForSelector("body[data-folder]", { timeout: 60_000, state: "attached" });
    const chosen = JSON.parse((await page.evaluate(() => document.body.dataset["folder"]))!) as FolderResult;
    const node = await loadImageFolder(join(folder, "pictures"), options);
    assert.equal(chosen.paths, node.paths);
    assert.equal(chosen.labels, [...node.dataset.labels]);
    const { failed, ...counts } = chosen.report;
    const { failed: failedInNode, ...countsInNode } = node.report;
    assert.equal(counts, countsInNode);
    assert.equal([failed.map(({ path }) => path), failed.length], [failedInNode.map(({ path }) => path), 1]);
    // Two decoders may round a JPEG's values differently; everything else is the same to the byte.
    const length = 12 * 12 * 3;
    chosen.images.forEach((value, at) => {
      const allowed = chosen.paths[Math.floor(at / length)]!.endsWith(".jpg") ? 3 : 0;
      assert.ok(
        Math.abs(value - node.dataset.images[at]!) <= allowed,
        `${chosen.paths[Math.floor(at / length)]} at ${at % length}`,
      );
    });
  } finally {
    await browser.close();
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true });
  }
});

test.run();
