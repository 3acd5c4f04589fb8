/** Tables of text: aligned for terminals, as Markdown, as CSV. */

export interface Column {
  readonly title: string;
  /** Default: "right", as numbers are read. */
  readonly align?: "left" | "right";
  /** Least width in aligned text. */
  readonly width?: number;
}

export interface Table {
  readonly columns: readonly Column[];
  /** Cells; missing ones are empty. A row without cells is a blank line in aligned text, and nothing elsewhere. */
  readonly rows: readonly (readonly string[])[];
}

/** Lines of equal columns, `gap` blanks apart, under a line of titles. */
export function textTable({ columns, rows }: Table, { gap = 2 }: { readonly gap?: number } = {}): string[] {
  const lines = [columns.map(({ title }) => title), ...rows].map((cells) => cells.map(oneLine));
  const widths = columns.map(({ width = 0 }, column) =>
    Math.max(width, ...lines.map((cells) => textWidth(cells[column] ?? ""))),
  );
  return lines.map((cells) => {
    if (cells.length === 0) return "";
    const padded = columns.map(({ align }, column) => pad(cells[column] ?? "", widths[column]!, align));
    return padded.join(" ".repeat(gap)).trimEnd();
  });
}

/** A table of GitHub Flavored Markdown. */
export function markdownTable({ columns, rows }: Table): string {
  const escaped = (cells: readonly string[]): string[] =>
    columns.map((_, column) =>
      oneLine(cells[column] ?? "")
        .replaceAll("\\", "\\\\")
        .replaceAll("|", "\\|"),
    );
  const lines = [columns.map(({ title }) => title), ...rows.filter(({ length }) => length > 0)].map(escaped);
  const widths = columns.map((_, column) => Math.max(3, ...lines.map((cells) => textWidth(cells[column]!))));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => pad(cell, widths[column]!, columns[column]!.align)).join(" | ")} |`;
  const rule = columns.map(({ align = "right" }, column) =>
    align === "left" ? "-".repeat(widths[column]!) : `${"-".repeat(widths[column]! - 1)}:`,
  );
  return [line(lines[0]!), line(rule), ...lines.slice(1).map(line)].join("\n");
}

/** Comma-separated values by RFC 4180: lines end with CR LF, quotes where a cell needs them. */
export function csvTable({ columns, rows }: Table): string {
  const lines = [columns.map(({ title }) => title), ...rows.filter(({ length }) => length > 0)];
  return lines.map((cells) => `${columns.map((_, column) => csvCell(cells[column] ?? "")).join(",")}\r\n`).join("");
}

function csvCell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Fills up with blanks to `width` columns of a terminal. */
export function pad(text: string, width: number, align: "left" | "right" = "right"): string {
  const blanks = " ".repeat(Math.max(0, width - textWidth(text)));
  return align === "left" ? text + blanks : blanks + text;
}

const ANSI = new RegExp(`${String.fromCodePoint(27)}\\[[0-9;]*m`, "g");
const PLAIN = /^[ -~]*$/;
/** Starts of graphemes that take no room: marks, joiners, controls. */
const INVISIBLE = /^[\p{Mn}\p{Me}\p{Cf}\p{Cc}]/u;
/** Graphemes two columns wide: East Asian wide and fullwidth characters (Unicode Annex 11), and pictures. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{1b000}-\u{1b2ff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}|\ufe0f/u;

/** Columns that a text takes on a terminal; colours take none. */
export function textWidth(text: string): number {
  const visible = text.replace(ANSI, "");
  if (PLAIN.test(visible)) return visible.length;
  let width = 0;
  for (const { segment } of new Intl.Segmenter().segment(visible)) {
    if (!INVISIBLE.test(segment)) width += WIDE.test(segment) ? 2 : 1;
  }
  return width;
}

/** A cell is one line, whatever is in it. */
function oneLine(text: string): string {
  return text.replace(/[\r\n\t]+/g, " ");
}

/**
 * With `digits` decimals, exact ties to the even digit, as C and Python print (`toFixed` takes them away from zero). A tie
 * is a dyadic fraction: an odd number of halves to the power of digits + 1.
 */
export function fixed(value: number, digits: number): string {
  if (!Number.isFinite(value)) return String(value).toLowerCase();
  const size = Math.abs(value);
  const halves = size * 2 ** (digits + 1);
  const below = Math.floor(size * 10 ** digits);
  const isTie = Number.isInteger(halves) && halves % 2 === 1;
  const text = isTie && below % 2 === 0 ? (below / 10 ** digits).toFixed(digits) : size.toFixed(digits);
  return value < 0 ? `-${text}` : text;
}
