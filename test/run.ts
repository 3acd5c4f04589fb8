/**
 * Runs every `*.test.ts` below this folder in one process: `npm test`, or `npm test -- conv pool` for the files whose
 * path contains one of the words. The last line is `N passed, N failed`; the process must then end by itself.
 */
import { readdirSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { pathToFileURL } from "node:url";
import fc from "fast-check";

/** A failure is a fault of this commit and not of the day; REFERENCE_SEED draws other cases. */
fc.configureGlobal({ seed: Number(process.env["REFERENCE_SEED"] ?? 20_260_101) });

type SuiteResult = [errors: string | true, ran: number, skipped: number, total: number];
type Suite = () => Promise<SuiteResult>;
type Group = [name: string | null, ...suites: Suite[]];

/** What uvu's own runner keeps here while it loads files. */
const uvu = globalThis as unknown as { UVU_DEFER: number; UVU_INDEX: number; UVU_QUEUE: Group[] };
uvu.UVU_DEFER = 1;
const { exec } = await import("uvu");

const root = import.meta.dirname;
const count = { passed: 0, failed: 0 };
let finished = false;

/** Milliseconds that open handles get to close once the last test is over. */
const grace = 5000;

const files = testFiles(process.argv.slice(2));
process.on("exit", printCount);
if (files.length === 0) fail(`no test file matches ${process.argv.slice(2).join(" ")}`);
for (const [index, file] of files.entries()) await load(index, file);
await exec();
finished = true;
setTimeout(complainOfOpenHandles, grace).unref();

function testFiles(words: readonly string[]): string[] {
  const all = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".test.ts"));
  const asked = all.filter(
    (file) => words.length === 0 || words.some((word) => file.split(sep).join("/").includes(word)),
  );
  return asked.sort().map((file) => join(root, file));
}

/** A file that does not load is one failure, and the others still run. */
async function load(index: number, file: string): Promise<void> {
  uvu.UVU_INDEX = index;
  const group: Group = [relative(root, file)];
  uvu.UVU_QUEUE.push(group);
  try {
    await import(pathToFileURL(file).href);
  } catch (error) {
    fail(
      `${relative(root, file)} does not load: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    );
  }
  const [name, ...suites] = group;
  group.splice(0, group.length, name, ...suites.map(counted));
}

/** uvu prints its count and forgets it; a suite whose `before` throws it even takes for a pass. */
function counted(run: Suite): Suite {
  return async () => {
    const result = await run();
    const [, ran, , total] = result;
    count.passed += ran;
    count.failed += total - ran;
    return result;
  };
}

function fail(message: string): void {
  count.failed += 1;
  console.error(`\n${message}`);
}

function complainOfOpenHandles(): void {
  fail(`the process does not end by itself, kept alive by: ${process.getActiveResourcesInfo().join(", ")}`);
  process.exit(1);
}

function printCount(): void {
  if (!finished) fail("a test never settles: the process ran out of work before the end");
  if (count.failed > 0) process.exitCode = 1;
  console.log(`${count.passed} passed, ${count.failed} failed`);
}
