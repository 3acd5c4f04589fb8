/** Who imports whom in `src/`, read by esbuild's parser; types count, because a reader follows them too. */
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join, posix, sep } from "node:path";
import { build, type Plugin } from "esbuild";

export const root = join(import.meta.dirname, "..", "..");

export interface Import {
  /** The importing file, relative to the repository, with forward slashes. */
  readonly from: string;
  /** What is written: `./shape.ts`, `#gpu`, `node:fs`. */
  readonly specifier: string;
  /** The files it leads to: one for a path, one a platform for a `#` name, none outside the project. */
  readonly to: readonly string[];
}

/** All sources below `folder`, relative to the repository. */
export function sourcesIn(folder: string): string[] {
  const files = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" });
  const sources = files.filter((file) => file.endsWith(".ts")).map((file) => `${folder}/${file.split(sep).join("/")}`);
  return sources.sort();
}

/** Every import of every file. With `types: false`, only those that survive compilation. */
export async function importsOf(files: readonly string[], { types }: { readonly types: boolean }): Promise<Import[]> {
  const found: Import[] = [];
  await build({
    absWorkingDir: root,
    entryPoints: files.map((file) => `./${file}`),
    outdir: "unused",
    write: false,
    bundle: true,
    format: "esm",
    logLevel: "error",
    tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true } },
    plugins: [types ? typesAsValues : { name: "plain", setup: () => undefined }, record(found)],
  });
  return found;
}

/** esbuild forgets type imports while it parses, so they are turned into value imports first. */
const typesAsValues: Plugin = {
  name: "types-as-values",
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, ({ path }) => {
      const source = readFileSync(path, "utf8");
      const contents = source
        .replace(/^import type (?=[\w{*])/gm, "import ")
        .replace(/^export type (?=(?:\{[^}]*\}|\*[^;]*) from )/gm, "export ");
      return { contents, loader: "ts" };
    });
  },
};

function record(found: Import[]): Plugin {
  return {
    name: "record",
    setup({ onResolve }) {
      onResolve({ filter: /.*/ }, ({ path, importer, kind }) => {
        if (kind === "entry-point") return undefined;
        const from = relativeToRoot(importer);
        found.push({ from, specifier: path, to: targetsOf(path, from) });
        return { path, external: true };
      });
    },
  };
}

function relativeToRoot(path: string): string {
  return path
    .slice(root.length + 1)
    .split(sep)
    .join("/");
}

function targetsOf(specifier: string, from: string): string[] {
  if (specifier.startsWith(".")) return [posix.join(dirname(from), specifier)];
  const mapped = platformFiles()[specifier];
  return mapped === undefined ? [] : Object.values(mapped.source).map((path) => posix.join(path));
}

type PlatformMap = Record<string, { readonly source: Record<string, string> }>;

function platformFiles(): PlatformMap {
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { readonly imports: PlatformMap };
  return manifest.imports;
}
