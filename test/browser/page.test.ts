/** The same engine in a page: the built bundle trains in Chromium and learns exactly what it learns in Node. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { launchChromium, serve } from "./chromium.ts";

const root = join(import.meta.dirname, "../..");
const run = promisify(execFile);
const test = suite("page");

interface Result {
  readonly adapter: string;
  readonly accuracy: number;
  readonly losses: readonly number[];
}

test.before(async () => {
  await run(process.execPath, ["scripts/build.mjs", "--quiet"], { cwd: root });
});

async function trainInPage(): Promise<Result> {
  const { origin, server } = await serve(root);
  const browser = await launchChromium();
  try {
    const page = await browser.newPage();
    await page.goto(`${origin}/examples/browser/index.html`);
    await page.waitForSelector("body[data-result], body[data-error]", { timeout: 300_000, state: "attached" });
    const { result, error } = await page.evaluate(() => {
      const { dataset } = document.body;
      return { result: dataset["result"], error: dataset["error"] };
    });
    assert.is(error, undefined);
    return JSON.parse(result!) as Result;
  } finally {
    await browser.close();
    server.closeAllConnections();
    server.close();
  }
}

async function trainInNode(): Promise<Result> {
  const env = { ...process.env, TRAMA_ADAPTER: "swiftshader" };
  const { stdout } = await run(process.execPath, ["examples/node/mlp.js"], { cwd: root, env });
  return JSON.parse(stdout.trim().split("\n").at(-1)!) as Result;
}

test("a page and Node reach the same losses from one seed on one software adapter", async () => {
  const [page, node] = [await trainInPage(), await trainInNode()];
  assert.match(page.adapter, /swiftshader/i);
  assert.is(page.losses.length, 3);
  page.losses.forEach((loss, epoch) =>
    assert.ok(
      Math.abs(loss - node.losses[epoch]!) < 1e-4,
      `epoch ${epoch}: ${loss} in the page, ${node.losses[epoch]} in Node`,
    ),
  );
  assert.ok(page.losses[2]! < page.losses[0]! / 2, "the loss falls");
});

test.run();
