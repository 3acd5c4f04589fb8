/** Files of other programs in a page: fetched with progress, read by a bundle that is loaded on demand. */
import { execFile } from "node:child_process";
import { statSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openWeights } from "../../src/weights/index.ts";
import { hdf5, writeLayer } from "../weights/hdf5.ts";
import { launchChromium, serve } from "./chromium.ts";

const root = join(import.meta.dirname, "../..");
const fixtures = "test/weights/fixtures";
const run = promisify(execFile);
const test = suite("weights in a page");

test.before(async () => {
  await run(process.execPath, ["scripts/build.mjs", "--quiet"], { cwd: root });
});

/** Names, types, shapes and the sum of all bytes. */
type Summary = readonly (readonly [name: string, dtype: string, shape: string, sum: number])[];

interface Answer {
  readonly tensors: Summary;
  readonly last: { readonly receivedBytes: number; readonly totalBytes: number } | undefined;
  readonly error: string;
}

async function inNode(path: string | Uint8Array): Promise<Summary> {
  const file = await openWeights(path);
  const summary: (readonly [string, string, string, number])[] = [];
  for await (const { name, dtype, shape, bytes } of file.read()) {
    summary.push([name, dtype, shape.join(","), bytes.reduce((sum, byte) => sum + byte, 0)]);
  }
  await file.close();
  return summary;
}

test("PyTorch, NumPy and Keras files give what they give in Node, and hostile ones are refused", async () => {
  const { origin, server } = await serve(root);
  const browser = await launchChromium();
  try {
    const tab = await browser.newPage();
    await tab.goto(`${origin}/test/browser/weights.html`);
    await tab.waitForSelector("body[data-ready]", { state: "attached" });
    const ask = (source: string | number[]): Promise<Answer> =>
      tab.evaluate((given) => {
        const { summarise } = globalThis as unknown as { summarise: (given: string | number[]) => Promise<Answer> };
        return summarise(given);
      }, source);
    for (const name of ["state.pth", "legacy.pth", "checkpoint5.pth", "arrays.npz", "deflated.npz"]) {
      const { tensors, last, error } = await ask(`/${fixtures}/${name}`);
      assert.is(error, "", name);
      assert.equal(tensors, await inNode(join(root, fixtures, name)), name);
      assert.is(last?.receivedBytes, statSync(join(root, fixtures, name)).size, name);
    }
    const keras = await hdf5((file) => {
      file.create_attribute("layer_names", ["fc"]);
      writeLayer(file, "fc", { "fc/kernel:0": [[1, 2], 3, 4], "fc/bias:0": [[2], 5, 6] });
    });
    assert.equal((await ask([...keras])).tensors, await inNode(keras));
    assert.match((await ask(`/${fixtures}/evil.pth`)).error, /asks for posix\.system/);
    assert.match((await ask("/package.json")).error, /a safetensors/);
  } finally {
    await browser.close();
    server.closeAllConnections();
    server.close();
  }
});

test.run();
