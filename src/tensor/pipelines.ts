/**
 * Compiled kernels, one for each source. The cache's key is made from all that the source depends on, never by hand.
 * Programs compile their pipelines side by side and wait for all; eager calls compile on first use.
 */
import { DeviceError } from "../errors.ts";
import type { Dispatch } from "./kernel.ts";
import { bindingsOf, sourceKey, sourceOf, uniformsOf } from "./wgsl.ts";

export interface Pipeline {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
  readonly source: string;
}

const COMPUTE_STAGE = 0x4;

export class PipelineCache {
  readonly #device: GPUDevice;
  readonly #pipelines = new Map<string, Pipeline>();
  readonly #pending = new Map<string, Promise<Pipeline>>();
  readonly #layouts = new Map<string, GPUBindGroupLayout>();

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  get size(): number {
    return this.#pipelines.size;
  }

  /** The pipeline of a dispatch, compiled now if need be. A source that does not compile is reported at the next await. */
  get(dispatch: Dispatch): Pipeline {
    const key = sourceKey(dispatch);
    const known = this.#pipelines.get(key);
    if (known) return known;
    const made = this.#describe(dispatch);
    const entry = {
      pipeline: this.#device.createComputePipeline(made.descriptor),
      layout: made.layout,
      source: made.source,
    };
    this.#pipelines.set(key, entry);
    return entry;
  }

  /** The same without blocking: any number of these compile in parallel. Throws `DeviceError` with the offending line. */
  async getAsync(dispatch: Dispatch): Promise<Pipeline> {
    const key = sourceKey(dispatch);
    const known = this.#pipelines.get(key);
    if (known) return known;
    const pending = this.#pending.get(key) ?? this.#compile(key, dispatch);
    this.#pending.set(key, pending);
    return pending;
  }

  async #compile(key: string, dispatch: Dispatch): Promise<Pipeline> {
    this.#device.pushErrorScope("validation");
    const { descriptor, layout, source, module } = this.#describe(dispatch);
    const scope = this.#device.popErrorScope();
    try {
      const pipeline = await this.#device.createComputePipelineAsync(descriptor);
      const entry = { pipeline, layout, source };
      this.#pipelines.set(key, entry);
      return entry;
    } catch (cause) {
      throw await explain(dispatch.kernel.name, source, module, cause);
    } finally {
      await scope;
      this.#pending.delete(key);
    }
  }

  #describe(dispatch: Dispatch) {
    const label = dispatch.kernel.name;
    const source = sourceOf(dispatch);
    const module = this.#device.createShaderModule({ code: source, label });
    const layout = this.#layout(dispatch);
    const descriptor: GPUComputePipelineDescriptor = {
      label,
      layout: this.#device.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module, entryPoint: "main" },
    };
    return { descriptor, layout, source, module };
  }

  /** Layouts are explicit: "auto" would drop bindings that a variant does not read, and bind groups would not fit. */
  #layout(dispatch: Dispatch): GPUBindGroupLayout {
    const bindings = bindingsOf(dispatch);
    const uniform = uniformsOf(dispatch).length > 0;
    const key = `${uniform ? "u" : "-"}${bindings.map(({ writable }) => (writable ? "w" : "r")).join("")}`;
    const known = this.#layouts.get(key);
    if (known) return known;
    const entries: GPUBindGroupLayoutEntry[] = bindings.map(({ writable }, index) => ({
      binding: index + 1,
      visibility: COMPUTE_STAGE,
      buffer: { type: writable ? "storage" : "read-only-storage" },
    }));
    if (uniform) entries.unshift({ binding: 0, visibility: COMPUTE_STAGE, buffer: { type: "uniform" } });
    const layout = this.#device.createBindGroupLayout({ label: key, entries });
    this.#layouts.set(key, layout);
    return layout;
  }
}

/** Turns a compiler's complaint into an error that shows the line. */
async function explain(kernel: string, source: string, module: GPUShaderModule, cause: unknown): Promise<DeviceError> {
  const info = await module.getCompilationInfo().catch(() => null);
  const message = info?.messages.find(({ type }) => type === "error");
  const got = message
    ? `line ${message.lineNum}, column ${message.linePos}: ${message.message}\n${excerpt(source, message.lineNum)}`
    : String(cause instanceof Error ? cause.message : cause);
  return new DeviceError(
    {
      where: `kernel "${kernel}"`,
      expected: "WGSL that this adapter compiles",
      got,
      advice: "mend the kernel's source",
    },
    { cause },
  );
}

/** The line and its two neighbours on either side, numbered, the line marked. */
export function excerpt(source: string, line: number): string {
  const lines = source.split("\n");
  const first = Math.max(1, line - 2);
  const last = Math.min(lines.length, line + 2);
  const rows: string[] = [];
  for (let number = first; number <= last; number++) {
    rows.push(`${number === line ? ">" : " "} ${String(number).padStart(4)} | ${lines[number - 1]}`);
  }
  return rows.join("\n");
}
