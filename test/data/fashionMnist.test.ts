/** Finding, fetching and refusing Fashion-MNIST. A server on this machine stands for the mirrors. */
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createHash } from "node:crypto";
import { gunzipSync, gzipSync } from "node:zlib";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { writeFileAtomic } from "#files";
import {
  downloadToCache,
  encodeIdx,
  FASHION_PIXEL_STATISTICS,
  FileError,
  labelStatistics,
  loadFashionMnist,
  pixelStatistics,
} from "../../src/data/index.ts";
import { DataError } from "../../src/errors.ts";
import { findFashionMnist } from "../train/fashionMnist.ts";

const test = suite("Fashion-MNIST");
let folder = "";
const kept = { cache: process.env["TRAMA_CACHE"], data: process.env["TRAMA_DATA"] };
let servers: Server[] = [];

test.before.each(() => {
  folder = mkdtempSync(join(tmpdir(), "trama-data-"));
  process.env["TRAMA_CACHE"] = join(folder, "cache");
  delete process.env["TRAMA_DATA"];
});

test.after.each(() => {
  for (const server of servers) server.close();
  servers = [];
  rmSync(folder, { recursive: true, force: true });
  for (const [name, value] of [
    ["TRAMA_CACHE", kept.cache],
    ["TRAMA_DATA", kept.data],
  ] as const) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
});

async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server = createServer(answer);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

async function rejection(action: Promise<unknown>): Promise<Error> {
  const error = await action.then(
    () => null,
    (thrown: Error) => thrown,
  );
  assert.ok(error, "it is refused");
  return error;
}

/** Without printing megabytes where they differ. */
function assertSame(actual: Uint8Array, expected: Uint8Array): void {
  assert.is(Buffer.compare(actual, expected), 0, "the same bytes");
}

const content = Uint8Array.from({ length: 50_000 }, (_, index) => (index * 31) % 251);
const published = { name: "file.bin", bytes: content.length, md5: createHash("md5").update(content).digest("hex") };
const fast = { timeouts: { connectMs: 500, idleMs: 300, requestMs: 5000 } };

test("a cut connection is taken up where it broke, by Range", async () => {
  const ranges: (string | undefined)[] = [];
  const url = await serve((request, response) => {
    ranges.push(request.headers.range);
    const start = Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
    const rest = content.subarray(start);
    response.writeHead(start > 0 ? 206 : 200, {
      "content-length": rest.length,
      ...(start > 0 ? { "content-range": `bytes ${start}-${content.length - 1}/${content.length}` } : {}),
    });
    if (start > 0) response.end(rest);
    else response.write(rest.subarray(0, 20_000), () => response.destroy());
  });
  assertSame(await downloadToCache("t", published, [`${url}file.bin`], fast), content);
  assert.is(ranges[0], undefined);
  assert.match(ranges.at(-1)!, /^bytes=\d+-$/);
});

test("a server that ignores Range is no trouble, and a wrong checksum goes to the next mirror", async () => {
  const wrong = await serve((_, response) => response.end(content.map((byte) => byte ^ 1)));
  const right = await serve((_, response) => response.end(content));
  assertSame(await downloadToCache("t", published, [`${wrong}file.bin`, `${right}file.bin`], fast), content);
});

test("when every mirror fails, the error says how each did, soon", async () => {
  const missing = await serve((_, response) => response.writeHead(404).end());
  const silent = await serve(() => undefined);
  const began = Date.now();
  const error = await rejection(downloadToCache("t", published, [`${missing}file.bin`, `${silent}file.bin`], fast));
  assert.instance(error, DataError);
  assert.match(error.message, /404/);
  assert.ok(Date.now() - began < 4000);
  for (const server of servers) server.closeAllConnections();
});

test("an aborted download rejects with the signal's reason", async () => {
  const url = await serve((_, response) => void response.write(content.subarray(0, 100)));
  const signal = AbortSignal.timeout(100);
  const error = await rejection(downloadToCache("t", published, [`${url}file.bin`], { ...fast, signal }));
  assert.is(error.name, "TimeoutError");
  for (const server of servers) server.closeAllConnections();
});

