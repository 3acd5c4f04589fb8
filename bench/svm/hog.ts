/**
 * HOG's throughput: Fashion-MNIST pictures a second on one core, 9 orientations, 4×4 cells, 2×2 blocks (scikit-image: about
 * 1,900), median of seven runs of 10,000 pictures, in wall time and in CPU time (which other work on the machine inflates less).
 *
 *   node --conditions=source --import tsx bench/svm/hog.ts
 */
import { hog, type HogOptions } from "../../src/svm/index.ts";
import { pictures } from "./data.ts";

const classic: HogOptions = { orientations: 9, pixelsPerCell: 4, cellsPerBlock: 2 };
const cases: readonly (readonly [name: string, options: HogOptions])[] = [
  ["as scikit-image", classic],
  ["trilinear", { ...classic, interpolation: "trilinear" }],
  [
    "trilinear, signed 12, √, L1-sqrt",
    { ...classic, orientations: 12, signed: true, interpolation: "trilinear", transformSqrt: true, norm: "L1-sqrt" },
  ],
];
const count = 10_000;
const images = pictures("t10k").take(Array.from({ length: count }, (_, i) => i));
const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;

console.log("| HOG | pictures/s | pictures per CPU second | slowest … fastest |\n| --- | --- | --- | --- |");
for (const [name, options] of cases) {
  const [wall, cpu]: [number[], number[]] = [[], []];
  for (let run = 0; run < 8; run++) {
    const [begun, used] = [performance.now(), process.cpuUsage()];
    await hog(images, options, { workers: 1 });
    if (run === 0) continue; // warm-up
    wall.push((1000 * count) / (performance.now() - begun));
    cpu.push((1e6 * count) / process.cpuUsage(used).user);
  }
  console.log(
    `| ${name} | ${median(wall).toFixed(0)} | ${median(cpu).toFixed(0)} | ${Math.min(...wall).toFixed(0)} … ${Math.max(...wall).toFixed(0)} |`,
  );
}
