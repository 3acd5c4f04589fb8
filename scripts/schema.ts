/** Writes the schema of experiment files where editors find it: `npm run schema`. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { format, resolveConfig } from "prettier";
import { EXPERIMENT_SCHEMA } from "../src/experiments/index.ts";

const file = join(import.meta.dirname, "../experiments/schema.json");
const text = JSON.stringify(EXPERIMENT_SCHEMA);
writeFileSync(file, await format(text, { ...(await resolveConfig(file)), filepath: file }));
