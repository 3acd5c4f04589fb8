/** Where the real data set is, on machines that have it. */
import { existsSync } from "node:fs";
import { join } from "node:path";

/** `TRAMA_DATA`, else the folder beside the repository; null where neither holds it. */
export function findFashionMnist(): string | null {
  const candidates = [process.env["TRAMA_DATA"], join(import.meta.dirname, "../../../shared/data/fashion-mnist")];
  const found = candidates.find(
    (folder) => folder !== undefined && existsSync(join(folder, "t10k-labels-idx1-ubyte.gz")),
  );
  return found ?? null;
}
