/**
 * WGSL that reads pictures out of bytes, resized on the way.
 *
 *   seen(i, j) = Σ_y Σ_x wʸ(y, i) · wˣ(x, j) · pixel(y, x) / Σ_y Σ_x wʸ(y, i) · wˣ(x, j)
 *
 * Pixel i of the resized picture lies at p = (i + ½) · s − ½ of the source, s = source size / size: half-pixel centres.
 *
 *   nearest    1 at ⌊(i + ½) · s⌋
 *   bilinear   1 − |y − p| for both neighbours; beyond the border, the border's pixel
 *   triangle   1 − |y − p| / max(s, 1): bilinear that sees every pixel of a picture made smaller (Pillow; `antialias` of
 *              TensorFlow and PyTorch)
 *   area       the part of [i·s, (i + 1)·s] that lies in [y, y + 1] (`area` of TensorFlow, INTER_AREA of OpenCV); of a
 *              picture made larger that is two pixels at most, like bilinear, and the same code with another p (`stretch`)
 *
 * i and j need not be whole: augmentation asks for places between pixels, and the weights above are defined there too. So
 * turning and resizing are one pass over the source.
 */

/** Names of a vector's components, in order. */
export const LANES = "xyzw";

/** The WGSL type of so many channels. */
export function vector(channels: number): string {
  return channels === 1 ? "f32" : `vec${channels}f`;
}

/** How a picture is resized. `copy` is for equal sizes and whole places, `stretch` is `area` for one that is not made smaller. */
export type Filter = "copy" | "nearest" | "bilinear" | "triangle" | "area" | "stretch";

/** `pixel(base, y, x)`: one pixel of the image whose bytes begin at `base`, in 0…1. */
export function pixelFunction(channels: number): string {
  const signature = `fn pixel(base: u32, y: u32, x: u32) -> ${vector(channels)}`;
  const bits =
    channels === 3 // in one word or in two: that of the first byte, and that of the last
      ? "(pixels[at >> 2u] >> k) | ((pixels[(at + 2u) >> 2u] << 1u) << (31u - k))"
      : "pixels[at >> 2u] >> k";
  return /* wgsl */ `
    ${signature} {
      let at = base + (y * u.w + x) * ${channels}u;
      let k = (at & 3u) * 8u;
      return unpack4x8unorm(${bits}).${LANES.slice(0, channels)};
    }`;
}

/**
 * `sample(base, q)`: what the resized picture shows at q = (column, row), in 0…1. `between` says whether q may lie between
 * pixels.
 */
export function sampleFunction(filter: Filter, channels: number, between: boolean): string {
  const signature = `fn sample(base: u32, q: vec2f) -> ${vector(channels)}`;
  switch (filter) {
    case "copy":
      return `${signature} { return pixel(base, u32(q.y), u32(q.x)); }`;
    case "nearest":
      return between ? nearest(signature) : nearestOfWhole(signature);
    case "bilinear":
    case "stretch":
      return twoByTwo(signature, filter);
    case "triangle":
    case "area":
      return window(signature, filter, vector(channels));
  }
}

const nearest = (signature: string): string => /* wgsl */ `
    ${signature} {
      let p = min(vec2u((q + 0.5) * vec2f(u.sx, u.sy)), vec2u(u.w, u.h) - 1u);
      return pixel(base, p.y, p.x);
    }`;

/** ⌊(2i + 1) · source / (2 · size)⌋, because a rounded s may miss an edge that it should meet. */
const nearestOfWhole = (signature: string): string => /* wgsl */ `
    ${signature} {
      let p = (2u * vec2u(q) + 1u) * vec2u(u.w, u.h) / (2u * vec2u(u.ow, u.oh));
      return pixel(base, p.y, p.x);
    }`;

/** `place(q, s)`: the source place p, whose neighbours weigh 1 − |y − p|, for one q or several. */
function placeFunction(filter: "bilinear" | "stretch", name: string, type: string): string {
  const body =
    filter === "bilinear"
      ? "return (q + 0.5) * s - 0.5;"
      : `let first = floor(q * s); return first + max((q + 1.0) * s - first - 1.0, ${type}()) / s;`;
  return `fn ${name}(q: ${type}, s: ${type}) -> ${type} { ${body} }`;
}

