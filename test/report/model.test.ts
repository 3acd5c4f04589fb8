/** Summaries and pictures of models: counts by hand, graphs by their edges, boxes that do not touch. */
import fc from "fast-check";
import * as assert from "uvu/assert";
import {
  build,
  type Layer,
  add,
  activation,
  batchNorm,
  concat,
  conv2d,
  dense,
  flatten,
  identity,
  maxPool2d,
  sequential,
} from "../../src/nn/index.ts";
import { modelDot, modelTotals, plotModel, renderPng, summary, type DescribedModel } from "../../src/report/index.ts";
import { device, deviceSuite } from "../tensor/device.ts";
import { collisions, outcasts, wordsIn } from "./svgText.ts";

const tests = deviceSuite("models described");

const convnet = () =>
  build(
    device,
    sequential([
      conv2d(28, 3, { activation: "relu" }),
      maxPool2d(2),
      flatten(),
      dense(100, { activation: "relu" }),
      dense(10, { name: "answer" }),
    ]),
    { input: [28, 28, 1] },
  );

/** A residual block, with a name of its own. */
const block = (filters: number, name: string): Layer =>
  sequential(
    [add([identity(), sequential([conv2d(filters, 3, { padding: "same" }), batchNorm()])]), activation("relu")],
    { name },
  );

tests("a summary is Keras' table", () => {
  const model = convnet();
  assert.equal(summary(model), [
    "Layer (type)     Output shape          Param #",
    "──────────────────────────────────────────────",
    "conv2d           [batch, 26, 26, 28]       280",
    "maxPool2d        [batch, 13, 13, 28]         0",
    "flatten          [batch, 4732]               0",
    "dense            [batch, 100]          473,300",
    "answer (dense)   [batch, 10]             1,010",
    "──────────────────────────────────────────────",
    "Total params: 474,590 (1.9 MB)",
    "Trainable params: 474,590 (1.9 MB)",
    "Non-trainable params: 0 (0 bytes)",
    "FLOPs per image: 1.3 M",
  ]);
  const { bytes, flops } = modelTotals(model);
  assert.is(bytes, 4 * 474_590);
  assert.is(flops, 2 * (26 * 26 * 9 * 28 + 4732 * 100 + 100 * 10));
});

