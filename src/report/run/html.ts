/**
 * A run as one HTML file: no script, nothing that is fetched, pictures as SVG in the page, light or dark as the reader's
 * system prefers, and paper as it is.
 */
import type { ClassificationReport } from "../classification.ts";
import { confidenceCalibration } from "../../train/index.ts";
import { classTable, scoreTable } from "../formats.ts";
import { plotModel } from "../model/plot.ts";
import { summaryTable, totalLines } from "../model/summary.ts";
import { pictureGrid } from "../pictures/grid.ts";
import { calibrationPlot } from "../plots/calibrationPlot.ts";
import { classCountsPlot } from "../plots/classCounts.ts";
import { classScoresPlot } from "../plots/classScores.ts";
import { confidenceHistogram } from "../plots/confidenceHistogram.ts";
import { confusionPlot } from "../plots/confusionPlot.ts";
import { precisionRecallPlot, rocPlot } from "../plots/curvePlots.ts";
import { pixelPlot } from "../plots/pixelPlot.ts";
import type { Plot } from "../plots/plot.ts";
import { renderSvg } from "../plots/render.ts";
import { trainingCurves } from "../plots/trainingCurves.ts";
import { element, escaped } from "../svg.ts";
import { fixed, type Table } from "../table.ts";
import { themeStyle } from "../theme.ts";
import { epochTable, factsOf } from "./facts.ts";
import { judgeRun, type JudgedRun } from "./judged.ts";
import { headline } from "./markdown.ts";
import { unpack } from "./packed.ts";
import type { RunRecord, StoredTile } from "./record.ts";

export interface HtmlOptions {
  /** Default: "auto", as the reader's system prefers. */
  readonly theme?: "light" | "dark" | "auto";
}

/** Colours come from the page's style. */
const PAGE = { theme: "page" } as const;

/**
 * The report of a run, as the text of an HTML file.
 * @throws {DataError} when `echarts`, or what encodes PNG, is not installed.
 */
export async function runAsHtml(run: RunRecord, { theme = "auto" }: HtmlOptions = {}): Promise<string> {
  const judged = judgeRun(run);
  const body = [
    header(run, judged),
    section("Result", ...resultParts(run, judged)),
    section("Training", ...(await trainingParts(run))),
    ...(judged ? [section("Test", ...(await testParts(judged)))] : []),
    ...(judged ? [section("Pictures", ...(await answerParts(run)))] : []),
    section("Data", ...(await dataParts(run))),
    section("Model", ...modelParts(run)),
    section("Circumstances", ...circumstances(run)),
  ];
  return [
    "<!doctype html>",
    '<html lang="en">',
    "<head>",
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    // Nothing may be fetched, whatever a class may be called.
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">`,
    `<title>${escaped(`Run ${run.name}`)}</title>`,
    `<style>${themeStyle(theme)}${STYLE}</style>`,
    "</head>",
    `<body><main>${body.join("\n")}</main></body>`,
    "</html>",
    "",
  ].join("\n");
}

const STYLE = `
*{box-sizing:border-box}
body{margin:0;background:var(--trama-surface);color:var(--trama-ink);font:15px/1.5 system-ui,"Noto Sans",sans-serif}
main{max-width:1020px;margin:0 auto;padding:24px 20px 60px}
h1{font-size:26px;margin:0 0 4px}
h2{font-size:20px;margin:44px 0 12px;padding-bottom:4px;border-bottom:1px solid var(--trama-line)}
h3{font-size:16px;margin:24px 0 8px}
p{margin:6px 0}
.note{color:var(--trama-muted)}
.warning{border-left:4px solid var(--trama-bad);padding:4px 12px;margin:8px 0}
.tiles{display:flex;flex-wrap:wrap;gap:12px;margin:16px 0}
.tile{border:1px solid var(--trama-line);border-radius:8px;padding:8px 16px;min-width:130px}
.tile b{display:block;font-size:24px;font-variant-numeric:tabular-nums}
.tile span{color:var(--trama-muted);font-size:13px}
figure{margin:18px 0;overflow-x:auto}
figure svg{max-width:100%;height:auto;display:block}
figcaption{color:var(--trama-muted);font-size:13px;margin-top:4px}
.pair{display:flex;flex-wrap:wrap;gap:0 24px}
.pair figure{flex:0 0 auto;max-width:100%}
.pair figcaption{max-width:520px}
.scroll{overflow-x:auto}
table{border-collapse:collapse;margin:8px 0;font-variant-numeric:tabular-nums}
th,td{padding:3px 10px;text-align:right;border-bottom:1px solid var(--trama-line);white-space:pre}
th{font-weight:600;color:var(--trama-muted)}
th.left,td.left{text-align:left}
table.facts{width:100%;table-layout:fixed}
table.facts th{width:220px;text-align:left;vertical-align:top;white-space:normal}
table.facts td{text-align:left;white-space:normal;overflow-wrap:anywhere}
summary{cursor:pointer;margin:8px 0}
@media print{main{max-width:none;padding:0}h2{break-after:avoid}figure,table.facts{break-inside:avoid}}
`;

