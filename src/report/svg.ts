/** Elements of SVG and HTML as text, and how much room text takes. */

type Attributes = Readonly<Record<string, string | number | undefined>>;

/** `<name attributes>children</name>`; numbers are rounded to hundredths, attributes that are undefined left out. */
export function element(name: string, attributes: Attributes = {}, ...children: readonly string[]): string {
  const written = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}="${typeof value === "number" ? rounded(value) : escaped(value!)}"`);
  const start = `<${name}${written.join("")}`;
  return children.length === 0 ? `${start}/>` : `${start}>${children.join("")}</${name}>`;
}

function rounded(value: number): string {
  return String(Math.round(value * 100) / 100);
}

/** Text that is no markup; characters that XML cannot hold become U+FFFD. */
export function escaped(text: string): string {
  return text
    .replace(FORBIDDEN, "\ufffd")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

/** Not in XML 1.0, section 2.2. */
// oxlint-disable-next-line no-control-regex -- these are the characters to find
const FORBIDDEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Surrogate}/gu;

/** Sans serif first on the reader's system, then the one that PNG files are drawn with. */
export const FONTS = "system-ui, Noto Sans, sans-serif";

/** Widths of letters in a sans serif, in units of the font size; rather too wide than too narrow. */
const WIDTHS: readonly (readonly [letters: RegExp, width: number])[] = [
  [/[iljIftr.,:;'’|!()[\]{}/\\ ·-]/, 0.36],
  [/[mwMW%@—…]/, 0.92],
  [/[A-Z&]/, 0.7],
  [/[\u0020-\u024f\u0370-\u04ff]/, 0.58],
];

/** Width of a line of text, in the unit of `fontSize`; an estimate, since no font is at hand. */
export function textExtent(text: string, fontSize: number): number {
  let width = 0;
  for (const letter of text.normalize("NFD").replace(/\p{M}/gu, "")) {
    width += WIDTHS.find(([letters]) => letters.test(letter))?.[1] ?? 1;
  }
  return width * fontSize;
}

/** The text, or as much of its beginning as fits into `width`, with an ellipsis. */
export function shortened(text: string, width: number, fontSize: number): string {
  if (textExtent(text, fontSize) <= width) return text;
  const letters = Array.from(new Intl.Segmenter().segment(text), ({ segment }) => segment);
  while (letters.length > 1 && textExtent(`${letters.join("").trimEnd()}…`, fontSize) > width) letters.pop();
  return `${letters.join("").trimEnd()}…`;
}