test("without data the synthetic set is loud, and can be forbidden", async () => {
  const mirrors = ["http://127.0.0.1:9/"];
  const options = { mirrors, ...fast, syntheticOptions: { trainCount: 20, testCount: 20 } };
  const { train } = await loadFashionMnist(options);
  assert.ok(train.synthetic);
  assert.match(train.origin, /^SYNTHETIC .*NOT Fashion-MNIST/);
  assert.instance(await rejection(loadFashionMnist({ ...options, synthetic: "never" })), DataError);
});

test("a folder that is named must hold the data", async () => {
  const missing = await rejection(loadFashionMnist({ directory: join(folder, "nowhere") }));
  assert.match(missing.message, /four files of Fashion-MNIST.*none of them/);
  process.env["TRAMA_DATA"] = folder;
  assert.match((await rejection(loadFashionMnist())).message, /none of them/);
});

test("files of another content are named, and digits are recognised", async () => {
  const directory = join(folder, "data");
  mkdirSync(directory);
  const labels = (start: readonly number[], count: number) =>
    encodeIdx({
      type: "uint8",
      shape: [count],
      data: Uint8Array.from({ length: count }, (_, index) => start[index] ?? index % 10),
    });
  const images = (count: number) =>
    encodeIdx({ type: "uint8", shape: [count, 28, 28], data: new Uint8Array(count * 784).fill(33) });
  const write = (start: readonly number[]) => {
    writeFileSync(join(directory, "t10k-labels-idx1-ubyte.gz"), gzipSync(labels(start, 10_000)));
    writeFileSync(join(directory, "t10k-images-idx3-ubyte.gz"), gzipSync(images(10_000)));
    writeFileSync(
      join(directory, "train-labels-idx1-ubyte.gz"),
      gzipSync(labels([5, 0, 4, 1, 9, 2, 1, 3, 1, 4], 60_000)),
    );
    writeFileSync(join(directory, "train-images-idx3-ubyte.gz"), gzipSync(images(60_000)));
  };
  write([7, 2, 1, 0, 4, 1, 4, 9, 5, 9]);
  assert.match((await rejection(loadFashionMnist({ directory }))).message, /digit/i);
  write([9, 9, 9]);
  const other = await rejection(loadFashionMnist({ directory }));
  assert.instance(other, DataError);
  assert.match(other.message, /t10k-labels-idx1-ubyte\.gz.*MD5/);
});

test("the real files: counts, balance and pixels as published, gz or plain", async () => {
  const real = findFashionMnist();
  if (real === null) {
    console.log("    (skipped: no Fashion-MNIST in TRAMA_DATA or ../shared/data)");
    return;
  }
  const { train, test: held } = await loadFashionMnist({ directory: real, synthetic: "never" });
  assert.equal([train.count, held.count], [60_000, 10_000]);
  assert.equal(labelStatistics(train).counts, new Array(10).fill(6000));
  const { mean, std } = pixelStatistics(train);
  assert.ok(
    Math.abs(mean - FASHION_PIXEL_STATISTICS.mean) < 1e-3 && Math.abs(std - FASHION_PIXEL_STATISTICS.std) < 1e-3,
  );
  for (const name of readdirSync(real).filter((file) => file.endsWith(".gz"))) {
    if (name.startsWith("t10k")) {
      writeFileSync(join(folder, name.slice(0, -3)), gunzipSync(readFileSync(join(real, name))));
    } else copyFileSync(join(real, name), join(folder, name));
  }
  const plain = await loadFashionMnist({ directory: folder });
  assertSame(plain.test.images, held.images);
});

test("a file is written wholly or not at all", async () => {
  const path = join(folder, "model.bin");
  await writeFileAtomic(path, Uint8Array.of(1, 2, 3));
  const broken = (function* () {
    yield Uint8Array.of(9);
    throw new Error("source failed");
  })();
  await rejection(writeFileAtomic(path, broken));
  assert.equal([...readFileSync(path)], [1, 2, 3]);
  assert.equal(
    readdirSync(folder).filter((name) => name.startsWith("model") && name !== "model.bin"),
    [],
  );
  assert.instance(await rejection(writeFileAtomic("/proc/nowhere/model.bin", Uint8Array.of(1))), FileError);
});

test.run();
