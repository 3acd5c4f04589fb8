/** Where the words of an SVG picture stand, as far as that can be told without a font. */
import { textExtent } from "../../src/report/svg.ts";

export interface Word {
  readonly text: string;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

type Matrix = readonly [a: number, b: number, c: number, d: number, e: number, f: number];

const UNMOVED: Matrix = [1, 0, 0, 1, 0, 0];

/** Boxes around all texts. @param generosity share of the estimated width that counts: the estimate is on the safe side. */
export function wordsIn(svg: string, generosity = 0.85): Word[] {
  const inherited = Number(/<svg[^>]* font-size="([\d.]+)"/.exec(svg)?.[1] ?? 12);
  return Array.from(svg.matchAll(/<text([^>]*)>([^]*?)<\/text>/g), ([, attributes, content]) => {
    const attribute = (name: string): string | undefined => new RegExp(` ${name}="([^"]*)"`).exec(attributes!)?.[1];
    const size = Number(/font-size:([\d.]+)px/.exec(attributes!)?.[1] ?? attribute("font-size") ?? inherited);
    const text = unescaped(content!.replace(/<title>[^]*?<\/title>/g, "").replace(/<[^>]*>/g, ""));
    const width = textExtent(text, size) * generosity;
    const anchor = attribute("text-anchor") ?? "start";
    const x = Number(attribute("x") ?? 0) - width * ({ start: 0, middle: 0.5, end: 1 }[anchor] ?? 0);
    const central = attribute("dominant-baseline") === "central";
    const y = Number(attribute("y") ?? 0) + (central ? -0.36 : -0.72) * size;
    const matrix = matrixOf(attribute("transform") ?? "");
    const corners = [x, x + width].flatMap((px) => [y, y + 0.72 * size].map((py) => moved(matrix, px, py)));
    return {
      text,
      left: Math.min(...corners.map(([px]) => px)),
      right: Math.max(...corners.map(([px]) => px)),
      top: Math.min(...corners.map(([, py]) => py)),
      bottom: Math.max(...corners.map(([, py]) => py)),
    };
  });
}

/** Pairs of words that stand on each other. */
export function collisions(words: readonly Word[]): string[] {
  return words.flatMap((a, at) =>
    words
      .slice(at + 1)
      .filter((b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom)
      .map((b) => `"${a.text}" on "${b.text}"`),
  );
}

/** Words that leave the picture. */
export function outcasts(svg: string, words: readonly Word[]): string[] {
  const [width, height] = sizeOf(svg);
  return words
    .filter(({ left, right, top, bottom }) => left < -1 || top < -1 || right > width + 1 || bottom > height + 1)
    .map(({ text }) => text);
}

/** Width and height of a picture. */
export function sizeOf(svg: string): [number, number] {
  const [, width, height] = /viewBox="0 0 ([\d.]+) ([\d.]+)"/.exec(svg)!;
  return [Number(width), Number(height)];
}

function moved([a, b, c, d, e, f]: Matrix, x: number, y: number): readonly [number, number] {
  return [a * x + c * y + e, b * x + d * y + f];
}

function matrixOf(transform: string): Matrix {
  return Array.from(transform.matchAll(/(\w+)\(([^)]*)\)/g)).reduce((before, [, kind, list]) => {
    const values = list!.split(/[ ,]+/).map(Number);
    return times(before, single(kind!, values));
  }, UNMOVED);
}

function single(kind: string, values: readonly number[]): Matrix {
  if (kind === "translate") return [1, 0, 0, 1, values[0]!, values[1] ?? 0];
  if (kind === "matrix") return values as unknown as Matrix;
  if (kind === "scale") return [values[0]!, 0, 0, values[1] ?? values[0]!, 0, 0];
  const angle = (values[0]! * Math.PI) / 180;
  const [sin, cos] = [Math.sin(angle), Math.cos(angle)];
  return [cos, sin, -sin, cos, 0, 0];
}

function times([a, b, c, d, e, f]: Matrix, [g, h, i, j, k, l]: Matrix): Matrix {
  return [a * g + c * h, b * g + d * h, a * i + c * j, b * i + d * j, a * k + c * l + e, b * k + d * l + f];
}

function unescaped(text: string): string {
  return text
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&#39;", "'")
    .replaceAll("&amp;", "&");
}
