/** Folders of pictures: every format, upright, and label beside picture whatever fails to decode. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import sharp from "sharp";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { decodePicture, encodePng } from "#images";
import {
  FASHION_CLASS_NAMES,
  FileError,
  loadImageFolder,
  openImageFolder,
  OUT_OF_DISTRIBUTION,
  type FolderFile,
} from "../../src/data/index.ts";
import { DataError, FormatError, OptionError, type TramaError } from "../../src/errors.ts";

const test = suite("image folders");
let folder = "";

test.before.each(() => {
  folder = mkdtempSync(join(tmpdir(), "trama-folder-"));
});
test.after.each(() => rmSync(folder, { recursive: true, force: true }));

function put(path: string, content: Uint8Array | string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), content);
}

/** A picture of one grey. */
const plain = (grey: number, width = 40, height = 30) =>
  sharp({ create: { width, height, channels: 3, background: { r: grey, g: grey, b: grey } } });

async function refusal(action: Promise<unknown>, kind: new (...args: never[]) => Error): Promise<TramaError> {
  const error: unknown = await action.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  assert.instance(error, kind);
  return error as TramaError;
}

/** Three classes of six pictures; picture n of class c has the grey 60·c + 8·n. Numbers 1 and 4 of each do not decode. */
async function damagedFolder(): Promise<void> {
  for (const [label, name] of ["boot", "coat", "shirt"].entries()) {
    for (let at = 0; at < 6; at++) {
      const png = await plain(60 * label + 8 * at)
        .png()
        .toBuffer();
      if (at === 1) put(`${name}/${at}.png`, png.subarray(0, png.length >> 1));
      else if (at === 4) put(`${name}/deeper/${at}.jpg`, "no picture");
      else put(`${name}/${at}.png`, png);
    }
  }
}

test("what does not decode is left out with its label and path, named and counted", async () => {
  await damagedFolder();
  put("boot/notes.txt", "not a picture");
  put("stray.png", await plain(1).png().toBuffer());
  put(".hidden/x.png", "");
  for (const concurrency of [1, 3, 16]) {
    const { dataset, paths, report } = await loadImageFolder(folder, { size: [4, 4], concurrency });
    assert.equal(dataset.classNames, ["boot", "coat", "shirt"]);
    assert.is(dataset.count, 12);
    paths.forEach((path, row) => {
      const [name, file] = path.split("/");
      assert.is(dataset.classNames[dataset.labels[row]!], name);
      const grey = 60 * dataset.labels[row]! + 8 * Number.parseInt(file!, 10);
      assert.equal([...dataset.images.subarray(row * 16, (row + 1) * 16)], new Array(16).fill(grey), path);
    });
    assert.equal([report.files, report.decoded, report.inverted], [18, 12, 0]);
    assert.equal(
      report.failed.map(({ path }) => path),
      ["boot/1.png", "boot/deeper/4.jpg", "coat/1.png", "coat/deeper/4.jpg", "shirt/1.png", "shirt/deeper/4.jpg"],
    );
    assert.ok(report.failed.every(({ reason, className, path }) => reason.length > 5 && path.startsWith(className)));
    assert.equal(report.classes[1], { name: "coat", files: 6, decoded: 4, inverted: 0, failed: 2 });
    assert.equal(report.ignored, ["boot/notes.txt", "stray.png"]);
  }
  const error = await refusal(loadImageFolder(folder, { onFailure: "throw" }), FormatError);
  assert.is(error.where, "boot/1.png");
});

