/**
 * Phases: how the adjoint of a strided convolution visits its result. Stepping by s, only every s-th pixel meets the same
 * taps, so pixels p = s·a + phase are one dense product with the few taps r that solve p + before − d·r ≡ 0 (mod s):
 *
 *   r = first + t·s/g,   place in x = a + shift − t·d/g,   g = gcd(s, d)
 *
 * No tap is loaded only to find that it does not divide. Each phase is a slice of the grid's third dimension.
 */
import type { Direction } from "../geometry.ts";

export const PHASES = /* wgsl */ `
struct Phase { first: u32, taps: u32, shift: u32 }

fn phaseAlong(place: u32, phases: u32, every: u32, tapStep: u32, kernel: u32) -> Phase {
  let dilation = tapStep * phases / every;
  var first = 0u;
  while (first < every && (first * dilation) % phases != place % phases) { first++; }
  let taps = select(0u, (kernel - first + every - 1u) / every, first < min(every, kernel));
  return Phase(first, taps, u32((i32(place) - i32(first * dilation)) / i32(phases)));
}

fn phaseY(phase: u32) -> Phase { return phaseAlong(phase / u.phasesX - u.padY, u.phasesY, u.everyY, 0u - u.tapY, u.kh); }
fn phaseX(phase: u32) -> Phase { return phaseAlong(phase % u.phasesX - u.padX, u.phasesX, u.everyX, 0u - u.tapX, u.kw); }

fn resultRow(m: u32, phase: u32) -> u32 {                  // the greatest u32 where the image ends before
  let image = m / u.pixels; let p = m % u.pixels;
  let row = p / u.ow * u.phasesY + phase / u.phasesX; let column = p % u.ow * u.phasesX + phase % u.phasesX;
  return select(0xffffffffu, (image * u.ch + row) * u.cw + column, m < u.m && row < u.ch && column < u.cw);
}`;

/** What the kernels must know of one direction's phases: their number, filter places between taps, steps of x between taps. */
export function phasesAlong({ stride, dilation }: Direction): { phases: number; every: number; step: number } {
  const common = greatestCommonDivisor(stride, dilation);
  return { phases: stride, every: stride / common, step: dilation / common };
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
