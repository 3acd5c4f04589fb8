/** `trama data`: fetch Fashion-MNIST, look at data sets of every form, find their faults, write them in other forms. */
import type { Command } from "commander";
import { addDuplicates } from "./duplicates.ts";
import { addExport } from "./export.ts";
import { addFetch, addVerify } from "./files.ts";
import { addGrid } from "./grid.ts";
import { addInfo } from "./info.ts";
import { addNormalisation } from "./normalisation.ts";
import { addShow } from "./show.ts";
import { addStats } from "./stats.ts";

export function addData(program: Command): void {
  const data = program.command("data").description("fetch, verify, describe, show, compare and convert data sets");
  const looking = [addInfo, addStats, addShow, addGrid, addNormalisation, addDuplicates];
  for (const add of [addFetch, addVerify, ...looking, addExport]) add(data);
}
