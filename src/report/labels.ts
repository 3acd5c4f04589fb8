/** What is said of attributes and landmarks: recall of each type, distance of each part, beside a baseline's. */
import { ShapeError } from "../errors.ts";
import type { LandmarkDistance, TopKRecall } from "../train/index.ts";
import { fixed, type Table } from "./table.ts";

/**
 * Recall at each k: a row for each type of labels, and one for all.
 * @param model one entry a k, as `recallAtK` returns them.
 * @param baseline the same of `frequencyScores`.
 */
export function recallTable(model: readonly TopKRecall[], baseline: readonly TopKRecall[]): Table {
  if (model.some(({ k }, i) => baseline[i]?.k !== k)) {
    const [own, theirs] = [model, baseline].map((results) => results.map(({ k }) => k).join(", "));
    throw new ShapeError({ where: "recallTable", expected: `a baseline at k of ${own}`, got: theirs! });
  }
  const row = (name: string, recall: (of: TopKRecall) => number, positives = ""): string[] => {
    const cells = model.flatMap((of, i) => [fixed(recall(of), 4), fixed(recall(baseline[i]!), 4)]);
    return [name, ...cells, positives];
  };
  const types = model[0]?.types ?? [];
  return {
    columns: [
      { title: "", align: "left" },
      ...model.flatMap(({ k }) => [{ title: `recall@${k}` }, { title: "baseline" }]),
      { title: "labels" },
    ],
    rows: [
      ...types.map(({ name, positives }, at) => row(name, (of) => of.types[at]!.recall, String(positives))),
      row("all", ({ overall }) => overall),
    ],
  };
}

/**
 * Distance of each part, their mean, and the mean over all visible landmarks.
 * @param baseline distances of `meanLandmarks`.
 */
export function landmarkTable(model: LandmarkDistance, baseline: LandmarkDistance, parts: readonly string[]): Table {
  if (parts.length !== model.perPart.length) {
    const expected = `${model.perPart.length} names of parts`;
    throw new ShapeError({ where: "landmarkTable", expected, got: String(parts.length) });
  }
  const row = (name: string, distance: (of: LandmarkDistance) => number, visible = ""): string[] => [
    name,
    fixed(distance(model), 4),
    fixed(distance(baseline), 4),
    visible,
  ];
  return {
    columns: [{ title: "", align: "left" }, { title: "distance" }, { title: "baseline" }, { title: "visible" }],
    rows: [
      ...parts.map((name, part) => row(name, ({ perPart }) => perPart[part]!, String(model.visible[part]))),
      row("mean of parts", ({ mean }) => mean),
      row("all visible", ({ pooled }) => pooled),
    ],
  };
}