const twoByTwo = (signature: string, filter: "bilinear" | "stretch"): string => /* wgsl */ `
    ${placeFunction(filter, "place", "vec2f")}
    ${signature} {
      let last = vec2u(u.w, u.h) - 1u;
      let p = clamp(place(q, vec2f(u.sx, u.sy)), vec2f(), vec2f(last));
      let near = vec2u(p); let far = min(near + 1u, last);
      let part = p - vec2f(near);
      let upper = mix(pixel(base, near.y, near.x), pixel(base, near.y, far.x), part.x);
      let lower = mix(pixel(base, far.y, near.x), pixel(base, far.y, far.x), part.x);
      return mix(upper, lower, part.y);
    }`;

/** What a place sees of a direction: its first pixel, the one after the last, and what the weights need. */
const WINDOWS = {
  triangle: /* wgsl */ `
    fn window(q: f32, s: f32, n: f32) -> vec4f {           // … the centre and the inverse of the radius
      let centre = (q + 0.5) * s; let radius = max(s, 1.0);
      return vec4f(max(floor(centre - radius + 0.5), 0.0), min(floor(centre + radius + 0.5), n), centre, 1.0 / radius);
    }
    fn weight(y: f32, seen: vec4f) -> f32 { return max(0.0, 1.0 - abs(y + 0.5 - seen.z) * seen.w); }`,
  area: /* wgsl */ `
    fn window(q: f32, s: f32, n: f32) -> vec4f {           // … both edges
      let first = q * s; let last = min((q + 1.0) * s, n);
      return vec4f(floor(first), ceil(last), first, last);
    }
    fn weight(y: f32, seen: vec4f) -> f32 { return max(0.0, min(y + 1.0, seen.w) - max(y, seen.z)); }`,
} as const;

const window = (signature: string, filter: keyof typeof WINDOWS, type: string): string => /* wgsl */ `
    ${WINDOWS[filter]}
    ${signature} {
      let rows = window(q.y, u.sy, f32(u.h)); let columns = window(q.x, u.sx, f32(u.w));
      var sum = ${type}(); var total = 0.0;
      for (var y = u32(rows.x); y < u32(rows.y); y++) {
        let down = weight(f32(y), rows);
        for (var x = u32(columns.x); x < u32(columns.y); x++) {
          let part = down * weight(f32(x), columns);
          sum += part * pixel(base, y, x);
          total += part;
        }
      }
      return sum / total;
    }`;

/**
 * `enlarged(base, row, column)`: four neighbours in a row of a grey picture that is not made narrower. They look at five
 * source pixels in each of two rows, which lie in two words each: four loads instead of sixteen.
 */
export const enlargedFunction = (filter: "bilinear" | "stretch"): string => /* wgsl */ `
    ${placeFunction(filter, "place", "f32")}
    ${placeFunction(filter, "places", "vec4f")}
    fn five(base: u32, at: u32) -> vec2u {                 // bytes at … at + 4; those beyond the border weigh nothing
      let k = (at & 3u) * 8u;
      let next = pixels[min((at >> 2u) + 1u, (base + u.w * u.h - 1u) >> 2u)];
      return vec2u((pixels[at >> 2u] >> k) | ((next << 1u) << (31u - k)), next >> k);
    }
    struct Columns { near: u32, steps: vec4u, parts: vec4f }
    fn columnsFor(column: u32) -> Columns {                // what the rows of a thread have in common
      let x = clamp(places(f32(column) + vec4f(0.0, 1.0, 2.0, 3.0), vec4f(u.sx)), vec4f(), vec4f(f32(u.w - 1u)));
      let near = vec4u(x);
      return Columns(near.x, near - near.x, x - vec4f(near));
    }
    fn enlarged(base: u32, row: u32, c: Columns) -> vec4f {
      let y = clamp(place(f32(row), u.sy), 0.0, f32(u.h - 1u));
      let upper = five(base, base + u32(y) * u.w + c.near);
      let lower = five(base, base + min(u32(y) + 1u, u.h - 1u) * u.w + c.near);
      let down = y - floor(y);
      let first = mix(unpack4x8unorm(upper.x), unpack4x8unorm(lower.x), down);
      let fifth = mix(unpack4x8unorm(upper.y).x, unpack4x8unorm(lower.y).x, down);
      let second = vec4f(first.yzw, fifth);
      let k = c.steps;
      let left = vec4f(first[k.x], first[k.y], first[k.z], first[k.w]);
      let right = vec4f(second[k.x], second[k.y], second[k.z], second[k.w]);
      return mix(left, right, c.parts);
    }`;
