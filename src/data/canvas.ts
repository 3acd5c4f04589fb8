/**
 * A tiny grey canvas with exact-area anti-aliasing: each edge of an outline adds its signed area to the pixels that it
 * crosses, and a running sum along the row turns that into coverage (the method of font rasterisers).
 * Only + − × ÷ √ and floor are used, which IEEE 754 rounds the same everywhere: pictures are equal on every machine.
 */

/** x to the right, y downwards, in pixels; pixel (0, 0) covers [0, 1)². */
export type Point = readonly [x: number, y: number];

/** Brightness of a point, 0 black … 1 white; values outside are clipped when read. */
export type Paint = (x: number, y: number) => number;

/** A square of grey values. */
export interface Canvas {
  readonly side: number;
  /** Brightness, shape [side, side], row-major. */
  readonly values: Float64Array;
  /** Paints the inside of a closed outline over what is there. */
  fill(outline: readonly Point[], paint: Paint): void;
  /** Paints a line of that width along the points. */
  stroke(path: readonly Point[], width: number, paint: Paint): void;
}

/** A black canvas. */
export function createCanvas(side: number): Canvas {
  const values = new Float64Array(side * side);
  const fill = (outline: readonly Point[], paint: Paint): void =>
    paintCoverage(values, side, areaSums(outline, side), paint);
  return {
    side,
    values,
    fill,
    stroke: (path, width, paint) => {
      for (let at = 1; at < path.length; at++) {
        const quad = thickSegment(path[at - 1], path[at], width);
        if (quad !== undefined) fill(quad, paint);
      }
    },
  };
}

/** Points along a quadratic Bézier curve, its start left out, so that curves and corners can be chained. */
export function curveTo(start: Point, control: Point, end: Point, pieces = 6): readonly Point[] {
  return Array.from({ length: pieces }, (_, at): Point => {
    const t = (at + 1) / pieces;
    const rest = 1 - t;
    const mix = (a: number, b: number, c: number): number => rest * rest * a + 2 * rest * t * b + t * t * c;
    return [mix(start[0], control[0], end[0]), mix(start[1], control[1], end[1])];
  });
}

function thickSegment(start: Point | undefined, end: Point | undefined, width: number): readonly Point[] | undefined {
  if (start === undefined || end === undefined) return undefined;
  const dx = end[0] - start[0];
  const dy = end[1] - start[1];
  const length = Math.sqrt(dx * dx + dy * dy);
  if (length === 0) return undefined;
  const across: Point = [(-dy / length) * (width / 2), (dx / length) * (width / 2)];
  return [
    [start[0] + across[0], start[1] + across[1]],
    [end[0] + across[0], end[1] + across[1]],
    [end[0] - across[0], end[1] - across[1]],
    [start[0] - across[0], start[1] - across[1]],
  ];
}

function paintCoverage(values: Float64Array, side: number, sums: Float64Array, paint: Paint): void {
  for (let y = 0; y < side; y++) {
    let running = 0;
    for (let x = 0; x < side; x++) {
      running += sums[y * (side + 2) + x] ?? 0;
      const coverage = Math.min(1, Math.abs(running));
      if (coverage < 1e-9) continue;
      const at = y * side + x;
      values[at] = (values[at] ?? 0) * (1 - coverage) + coverage * paint(x + 0.5, y + 0.5);
    }
  }
}

/** Differences of coverage along each row; two spare columns take what lies to the right. */
function areaSums(outline: readonly Point[], side: number): Float64Array {
  const sums = new Float64Array(side * (side + 2));
  let from = outline[outline.length - 1];
  for (const to of outline) {
    if (from !== undefined) addEdge(sums, side, from, to);
    from = to;
  }
  return sums;
}

function addEdge(sums: Float64Array, side: number, from: Point, to: Point): void {
  if (from[1] === to[1]) return;
  const down = from[1] < to[1];
  const [top, bottom] = down ? [from, to] : [to, from];
  const slope = (bottom[0] - top[0]) / (bottom[1] - top[1]);
  const firstRow = Math.max(0, Math.floor(top[1]));
  const lastRow = Math.min(side, Math.ceil(bottom[1]));
  for (let row = firstRow; row < lastRow; row++) {
    const enter = Math.max(row, top[1]);
    const leave = Math.min(row + 1, bottom[1]);
    const x0 = clamp(top[0] + (enter - top[1]) * slope, side);
    const x1 = clamp(top[0] + (leave - top[1]) * slope, side);
    addSpan(sums, row * (side + 2), Math.min(x0, x1), Math.max(x0, x1), down ? leave - enter : enter - leave);
  }
}

/** Spreads `height`, the part of the row that an edge from `left` to `right` crosses, over the pixels right of it. */
function addSpan(sums: Float64Array, rowStart: number, left: number, right: number, height: number): void {
  const first = Math.floor(left);
  const width = right - left;
  let before = 0;
  for (let pixel = first; pixel === first || pixel < right; pixel++) {
    // Area of this pixel that lies right of the edge, as a share of `height`.
    const covered = width < 1e-12 ? pixel + 1 - left : shareRightOfEdge(left, right, pixel);
    sums[rowStart + pixel] = (sums[rowStart + pixel] ?? 0) + height * (covered - before);
    before = covered;
  }
  const next = rowStart + Math.max(first + 1, Math.ceil(right));
  sums[next] = (sums[next] ?? 0) + height * (1 - before);
}

/** Mean over the edge's points x, evenly spread on [left, right], of the part of [pixel, pixel + 1] right of x. */
function shareRightOfEdge(left: number, right: number, pixel: number): number {
  const inner0 = Math.max(left, pixel);
  const inner1 = Math.min(right, pixel + 1);
  const passed = Math.max(0, Math.min(right, pixel) - left);
  const inside = Math.max(0, inner1 - inner0);
  return (passed + inside * (pixel + 1 - (inner0 + inner1) / 2)) / (right - left);
}

function clamp(x: number, side: number): number {
  return Math.min(Math.max(x, 0), side);
}