test("every format, the first frame of several, transparency over white, any depth", async () => {
  const noise = Uint8Array.from({ length: 32 * 24 * 3 }, (_, at) => 128 + 60 * Math.sin(at / 40));
  const picture = sharp(noise, { raw: { width: 32, height: 24, channels: 3 } });
  const files: Record<string, Uint8Array> = {
    "a.jpg": await picture.clone().jpeg({ quality: 95 }).toBuffer(),
    "b.png": await picture.clone().png().toBuffer(),
    "c.webp": await picture.clone().webp({ lossless: true }).toBuffer(),
    "d.avif": await picture.clone().avif({ quality: 90, chromaSubsampling: "4:4:4" }).toBuffer(),
    "e.tiff": await picture.clone().tiff({ compression: "lzw" }).toBuffer(),
    "f.gif": await picture.clone().gif().toBuffer(),
    "g.JPEG": await picture.clone().jpeg({ progressive: true, quality: 95 }).toBuffer(),
    "h.png": await picture.clone().toColourspace("rgb16").png().toBuffer(),
  };
  for (const [name, bytes] of Object.entries(files)) {
    const { pixels, shape } = await decodePicture(bytes, name);
    assert.equal(shape, [24, 32, 3], name);
    const worst = pixels.reduce((most, value, at) => Math.max(most, Math.abs(value - noise[at]!)), 0);
    assert.ok(worst <= (/jp|avif|gif/i.test(name) ? 40 : 1), `${name}: ${worst}`);
    put(`class/${name}`, bytes);
  }
  assert.is((await loadImageFolder(folder)).report.decoded, 8);

  const clear = await sharp({
    create: { width: 2, height: 2, channels: 4, background: { r: 0, g: 0, b: 0, alpha: 0 } },
  })
    .png()
    .toBuffer();
  assert.equal([...(await decodePicture(clear, "clear")).pixels], new Array(12).fill(255));
  const grey = await sharp(Uint8Array.of(5, 200), { raw: { width: 2, height: 1, channels: 1 } })
    .toColourspace("b-w")
    .png()
    .toBuffer();
  assert.equal([...(await decodePicture(grey, "grey")).pixels], [5, 5, 5, 200, 200, 200]);
  const frames = [40, 90].map((value) => new Uint8Array(3 * 64).fill(value));
  const moving = await sharp(Buffer.concat(frames), { raw: { width: 8, height: 16, channels: 3, pageHeight: 8 } })
    .gif()
    .toBuffer();
  const { pixels, shape } = await decodePicture(moving, "moving");
  assert.equal([shape[0], pixels[0]], [8, 40]);
});

test("pictures are turned upright as their EXIF data says", async () => {
  const upright = Uint8Array.from({ length: 16 * 32 * 3 }, (_, at) => (Math.floor(at / 3) % 16 < 8 ? 30 : 220));
  for (const [orientation, turn] of [
    [1, 0],
    [3, 180],
    [6, 270],
    [8, 90],
  ] as const) {
    const stored = await sharp(upright, { raw: { width: 16, height: 32, channels: 3 } })
      .rotate(turn)
      .jpeg({ quality: 100, chromaSubsampling: "4:4:4" })
      .withMetadata({ orientation })
      .toBuffer();
    const { pixels, shape } = await decodePicture(stored, "turned");
    assert.equal(shape, [32, 16, 3], `orientation ${orientation}`);
    assert.ok(Math.abs(pixels[0]! - 30) < 6 && Math.abs(pixels[15 * 3]! - 220) < 6, `orientation ${orientation}`);
  }
});

test("PNG out, the same pixels in", async () => {
  for (const channels of [1, 3] as const) {
    const pixels = Uint8Array.from({ length: 5 * 3 * channels }, (_, at) => (at * 37) % 256);
    const decoded = await decodePicture(await encodePng({ pixels, shape: [5, 3, channels] }), "png");
    const want = channels === 3 ? [...pixels] : [...pixels].flatMap((value) => [value, value, value]);
    assert.equal([...decoded.pixels], want);
  }
});

test("an out-of-distribution test set: Fashion-MNIST's classes by name or number, light backgrounds inverted and counted", async () => {
  const garment = async (background: number, cloth: number) =>
    plain(background, 300, 400)
      .composite([{ input: await plain(cloth, 120, 200).png().toBuffer(), gravity: "centre" }])
      .jpeg()
      .toBuffer();
  put("t-shirt_top/a.jpg", await garment(250, 40));
  put("t-shirt_top/b.jpg", await garment(5, 200));
  put("Ankle Boot/c.jpg", await garment(255, 90));
  put("8/bag.jpg", await garment(240, 90));
  const classNames = FASHION_CLASS_NAMES.en;
  const { dataset, report } = await loadImageFolder(folder, { ...OUT_OF_DISTRIBUTION, classNames, split: "test" });
  assert.equal([[...dataset.labels], dataset.shape, dataset.split], [[0, 0, 8, 9], [28, 28, 1], "test"]);
  assert.equal([report.decoded, report.inverted, report.classes[0]!.inverted], [4, 3, 1]);
  for (let row = 0; row < 4; row++) assert.ok(dataset.images[row * 784]! < 20, "dark corners");
  put("gloves/d.jpg", await garment(250, 40));
  const error = await refusal(loadImageFolder(folder, { classNames }), DataError);
  assert.match(error.message, /gloves: expected a folder named after a class/);
});

