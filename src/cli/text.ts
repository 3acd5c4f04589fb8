/** Text for terminals: tables, boxes, wrapping, numbers. */
import { textTable, textWidth } from "../report/index.ts";

/** Columns of a table: `l` flush left, `r` flush right, one letter each. */
export type Alignment = string;

/** Rows, the first of which has the titles, as lines of equal columns, two blanks apart. */
export function table([titles = [], ...rows]: readonly (readonly string[])[], alignment: Alignment): string[] {
  const columns = Array.from(alignment, (letter, column) => ({
    title: titles[column] ?? "",
    align: letter === "r" ? ("right" as const) : ("left" as const),
  }));
  return textTable({ columns, rows });
}

/** Breaks text at blanks so that no line is wider than `width`, unless one word is. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && textWidth(last) + 1 + textWidth(word) <= width) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else lines.push(word);
  }
  return lines.map((line) => line.replaceAll(TIE, " "));
}

/** A blank at which lines are not broken; no more than a blank once they are. */
const TIE = "\u00a0";

/** Items in a row, none of which is broken over two lines. */
export function listed(items: readonly string[]): string {
  return items.map((item) => item.replaceAll(" ", TIE)).join(`${TIE}· `);
}

/** A label in a margin, and text beside it that stays clear of the margin when it wraps. */
export function labelled(label: string, text: string, width: number, margin = 10): string[] {
  const lines = wrap(text, Math.max(20, width - margin));
  const blanks = (taken: number): string => " ".repeat(Math.max(0, margin - taken));
  return lines.map((line, at) => (at === 0 ? label + blanks(textWidth(label)) : blanks(0)) + line);
}

/** Lines in a frame that cannot be overlooked. */
export function box(lines: readonly string[]): string[] {
  const width = Math.max(...lines.map(textWidth));
  const rule = "━".repeat(width + 2);
  return [`┏${rule}┓`, ...lines.map((line) => `┃ ${line}${" ".repeat(width - textWidth(line))} ┃`), `┗${rule}┛`];
}

/** `474,590` */
export function count(value: number): string {
  return value.toLocaleString("en-US", { maximumFractionDigits: 0 });
}

/** `1.9 MB`, in powers of 1,000 as file managers count. */
export function fileSize(bytes: number): string {
  if (bytes < 1e3) return `${bytes} bytes`;
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} KB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** `2 GiB`, `32 KiB`: limits of devices are powers of two. */
export function memorySize(bytes: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  return `${Number((bytes / 1024 ** power).toFixed(1))} ${units[power]}`;
}

/** `8.3 s`, `2 min 10 s` */
export function duration(seconds: number): string {
  if (seconds < 100) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** Four digits, as scores are compared by. */
export function score(value: number): string {
  return value.toFixed(4);
}
