/** The file of an unfinished grid search, written after every fold. */
import { fileExists, readFile, writeFileAtomic } from "#files";
import { DataError, FormatError, OptionError } from "../../errors.ts";
import type { GridState } from "../../svm/index.ts";

const FORMAT = "trama-svm-grid-1";

interface StateFile {
  readonly format: typeof FORMAT;
  /** Origin of the images: the search's own key knows their number only. */
  readonly data: string;
  readonly state: GridState;
}

/**
 * The state to go on from, or undefined for a new search.
 * @throws {OptionError} when an unfinished search would be overwritten, or another's is to be resumed.
 */
export async function openState(path: string, data: string, resume: boolean): Promise<GridState | undefined> {
  const where = `--state ${path}`;
  if (!(await fileExists(path))) {
    if (!resume) return undefined;
    throw new DataError({
      where,
      expected: "the state of a search to resume",
      got: "no such file",
      advice: "leave --resume out",
    });
  }
  const found = parse(await readFile(path), path);
  if (!resume) {
    const { done, total } = foldsOf(found.state);
    if (done === total) return undefined;
    throw new OptionError({
      where,
      expected: "a place for a new search",
      got: `an unfinished one, ${done} of ${total} folds done`,
      advice: "add --resume to continue it, or name another file, or delete it",
    });
  }
  if (found.data === data) return found.state;
  throw new OptionError({ where, expected: `a search on ${data}`, got: `one on ${found.data}` });
}

export function foldsOf({ scores }: GridState): { readonly done: number; readonly total: number } {
  const all = scores.flat();
  return { done: all.filter((score) => score !== null).length, total: all.length };
}

function parse(bytes: Uint8Array, path: string): StateFile {
  const advice = "name another file, or delete it";
  try {
    const file = JSON.parse(new TextDecoder().decode(bytes)) as StateFile;
    const { scores, key } = file.state;
    const sound = Array.isArray(scores) && scores.every(Array.isArray) && typeof key === "string";
    if (sound && file.format === FORMAT) return file;
  } catch {
    // What is no JSON is refused like what is the wrong JSON.
  }
  throw new FormatError({ where: path, expected: "the state of a grid search", got: "something else", advice });
}

/** Writes states one after the other; of those that come while one is written, the last. */
export class StateWriter {
  readonly #path: string;
  readonly #data: string;
  #next: GridState | undefined;
  #writing: Promise<void> | undefined;
  #failure: Error | undefined;

  constructor(path: string, data: string) {
    this.#path = path;
    this.#data = data;
  }

  readonly keep = (state: GridState): void => {
    this.#next = state;
    this.#writing ??= this.#drain();
  };

  /** Waits until the last state is in the file. Throws when one could not be written. */
  async settle(): Promise<void> {
    await this.#writing;
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #drain(): Promise<void> {
    try {
      while (this.#next !== undefined) {
        const file: StateFile = { format: FORMAT, data: this.#data, state: this.#next };
        this.#next = undefined;
        await writeFileAtomic(this.#path, new TextEncoder().encode(JSON.stringify(file)));
      }
    } catch (error) {
      this.#failure = error instanceof Error ? error : new Error(String(error));
    } finally {
      this.#writing = undefined;
    }
  }
}
