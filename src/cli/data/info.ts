/** `trama data info`: what a data set is, in a few lines. */
import type { Command } from "commander";
import { imageLength, type ImageDataset } from "../../data/index.ts";
import { perform } from "../perform.ts";
import type { Terminal } from "../terminal.ts";
import { count, fileSize, labelled, listed } from "../text.ts";
import { withSource, withSourceOptions, type Source, type SourceOptions } from "./sources.ts";

export function addInfo(data: Command): void {
  withSourceOptions(
    data.command("info").description("what a data set is: parts, shape, classes, where it is from"),
  ).action((options: SourceOptions) =>
    perform(options, (terminal) => withSource(options, terminal, (source) => tell(source, terminal))),
  );
}

async function tell({ parts }: Source, terminal: Terminal): Promise<void> {
  for (const [name, part] of Object.entries(parts)) {
    const { shape, classNames, origin, synthetic, split } = part;
    const bytes = part.count * imageLength(shape);
    terminal.event("part", { name, count: part.count, shape, classNames, origin, synthetic, split, bytes });
    terminal.result(...labelled(terminal.bold(name), describe(part, bytes), terminal.width));
  }
  const names = new Set(Object.values(parts).map(({ classNames }) => listed(classNames)));
  for (const list of names) terminal.result(...labelled(terminal.bold("classes"), list, terminal.width));
}

function describe({ count: images, shape, origin, split, classNames }: ImageDataset, bytes: number): string {
  return listed([
    `${count(images)} images`,
    `${shape.join(" × ")} bytes, ${fileSize(bytes)} in all`,
    `${classNames.length} classes`,
    split === "all" ? origin : `${split} part of ${origin}`,
  ]);
}