test("photographs become garment-sized pictures", async () => {
  const photo = join(import.meta.dirname, "../../../shared/data/photos/cat_720p.jpg");
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(photo);
  } catch {
    console.log("    (skipped: no photographs in ../shared/data)");
    return;
  }
  put("cat/cat.jpg", bytes);
  const { dataset } = await loadImageFolder(folder, { size: [28, 28], fit: "cover" });
  // libvips shrinks by its own code: an independent opinion on what the middle of the picture looks like.
  const [side, { width, height }] = [28, await sharp(bytes).metadata()];
  const square = Math.min(width, height);
  const seen = await sharp(bytes)
    .extract({ left: (width - square) >> 1, top: (height - square) >> 1, width: square, height: square })
    .resize(side, side, { kernel: "linear", fastShrinkOnLoad: false })
    .removeAlpha()
    .raw()
    .toBuffer();
  let worst = 0;
  dataset.images.forEach((value, at) => {
    const luma = 0.299 * seen[at * 3]! + 0.587 * seen[at * 3 + 1]! + 0.114 * seen[at * 3 + 2]!;
    worst = Math.max(worst, Math.abs(value - luma));
  });
  assert.ok(worst < 4, `${worst}`);
});

test("links to files are followed, links to folders are not", async () => {
  put("a/one.png", await plain(9).png().toBuffer());
  symlinkSync(join(folder, "a/one.png"), join(folder, "a/two.png"));
  symlinkSync(folder, join(folder, "a/circle"));
  symlinkSync(join(folder, "gone"), join(folder, "a/dead.png"));
  assert.equal((await openImageFolder(folder)).paths, ["a/one.png", "a/two.png"]);
});

test("a folder is opened without decoding; what is read twice counts once", async () => {
  await damagedFolder();
  let read = 0;
  const counted = (await openImageFolder(folder)).paths.map((path): FolderFile => ({
    path,
    read: async () => {
      read += 1;
      return readFileSync(join(folder, path));
    },
  }));
  const stream = await openImageFolder(counted, { size: [2, 2] });
  assert.equal([stream.count, stream.labels.length, read], [18, 18, 0]);
  const batch = await stream.read([0, 1, 16, 6]);
  assert.equal([...batch.indices], [0, 16, 6], "the broken one is missing, the order is kept");
  assert.equal([...batch.labels], [0, 2, 1]);
  assert.is(batch.images.length, 3 * 4);
  await stream.read([0, 1]);
  assert.is(read, 5, "a file that is broken is not read again");
  assert.equal([stream.report().decoded, stream.report().failed.length], [3, 1]);
  await refusal(stream.read([18]), DataError);
});

test("folders that are no data sets, and options that make no sense", async () => {
  assert.match((await refusal(openImageFolder(folder), DataError)).message, /a folder for each class/);
  assert.match(
    (await refusal(openImageFolder(join(folder, "none")), FileError)).message,
    /to list the folder, got no such file/,
  );
  put("a/b.png", "broken");
  put("a/c.png", "");
  assert.match((await refusal(loadImageFolder(folder), DataError)).message, /2 that cannot; the first, a\/b\.png/);
  await refusal(openImageFolder(folder, { concurrency: 0 }), OptionError);
  await refusal(openImageFolder(folder, { size: [0, 1] }), OptionError);
});

test("an aborted load rejects with the signal's reason", async () => {
  await damagedFolder();
  const error = await refusal(loadImageFolder(folder, { signal: AbortSignal.abort(new Error("enough")) }), Error);
  assert.is(error.message, "enough");
});

test.run();
