/**
 * What differs between Node and a page where pictures become pixels, and nothing else. `package.json` maps `#rasterise` to
 * `rasterise.node.ts` (the package `@resvg/resvg-js`) or `rasterise.browser.ts` (the browser itself); both export exactly
 * the functions of `PlatformRasteriser`.
 */
export interface PlatformRasteriser {
  /**
   * Draws an SVG picture as PNG, `scale` pixels to a unit.
   * @throws {DataError} when what draws it is missing. @throws {FormatError} when it is no picture.
   */
  svgToPng(svg: string, scale: number): Promise<Uint8Array>;
}
