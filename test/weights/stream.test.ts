/** Files as they arrive: from a disk, a server, a response, a blob or memory, in pieces of any size. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { FormatError } from "../../src/errors.ts";
import {
  deviceValuesOf,
  encodeSafetensors,
  openWeights,
  parseSafetensors,
  type ReadProgress,
  type StoredTensor,
} from "../../src/weights/index.ts";
import { refusal } from "./refusals.ts";

const streams = suite("weights as they arrive");

const tensors: readonly StoredTensor[] = ["a", "b", "none", "c"].map((name, index) => {
  const count = name === "none" ? 0 : 5 + 300 * index;
  const bytes = new Uint8Array(Float32Array.from({ length: count }, (_, place) => place + index).buffer);
  return { name, dtype: "F32", shape: [count], bytes };
});
const file = new Uint8Array(Buffer.concat(encodeSafetensors(tensors, { made: "here" })));

/** A response whose body comes in pieces of these lengths, over and over. */
function inPieces(bytes: Uint8Array, lengths: readonly number[], headers: Record<string, string> = {}): Response {
  let [place, turn] = [0, 0];
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const end = place + lengths[turn++ % lengths.length]!;
      if (place < bytes.length) controller.enqueue(bytes.subarray(place, end));
      else controller.close();
      place = end;
    },
  });
  return new Response(body, { headers });
}

async function contentOf(source: Parameters<typeof openWeights>[0]): Promise<readonly StoredTensor[]> {
  const opened = await openWeights(source);
  const content: StoredTensor[] = [];
  for await (const { name, dtype, shape, bytes } of opened.read()) {
    content.push({ name, dtype, shape, bytes: bytes.slice() });
  }
  await opened.close();
  assert.equal(opened.metadata, { made: "here" });
  return content;
}

streams("pieces of any length give what the whole file gives", async () => {
  const lengths = fc.array(fc.integer({ min: 1, max: 1500 }), { minLength: 1, maxLength: 6 });
  const attempt = fc.asyncProperty(lengths, fc.boolean(), async (pieces, isKnown) => {
    const headers: Record<string, string> = isKnown ? { "content-length": String(file.length) } : {};
    assert.equal(await contentOf(inPieces(file, pieces, headers)), tensors);
  });
  await fc.assert(attempt, { numRuns: 100 });
});

streams("a path, a file URL, a blob and bytes", async () => {
  const folder = mkdtempSync(join(tmpdir(), "trama-stream-"));
  const path = join(folder, "some.safetensors");
  try {
    writeFileSync(path, file);
    for (const source of [path, new URL(`file://${path}`), new Blob([file]), file]) {
      assert.equal(await contentOf(source), tensors);
    }
    assert.match((await refusal(() => openWeights(join(folder, "none")))).message, /no such file/);
    assert.match((await refusal(() => openWeights(folder))).message, /a folder/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

async function serving(listener: RequestListener, body: (origin: string) => Promise<void>): Promise<void> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => {
    server.listen(0, "localhost", resolve);
  });
  try {
    await body(`http://localhost:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

streams("an address, with progress", async () => {
  const answer: RequestListener = ({ url }, response) => {
    if (url === "/gone") response.writeHead(404).end();
    else if (url === "/broken") response.writeHead(200, { "content-length": file.length }).end(file.subarray(0, 600));
    else response.writeHead(200, { "content-length": file.length }).end(file);
  };
  await serving(answer, async (origin) => {
    const steps: ReadProgress[] = [];
    const opened = await openWeights(`${origin}/some`, { onProgress: (step) => steps.push(step) });
    let count = 0;
    for await (const tensor of opened.read((name) => name !== "b")) count += tensor.bytes.length;
    assert.is(
      count,
      file.length -
        tensors[1]!.bytes.length -
        (file.length - tensors.reduce((sum, { bytes }) => sum + bytes.length, 0)),
    );
    assert.equal(steps.at(-1), { receivedBytes: file.length, totalBytes: file.length });
    assert.ok(steps.every(({ receivedBytes }, index) => receivedBytes > (steps[index - 1]?.receivedBytes ?? 0)));
    assert.match((await refusal(() => openWeights(new URL(`${origin}/gone`)))).message, /HTTP 404/);
    assert.match((await refusal(async () => contentOf(await fetch(`${origin}/gone`)))).message, /HTTP 404/);
    assert.match((await refusal(() => contentOf(`${origin}/broken`))).message, /broke off|ends after/);
  });
});

streams("nothing is read of a file whose header is wrong, and its source is let go", async () => {
  let isCancelled = false;
  const wrong = file.slice();
  wrong.set([0xff, 0xff, 0xff, 0xff], 0);
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(wrong.subarray(0, 100)),
    cancel() {
      isCancelled = true;
    },
  });
  const error = await refusal(() => openWeights(new Response(body), { file: "wrong.safetensors" }));
  assert.instance(error, FormatError);
  assert.match(error.message, /^wrong\.safetensors: expected a safetensors header of at most/);
  assert.ok(isCancelled);
});

streams("a stream that ends early or late is refused", async () => {
  for (const length of [0, 4, 30, 500, file.length - 1]) {
    const error = await refusal(() => contentOf(inPieces(file.subarray(0, length), [100])));
    assert.instance(error, FormatError);
  }
  const longer = new Uint8Array([...file, 0]);
  assert.match((await refusal(() => contentOf(inPieces(longer, [100])))).message, /bytes of data, got more/);
  const known = { "content-length": String(longer.length) };
  assert.match(
    (await refusal(() => contentOf(inPieces(longer, [100], known)))).message,
    /the file is not what its writer left/,
  );
});

streams("whole numbers for devices: narrow ones widened, wide ones checked", () => {
  const values = (dtype: StoredTensor["dtype"], elements: { readonly buffer: ArrayBuffer }) => {
    const bytes = new Uint8Array(elements.buffer);
    return deviceValuesOf({ name: "x", dtype, shape: [], bytes }, "file");
  };
  assert.equal(values("I64", BigInt64Array.of(-(2n ** 31n), 2n ** 31n - 1n)), Int32Array.of(-(2 ** 31), 2 ** 31 - 1));
  assert.equal(values("U64", BigUint64Array.of(2n ** 32n - 1n)), Uint32Array.of(2 ** 32 - 1));
  assert.equal(values("I8", Int8Array.of(-5)), Int32Array.of(-5));
  assert.equal(values("U16", Uint16Array.of(65_535)), Uint32Array.of(65_535));
  assert.equal(values("BOOL", Uint8Array.of(1, 0)), Uint32Array.of(1, 0));
  assert.equal(values("I32", Int32Array.of(-7)), Int32Array.of(-7));
  assert.equal(values("F64", Float64Array.of(0.1)), Float32Array.of(0.1));
  assert.equal(values("F16", Uint16Array.of(0x3e00)), Float32Array.of(1.5));
  assert.throws(() => values("I64", BigInt64Array.of(2n ** 31n)), /I64 numbers that fit into 32 bits, got 2147483648/);
  assert.throws(() => values("I64", BigInt64Array.of(-(2n ** 31n) - 1n)), /fit into 32 bits/);
  assert.throws(() => values("U64", BigUint64Array.of(2n ** 32n)), /fit into 32 bits/);
});

streams("values are copies of the file's bytes", () => {
  const read = parseSafetensors(file, "file").tensors.get("a")!;
  const values = deviceValuesOf(read, "file");
  values[0] = 99;
  assert.is(deviceValuesOf(read, "file")[0], 0);
});

streams.run();
