import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  add,
  adamStep,
  advance,
  concat,
  conv2d,
  dropout,
  matmul,
  maxPool2d,
  neg,
  relu,
  reshape,
  softmaxCrossEntropy,
} from "../../src/kernels/index.ts";
import { sizeClass } from "../../src/tensor/buffers.ts";
import {
  compile,
  free,
  holding,
  keep,
  openDevice,
  scope,
  valueAndGradients,
  type Device,
  type Tensor,
} from "../../src/tensor/index.ts";
import { forAll, values } from "../reference/generate.ts";
import { device, deviceSuite } from "./device.ts";
import { refusal } from "./refused.ts";

test("size classes hold what is asked for and waste at most a quarter, from 256 bytes on", async () => {
  await forAll(fc.integer({ min: 1, max: 2 ** 31 }), (bytes) => {
    const size = sizeClass(bytes);
    assert.ok(size >= bytes && (size <= bytes * 1.25 || size === 256), `${bytes} → ${size}`);
    assert.is(size % 16, 0);
    assert.is(sizeClass(size), size);
  }, 2000); // prettier-ignore
});

test.run();

const tests = deviceSuite("memory");

/** A device of its own, whose counters nobody else moves. */
async function alone<T>(body: (own: Device) => T | Promise<T>, memoryBudget?: number): Promise<T> {
  const own = await openDevice(memoryBudget === undefined ? {} : { memoryBudget });
  try {
    return await body(own);
  } finally {
    await own.close();
  }
}

tests("counters follow every buffer, and a freed one serves the next request of its class", () =>
  alone((own) => {
    const [a, b] = [own.zeros([100]), own.zeros([64])] as const; // classes of 448 and 256 bytes
    assert.equal(own.memory, { bytesInUse: 704, bytesFree: 0, peakBytes: 704, buffersInUse: 2, buffersFree: 0, created: 2, reused: 0 }); // prettier-ignore
    const place = a.storage.buffer;
    free(a);
    free(a); // twice is once
    assert.equal(own.memory, { bytesInUse: 256, bytesFree: 448, peakBytes: 704, buffersInUse: 1, buffersFree: 1, created: 2, reused: 0 }); // prettier-ignore
    const c = own.zeros([110]);
    assert.is(c.storage.buffer, place);
    assert.equal(own.memory, { bytesInUse: 704, bytesFree: 0, peakBytes: 704, buffersInUse: 2, buffersFree: 0, created: 2, reused: 1 }); // prettier-ignore
    free(b);
    own.pool.trim();
    assert.is(own.memory.bytesFree, 0);
    assert.is(own.memory.created, 2);
  }),
);

tests("a recycled buffer shows nothing of its former life", () =>
  alone(async (own) => {
    free(own.tensor(new Float32Array(64).fill(7)));
    assert.ok((await own.zeros([64]).read()).every((value) => value === 0));
    assert.is(own.memory.reused, 1);
  }),
);

tests("a budget is kept: free buffers give way first, then there is an error that says what to do", () =>
  alone((own) => {
    const first = own.zeros([128]); // 512 bytes
    free(own.zeros([64]));
    const second = own.zeros([96]); // 384 fit once the free 256 are gone
    assert.is(own.memory.buffersFree, 0);
    assert.throws(
      () => own.zeros([64]),
      "zeros: expected at most 1000 bytes of GPU memory (the budget), got 896 bytes in use and 256 more asked for; use a smaller batch, or raise openDevice({ memoryBudget })",
    );
    free(second);
    own.zeros([64]);
    assert.is(own.memory.bytesInUse, 512 + 256);
    assert.not.ok(first.storage.freed);
  }, 1000),
);

tests("a tensor beyond the adapter's binding size is refused before anything runs", () => {
  const limit = Math.min(device.gpu.limits.maxStorageBufferBindingSize, device.gpu.limits.maxBufferSize);
  const before = device.memory;
  assert.throws(
    () => device.zeros([Math.floor(limit / 4) + 1]),
    /zeros: expected at most \d+ bytes in one buffer on this adapter/,
  );
  assert.equal(device.memory, before);
});

// Scopes

tests("a scope frees all but what it returns and keeps", async () => {
  const kept: Tensor[] = [];
  const made: Tensor[] = [];
  const before = device.memory.buffersInUse;
  const { y, list } = scope(device, () => {
    const x = device.tensor([1, 2]);
    made.push(x);
    kept.push(keep(neg(x)));
    return { y: add(x, x), list: [reshape(neg(x), [2, 1])] };
  });
  assert.is(device.memory.buffersInUse, before + 3);
  assert.equal((await device.readMany([y, list[0]!, kept[0]!])).map((array) => Array.from(array)), [[2, 4], [-1, -2], [-1, -2]]); // prettier-ignore
  assert.match(
    await refusal(made[0]!.read()),
    /read: expected a tensor that is alive, got one that was freed at the end of its scope/,
  );
  assert.throws(() => scope(device, () => neg(made[0]!)), /map: expected a tensor that is alive/);
  [y, list[0]!, kept[0]!].forEach(free);
  assert.is(device.memory.buffersInUse, before);
});