tests("what is frozen and what is no optimiser's business is counted apart", () => {
  const model = build(device, sequential([block(4, "first"), block(4, "second")]), { input: [8, 8, 4] });
  for (const parameter of model.parameters) parameter.frozen = parameter.name.startsWith("first/");
  const lines = summary(model);
  const each = 4 * 4 * 9 + 4 + 4 * 4;
  assert.equal(modelTotals(model), {
    parameters: 2 * each,
    trainable: each - 8,
    frozen: each - 8,
    statistics: 16,
    bytes: 8 * each,
    flops: modelTotals(model).flops,
  });
  assert.match(lines[0]!, /Param # +Frozen$/);
  assert.ok(
    lines.some((line) => /^first \(sequential\) +\[batch, 8, 8, 4\] +164 +156$/.test(line)),
    lines.join("\n"),
  );
  assert.ok(lines.some((line) => /^second \(sequential\) +\[batch, 8, 8, 4\] +164 +0$/.test(line)));
  assert.ok(lines.some((line) => /^ {6}batchNorm +\[batch, 8, 8, 4\] +16 +8$/.test(line)));
  assert.ok(lines.includes("Non-trainable params: 172 (688 bytes): 156 frozen, 16 running statistics"));
});

tests("a model of one layer is its own summary", () => {
  assert.equal(summary(build(device, dense(3), { input: [2] })).slice(0, 4), [
    "Layer (type)   Output shape   Param #",
    "─────────────────────────────────────",
    "dense          [batch, 3]           9",
    "─────────────────────────────────────",
  ]);
});

/** Boxes by what stands in them, and arrows between. */
function graphOf(dot: string): string[] {
  const labels = new Map(Array.from(dot.matchAll(/(n\d+) \[label="(.*?)\\n/g), ([, id, label]) => [id!, label!]));
  return Array.from(dot.matchAll(/(n\d+) -> (n\d+);/g), ([, a, b]) => `${labels.get(a!)} → ${labels.get(b!)}`);
}

tests("DOT: layers in a row, shortcuts around, branches into what joins them", () => {
  const layers = sequential([block(4, "first"), concat([maxPool2d(2), sequential([conv2d(2, 2, { stride: 2 })])])]);
  assert.equal(graphOf(modelDot(build(device, layers, { input: [8, 8, 4] }))), [
    "input → conv2d",
    "conv2d → batchNorm",
    "input → add",
    "batchNorm → add",
    "add → relu (activation)",
    "relu (activation) → maxPool2d",
    "relu (activation) → conv2d",
    "maxPool2d → concat",
    "conv2d → concat",
  ]);
  const odd = build(device, sequential([dense(2, { name: 'a "b" \\ c' })]), { input: [2] });
  assert.match(modelDot(odd), /label="a \\"b\\" \\\\ c \(dense\)\\n\[batch, 2\]"/);
});

interface Tree {
  readonly kind: string;
  readonly name: string;
  readonly children: readonly Tree[];
}

const names = fc.string({ unit: "grapheme", minLength: 1, maxLength: 60 });
const { tree } = fc.letrec<{ tree: Tree; leaf: Tree }>((tie) => ({
  leaf: fc.record({ kind: fc.constantFrom("dense", "conv2d", "identity"), name: names, children: fc.constant([]) }),
  tree: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    tie("leaf"),
    fc.record({
      kind: fc.constantFrom("sequential", "add", "concat"),
      name: names,
      children: fc.array(tie("tree"), { minLength: 1, maxLength: 4 }),
    }),
  ),
}));

/** A model of these layers, as far as pictures look. */
function describedBy(root: Tree): DescribedModel {
  const summaries = (node: Tree, depth: number): DescribedModel["summaries"] =>
    node.children.flatMap((child) => [
      { name: child.name, kind: child.kind, depth, output: [7, 7, 3], parameters: 12, flops: 1 },
      ...summaries(child, depth + 1),
    ]);
  return { architecture: root, input: [28, 28, 1], output: [10], summaries: summaries(root, 0), parameters: [] };
}

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Boxes of layers; frames and the background have other corners. */
function boxesIn(svg: string): Box[] {
  return Array.from(
    svg.matchAll(/<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)" rx="5"/g),
    (match) => {
      const [x, y, width, height] = match.slice(1).map(Number) as [number, number, number, number];
      return { x, y, width, height };
    },
  );
}

tests("pictures of any tree: a box for each layer, none on another, words inside", async () => {
  const samples: string[] = [];
  fc.assert(
    fc.property(tree, (root) => {
      const svg = plotModel(describedBy(root));
      const leaves = (node: Tree): number =>
        (node.kind === "sequential" || node.kind === "identity" ? 0 : 1) +
        node.children.reduce((sum, child) => sum + leaves(child), 0);
      const boxes = boxesIn(svg);
      assert.is(boxes.length, 1 + leaves(root));
      boxes.forEach((a, at) => {
        for (const b of boxes.slice(at + 1)) {
          const apart = a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y;
          assert.ok(apart, "boxes are apart");
        }
      });
      assert.not.match(svg, /NaN|undefined|Infinity/);
      const words = wordsIn(svg);
      assert.equal(collisions(words), []);
      assert.equal(outcasts(svg, words), []);
      samples.push(svg);
    }),
    { numRuns: 200 },
  );
  for (const svg of samples.slice(0, 20)) assert.ok((await renderPng(svg, { scale: 0.2 })).length > 100, "it is SVG");
});

tests("a real network's picture names its layers and blocks, in every theme", () => {
  const model = build(device, sequential([block(4, "first block"), flatten(), dense(2)]), { input: [8, 8, 4] });
  for (const theme of ["light", "dark", "page"] as const) {
    const texts = new Set(wordsIn(plotModel(model, { theme })).map(({ text }) => text));
    for (const text of [
      "input",
      "conv2d",
      "batchNorm",
      "add",
      "relu (activation)",
      "first block",
      "[batch, 8, 8, 4] · 148 params",
    ]) {
      assert.ok(texts.has(text), text);
    }
  }
});

tests.run();
