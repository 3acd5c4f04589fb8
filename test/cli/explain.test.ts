/** `trama explain` and `trama export`, with a network that the command line has trained. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { InferenceSession } from "onnxruntime-node";
import sharp from "sharp";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { drawGarment } from "../../src/data/index.ts";
import { eventsIn, Workplace, type Outcome } from "./command.ts";

const command = suite("command line: explain and export");
const model = "net.safetensors";
let place = null as unknown as Workplace;

command.before(async () => {
  place = await Workplace.build();
  const training = ["train", "--synthetic", "--images", "256", "--epochs", "1", "--quiet", "--out", model];
  assert.is((await place.trama(training)).code, 0);
  const garment = Buffer.from(drawGarment(8, 1));
  await sharp(garment, { raw: { height: 28, width: 28, channels: 1 } })
    .png()
    .toFile(join(place.folder, "bag.png"));
});

command.after(() => place.remove());

function refused({ code, stderr, stdout }: Outcome, expected: number, message: RegExp): void {
  assert.is(code, expected, stderr + stdout);
  assert.match(stderr, message);
  assert.not.match(stderr, /\n\s+at /, "no stack");
}

command("explain writes a sheet for each picture and each test image, with every method", async () => {
  const args = ["explain", model, "bag.png", "--images", "2", "--synthetic", "--method", "all", "--out", "why"];
  const { code, stdout, stderr } = await place.trama([...args, "--json"]);
  assert.is(code, 0, stderr);
  const names = ["bag-all.png", "test-0-all.png", "test-1-all.png"];
  assert.equal(readdirSync(join(place.folder, "why")).sort(), names);
  const explained = eventsIn(stdout).filter(({ event }) => event === "explanation");
  assert.equal(explained.map(({ out }) => out), names.map((name) => join("why", name))); // prettier-ignore
  for (const { methods, probability } of explained) {
    assert.equal(methods, ["grad-cam", "occlusion", "integrated-gradients"]);
    assert.ok((probability as number) > 0.1);
  }
  const { width, height, channels } = await sharp(join(place.folder, "why/bag-all.png")).metadata();
  assert.ok(width > 3 * 196 && height > 3 * 196 && channels === 3, "three panels in three rows");
  const people = await place.trama(["explain", model, "bag.png", "--class", "Bag", "--out", "why"]);
  assert.match(people.stdout, /^bag +Bag +\d+\.\d % +why\/bag-grad-cam\.png$/m);
});

command("explain shows what is hot in the heat map's colours", async () => {
  await place.trama(["explain", model, "bag.png", "--method", "occlusion", "--out", "why"]);
  const { data, info } = await sharp(join(place.folder, "why/bag-occlusion.png"))
    .raw()
    .toBuffer({ resolveWithObject: true });
  let coloured = 0;
  for (let at = 0; at < data.length; at += info.channels) {
    const inMap = (at / info.channels) % info.width > 210 && (at / info.channels) % info.width < 410;
    if (inMap && data[at]! > 200 && data[at + 2]! < 120) coloured++;
  }
  assert.ok(coloured > 100, `${coloured} pixels from orange to yellow`);
});

command("explain names pictures that do not decode, and explains the others", async () => {
  writeFileSync(join(place.folder, "broken.png"), "no picture");
  const outcome = await place.trama(["explain", model, "broken.png", "bag.png", "--out", "some"]);
  refused(outcome, 1, /skipped broken\.png/);
  assert.equal(readdirSync(join(place.folder, "some")), ["bag-grad-cam.png"]);
});

for (const [what, args, code, message] of [
  ["nothing to explain", [model], 2, /picture files, or --images N/],
  ["a method that there is not", [model, "bag.png", "--method", "guess"], 2, /Allowed choices are grad-cam/],
  [
    "a layer for a method without layers",
    [model, "bag.png", "--method", "occlusion", "--layer", "conv2d"],
    2,
    /--layer: expected --method/,
  ],
  [
    "a layer that there is not",
    [model, "bag.png", "--layer", "conv9"],
    2,
    /a layer with a feature map: conv2d, maxPool2d, got "conv9"/,
  ],
  ["a class that there is not", [model, "bag.png", "--class", "Hat"], 2, /one of T-shirt\/top/],
  ["a file that is no model", ["bag.png", "bag.png"], 1, /bag\.png: expected/],
] as const) {
  command(`explain refuses ${what}`, async () => refused(await place.trama(["explain", ...args]), code, message));
}

command("export writes ONNX, and says what went in", async () => {
  const { code, stdout, stderr } = await place.trama(["export", model, "--onnx", "net.onnx"]);
  assert.is(code, 0, stderr);
  for (const part of [/474,590 parameters/, /ONNX opset 17 · IR version 8/, /input · float32 \[batch, 1, 28, 28\]/, /output · float32 \[batch, 10\]/]) assert.match(stdout, part); // prettier-ignore
  const bytes = readFileSync(join(place.folder, "net.onnx"));
  assert.ok(stdout.includes(`${bytes.length.toLocaleString("en-US")} bytes)`));
  const session = await InferenceSession.create(bytes);
  assert.equal(session.outputNames, ["output"]);
  await session.release();
  const pixels = ["export", model, "--onnx", "pixels.onnx", "--preprocessing", "--layout", "nhwc", "--json"];
  const [event] = eventsIn((await place.trama(pixels)).stdout) as {
    input: { type: string; shape: unknown };
    opset: number;
  }[];
  assert.equal([event!.opset, event!.input.type, event!.input.shape], [17, "uint8", ["batch", 28, 28, 1]]);
});

command("export refuses other files, and names of other formats", async () => {
  refused(await place.trama(["export", model]), 2, /--onnx FILE/);
  refused(await place.trama(["export", model, "--onnx", "net.pb"]), 2, /ends in \.onnx/);
  refused(await place.trama(["export", "bag.png", "--onnx", "bag.onnx"]), 1, /bag\.png/);
  assert.not.ok(existsSync(join(place.folder, "bag.onnx")));
});

command.run();
