/**
 * A model as a picture. Layers one after the other are a column; branches stand side by side between a fork and the layer
 * that joins them. Since a model is a tree of these two, every part is laid out within a box of its own: data come in at
 * its top and leave at its bottom, on one vertical line, its axis.
 */
import { element, escaped, FONTS, shortened, textExtent } from "../svg.ts";
import { themes, type Theme, type ThemeName } from "../theme.ts";
import { batchShape, layerTree, type DescribedModel, type LayerNode } from "./tree.ts";

export interface PlotModelOptions {
  /** Default: "light". */
  readonly theme?: ThemeName;
}

const FONT = 12;
const LINE = 16;
const BOX_HEIGHT = 44;
const NARROWEST = 120;
const WIDEST = 280;
/** Between a layer and the next. */
const GAP = 20;
/** Between branches. */
const ALLEY = 24;
/** From a fork to its branches, and from them to where they meet. */
const TURN = 12;
const MARGIN = 12;
const PADDING = 10;
const CAPTION = 20;
const HEAD = 4;

/**
 * An SVG picture: a box for each layer with its name, type, output shape and parameters, a frame around each block that was
 * given a name, and shortcuts as lines beside what they pass.
 */
export function plotModel(model: DescribedModel, { theme = "light" }: PlotModelOptions = {}): string {
  const tree = layerTree(model);
  const input: LayerNode = { ...tree, name: "input", kind: "input", output: model.input, parameters: 0, children: [] };
  const widths = [input, ...boxesIn(tree)].flatMap(labelsOf).map((label) => textExtent(label, FONT) + 16);
  const boxWidth = Math.min(WIDEST, Math.max(NARROWEST, ...widths));
  const pen: Pen = { ...themes[theme], boxWidth };
  const whole = column(pen, [layerBox(pen, input), partOf(pen, tree)]);
  const [width, height] = [whole.width + 2 * MARGIN, whole.height + 2 * MARGIN];
  return element(
    "svg",
    {
      xmlns: "http://www.w3.org/2000/svg",
      width,
      height,
      viewBox: `0 0 ${Math.ceil(width)} ${Math.ceil(height)}`,
      role: "img",
      "aria-label": `Layers of the model, ${boxesIn(tree).length} in all, from input ${batchShape(model.input)} to output ${batchShape(model.output)}`,
      "font-family": FONTS,
      "font-size": FONT,
    },
    element("rect", { width, height, fill: pen.surface }),
    ...whole.draw(MARGIN, MARGIN),
  );
}

interface Pen extends Theme {
  readonly boxWidth: number;
}

/** A part of the picture, which is drawn with its left upper corner at (x, y). */
interface Part {
  readonly width: number;
  readonly height: number;
  /** Distance of the axis from the left side. */
  readonly axis: number;
  /** Whether the line that comes in ends at a box, and with an arrow's head. */
  readonly isBox: boolean;
  readonly draw: (x: number, y: number) => readonly string[];
}

/** Data that pass without a layer. */
const NOTHING: Part = { width: 0, height: 0, axis: 0, isBox: false, draw: () => [] };

function partOf(pen: Pen, node: LayerNode): Part {
  const { kind, children } = node;
  if (kind === "identity") return NOTHING;
  const parts = children.map((child) => partOf(pen, child));
  if (children.length === 0) return kind === "sequential" ? NOTHING : layerBox(pen, node);
  if (kind !== "sequential") return branches(pen, parts, layerBox(pen, node));
  const inside = column(pen, parts);
  return isNamed(node) && inside !== NOTHING ? framed(pen, node.name, inside) : inside;
}

/** Not by default, as `sequential_2` is. */
function isNamed({ name, path }: LayerNode): boolean {
  return path !== "" && !/^sequential(_\d+)?$/.test(name);
}

function boxesIn(node: LayerNode): LayerNode[] {
  const inner = node.children.flatMap(boxesIn);
  return node.kind === "sequential" || node.kind === "identity" ? inner : [...inner, node];
}

/** What joins branches has no parameters of its own: they are those of the branches. */
function labelsOf({ name, kind, output, parameters, children }: LayerNode): [title: string, details: string] {
  const count = parameters > 0 && children.length === 0 ? ` · ${parameters.toLocaleString("en-US")} params` : "";
  return [name === kind ? name : `${name} (${kind})`, batchShape(output) + count];
}

function layerBox(pen: Pen, node: LayerNode): Part {
  const { boxWidth: width, surface, ink, muted } = pen;
  const [title, details] = labelsOf(node);
  const line = (text: string, x: number, y: number, fill: string): string =>
    element(
      "text",
      { x, y, fill, "text-anchor": "middle" },
      ...(shortened(text, width - 8, FONT) === text ? [] : [element("title", {}, escaped(text))]),
      escaped(shortened(text, width - 8, FONT)),
    );
  return {
    width,
    height: BOX_HEIGHT,
    axis: width / 2,
    isBox: true,
    draw: (x, y) => [
      element("rect", { x, y, width, height: BOX_HEIGHT, rx: 5, fill: surface, stroke: kindColour(pen, node) }),
      line(title, x + width / 2, y + LINE + 2, ink),
      line(details, x + width / 2, y + 2 * LINE + 2, muted),
    ],
  };
}

