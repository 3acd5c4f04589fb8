/** A program's kernels as a table for people. */
import type { ProgramMemory } from "./compile.ts";
import type { KernelReport, KernelTime } from "./program.ts";

interface Column {
  readonly head: string;
  readonly width: number;
  readonly cell: (kernel: KernelReport & Partial<KernelTime>, index: number) => string;
}

const COLUMNS: readonly Column[] = [
  { head: "#", width: 3, cell: (_, index) => String(index + 1) },
  { head: "workgroups", width: 12, cell: ({ workgroups }) => workgroups.join("×") },
  { head: "buffers", width: 7, cell: ({ buffers }) => String(buffers) },
  { head: "MiB", width: 8, cell: ({ bytes }) => (bytes / 2 ** 20).toFixed(2) },
  { head: "MFLOP", width: 9, cell: ({ flops }) => (flops / 1e6).toFixed(2) },
];

const TIMES: readonly Column[] = [
  { head: "ms", width: 8, cell: ({ milliseconds = 0 }) => milliseconds.toFixed(3) },
  { head: "roofline", width: 8, cell: ({ roofline = 0 }) => `${(100 * roofline).toFixed(0)} %` },
];

const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

export function explainKernels(kernels: readonly KernelReport[], { planned, unshared }: ProgramMemory): string {
  const timed = kernels.some((kernel) => "milliseconds" in kernel);
  const columns = timed ? [...COLUMNS, ...TIMES] : COLUMNS;
  const line = (cell: (column: Column) => string, name: string) =>
    `${columns.map((column) => cell(column).padStart(column.width)).join("  ")}  ${name}`;
  const rows = kernels.map((kernel, index) =>
    line(({ cell }) => cell(kernel, index), [kernel.name, ...kernel.fused].join(" + ")),
  );
  const total = kernels.reduce((sum, kernel) => sum + ((kernel as Partial<KernelTime>).milliseconds ?? 0), 0);
  const summary = `${kernels.length} kernels${timed ? `, ${total.toFixed(2)} ms` : ""}; intermediates: ${mebibytes(planned)} planned, ${mebibytes(unshared)} without sharing`;
  return [line(({ head }) => head, "kernel + what is fused into it"), ...rows, summary].join("\n");
}