function header(run: RunRecord, judged: JudgedRun | null): string {
  const { name, data, adapter, ended } = run;
  const banner = data.synthetic
    ? '<p class="warning"><strong>SYNTHETIC DATA:</strong> drawn, not photographed. Scores say nothing about real pictures.</p>'
    : "";
  const where = `${adapter.name}${adapter.kind === "gpu" ? "" : " (software adapter)"}`;
  const tiles = judged ? element("div", { class: "tiles" }, ...tilesOf(run, judged).map(tile)) : "";
  return element(
    "header",
    {},
    element("h1", {}, escaped(`Run ${name}`)),
    element(
      "p",
      { class: "note" },
      escaped(`${data.origin} · ${where} · seed ${run.seed} · ended ${ended.slice(0, 10)}`),
    ),
    banner,
    tiles,
    element("p", {}, escaped(headline(run))),
  );
}

function tilesOf(
  { test, training }: RunRecord,
  { report }: JudgedRun,
): readonly (readonly [value: string, label: string])[] {
  const scoreOf = (metric: string): string => {
    const score = report.scores.find((one) => one.metric === metric);
    return score ? fixed(score.value, 4) : "–";
  };
  const [accuracy] = report.scores;
  const baseline = accuracy?.baseline
    ? `test accuracy; ${fixed(accuracy.baseline.value, 4)} by ${accuracy.baseline.by}`
    : "test accuracy";
  return [
    [fixed(test!.evaluation.accuracy, 4), baseline],
    [scoreOf("macro F1"), "macro F1"],
    [fixed(test!.evaluation.loss, 4), "test loss (nats)"],
    [Math.round(training.imagesPerSecond).toLocaleString("en-US"), "training images a second"],
  ];
}

function tile([value, label]: readonly [string, string]): string {
  return element("div", { class: "tile" }, element("b", {}, escaped(value)), element("span", {}, escaped(label)));
}

function section(title: string, ...parts: readonly string[]): string {
  return element("section", {}, element("h2", {}, escaped(title)), ...parts);
}

function resultParts({ training }: RunRecord, judged: JudgedRun | null): string[] {
  const warnings = [...training.warnings, ...(judged?.report.warnings ?? [])];
  return [
    ...warnings.map((warning) =>
      element("p", { class: "warning" }, escaped(`Warning: ${warning.replace(/\.?$/, ".")}`)),
    ),
    judged ? htmlTable(scoreTable(judged.report)) : element("p", {}, "Nothing was tested."),
  ];
}

async function trainingParts(run: RunRecord): Promise<string[]> {
  const { history, parametersOf } = run.training;
  if (history.length === 0) return [element("p", {}, "No epoch was done.")];
  const kept =
    parametersOf === null
      ? "The parameters are those after the last step."
      : parametersOf < 0
        ? "The parameters are those from before the first epoch."
        : `The parameters are those of epoch ${parametersOf + 1}.`;
  return [
    await figure(trainingCurves(history, PAGE)),
    element("p", { class: "note" }, kept),
    element("details", {}, element("summary", {}, "Every epoch in numbers"), htmlTable(epochTable(run))),
  ];
}

