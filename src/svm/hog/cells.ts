/**
 * Second stage: a histogram of directions for each cell.
 *
 * Why histograms: they keep *which* edges are there and forget *exactly where*, which is what makes two shirts alike.
 * Every pixel of a cell votes for its direction with the magnitude of its gradient; the sum is divided by the
 * number of pixels of a cell.
 */
import type { GradientField } from "./gradients.ts";
import type { HogGeometry, HogSettings } from "./options.ts";

/** For each pixel along one axis: the lower of the two nearest cells (may be −1) and the share of the upper one. */
interface AxisShare {
  readonly lower: Int32Array;
  readonly upperShare: Float64Array;
}

/** Distances are measured between pixel centres and cell centres. */
function axisShare(pixels: number, perCell: number): AxisShare {
  const lower = new Int32Array(pixels);
  const upperShare = new Float64Array(pixels);
  for (let i = 0; i < pixels; i++) {
    const position = (i + 0.5) / perCell - 0.5;
    lower[i] = Math.floor(position);
    upperShare[i] = position - Math.floor(position);
  }
  return { lower, upperShare };
}

/** Cell histograms of pictures of one size, into a buffer that the next picture reuses. */
export class CellStage {
  /** Cell rows, cell columns, orientations; row-major. */
  readonly histograms: Float64Array;
  private readonly rowShare: AxisShare;
  private readonly columnShare: AxisShare;
  private readonly width: number;
  private readonly settings: HogSettings;
  private readonly geometry: HogGeometry;

  constructor(height: number, width: number, settings: HogSettings, geometry: HogGeometry) {
    this.width = width;
    this.settings = settings;
    this.geometry = geometry;
    const [cellRows, cellColumns] = geometry.cells;
    this.histograms = new Float64Array(cellRows * cellColumns * settings.orientations);
    this.rowShare = axisShare(height, settings.pixelsPerCell[0]);
    this.columnShare = axisShare(width, settings.pixelsPerCell[1]);
  }

  run(field: GradientField): Float64Array {
    this.histograms.fill(0);
    if (this.settings.interpolation === "none") this.vote(field);
    else this.share(field);
    const pixels = this.settings.pixelsPerCell[0] * this.settings.pixelsPerCell[1];
    for (let i = 0; i < this.histograms.length; i++) this.histograms[i] = (this.histograms[i] as number) / pixels;
    return this.histograms;
  }

  private vote({ magnitude, position }: GradientField): void {
    const { histograms, width } = this;
    const { orientations, pixelsPerCell } = this.settings;
    const [cellRows, cellColumns] = this.geometry.cells;
    const [perRow, perColumn] = pixelsPerCell;
    for (let r = 0; r < cellRows * perRow; r++) {
      const cellRow = Math.floor(r / perRow) * cellColumns;
      for (let cell = 0, c = 0; cell < cellColumns; cell++) {
        const base = (cellRow + cell) * orientations;
        for (let k = 0; k < perColumn; k++, c++) {
          const at = r * width + c;
          const bin = base + ((position[at] as number) | 0);
          histograms[bin] = (histograms[bin] as number) + (magnitude[at] as number);
        }
      }
    }
  }

  private share({ magnitude, position }: GradientField): void {
    const { rowShare, columnShare, width } = this;
    const rows = magnitude.length / width;
    for (let r = 0, at = 0; r < rows; r++) {
      const row = rowShare.lower[r] as number;
      const below = rowShare.upperShare[r] as number;
      for (let c = 0; c < width; c++, at++) {
        const amount = magnitude[at] as number;
        if (amount === 0) continue;
        const column = columnShare.lower[c] as number;
        const right = columnShare.upperShare[c] as number;
        const bin = position[at] as number;
        this.add(row, column, bin, amount * (1 - below) * (1 - right));
        this.add(row, column + 1, bin, amount * (1 - below) * right);
        this.add(row + 1, column, bin, amount * below * (1 - right));
        this.add(row + 1, column + 1, bin, amount * below * right);
      }
    }
  }

  /** One cell's part, divided between the two nearest bins; directions are a circle. Votes outside the cells are lost. */
  private add(row: number, column: number, position: number, amount: number): void {
    const [cellRows, cellColumns] = this.geometry.cells;
    if (row < 0 || row >= cellRows || column < 0 || column >= cellColumns) return;
    const { histograms } = this;
    const { orientations } = this.settings;
    const base = (row * cellColumns + column) * orientations;
    const centred = position - 0.5;
    const lower = Math.floor(centred);
    const upperShare = centred - lower;
    const first = base + (lower < 0 ? orientations - 1 : lower);
    const second = base + (lower + 1 >= orientations ? 0 : lower + 1);
    histograms[first] = (histograms[first] as number) + amount * (1 - upperShare);
    histograms[second] = (histograms[second] as number) + amount * upperShare;
  }
}