/** What learns stands out from what does not. */
function kindColour({ series, muted }: Pen, { parameters, children }: LayerNode): string {
  return parameters > 0 && children.length === 0 ? series[0]! : muted;
}

/** One after the other, with arrows between. */
function column(pen: Pen, parts: readonly Part[]): Part {
  const shown = parts.filter((part) => part !== NOTHING);
  if (shown.length === 0) return NOTHING;
  const axis = Math.max(...shown.map((part) => part.axis));
  const right = Math.max(...shown.map((part) => part.width - part.axis));
  const height = shown.reduce((sum, part) => sum + part.height, 0) + GAP * (shown.length - 1);
  return {
    width: axis + right,
    height,
    axis,
    isBox: shown[0]!.isBox,
    draw: (x, y) => {
      let top = y;
      return shown.flatMap((part, at) => {
        const arrow = at === 0 ? [] : [wire(pen, [x + axis, top - GAP, x + axis, top], part.isBox)];
        const drawn = part.draw(x + axis - part.axis, top);
        top += part.height + GAP;
        return arrow.concat(drawn);
      });
    },
  };
}

/** Side by side, and then what joins them. A lone branch beside shortcuts keeps the axis; else the middle is the axis. */
function branches(pen: Pen, parts: readonly Part[], join: Part): Part {
  let next = 0;
  const lefts = parts.map((part) => {
    const left = next;
    next += part.width + ALLEY;
    return left;
  });
  const axes = parts.map((part, at) => lefts[at]! + part.axis);
  const layers = axes.filter((_, at) => parts[at] !== NOTHING);
  const own = layers.length === 1 ? layers[0]! : (axes[0]! + axes.at(-1)!) / 2;
  // The layer that joins may be wider than its branches.
  const overhang = Math.max(0, join.axis - own);
  const axis = own + overhang;
  const tallest = Math.max(...parts.map((part) => part.height));
  const meeting = TURN + GAP + tallest + TURN;
  return {
    width: Math.max(overhang + next - ALLEY, axis + join.width - join.axis),
    height: meeting + GAP + join.height,
    axis,
    isBox: false,
    draw: (x, y) => {
      const [centre, top, bottom] = [x + axis, y + TURN + GAP, y + meeting];
      const drawn = parts.flatMap((part, at) => {
        const here = x + overhang + axes[at]!;
        const fork = [centre, y, centre, y + TURN, here, y + TURN];
        if (part === NOTHING) return [wire(pen, [...fork, here, bottom, centre, bottom])];
        return [
          wire(pen, [...fork, here, top], part.isBox),
          ...part.draw(here - part.axis, top),
          wire(pen, [here, top + part.height, here, bottom, centre, bottom]),
        ];
      });
      const joined = wire(pen, [centre, bottom, centre, bottom + GAP], true);
      return [...drawn, joined, ...join.draw(centre - join.axis, bottom + GAP)];
    },
  };
}

/** A block that has a name. */
function framed(pen: Pen, name: string, part: Part): Part {
  const { line, muted } = pen;
  const [width, height, axis] = [part.width + 2 * PADDING, part.height + CAPTION + PADDING, part.axis + PADDING];
  const caption = shortened(name, axis - 8, FONT);
  return {
    width,
    height,
    axis,
    isBox: false,
    draw: (x, y) => [
      element("rect", { x, y, width, height, rx: 8, fill: "none", stroke: line, "stroke-dasharray": "4 3" }),
      element("text", { x: x + 6, y: y + 15, fill: muted, "font-style": "italic" }, escaped(caption)),
      wire(pen, [x + axis, y, x + axis, y + CAPTION], part.isBox),
      ...part.draw(x + PADDING, y + CAPTION),
      wire(pen, [x + axis, y + CAPTION + part.height, x + axis, y + height]),
    ],
  };
}

/** A line through the points x₀, y₀, x₁, y₁ …, with an arrow's head at its end where it arrives. */
function wire({ muted }: Pen, points: readonly number[], hasHead = false): string {
  const path = `M${points.map((value) => value.toFixed(1)).join(" ")}`;
  const [x, y] = points.slice(-2) as [number, number];
  const head = `M${(x - HEAD).toFixed(1)} ${(y - 2 * HEAD).toFixed(1)}h${2 * HEAD}l${-HEAD} ${2 * HEAD}z`;
  return (
    element("path", { d: path, fill: "none", stroke: muted }) +
    (hasHead ? element("path", { d: head, fill: muted }) : "")
  );
}
