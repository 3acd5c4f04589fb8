/** `trama export`: a saved network as a file for other programs. */
import { Option, type Command } from "commander";
import { OptionError } from "../errors.ts";
import { exportOnnx, type OnnxDescription, type Port } from "../onnx/index.ts";
import { load } from "../weights/index.ts";
import { withDevice } from "./devices.ts";
import { fileNamed, withAdapterOption, withOutputOptions, type AdapterOption } from "./options.ts";
import { perform } from "./perform.ts";
import { requireNetwork, requireWritable } from "./runs.ts";
import type { OutputOptions, Terminal } from "./terminal.ts";
import { count, fileSize, labelled } from "./text.ts";

interface ExportOptions extends AdapterOption, OutputOptions {
  readonly onnx?: string;
  readonly layout: "nchw" | "nhwc";
  readonly preprocessing?: boolean;
}

const NOTES = `
Examples:
  trama export runs/convnet.safetensors --onnx convnet.onnx
  trama export runs/convnet.safetensors --onnx convnet.onnx --preprocessing     the file takes pixels as they are

The batch is free. Names of classes, the normalisation of pixels and the layout are in the file's metadata.`;

export function addExport(program: Command): void {
  const command = program
    .command("export")
    .description("write a saved network as ONNX, for other runtimes")
    .argument("<model>", "safetensors file that Trama saved")
    .addOption(new Option("--onnx <file>", "file to write").argParser(fileNamed(".onnx")))
    .addOption(new Option("--layout <order>", "axes of images").choices(["nchw", "nhwc"]).default("nchw"))
    .option("--preprocessing", "take pixels (uint8, 0…255), and normalise them in the file");
  withOutputOptions(withAdapterOption(command))
    .addHelpText("after", NOTES)
    .action((model: string, options: ExportOptions) =>
      perform(options, (terminal) => exportModel(model, options, terminal)),
    );
}

async function exportModel(path: string, options: ExportOptions, terminal: Terminal): Promise<void> {
  const { onnx, layout, preprocessing = false } = options;
  if (onnx === undefined) {
    throw new OptionError({ where: "export", expected: "--onnx FILE, the one format that there is", got: "none" });
  }
  await requireNetwork(path);
  await requireWritable(onnx, "--onnx");
  const [described, parameters] = await withDevice(options, async (device) => {
    const model = await load(device, path);
    return [await exportOnnx(model, onnx, { layout, includePreprocessing: preprocessing }), model.size] as const;
  });
  terminal.event("export", { file: onnx, model: path, parameters, ...described });
  const line = (label: string, text: string): void =>
    terminal.say(...labelled(terminal.bold(label), text, terminal.width));
  line("Model", `${path} · ${count(parameters)} parameters`);
  line("Format", formatText(described));
  line("Input", portText(described.input));
  line("Output", portText(described.output));
  terminal.result(`${onnx} (${fileSize(described.bytes)}, ${count(described.bytes)} bytes)`);
}

function formatText({ opset, irVersion, nodes }: OnnxDescription): string {
  return `ONNX opset ${opset} · IR version ${irVersion} · ${count(nodes)} nodes`;
}

function portText({ name, type, shape, description }: Port): string {
  return `${name} · ${type} [${shape.join(", ")}] · ${description}`;
}
