/**
 * Colours of pictures. The first three of a series are Okabe and Ito's (2008), the others were chosen with them: any two
 * stay apart for people with any colour blindness, and each stands out from its background (a test holds both).
 */

export interface Theme {
  /** Behind everything. */
  readonly surface: string;
  /** Text. */
  readonly ink: string;
  /** Text that matters less, and axes. */
  readonly muted: string;
  /** Lines of a grid, borders. */
  readonly line: string;
  /** Of lines and bars, in this order. */
  readonly series: readonly string[];
  /** Right and wrong; never told by colour alone. */
  readonly good: string;
  readonly bad: string;
  /** Laid over the surface as densely as a value is high. */
  readonly heat: string;
}

const LIGHT: Theme = {
  surface: "#ffffff",
  ink: "#1a1f26",
  muted: "#57606a",
  line: "#d8dee4",
  series: ["#0072b2", "#d55e00", "#009e73", "#7d2468", "#523a00", "#87919c"],
  good: "#00795a",
  bad: "#c24a00",
  heat: "#0072b2",
};

const DARK: Theme = {
  surface: "#12161c",
  ink: "#e8ecf1",
  muted: "#a3adb8",
  line: "#303843",
  series: ["#3fa9f5", "#f0742b", "#2fd6a5", "#f4b2ee", "#f5e663", "#6f7985"],
  good: "#2fd6a5",
  bad: "#ff8a4a",
  heat: "#3fa9f5",
};

/** Names of the colours as properties of CSS, such as `--trama-ink`. */
function named(value: (name: string) => string): Theme {
  const { series, ...single } = LIGHT;
  const names = Object.keys(single) as (keyof typeof single)[];
  const colours = Object.fromEntries(names.map((name) => [name, value(name)])) as unknown as typeof single;
  return { ...colours, series: series.map((_, at) => value(`series-${at}`)) };
}

/** `page` takes its colours from CSS, so that one picture suits a page in either theme; see `themeStyle`. */
export type ThemeName = "light" | "dark" | "page";

export const themes: Readonly<Record<ThemeName, Theme>> = {
  light: LIGHT,
  dark: DARK,
  page: named((name) => `var(--trama-${name})`),
};

/** CSS of the colours of the theme `page`: those of one theme, or as the reader's system prefers. */
export function themeStyle(mode: "light" | "dark" | "auto"): string {
  if (mode !== "auto") return `:root{color-scheme:${mode};${declarations(themes[mode])}}`;
  return [
    `:root{color-scheme:light dark;${declarations(LIGHT)}}`,
    `@media screen and (prefers-color-scheme:dark){:root{${declarations(DARK)}}}`,
  ].join("\n");
}

function declarations({ series, ...single }: Theme): string {
  const all = [...Object.entries(single), ...series.map((colour, at) => [`series-${at}`, colour] as const)];
  return all.map(([name, colour]) => `--trama-${name}:${colour}`).join(";");
}
