/**
 * Every architecture in onnxruntime: with an eighth of its channels and small pictures in each run of the tests, and as
 * published with TRAMA_MODELS=1 (`npm run test:models`).
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildArchitecture, defaultInputOf, modelNames, type ModelName } from "../../src/models/index.ts";
import { build, outlineOf, type Layer } from "../../src/nn/index.ts";
import { layerFrom, recordOf, type LayerRecord } from "../../src/nn/layers/index.ts";
import { openDevice, sizeOf, type Device, type Shape } from "../../src/tensor/index.ts";
import { assertSameInOnnx, fillParameters } from "../onnx/onnxruntime.ts";
import { device, deviceSuite } from "../tensor/device.ts";

const tests = deviceSuite("architectures in onnx");

/** All channels divided by eight; which layers there are, and how they hang together, stays. */
function narrowed({ kind, config, children }: LayerRecord): LayerRecord {
  const eighth = (name: string): object =>
    typeof config[name] === "number" ? { [name]: Math.max(1, Math.round(config[name] / 8)) } : {};
  const smaller = { ...config, ...eighth("filters"), ...eighth("units") };
  return { kind, config: smaller, ...(children ? { children: children.map(narrowed) } : {}) };
}

/** As small as five halvings allow. */
function smallInput(name: ModelName): Shape {
  const [height = 1, width = 1, channels = 1] = defaultInputOf(name);
  return [Math.min(height, 64), Math.min(width, 64), channels];
}

for (const name of modelNames) {
  tests(`${name}, narrow`, async () => {
    const layer: Layer = layerFrom(narrowed(recordOf(buildArchitecture(name))), name);
    const model = build(device, layer, { input: smallInput(name) });
    fillParameters(model, 1);
    await assertSameInOnnx(model, { what: name });
  });
}

/** The size that it was made for, or half of it where the adapter cannot hold VGG's classifier. */
function largeInput(layer: Layer, name: ModelName, { gpu }: Device): Shape {
  const [height = 1, width = 1, channels = 1] = defaultInputOf(name);
  const largest = Math.max(...outlineOf(layer, [height, width, channels]).parameters.map(({ shape }) => sizeOf(shape)));
  const scale = largest * 4 > gpu.limits.maxStorageBufferBindingSize ? 2 : 1;
  return [height / scale, width / scale, channels];
}

if (process.env["TRAMA_MODELS"]) {
  for (const name of modelNames) {
    tests(`${name}, as published`, async () => {
      const own = await openDevice();
      const folder = mkdtempSync(join(tmpdir(), "trama-onnx-"));
      try {
        const layer = buildArchitecture(name);
        const model = build(own, layer, { input: largeInput(layer, name, own) });
        // Kernels have their initial values; what would be zeros and ones has others.
        fillParameters(model, 1, ({ shape }) => shape.length === 1);
        await assertSameInOnnx(model, { what: name, batch: 1, path: join(folder, "model.onnx") });
      } finally {
        rmSync(folder, { recursive: true });
        await own.close();
      }
    });
  }
}

tests.run();
