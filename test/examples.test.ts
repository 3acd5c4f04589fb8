/** Every program of examples/node runs as written, from the built package. (The page has a test of its own.) */
import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { findFashionMnist } from "./train/fashionMnist.ts";

const root = join(import.meta.dirname, "..");
const run = promisify(execFile);
const test = suite("examples");

test.before(async () => {
  await run(process.execPath, ["scripts/build.mjs", "--quiet"], { cwd: root });
});

for (const file of readdirSync(join(root, "examples/node"))) {
  test(`examples/node/${file}`, async () => {
    const data = findFashionMnist();
    const env = { ...process.env, ...(data === null ? {} : { TRAMA_DATA: data }) };
    const { stdout } = await run(process.execPath, [join("examples/node", file)], { cwd: root, env });
    const accuracies = [...stdout.matchAll(/accuracy (0\.\d+)$/gm)].map(([, value]) => Number(value));
    assert.ok(accuracies.at(-1)! > 0.5, stdout);
  });
}

test.run();
