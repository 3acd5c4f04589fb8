/** What operations refuse, and in which words. */
import * as assert from "uvu/assert";
import * as ops from "../../src/kernels/index.ts";
import type { Tensor } from "../../src/tensor/index.ts";
import { device, deviceOf, deviceSuite, variants } from "../tensor/device.ts";

const tests = deviceSuite("what operations refuse");

const f = (...shape: number[]): Tensor => device.zeros(shape);
const u = (...shape: number[]): Tensor => device.zeros(shape, "u32");
const key = { seed: 1, layer: 0 };

type Refusal = readonly [call: () => unknown, error: string];

// prettier-ignore
const refusals: Readonly<Record<string, readonly Refusal[]>> = {
  "shapes that do not fit each other": [
    [() => ops.add(f(2, 3), f(4)), "ShapeError: add: expected shapes that broadcast (equal extents, or 1, aligned at the last axis), got [2, 3] and [4]; reshape one of them"],
    [() => ops.matmul(f(2, 3), f(4, 5)), "ShapeError: matmul: expected two matrices whose inner extents agree, got [2, 3] and [4, 5]; reshape, or set transposeA or transposeB"],
    [() => ops.matmul(f(2, 3), f(2, 5), { transposeB: true }), "ShapeError: matmul: expected two matrices whose inner extents agree, got [2, 3] and [2, 5]ᵀ; reshape, or set transposeA or transposeB"],
    [() => ops.matmul(f(2), f(2, 2)), "ShapeError: matmul: expected two matrices whose inner extents agree, got [2] and [2, 2]; reshape, or set transposeA or transposeB"],
    [() => ops.matmul(f(2, 3), f(3, 4), { bias: f(3) }), "ShapeError: matmul: expected a bias of shape [4], got [3]"],
    [() => ops.conv2d(f(1, 4, 4, 2), f(3, 3, 3, 4)), "ShapeError: conv2d: expected filters [height, width, 2, out] for an image batch [1, 4, 4, 2], got [3, 3, 3, 4]; images are NHWC, filters HWIO"],
    [() => ops.matmul(f(2, 4, 3), f(3, 3, 4)), "ShapeError: matmul: expected shapes that broadcast (equal extents, or 1, aligned at the last axis), got [2] and [3]; reshape one of them"],
    [() => ops.conv2d(f(1, 4, 4, 6), f(3, 3, 3, 4), { groups: 3 }), "ShapeError: conv2d: expected filters [height, width, 2, out] for an image batch [1, 4, 4, 6], got [3, 3, 3, 4]; images are NHWC, filters HWIO"],
    [() => ops.depthwiseConv2d(f(1, 4, 4, 2), f(3, 3, 3, 1)), "ShapeError: depthwiseConv2d: expected filters [height, width, 2, multiplier] for an image batch [1, 4, 4, 2], got [3, 3, 3, 1]"],
    [() => ops.depthwiseConv2d(f(1, 4, 4, 2), f(3, 3, 2, 2), { bias: f(2) }), "ShapeError: depthwiseConv2d: expected a bias of shape [4], got [2]"],
    [() => ops.transposedConv2d(f(1, 4, 4, 2), f(3, 3, 2, 4)), "ShapeError: transposedConv2d: expected filters [height, width, out, 2] for an image batch [1, 4, 4, 2], got [3, 3, 2, 4]; the output's channels come before the input's"],
    [() => ops.transposedConv2d(f(1, 1, 4, 2), f(3, 3, 4, 2), { stride: 2, padding: 2 }), "ShapeError: transposedConv2d: expected an image of at least 2 pixels high, got [1, 1, 4, 2]; use a smaller window or more padding"],
    [() => ops.conv2d(f(4, 4, 2), f(3, 3, 2, 4)), "ShapeError: conv2d: expected an image batch [batch, height, width, channels], got [4, 4, 2]; reshape it; a single image is a batch of one"],
    [() => ops.conv2d(f(1, 2, 4, 2), f(3, 3, 2, 4)), "ShapeError: conv2d: expected an image of at least 3 pixels high, got [1, 2, 4, 2]; use a smaller window or more padding"],
    [() => ops.conv2d(f(1, 4, 4, 2), f(3, 3, 2, 4), { bias: f(2, 2) }), "ShapeError: conv2d: expected a bias of shape [4], got [2, 2]"],
    [() => ops.maxPool2d(f(1, 4, 4), { size: 2 }), "ShapeError: maxPool2d: expected an image batch [batch, height, width, channels], got [1, 4, 4]; reshape it; a single image is a batch of one"],
    [() => ops.maxPool2d(f(1, 9, 4, 1), { size: 5 }), "ShapeError: maxPool2d: expected an image of at least 5 pixels wide, got [1, 9, 4, 1]; use a smaller window or more padding"],
    [() => ops.softmaxCrossEntropy(f(2, 3), u(3)), "ShapeError: softmaxCrossEntropy: expected logits [batch, classes] and labels [batch], got [2, 3] and [3]"],
    [() => ops.reshape(f(2, 3), [4]), "ShapeError: reshape: expected a shape of 6 elements, with at most one −1, got [4] for [2, 3]; a reshape keeps every element; to add or drop some, use pad or slice"],
    [() => ops.reshape(f(2, 3), [-1, -1]), "ShapeError: reshape: expected a shape of 6 elements, with at most one −1, got [-1, -1] for [2, 3]; a reshape keeps every element; to add or drop some, use pad or slice"],
    [() => ops.concat([]), "ShapeError: concat: expected at least one tensor, got none"],
    [() => ops.concat([f(2, 3), f(3, 3)]), "ShapeError: concat: expected shapes that differ at axis 1 only, got [2, 3] [3, 3]; reshape, slice or pad them first"],
    [() => ops.concat([f(2, 3), f(2, 3, 1)]), "ShapeError: concat: expected shapes that differ at axis 1 only, got [2, 3] [2, 3, 1]; reshape, slice or pad them first"],
    [() => ops.slice(f(2, 3), [0, 2], [2, 2]), "ShapeError: slice: expected a block inside [2, 3], got begin [0, 2], size [2, 2]; an extent of −1 reaches to the end"],
    [() => ops.slice(f(2, 3), [-1, 0], [1, 1]), "ShapeError: slice: expected a block inside [2, 3], got begin [-1, 0], size [1, 1]; an extent of −1 reaches to the end"],
    [() => ops.slice(f(2, 3), [2, 0], [-1, 1]), "ShapeError: slice: expected a block inside [2, 3], got begin [2, 0], size [-1, 1]; an extent of −1 reaches to the end"],
    [() => ops.pad(f(2), []), "ShapeError: pad: expected 1 pairs [before, after] of whole numbers ≥ 0, got []; name a pair for each axis; to cut, use slice"],
    [() => ops.select(f(2), f(3), f(3)), "ShapeError: select: expected shapes that broadcast (equal extents, or 1, aligned at the last axis), got [2] and [3]; reshape one of them"],
    [() => ops.broadcastTo(f(2, 3), [2, 1]), "ShapeError: broadcastTo: expected a shape that [2, 3] broadcasts to, got [2, 1]; its extents must be those of x where those are not 1"],
    [() => ops.tile(f(2, 3), [2]), "ShapeError: tile: expected 2 positive whole numbers of repeats, got [2]; name one for each axis; 1 leaves an axis as it is"],
    [() => ops.stack([]), "ShapeError: stack: expected at least one tensor, got none"],
    [() => ops.stack([f(2), f(3)]), "ShapeError: stack: expected tensors of one shape, got [2] [3]; use concat along an axis in which they differ"],
    [() => ops.topK(f(), 1), "ShapeError: topK: expected at least one axis, got []"],
    [() => ops.resizeArea(f(4, 4, 1), [2, 2]), "ShapeError: resizeArea: expected an image batch [batch, height, width, channels], got [4, 4, 1]; reshape it; a single image is a batch of one"],
    [() => ops.resizeNearest(f(1, 4, 4, 1), [2, 0]), "ShapeError: resizeNearest: expected a size [height, width] of positive whole numbers, got [2, 0]"],
    [() => ops.tally(f(3), f(1), f(2, 3), u(3)), "ShapeError: tally: expected logits [batch, classes] and labels [batch], got [2, 3] and [3]"],
    [() => ops.adamStep(f(6), { mean: f(6), square: f(6) }, { gradients: f(6), rate: f(1), step: u(1) }), "ShapeError: adam: expected a multiple of four parameters, got [6]; pad the flat buffer"],
    [() => ops.adamStep(f(8), { mean: f(4), square: f(8) }, { gradients: f(8), rate: f(1), step: u(1) }), "ShapeError: adam: expected 8 values in mean, got [4]"],
    [() => ops.sgdStep(f(8), { velocity: f(8) }, { gradients: f(4), rate: f(1), step: u(1) }), "ShapeError: sgd: expected 8 values in gradients, got [4]"],
  ],
  "axes that do not exist": [
    [() => ops.sum(f(3), { axes: [1] }), "ShapeError: sum: expected distinct axes between -1 and 0, got [1]; name each axis of the tensor at most once"],
    [() => ops.mean(f(3, 3), { axes: [0, -2] }), "ShapeError: mean: expected distinct axes between -2 and 1, got [0, -2]; name each axis of the tensor at most once"],
    [() => ops.argMax(f(2, 3), 2), "ShapeError: argMax: expected distinct axes between -2 and 1, got [2]; name each axis of the tensor at most once"],
    [() => ops.softmax(f(2, 3), 2), "ShapeError: softmax: expected distinct axes between -2 and 1, got [2]; name each axis of the tensor at most once"],
    [() => ops.transpose(f(2, 3), [0, 0]), "ShapeError: transpose: expected a permutation of 2 axes, got [0, 0]; name each axis once, counted from 0"],
  ],
  "options that make no sense": [
    [() => ops.conv2d(f(1, 4, 4, 2), f(3, 3, 2, 4), { stride: 0 }), "OptionError: conv2d: expected a stride of one or two positive whole numbers, got 0"],
    [() => ops.conv2d(f(1, 4, 4, 2), f(3, 3, 2, 4), { dilation: [1.5, 1] }), "OptionError: conv2d: expected a dilation of one or two positive whole numbers, got [1.5,1]"],
    [() => ops.conv2d(f(1, 4, 4, 2), f(3, 3, 2, 4), { padding: -1 }), 'OptionError: conv2d: expected "valid", "same", a whole number ≥ 0, or [[top, bottom], [left, right]], got -1'],
    [() => ops.conv2d(f(1, 4, 4, 6), f(3, 3, 1, 4), { groups: 4 }), "OptionError: conv2d: expected groups that divide 6 channels, got 4"],
    [() => ops.conv2d(f(1, 4, 4, 6), f(3, 3, 3, 5), { groups: 2 }), "OptionError: conv2d: expected groups that divide 5 channels, got 2"],
    [() => ops.transposedConv2d(f(1, 4, 4, 2), f(3, 3, 4, 2), { outputPadding: 1 }), 'OptionError: transposedConv2d: expected an output padding of whole numbers below 1, with explicit padding, got 1, with "valid"'],
    [() => ops.transposedConv2d(f(1, 4, 4, 2), f(3, 3, 4, 2), { stride: 2, padding: 1, outputPadding: 2 }), "OptionError: transposedConv2d: expected an output padding of whole numbers below 2, with explicit padding, got 2, with 1"],
    [() => ops.maxPool2d(f(1, 4, 4, 1), { size: 2, padding: 2 }), "OptionError: maxPool2d: expected padding smaller than the window (2), got 2 and 2; use a larger window, or pad the image first"],
    [() => ops.globalMaxPool2d(f(4, 4, 1)), "ShapeError: globalMaxPool2d: expected an image batch [batch, height, width, channels], got [4, 4, 1]; reshape it; a single image is a batch of one"],
    [() => ops.averagePool2d(f(1, 4, 4, 1), { size: 0 }), "OptionError: averagePool2d: expected a kernel size of one or two positive whole numbers, got 0"],
    [() => ops.dropout(f(2), 1, { ...key, step: u(1) }), "OptionError: dropout: expected a rate in [0, 1), got 1"],
    [() => ops.variance(f(1, 3), { axes: [0], correction: 1 }), "OptionError: variance: expected a correction below the 1 elements, got 1"],
    [() => ops.clamp(f(2), 1, 0), "OptionError: clamp: expected low ≤ high, got 1 and 0"],
    [() => ops.split(f(2, 5), 2), "OptionError: split: expected positive whole sizes that add up to 5, or a number of parts that divides it, got 2; pad or slice the tensor first"],
    [() => ops.split(f(2, 5), [2, 2]), "OptionError: split: expected positive whole sizes that add up to 5, or a number of parts that divides it, got [2,2]; pad or slice the tensor first"],
    [() => ops.gather(f(3, 2), [0, 3]), "OptionError: gather: expected indices from 0 to 2, got 3"],
    [() => ops.oneHot(u(3), 0), "OptionError: oneHot: expected a positive whole depth, got 0"],
    [() => ops.topK(f(2, 3), 4), "OptionError: topK: expected a whole k from 1 to 3, got 4"],
    [() => ops.topK(f(2, 100), 65), "OptionError: topK: expected a whole k from 1 to 64, got 65"],
    [() => ops.resizeNearest(f(1, 4, 4, 1), [2, 2], { convention: "round" as never }), "OptionError: resizeNearest: expected a convention among halfPixel, alignCorners, asymmetric, got round"],
    [() => ops.resizeBilinear(f(1, 4, 4, 1), [2, 2], { convention: "alignCorners", antialias: true }), "OptionError: resizeBilinear: expected the convention halfPixel with antialias, got alignCorners; leave antialias out, or use halfPixel"],
    [() => ops.leakyRelu(f(2), 2), "OptionError: leakyRelu: expected a slope in (0, 1], got 2"],
  ],
  "element types that a kernel cannot read": [
    [() => ops.relu(u(2)), "DtypeError: relu: expected a tensor of f32, got u32 [2]"],
    [() => ops.add(f(2), u(2)), "DtypeError: add: expected a tensor of f32, got u32 [2]"],
    [() => ops.sum(u(3)), "DtypeError: sum: expected a tensor of f32, got u32 [3]"],
    [() => ops.max(u(3)), "DtypeError: max: expected a tensor of f32, got u32 [3]"],
    [() => ops.softmax(u(2, 3)), "DtypeError: softmax: expected a tensor of f32, got u32 [2, 3]"],
    [() => ops.averagePool2d(u(1, 4, 4, 1), { size: 2 }), "DtypeError: averagePool2d: expected a tensor of f32, got u32 [1, 4, 4, 1]"],
    [() => ops.gather(f(3, 2), f(2)), "DtypeError: gather: expected indices as u32, got f32"],
    [() => ops.oneHot(f(2), 3), "DtypeError: oneHot: expected a tensor of u32, got f32 [2]"],
    [() => ops.softmaxCrossEntropy(f(2, 3), f(2)), "DtypeError: softmaxCrossEntropy: expected labels as u32 class numbers, got f32"],
    [() => ops.dropout(f(2), 0.5, { ...key, step: f(1) }), "DtypeError: dropout: expected a tensor of u32, got f32 [1]"],
    [() => ops.concat([u(2), u(2)]), "DtypeError: concat: expected a tensor of f32, got u32 [2]"],
    [() => ops.pad(u(2), [[1, 1]]), "DtypeError: pad: expected a tensor of f32, got u32 [2]"],
    [() => ops.transpose(u(2, 3)), "DtypeError: transpose: expected a tensor of f32, got u32 [2, 3]"],
  ],
  "values that do not fill a tensor": [
    [() => device.tensor([1, 2], [3]), "ShapeError: tensor: expected 3 values for [3], got 2"],
    [() => device.tensor([], [0]), "ShapeError: tensor: expected positive whole extents, got [0]; drop empty dimensions or batches before they reach a tensor"],
    [() => device.zeros([2, -1]), "ShapeError: zeros: expected positive whole extents, got [2, -1]; drop empty dimensions or batches before they reach a tensor"],
    [() => device.write(f(2), new Float32Array(3)), "ShapeError: write: expected 2 values for [2], got 3"],
    [() => device.write(f(2), new Uint32Array(2)), "DtypeError: write: expected values of dtype f32, got Uint32Array"],
  ],
};

