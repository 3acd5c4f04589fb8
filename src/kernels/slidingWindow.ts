/**
 * Windows that slide along the rows of an image, as unrolled WGSL. An invocation owns tiles of neighbouring values side by
 * side, keeps the places of the image that a tile's taps meet in registers, and from one tile to the next loads only what
 * enters that window. Which tap meets which place is a table made here, for a strided filter and for its adjoint.
 */

/** A filter along one direction, and the tile of values that is computed at once; all of it is compiled in. */
export interface Sliding {
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  readonly tile: number;
  /** Of the adjoint, whose tiles have `tile` × stride values: padding modulo stride. Of a filter: −1. */
  readonly remainder: number;
}

/** A value of a tile sums over taps, each of which meets a place of the window. */
type Taps = readonly { readonly tap: number; readonly place: number }[];

/** One direction of the window. */
export interface Slide {
  readonly values: readonly Taps[];
  /** Places that some tap meets, ascending from 0. */
  readonly places: readonly number[];
  /** Places from one tile to the next. */
  readonly step: number;
  /** Where place 0 of the first tile lies in an image without padding. */
  readonly origin: number;
}

/** Value i of a filter meets places s·i + d·r; value i of its adjoint meets (i + p − d·r) / s, where that divides. */
export function slide({ kernel, stride, dilation, tile, remainder }: Sliding): Slide {
  const adjoint = remainder >= 0;
  const placeOf = (value: number, tap: number) =>
    adjoint ? (value + remainder - tap * dilation) / stride : value * stride + tap * dilation;
  const values = range(adjoint ? tile * stride : tile).map((value) =>
    range(kernel)
      .map((tap) => ({ tap, place: placeOf(value, tap) }))
      .filter(({ place }) => Number.isInteger(place)),
  );
  const places = [...new Set(values.flat().map(({ place }) => place))].sort((a, b) => a - b);
  const origin = places[0] ?? 0;
  return {
    values: values.map((taps) => taps.map(({ tap, place }) => ({ tap, place: place - origin }))),
    places: places.map((place) => place - origin),
    step: adjoint ? tile : tile * stride,
    origin,
  };
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

/** What a walk over the tiles of a row does, as WGSL. */
export interface Walk {
  /** Reads a place of window row `row`, at column `x<column>` of the image, 0 where that lies outside. */
  readonly load: (row: number, column: number) => string;
  /** What follows for value (i, j) of a tile: the products that it sums. */
  readonly visit: (i: number, j: number, products: readonly Product[]) => string;
}

/** The register of a place, and the tap that meets it. */
export interface Product {
  readonly place: string;
  readonly tap: readonly [row: number, column: number];
}

/**
 * WGSL that walks `turns` tiles from tile `first` on; place 0 of tile 0 is column `origin`. A place is loaded as it enters the
 * window and grows older there. The window fills while it slides towards the first tile: that costs a few idle turns instead
 * of a second copy of the loads, which are most of what a driver compiles.
 */
export function overTiles(rows: Slide, columns: Slide, { load, visit }: Walk): string {
  const { places, step } = columns;
  const age = (place: number): number => (places.includes(place + step) ? 1 + age(place + step) : 0);
  const kept = places.filter((place) => age(place) > 0);
  const entering = places.filter((place) => age(place) === 0);
  const lead = Math.max(...places.map(age));
  const window = (list: readonly number[], piece: (register: string, row: number, column: number) => string) =>
    list.flatMap((column) => rows.places.map((row) => piece(`v${row}_${column}`, row, column))).join("\n");
  const products = (down: Taps, across: Taps): Product[] =>
    down.flatMap((r) => across.map((q) => ({ place: `v${r.place}_${q.place}`, tap: [r.tap, q.tap] as const })));
  const values = rows.values.flatMap((down, i) =>
    columns.values.map((across, j) => visit(i, j, products(down, across))),
  );
  return /* wgsl */ `
    ${window(places, (register) => `var ${register} = f32v();`)}
    for (var turn = 0u; turn < turns + ${lead}u; turn++) {
      let tile = first + turn - ${lead}u;
      ${entering.map((place) => `let x${place} = tile * ${step}u + ${place}u + origin;`).join("\n")}
      ${window(entering, (register, row, column) => `${register} = ${load(row, column)};`)}
      if (turn >= ${lead}u) {
        ${values.join("\n")}
      }
      ${window(kept, (register, row, column) => `${register} = v${row}_${column + step};`)}
    }`;
}