tests("scopes nest: what an inner one returns belongs to the outer one", () => {
  const before = device.memory.buffersInUse;
  const inner: Tensor[] = [];
  scope(device, () => {
    inner.push(scope(device, () => neg(device.tensor([1]))));
    assert.not.ok(inner[0]!.storage.freed);
  });
  assert.ok(inner[0]!.storage.freed);
  assert.is(device.memory.buffersInUse, before);
});

tests("a scope frees when its body throws", () => {
  const before = device.memory.buffersInUse;
  const body = (): never => {
    device.zeros([8]);
    throw new RangeError("mine");
  };
  assert.throws(() => scope(device, body), /mine/);
  assert.is(device.memory.buffersInUse, before);
});

tests("an asynchronous body is refused by scope, and served by holding", async () => {
  const before = device.memory.buffersInUse;
  assert.throws(() => scope(device, () => Promise.resolve(1)), /scope: expected a body that returns at once/);
  const sum = await holding(async (hold) => {
    const [a] = await hold(device.tensor([3])).read();
    const other = scope(device, () => device.tensor([4])); // another scope meanwhile takes nothing along
    const [b] = await hold(other).read();
    return a! + b!;
  });
  assert.is(sum, 7);
  assert.is(device.memory.buffersInUse, before);
  const failing = holding(async (hold) => {
    hold(device.tensor([3]));
    await Promise.reject(new RangeError("mine"));
  });
  assert.is(await refusal(failing), "RangeError: mine");
  assert.is(device.memory.buffersInUse, before);
});

// Growth

/** One step of a small network, with everything a real one has. */
function network(own: Device) {
  const random = (shape: number[], seed: number) => own.tensor(Float32Array.from(values(shape, seed).data), shape);
  const size = 3 * 3 * 4 + 4 * 9 * 12;
  const weights = { conv: random([3, 3, 1, 4], 1), dense: random([36, 12], 2) };
  const flat = { p: own.zeros([size]), mean: own.zeros([size]), square: own.zeros([size]) };
  const [rate, step] = [own.tensor([0.01]), own.zeros([1], "u32")] as const;
  return (x: Tensor, labels: Tensor): Tensor => {
    const { value, gradients } = valueAndGradients(() => {
      const image = maxPool2d(conv2d(x, weights.conv, { padding: "same", activation: "relu" }), { size: 2 });
      const hidden = dropout(relu(reshape(image, [4, 36])), 0.5, { seed: 1, layer: 0, step });
      return softmaxCrossEntropy(matmul(hidden, weights.dense), labels);
    }, [weights.conv, weights.dense]);
    const gradient = concat(gradients.map((each) => reshape(each, [-1])));
    adamStep(flat.p, { mean: flat.mean, square: flat.square }, { gradients: gradient, rate, step });
    advance(step);
    return value;
  };
}

const images = Float32Array.from(values([4, 6, 6, 1], 3).data);
const labels = Uint32Array.of(0, 3, 7, 11);

tests("1,000 runs of a compiled step leave memory as it was", () =>
  alone(async (own) => {
    const step = network(own);
    const program = await compile(own, [{ shape: [4, 6, 6, 1] }, { shape: [4], dtype: "u32" }], step);
    program.run([images, labels]);
    const loss = await program.outputs.item();
    const before = own.memory;
    for (let turn = 0; turn < 100; turn++) program.run([images, labels], 10);
    assert.is.not(await program.outputs.item(), loss, "dropout draws anew");
    assert.equal(own.memory, before);
    program.dispose();
  }),
);

tests("1,000 eager steps in scopes leave memory as it was", () =>
  alone(async (own) => {
    const step = network(own);
    const once = (): void => scope(own, () => void step(own.tensor(images, [4, 6, 6, 1]), own.tensor(labels)));
    once();
    const before = own.memory;
    for (let turn = 0; turn < 1000; turn++) {
      once();
      if (turn % 50 === 0) await own.idle();
    }
    await own.idle();
    assert.equal({ ...own.memory, reused: 0 }, { ...before, reused: 0 });
  }),
);

tests("1,000 compilations, thrown away, leave memory as it was", () =>
  alone(async (own) => {
    const once = async (): Promise<void> =>
      (await compile(own, [{ shape: [8] }], (x) => [neg(relu(neg(x)))])).dispose();
    await once();
    const before = own.memory;
    for (let turn = 0; turn < 1000; turn++) await once();
    assert.equal({ ...own.memory, reused: 0 }, { ...before, reused: 0 });
  }),
);

tests.run();