for (const [title, list] of Object.entries(refusals)) {
  tests(title, () => {
    for (const [call, error] of list) assert.is(messageOf(call), error);
  });
}

function messageOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    return String(error);
  }
  return `not refused: ${String(call)}`;
}

tests("a product refuses other element types in its own name, whatever family of kernels computes it", async () => {
  for (const variant of variants) {
    const on = await deviceOf(variant);
    const [x, y] = [(...shape: number[]) => on.zeros(shape), (...shape: number[]) => on.zeros(shape, "u32")];
    const calls: readonly Refusal[] = [
      [() => ops.matmul(x(2, 3), y(3, 4)), "matmul: expected a tensor of f32, got u32 [3, 4]"],
      [() => ops.matmul(x(2, 4), y(4, 4), { transposeB: true }), "matmul: expected a tensor of f32, got u32 [4, 4]"],
      [() => ops.matmul(x(2, 3), y(4, 3), { transposeB: true }), "matmul: expected a tensor of f32, got u32 [4, 3]"],
      [() => ops.conv2d(y(1, 4, 4, 2), x(3, 3, 2, 4)), "conv2d: expected a tensor of f32, got u32 [1, 4, 4, 2]"],
      [() => ops.depthwiseConv2d(x(1, 4, 4, 2), y(3, 3, 2, 1)), "depthwiseConv2d: expected a tensor of f32, got u32 [3, 3, 2, 1]"],
      [() => ops.transposedConv2d(x(1, 4, 4, 4), y(3, 3, 4, 4)), "transposedConv2d: expected a tensor of f32, got u32 [3, 3, 4, 4]"],
    ]; // prettier-ignore
    for (const [call, error] of calls) assert.is(messageOf(call), `DtypeError: ${error}`);
  }
});

tests.run();
