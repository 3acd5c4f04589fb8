/** The bench in headless Chromium, on its software adapter: the same cases and peers, in a page. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build, type Plugin } from "esbuild";
import type { Page } from "playwright-core";
import { launchChromium, serve } from "../test/browser/chromium.ts";
import type { CaseResult } from "./measure.ts";
import type { BenchOptions } from "./options.ts";
import type { BenchPage, PageReport } from "./page.ts";
import { machineLines, type Header } from "./report/header.ts";
import type { Surroundings } from "./report/verdicts.ts";
import { VERSIONS } from "./versions.ts";

export interface ChromiumListener {
  onHeader(header: Header): void;
  onCase(result: CaseResult): void;
  onSuite(results: readonly CaseResult[], surroundings: Surroundings): void;
}

export interface ChromiumResult {
  readonly header: Header;
  readonly results: readonly CaseResult[];
  readonly surroundings: Surroundings;
}

/** Versions are read from files: a page gets them as they are. */
const versionsAsText: Plugin = {
  name: "versions",
  setup({ onLoad }) {
    onLoad({ filter: /bench[/\\]versions\.ts$/ }, () => ({
      contents: `export const VERSIONS = ${JSON.stringify(VERSIONS)};`,
    }));
  },
};

/** A folder with the page and its bundle. Peers that a page cannot load stay outside, and say so when they are asked for. */
async function writePage(folder: string): Promise<void> {
  await build({
    entryPoints: [join(import.meta.dirname, "page.ts")],
    outfile: join(folder, "page.js"),
    bundle: true,
    format: "esm",
    platform: "browser",
    conditions: ["source"],
    external: ["webgpu", "node:*", "onnxruntime-web", "onnxruntime-web/webgpu", "@tensorflow/tfjs-backend-wasm"],
    plugins: [versionsAsText],
    logLevel: "error",
  });
  writeFileSync(join(folder, "index.html"), `<!doctype html><script type="module" src="page.js"></script>`);
}

const inPage = (page: Page, text: string): Promise<unknown> => page.evaluate(`benchPage.${text}`);

function headerOf({ adapter, variant, peers }: PageReport, browser: string): Header {
  const driver = `Chromium ${browser}; kernels of the ${variant} family`;
  return { ...machineLines(adapter, driver, peers), adapter: `${adapter} in Chromium`, driver };
}

/** Measures all chosen cases, or as many as there is time for before `signal`. */
export async function measureInChromium(
  { quick, only, against }: BenchOptions,
  signal: AbortSignal,
  listener: ChromiumListener,
): Promise<ChromiumResult> {
  const folder = mkdtempSync(join(tmpdir(), "trama-bench-"));
  const browser = await launchChromium();
  await writePage(folder);
  const { origin, server } = await serve(folder);
  try {
    const page = await browser.newPage();
    await page.goto(`${origin}/index.html`);
    await page.waitForFunction("globalThis.benchPage");
    const request: Parameters<BenchPage["start"]>[0] = { quick, only: only?.source ?? null, against };
    const report = (await inPage(page, `start(${JSON.stringify(request)})`)) as PageReport;
    const header = headerOf(report, browser.version());
    const surroundings = { adapter: report.kind, bandwidth: null };
    listener.onHeader(header);
    const results: CaseResult[] = [];
    for (const { name, cases } of report.suites) {
      const before = results.length;
      for (const of of cases) {
        if (signal.aborted) break;
        const result = await inPage(page, `measure(${JSON.stringify(name)}, ${JSON.stringify(of)})`);
        results.push(result as CaseResult);
        listener.onCase(results.at(-1)!);
      }
      listener.onSuite(results.slice(before), surroundings);
    }
    return { header, results, surroundings };
  } finally {
    await browser.close();
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
