import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { CaseResult, Measurement, PeerResult } from "../../bench/measure.ts";
import { asMarkdown } from "../../bench/report/markdown.ts";

const tests = suite("bench results as Markdown");

const flat = (value: number) => ({ lower: value, upper: value, least: value, most: value });

const taking = (median: number): Measurement => ({
  median,
  spread: flat(median),
  rounds: 5,
  first: 2 * median,
  peakBytes: null,
});

function peer(name: string, ratio: number | null, error: string | null = null): PeerResult {
  const measurement = ratio === null ? null : taking(10 * ratio);
  return {
    engine: { name, version: "1" },
    offered: ratio !== null || error !== null,
    measurement,
    ratio: ratio === null ? null : { median: ratio, spread: flat(ratio) },
    error,
  };
}

const result = (name: string, peers: readonly PeerResult[]): CaseResult => ({
  suite: "matmul",
  of: { name, flops: 2e9, goal: "matmul", trama: () => Promise.reject(new Error("not called")), peers: {} },
  trama: taking(10),
  peers,
  error: null,
});

tests("one line a case, one column a peer, and each reason once", () => {
  const results = [
    result("a|b", [peer("tfjs-webgpu", 9.5), peer("jax-js", null, "no such thing")]),
    result("c", [peer("tfjs-webgpu", 3), peer("jax-js", null, "no such thing")]),
    result("d", [peer("tfjs-webgpu", null), peer("jax-js", 2)]),
  ];
  assert.equal(asMarkdown(results, { adapter: "lavapipe", bandwidth: null }).split("\n"), [
    "| case | Trama ms | rate | first call ms | tfjs-webgpu | jax-js |",
    "| --- | ---: | ---: | ---: | ---: | ---: |",
    "| a\\|b | 10.0 | 200 GFLOP/s | 20.0 | 9.50× (9.50–9.50), ≥ 9× met | cannot |",
    "| c | 10.0 | 200 GFLOP/s | 20.0 | 3.00× (3.00–3.00), ≥ 9× MISSED | cannot |",
    "| d | 10.0 | 200 GFLOP/s | 20.0 |  | 2.00× (2.00–2.00) |",
    "",
    "- jax-js, “no such thing”: a|b; c",
  ]);
});

tests("a case that failed says why", () => {
  const failed: CaseResult = { ...result("e", []), trama: null, error: "out of memory" };
  assert.match(asMarkdown([failed], { adapter: "lavapipe", bandwidth: null }), "| e | FAILED: out of memory |");
});

tests.run();
