/**
 * What the second core gives: training RBF on HOG vectors of Fashion-MNIST with one worker and with two, in turn; the fastest
 * of each counts, since other work on the machine only ever adds time. One worker is the caller's own thread; two include their start.
 *
 *   node --conditions=source --import tsx bench/svm/scaling.ts [samples] [rounds]
 */
import { hog, trainSvc } from "../../src/svm/index.ts";
import { pictures } from "./data.ts";

const [samples = 20_000, rounds = 3] = process.argv.slice(2).map(Number);
const file = pictures("train");
const indices = Array.from({ length: samples }, (_, i) => i);
const features = await hog(file.take(indices), { orientations: 9, pixelsPerCell: 4, cellsPerBlock: 2 }, { workers: 1 });
const labels = file.labels.subarray(0, samples);
const times = new Map<number, { wall: number; cpu: number }[]>([
  [1, []],
  [2, []],
]);
for (let round = 0; round < rounds; round++) {
  for (const [workers, list] of times) {
    const [begun, used] = [performance.now(), process.cpuUsage()];
    await trainSvc(features, labels, { C: 10 }, { workers });
    const { user, system } = process.cpuUsage(used);
    list.push({ wall: (performance.now() - begun) / 1000, cpu: (user + system) / 1e6 });
  }
}
console.log("| workers | fastest s | all rounds: wall (CPU) |\n| --- | --- | --- |");
for (const [workers, list] of times) {
  const all = list.map(({ wall, cpu }) => `${wall.toFixed(1)} (${cpu.toFixed(1)})`).join(", ");
  console.log(`| ${workers} | ${Math.min(...list.map(({ wall }) => wall)).toFixed(1)} | ${all} |`);
}
