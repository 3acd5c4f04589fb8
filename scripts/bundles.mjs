/** How Trama's sources become JavaScript: shared by the build and by the size budget. */
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { isBuiltin } from "node:module";
import { dirname, join, relative, resolve, sep } from "node:path";
import { build } from "esbuild";

const manifest = JSON.parse(readFileSync("package.json", "utf8"));
const optional = Object.keys(manifest.peerDependencies);

const common = {
  format: "esm",
  bundle: true,
  target: "es2022",
  metafile: true,
  logLevel: "warning",
  legalComments: "none",
};

/** One module of `dist/` for each of `sources`, so that a bundler of the user's can drop what it does not need. */
export function buildModules(sources) {
  return build({
    ...common,
    entryPoints: sources,
    outbase: "src",
    outdir: "dist",
    platform: "neutral",
    plugins: [{ name: "one-to-one", setup: keepImports(() => true) }],
  });
}

/** The command line in one file, with its argument parser inside, importing the rest of Trama from `dist/`. */
export function buildCli(entry) {
  const home = resolve(dirname(entry));
  const isOwn = (path) => path.startsWith(home + sep);
  return build({
    ...common,
    entryPoints: [entry],
    outbase: "src",
    outdir: "dist",
    platform: "node",
    // Bundled CommonJS asks for Node's own modules through `require`, which an ES module has to make for itself.
    banner: {
      js: `import { createRequire as $createRequire } from "node:module"; const require = $createRequire(import.meta.url);`,
    },
    plugins: [{ name: "command-line", setup: keepImports((path) => !isOwn(path), home) }],
  });
}

const inPages = { ...common, platform: "browser", conditions: ["source"], minify: true };

/** Everything that `entry` needs in a page, in one minified module; an import of Node's would fail here. */
export function bundleForBrowsers(entry, options = {}) {
  const plugins = [minifyShaders, beside(/\/formats\/index\.ts$/, WEIGHTS)];
  return build({ ...inPages, entryPoints: [entry], plugins, ...options });
}

/** Shaders are text to the minifier: their comments and indentation go here. The TypeScript around them loses nothing. */
const minifyShaders = {
  name: "minify-shaders",
  setup({ onLoad }) {
    onLoad({ filter: /[/\\]src[/\\](kernels|tensor|nn)[/\\].*\.ts$/ }, async ({ path }) => {
      const source = await readFile(path, "utf8");
      const lines = source.split("\n").map((line) => line.replace(/(^|\s)\/\/ [^`]*$/, "").trim());
      const text = lines.filter((line) => line !== "").join("\n");
      // To declare a kernel or an operation does nothing else: what nobody uses may go.
      return { contents: text.replace(/= (define\w*(?:<\w+>)?)\(/g, "= /* @__PURE__ */ $1("), loader: "ts" };
    });
  },
};

const MAIN = "./trama.browser.js";
const WEIGHTS = "./trama.weights.js";

/**
 * What reads weights of other programs, beside the page's bundle, which loads it on demand. Errors are the bundle's own, so
 * that there is one class of each.
 */
export function bundleWeightsForBrowsers(folder) {
  const contents = ["formats", "names"].map((part) => `export * from "./src/weights/${part}/index.ts";`).join("\n");
  return build({
    ...inPages,
    stdin: { contents, resolveDir: process.cwd() },
    outfile: join(folder, WEIGHTS),
    plugins: [beside(/\/errors\.ts$/, MAIN)],
    external: optional,
  });
}

/** Leaves what matches to another bundle in the same folder. */
function beside(filter, path) {
  return { name: "beside", setup: ({ onResolve }) => onResolve({ filter }, () => ({ path, external: true })) };
}

/**
 * Leaves imports as they are, but for `.ts`, which becomes `.js`. `isOutside` tells which source files stay imports;
 * the others are bundled. With `home`, paths are seen from there, where the bundle will lie.
 */
function keepImports(isOutside, home) {
  return ({ onResolve }) => {
    onResolve({ filter: /^\.\.?\// }, ({ path, resolveDir, importer, kind }) => {
      if (kind === "entry-point" || importer.includes("node_modules")) return undefined;
      const target = join(resolveDir, path);
      if (!isOutside(target)) return undefined;
      return { path: specifier(relative(home ?? resolveDir, target)), external: true, sideEffects: false };
    });
    onResolve({ filter: /^[^./]/ }, ({ path, importer, kind }) => {
      if (kind === "entry-point") return undefined;
      if (path.startsWith("#") || isBuiltin(path) || isOptional(path)) return { path, external: true };
      // The command line carries what it needs; the library needs nothing.
      if (home !== undefined) return undefined;
      return {
        errors: [{ text: `${importer} imports "${path}", which is neither ours, Node's nor an optional peer` }],
      };
    });
  };
}

function specifier(path) {
  const posix = path.split(sep).join("/").replace(/\.ts$/, ".js");
  return posix.startsWith(".") ? posix : `./${posix}`;
}

function isOptional(path) {
  return optional.some((name) => path === name || path.startsWith(`${name}/`));
}