async function testParts({ report, ranked, truth, confidence, predicted, classNames }: JudgedRun): Promise<string[]> {
  const isRight = Array.from(predicted, (answer, row) => answer === truth[row]);
  const calibration = confidenceCalibration(ranked.truth, ranked.probabilities, classNames.length);
  const curves = { truth: ranked.truth, scores: ranked.probabilities, classNames };
  return [
    await figure(confusionPlot(report.confusion, classNames, PAGE)),
    element("h3", {}, "Class by class"),
    htmlTable(classTable(report, { digits: 4, extended: true })),
    await figure(classScoresPlot(report.metrics.perClass, classNames, PAGE)),
    ...(hasCurves(report) ? [await pair(rocPlot(curves, PAGE), precisionRecallPlot(curves, PAGE))] : []),
    await pair(calibrationPlot(calibration, PAGE), confidenceHistogram(confidence, isRight, PAGE)),
  ];
}

/** Where all samples are of one class, no curve is defined. */
function hasCurves({ metrics }: ClassificationReport): boolean {
  return metrics.perClass.filter(({ support }) => support > 0).length > 1;
}

async function answerParts({ pictures: { wrong, right, unsure } }: RunRecord): Promise<string[]> {
  const parts = [
    await sheet("Wrong answers, the most confident first", wrong),
    await sheet("Right answers, the least confident first", unsure),
    await sheet("Right answers, the most confident first", right),
  ];
  return parts.some((part) => part !== "") ? parts : [element("p", { class: "note" }, "No pictures were kept.")];
}

async function dataParts({ data, pictures }: RunRecord): Promise<string[]> {
  return [
    await figure(classCountsPlot(data.parts, data.classNames, PAGE)),
    await sheet("Samples of the training part", pictures.samples),
    await sheet("Average image of each class, training part", pictures.averages, pictures.averages.length > 10 ? 8 : 5),
    data.pixels ? await figure(pixelPlot(data.pixels, { ...PAGE, title: "Pixel values of the training part" })) : "",
  ];
}

function modelParts({ model }: RunRecord): string[] {
  return [
    htmlTable(summaryTable(model)),
    ...totalLines(model).map(([label, value]) => element("p", {}, escaped(`${label}: ${value}`))),
    element(
      "details",
      {},
      element("summary", {}, "The layers as a picture"),
      element("figure", {}, embedded(plotModel(model, PAGE))),
    ),
  ];
}

function circumstances(run: RunRecord): string[] {
  return factsOf(run).flatMap(({ title, rows }) => [
    element("h3", {}, escaped(title)),
    element(
      "table",
      { class: "facts" },
      ...rows.map(([label, value]) =>
        element("tr", {}, element("th", { scope: "row" }, escaped(label)), element("td", {}, escaped(value))),
      ),
    ),
  ]);
}

async function figure(plot: Plot): Promise<string> {
  return element("figure", {}, embedded(await renderSvg(plot)), element("figcaption", {}, escaped(plot.description)));
}

async function pair(...plots: readonly Plot[]): Promise<string> {
  return element("div", { class: "pair" }, ...(await Promise.all(plots.map(figure))));
}

async function sheet(title: string, tiles: readonly StoredTile[], columns = 8): Promise<string> {
  if (tiles.length === 0) return "";
  const unpacked = tiles.map(({ shape, pixels, ...rest }) => {
    const bytes = Uint8Array.from(unpack(pixels, title));
    return Object.assign({ picture: { pixels: bytes, shape } }, rest);
  });
  return element("figure", {}, embedded(await pictureGrid(unpacked, { ...PAGE, title, columns })));
}

/** Within HTML an SVG picture needs no names of namespaces. */
function embedded(svg: string): string {
  return svg.replace(/ xmlns(:\w+)?="[^"]*"/g, "").replace(/ (?:version|baseProfile)="[^"]*"/g, "");
}

/** Blank rows part the table in two. */
function htmlTable({ columns, rows }: Table): string {
  const cells = (name: "th" | "td", texts: readonly string[]): string =>
    element(
      "tr",
      {},
      ...columns.map(({ align }, at) =>
        element(name, { class: at === 0 || align === "left" ? "left" : undefined }, escaped(texts[at] ?? "")),
      ),
    );
  const head = cells(
    "th",
    columns.map(({ title }) => title),
  );
  const filled = rows.filter(({ length }) => length > 0);
  const table = element(
    "table",
    {},
    element("thead", {}, head),
    element("tbody", {}, ...filled.map((row) => cells("td", row))),
  );
  return element("div", { class: "scroll" }, table);
}
