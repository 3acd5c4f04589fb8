/** Headless Chromium with a software WebGPU adapter, from an npm package: no browser needs to be installed. */
import {
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { dirname, extname, join, normalize } from "node:path";
import { brotliDecompressSync } from "node:zlib";
import { chromium, type Browser } from "playwright-core";
import { cacheDirectory } from "#files";
import { readTar } from "../../src/tensor/dawn/tar.ts";

const FLAGS = [
  "--no-sandbox",
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  "--enable-features=Vulkan",
  "--disable-background-networking",
  "--disable-quic",
  "--disable-sync",
  "--disable-component-update",
];

/** Starts the browser; it is unpacked into the cache the first time, which takes some seconds. */
export async function launchChromium(): Promise<Browser> {
  const folder = unpackOnce();
  const libraries = [folder, process.env["LD_LIBRARY_PATH"]].filter(Boolean).join(":");
  return chromium.launch({
    executablePath: join(folder, "chromium"),
    args: FLAGS,
    env: { ...environment(), LD_LIBRARY_PATH: libraries },
  });
}

function environment(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

/** The package's archives hold the browser, its graphics libraries and the NSS libraries that it links to. */
function unpackOnce(): string {
  const entry = createRequire(import.meta.url).resolve("@sparticuz/chromium");
  const home = entry.slice(0, entry.lastIndexOf("@sparticuz/chromium") + "@sparticuz/chromium".length);
  const { version } = JSON.parse(readFileSync(join(home, "package.json"), "utf8")) as { version: string };
  const target = join(cacheDirectory(), `chromium-${version}`);
  if (existsSync(join(target, "chromium"))) return target;
  mkdirSync(dirname(target), { recursive: true });
  const draft = mkdtempSync(`${target}-`);
  const unpacked = (name: string) => brotliDecompressSync(readFileSync(join(home, "bin", name)));
  writeFileSync(join(draft, "chromium"), unpacked("chromium.br"), { mode: 0o755 });
  for (const archive of ["swiftshader.tar.br", "al2023.tar.br"]) {
    for (const { name, bytes } of readTar(unpacked(archive))) writeFileSync(join(draft, name), bytes, { mode: 0o755 });
  }
  try {
    renameSync(draft, target);
  } catch (error) {
    rmSync(draft, { recursive: true, force: true }); // another process was faster
    if (!existsSync(join(target, "chromium"))) throw error;
  }
  return target;
}

const TYPES: Readonly<Record<string, string>> = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" };

/** Serves a folder on a free port of this machine, as any static file server would. */
export async function serve(root: string): Promise<{ origin: string; server: Server }> {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    const file = join(root, normalize(pathname));
    const stream = createReadStream(file);
    stream.on("open", () =>
      response.writeHead(200, { "content-type": TYPES[extname(file)] ?? "application/octet-stream" }),
    );
    stream.on("error", () => response.writeHead(404).end());
    stream.pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}
