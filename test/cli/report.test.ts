/** `trama report` as users meet it: after a training, without training or predicting again. */
import { copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { textWidth } from "../../src/report/index.ts";
import { eventsIn, Workplace } from "./command.ts";

const command = suite("trama report");
let place = null as unknown as Workplace;

command.before(async () => {
  place = await Workplace.build();
});

command.after(() => place.remove());

const SMALL = ["--synthetic", "--images", "256", "--epochs", "2", "--quiet"];
const at = (...names: readonly string[]) => join(place.folder, ...names);

command("a training leaves its record beside the model, and tells of the report", async () => {
  assert.match(
    (await place.trama(["report"])).stderr,
    /^trama: run: expected a run in .*; run `trama train` here first/,
  );
  const { code, stdout, stderr } = await place.trama(["train", ...SMALL.slice(0, -1), "--model", "mlp"]);
  assert.is(code, 0, stderr);
  assert.match(stdout, /see how it went: trama report$/m);
  assert.match(stdout, /^Total params: 203,530 \(814\.1 KB\)$/m);
  assert.ok(existsSync(at("runs", "mlp.run.json")));
});

command("the report is one HTML file beside it, with the accuracy that training printed", async () => {
  rmSync(at("runs", "mlp.safetensors"));
  const { code, stdout, stderr } = await place.trama(["report"]);
  assert.is(code, 0, stderr);
  assert.match(stdout, /^Report +runs[/\\]mlp\.report\.html \(\d+\.\d KB\)$/m);
  const html = readFileSync(at("runs", "mlp.report.html"), "utf8");
  const { test } = JSON.parse(readFileSync(at("runs", "mlp.run.json"), "utf8")) as {
    test: { evaluation: { accuracy: number } };
  };
  assert.ok(html.includes(`<b>${test.evaluation.accuracy.toFixed(4)}</b>`));
  assert.match((await place.trama(["report", "--quiet"])).stdout, /in the place of an older one/);
});

command("other formats go to stdout, or where they are told to", async () => {
  const markdown = await place.trama(["report", "mlp", "--format", "md"]);
  assert.match(markdown.stdout, /^# Run mlp\n/);
  const { stdout } = await place.trama(["report", "runs/mlp.run.json", "--format", "json"]);
  assert.is((JSON.parse(stdout) as { costs: { parameters: number } }).costs.parameters, 203_530);
  const csv = await place.trama(["report", "runs/mlp.safetensors", "--format", "csv", "--out", "deep/scores.csv"]);
  assert.is(csv.code, 0, csv.stderr);
  assert.match(readFileSync(at("deep", "scores.csv"), "utf8"), /^kind,name,precision,recall/);
});

command("--compare puts runs beside each other, best first, and says what is unknown", async () => {
  const other = JSON.parse(readFileSync(at("runs", "mlp.run.json"), "utf8")) as { name: string; hardware: unknown };
  writeFileSync(at("runs", "twin.run.json"), JSON.stringify({ ...other, name: "twin", hardware: null }));
  const { code, stdout, stderr } = await place.trama(["report", "--compare", "mlp", "twin"]);
  assert.is(code, 0, stderr);
  const [titles, first, second, baseline] = stdout.split("\n");
  assert.match(titles!, /model +accuracy +macro F1 +log loss +parameters +MB +train s +inference s +W$/);
  assert.match(first!, /^best +mlp +0\.\d{4} .* 203,530 +0\.8/);
  assert.match(second!, /^ +twin .* unknown$/);
  assert.match(baseline!, /trivial baseline +0\.1000/);
  assert.ok(stdout.split("\n").every((line) => textWidth(line) <= 120));
  const byLoss = await place.trama(["report", "--compare", "mlp", "twin", "--by", "log loss", "--format", "csv"]);
  assert.match(byLoss.stdout, /^,model,accuracy,balanced accuracy,/);
  assert.match(
    (await place.trama(["report", "--compare", "mlp", "twin", "--by", "beauty"])).stderr,
    /a score of the baseline's \(accuracy, /,
  );
});

command("runs of other test images are not compared without a word", async () => {
  copyFileSync(at("runs", "mlp.run.json"), at("old.run.json"));
  await place.trama([
    "train",
    "--synthetic",
    "--images",
    "128",
    "--epochs",
    "1",
    "--quiet",
    "--model",
    "mlp",
    "--seed",
    "7",
  ]);
  const changed = JSON.parse(readFileSync(at("runs", "mlp.run.json"), "utf8")) as { data: { origin: string } };
  changed.data.origin = "other pictures";
  writeFileSync(at("runs", "mlp.run.json"), JSON.stringify(changed));
  const { stdout, stderr } = await place.trama(["report", "--compare", "old.run.json", "mlp", "--format", "md"]);
  assert.match(stdout, /\| mlp \(1\) +\|/);
  assert.match(stderr, /^Warning: "mlp" was tested on other images than "mlp"/m);
});

command("--json: one event, and nothing else", async () => {
  const [event, ...rest] = eventsIn((await place.trama(["report", "twin", "--json"])).stdout);
  assert.is(rest.length, 0);
  assert.equal([event!["event"], event!["out"]], ["report", join("runs", "twin.report.html")]);
});

for (const [what, args, message] of [
  ["two runs without --compare", ["report", "mlp", "twin"], /expected one run, or --compare, got 2 runs/],
  ["a comparison of one", ["report", "--compare", "mlp"], /at least two runs to compare, got 1/],
  [
    "a comparison as HTML",
    ["report", "--compare", "mlp", "twin", "--format", "html"],
    /--format text, md, csv or json/,
  ],
  ["a format that there is not", ["report", "--format", "pdf"], /Allowed choices are html/],
] as const) {
  command(`wrong usage is exit code 2: ${what}`, async () => {
    const { code, stderr } = await place.trama(args);
    assert.is(code, 2, stderr);
    assert.match(stderr, message);
  });
}

command("what is no run is refused with the places where it was looked for", async () => {
  const missing = await place.trama(["report", "nothing"]);
  assert.is(missing.code, 1);
  assert.match(missing.stderr, /none at nothing\.run\.json, runs[/\\]nothing\.run\.json/);
  writeFileSync(at("broken.run.json"), "{}");
  assert.match(
    (await place.trama(["report", "broken.run.json"])).stderr,
    /^trama: broken\.run\.json: expected what a run .* got other JSON/,
  );
});

command.run();
