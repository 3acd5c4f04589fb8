/**
 * Ten garments, each a parametric drawing on a field of 28×28: a random cut (widths, lengths, sleeves, heels …) and
 * the details that tell it from its neighbours. The class numbers are Fashion-MNIST's, and so are its habits: pictures
 * taken from the front, shoes in profile with the toe to the left, bright cloth before black.
 */
import { curveTo, type Canvas, type Paint, type Point } from "./canvas.ts";
import type { RandomSource } from "./random.ts";

/** What a garment is drawn with. Shades are factors of the cloth's brightness. */
export interface Pencil {
  readonly random: RandomSource;
  /** A number of [low, high). */
  between(low: number, high: number): number;
  /** True with that probability. */
  chance(probability: number): boolean;
  /** Paints an outline in cloth; `shade` below 1 is darker. */
  cloth(outline: readonly Point[], shade?: number): void;
  /** Draws a seam, edge or strap in that shade of the cloth. */
  line(path: readonly Point[], width: number, shade: number): void;
}

/** Draws one garment. */
export type Garment = (pencil: Pencil) => void;

/** Middle of the field. */
const MIDDLE = 14;

/** The drawings by class number. */
export const GARMENTS: readonly Garment[] = [
  drawTShirt,
  drawTrouser,
  drawPullover,
  drawDress,
  drawCoat,
  drawSandal,
  drawShirt,
  drawSneaker,
  drawBag,
  drawAnkleBoot,
];

/** A pencil for a canvas; `place` moves points of the drawing, `cloth` is the cloth's brightness there. */
export function createPencil(
  canvas: Canvas,
  random: RandomSource,
  place: (point: Point) => Point,
  cloth: Paint,
): Pencil {
  const shaded = (shade: number): Paint => (shade === 1 ? cloth : (x, y) => shade * cloth(x, y));
  return {
    random,
    between: (low, high) => random.nextBetween(low, high),
    chance: (probability) => random.nextUnit() < probability,
    cloth: (outline, shade = 1) => canvas.fill(outline.map(place), shaded(shade)),
    line: (path, width, shade) => canvas.stroke(path.map(place), width, shaded(shade)),
  };
}

/** Measures of an upper body. Widths are from the middle to one side, heights from the top of the field. */
interface Torso {
  readonly top: number;
  readonly bottom: number;
  readonly shoulder: number;
  readonly slope: number;
  readonly armpit: number;
  readonly chest: number;
  readonly waist: number;
  readonly hem: number;
  readonly neck: number;
  readonly neckDepth: number;
  readonly pointedNeck: boolean;
}

interface Sleeve {
  readonly length: number;
  /** Width at the shoulder's end is the armhole; this is the cuff's. */
  readonly cuff: number;
  /** Horizontal share of its direction: 0 hangs down, 1 sticks out. */
  readonly spread: number;
  readonly shade: number;
}

function drawTorso(pencil: Pencil, torso: Torso): void {
  const { top, bottom, shoulder, slope, armpit, chest, waist, hem, neck, neckDepth } = torso;
  const throat: Point = [0, top + neckDepth];
  const corner: Point = [
    torso.pointedNeck ? neck / 2 : neck * 0.9,
    torso.pointedNeck ? top + neckDepth / 2 : top + neckDepth,
  ];
  const half: Point[] = [throat, ...curveTo(throat, corner, [neck, top])];
  half.push([shoulder, top + slope], [chest, armpit], [waist, (armpit + bottom) / 2], [hem, bottom]);
  pencil.cloth(mirrored(half));
}

function drawSleeves(pencil: Pencil, torso: Torso, sleeve: Sleeve): void {
  const outline = sleeveOutline(torso, sleeve);
  pencil.cloth(rightSide(outline), sleeve.shade);
  pencil.cloth(leftSide(outline), sleeve.shade);
}

function sleeveOutline(torso: Torso, { length, cuff, spread }: Sleeve): readonly Point[] {
  const start: Point = [torso.shoulder, torso.top + torso.slope];
  const down = Math.sqrt(1 - spread * spread);
  const middle: Point = [start[0] + spread * length, start[1] + down * length];
  const elbow: Point = [start[0] + 0.9 * spread * length, start[1] + 0.35 * down * length];
  const outer: Point = [middle[0] + (down * cuff) / 2, middle[1] - (spread * cuff) / 2];
  const inner: Point = [middle[0] - (down * cuff) / 2, middle[1] + (spread * cuff) / 2];
  const inside: Point = [torso.chest - 0.6, torso.top + torso.slope - 0.2];
  return [inside, start, ...curveTo(start, elbow, outer), inner, [torso.chest, torso.armpit]];
}

function drawTShirt(pencil: Pencil): void {
  const { between, chance } = pencil;
  const shoulder = between(6.2, 8.2);
  const chest = shoulder - between(0.3, 1.2);
  const torso: Torso = {
    top: between(1.5, 3.5),
    bottom: between(23, 26.5),
    shoulder,
    slope: between(0.8, 2),
    armpit: between(9.5, 11.5),
    chest,
    waist: chest - between(-0.3, 1.2),
    hem: chest + between(-0.6, 0.8),
    neck: between(2.3, 3.8),
    neckDepth: between(1, 4),
    pointedNeck: chance(0.25),
  };
  if (!chance(0.08)) {
    drawSleeves(pencil, torso, {
      length: between(4.5, 8),
      cuff: between(3.6, 5.2),
      spread: between(0.45, 0.8),
      shade: between(0.82, 1),
    });
  }
  drawTorso(pencil, torso);
  if (chance(0.4)) drawNeckband(pencil, torso, between(0.6, 0.85));
  if (chance(0.35)) drawChestPrint(pencil);
}

function drawPullover(pencil: Pencil): void {
  const { between, chance } = pencil;
  const shoulder = between(6, 7.6);
  const chest = shoulder - between(0.2, 0.9);
  const torso: Torso = {
    top: between(1.5, 3.5),
    bottom: between(23, 26.5),
    shoulder,
    slope: between(1, 2.4),
    armpit: between(9.5, 11.5),
    chest,
    waist: chest + between(-0.6, 0.5),
    hem: chest - between(-0.2, 0.9),
    neck: between(2, 3.4),
    neckDepth: between(0.6, 2.2),
    pointedNeck: chance(0.15),
  };
  drawLongSleeves(pencil, torso, between(16.5, 20.5));
  drawTorso(pencil, torso);
  drawNeckband(pencil, torso, between(0.55, 0.85));
  const rib = between(0.6, 0.88);
  pencil.line(
    [
      [MIDDLE - torso.hem, torso.bottom - 1.3],
      [MIDDLE + torso.hem, torso.bottom - 1.3],
    ],
    0.8,
    rib,
  );
  if (chance(0.3)) drawHood(pencil, torso);
  if (chance(0.25)) drawChestPrint(pencil);
}

function drawCoat(pencil: Pencil): void {
  const { between, chance } = pencil;
  const shoulder = between(5.8, 7.6);
  const chest = shoulder - between(0.1, 0.8);
  const torso: Torso = {
    top: between(1, 2.8),
    bottom: between(24.5, 27.4),
    shoulder,
    slope: between(1, 2.4),
    armpit: between(9, 11),
    chest,
    waist: chest - between(-0.4, 1),
    hem: chest + between(-0.3, 1.5),
    neck: between(1.8, 3),
    neckDepth: between(0.8, 2.6),
    pointedNeck: chance(0.7),
  };
  drawLongSleeves(pencil, torso, between(17, 21));
  drawTorso(pencil, torso);
  drawLapels(pencil, torso);
  const front = MIDDLE + between(-0.9, 0.9);
  pencil.line(
    [
      [front, torso.top + torso.neckDepth + 1],
      [front, torso.bottom],
    ],
    between(0.5, 1),
    between(0.15, 0.6),
  );
  if (chance(0.55)) drawButtons(pencil, front + between(0.9, 1.5), torso, 4);
  if (chance(0.5)) drawPockets(pencil, torso);
  if (chance(0.3)) {
    pencil.line(
      [
        [MIDDLE - torso.waist, 15.5],
        [MIDDLE + torso.waist, 15.5],
      ],
      1.1,
      between(0.4, 0.7),
    );
  }
}

function drawShirt(pencil: Pencil): void {
  const { between, chance } = pencil;
  const shoulder = between(5.6, 7.6);
  const chest = shoulder - between(0.3, 1.1);
  const torso: Torso = {
    top: between(1.6, 3.4),
    bottom: between(23.5, 27),
    shoulder,
    slope: between(0.9, 2.2),
    armpit: between(9.2, 11.2),
    chest,
    waist: chest - between(-0.2, 1.4),
    hem: chest + between(-0.5, 0.8),
    neck: between(1.6, 2.8),
    neckDepth: between(1.2, 4),
    pointedNeck: chance(0.75),
  };
  if (chance(0.6)) drawLongSleeves(pencil, torso, between(15, 20));
  else {
    drawSleeves(pencil, torso, {
      length: between(5, 9),
      cuff: between(3.2, 4.6),
      spread: between(0.4, 0.75),
      shade: between(0.8, 1),
    });
  }
  drawTorso(pencil, torso);
  drawCollar(pencil, torso);
  const start = torso.top + torso.neckDepth;
  const end = chance(0.75) ? torso.bottom : between(12, 17);
  pencil.line(
    [
      [MIDDLE, start],
      [MIDDLE, end],
    ],
    between(0.4, 0.7),
    between(0.55, 0.85),
  );
  if (chance(0.6)) drawButtons(pencil, MIDDLE, torso, 6);
  if (chance(0.35)) drawBreastPocket(pencil, torso);
}

function drawLongSleeves(pencil: Pencil, torso: Torso, length: number): void {
  const { between, chance } = pencil;
  const sleeve: Sleeve = { length, cuff: between(2.2, 3.4), spread: between(0.16, 0.34), shade: between(0.72, 0.98) };
  drawSleeves(pencil, torso, sleeve);
  if (!chance(0.5)) return;
  const outline = sleeveOutline(torso, sleeve);
  const cuff = outline.slice(-3, -1);
  const shade = between(0.55, 0.8);
  pencil.line(rightSide(cuff), 1, shade);
  pencil.line(leftSide(cuff), 1, shade);
}

function drawNeckband(pencil: Pencil, { top, neck, neckDepth, pointedNeck }: Torso, shade: number): void {
  const throat: Point = [0, top + neckDepth + 0.4];
  const corner: Point = pointedNeck ? [neck / 2, top + neckDepth / 2 + 0.4] : [neck * 0.9, top + neckDepth + 0.4];
  const band = [throat, ...curveTo(throat, corner, [neck + 0.3, top + 0.2])];
  pencil.line(rightSide(band), 0.8, shade);
  pencil.line(leftSide(band), 0.8, shade);
}

function drawHood(pencil: Pencil, { top, neck }: Torso): void {
  const rim: Point = [neck + 0.8, top + 1.2];
  pencil.cloth(mirrored([[0, top - 1.2], ...curveTo([0, top - 1.2], [neck + 0.8, top - 1.2], rim), [0, top + 3]]), 0.7);
}

function drawLapels(pencil: Pencil, { top, neck, neckDepth }: Torso): void {
  const { between } = pencil;
  const reach = between(4.5, 9);
  const lapel: Point[] = [
    [neck, top],
    [neck + between(0.6, 1.6), top + reach * 0.45],
    [0.4, top + neckDepth + reach],
  ];
  const shade = between(0.5, 0.8);
  pencil.cloth(rightSide(lapel), shade);
  pencil.cloth(leftSide(lapel), shade);
}

function drawCollar(pencil: Pencil, { top, neck, neckDepth }: Torso): void {
  const { between } = pencil;
  const tip = between(2.2, 3.6);
  const collar: Point[] = [
    [neck, top - 0.5],
    [neck + between(0.2, 1), top + tip],
    [0.2, top + neckDepth + between(0.2, 0.9)],
  ];
  const shade = pencil.chance(0.5) ? between(1.1, 1.3) : between(0.62, 0.85);
  pencil.cloth(rightSide(collar), shade);
  pencil.cloth(leftSide(collar), shade);
}

function drawButtons(pencil: Pencil, x: number, { top, bottom, neckDepth }: Torso, count: number): void {
  const start = top + neckDepth + 2;
  const shade = pencil.chance(0.5) ? 0.3 : 1.4;
  for (let at = 0; at < count; at++) {
    const y = start + ((bottom - 2 - start) * at) / (count - 1);
    pencil.line(
      [
        [x, y - 0.45],
        [x, y + 0.45],
      ],
      0.9,
      shade,
    );
  }
}

function drawPockets(pencil: Pencil, { chest, bottom }: Torso): void {
  const y = bottom - pencil.between(6, 9);
  const shade = pencil.between(0.35, 0.65);
  pencil.line(
    [
      [MIDDLE - chest + 1, y],
      [MIDDLE - chest + 3.6, y + 0.5],
    ],
    0.8,
    shade,
  );
  pencil.line(
    [
      [MIDDLE + chest - 1, y],
      [MIDDLE + chest - 3.6, y + 0.5],
    ],
    0.8,
    shade,
  );
}

function drawBreastPocket(pencil: Pencil, { chest }: Torso): void {
  const x = MIDDLE + chest * 0.3;
  pencil.cloth(
    [
      [x, 10.5],
      [x + 2.4, 10.5],
      [x + 2.4, 13],
      [x, 13],
    ],
    pencil.between(0.7, 0.88),
  );
}

function drawChestPrint(pencil: Pencil): void {
  const { between } = pencil;
  const width = between(1.5, 4);
  const y = between(8, 12);
  const shade = pencil.chance(0.5) ? between(0.3, 0.7) : between(1.2, 1.5);
  const corner: Point = [width, y];
  pencil.cloth(mirrored([[0, y - between(0, 1.5)], corner, [width * between(0.4, 1), y + between(2, 5)]]), shade);
}

function drawTrouser(pencil: Pencil): void {
  const { between, chance } = pencil;
  const top = between(0.8, 2.5);
  const waist = between(3.2, 4.8);
  const hip = waist + between(0.3, 1.6);
  const crotch = top + between(6.5, 9);
  const ankle = between(3, 6.2);
  const legWidth = between(1.9, 3.4);
  const bottom = chance(0.12) ? between(16, 20) : between(24.5, 27.5);
  const gap = between(0.15, 0.7);
  pencil.cloth(
    mirrored([
      [0, top],
      [waist, top],
      [hip, crotch - 2],
      [hip, crotch],
      [0, crotch],
    ]),
  );
  const leg: Point[] = [
    [gap * 0.3, crotch - 0.6],
    [hip, crotch - 1],
    [ankle, bottom],
    [Math.max(gap, ankle - legWidth), bottom],
  ];
  const shade = between(0.85, 1);
  pencil.cloth(rightSide(leg), shade);
  pencil.cloth(leftSide(leg), shade);
  pencil.line(
    [
      [MIDDLE - waist, top + 0.9],
      [MIDDLE + waist, top + 0.9],
    ],
    0.8,
    between(0.5, 0.9),
  );
  if (chance(0.5)) {
    pencil.line(
      [
        [MIDDLE, top + 1],
        [MIDDLE, crotch],
      ],
      0.6,
      between(0.4, 0.8),
    );
  }
  if (chance(0.4)) drawCreases(pencil, (hip + gap) / 2, (ankle + Math.max(gap, ankle - legWidth)) / 2, crotch, bottom);
}

function drawCreases(pencil: Pencil, upper: number, lower: number, top: number, bottom: number): void {
  const crease: Point[] = [
    [upper, top],
    [lower, bottom - 1],
  ];
  pencil.line(rightSide(crease), 0.5, 1.25);
  pencil.line(leftSide(crease), 0.5, 1.25);
}

function drawDress(pencil: Pencil): void {
  const { between, chance } = pencil;
  const shoulder = between(2.6, 4.6);
  const bust = between(3.2, 4.8);
  const waistAt = between(9.5, 13.5);
  const torso: Torso = {
    top: between(0.6, 2.4),
    bottom: between(23.5, 27.4),
    shoulder,
    slope: between(0.4, 1.4),
    armpit: between(5.5, 8),
    chest: bust,
    waist: 0,
    hem: bust + between(-0.4, 4.8),
    neck: shoulder - between(0.7, 1.8),
    neckDepth: between(1.2, 4.5),
    pointedNeck: chance(0.4),
  };
  const waist = bust - between(0, 1.6);
  const styles = between(0, 1);
  if (styles < 0.3) {
    drawSleeves(pencil, torso, {
      length: between(3, 6),
      cuff: between(2.2, 3.4),
      spread: between(0.4, 0.75),
      shade: 0.9,
    });
  } else if (styles < 0.45) {
    drawSleeves(pencil, torso, {
      length: between(11, 17),
      cuff: between(1.4, 2.2),
      spread: between(0.15, 0.3),
      shade: 0.9,
    });
  }
  drawDressBody(pencil, torso, waist, waistAt);
  if (chance(0.5)) {
    pencil.line(
      [
        [MIDDLE - waist, waistAt],
        [MIDDLE + waist, waistAt],
      ],
      between(0.6, 1.3),
      between(0.35, 0.8),
    );
  }
  if (chance(0.4)) drawPleats(pencil, waist, torso.hem, waistAt, torso.bottom);
}

function drawDressBody(pencil: Pencil, torso: Torso, waist: number, waistAt: number): void {
  const throat: Point = [0, torso.top + torso.neckDepth];
  const corner: Point = torso.pointedNeck
    ? [torso.neck / 2, torso.top + torso.neckDepth / 2]
    : [torso.neck * 0.9, throat[1]];
  const side: Point = [waist, waistAt];
  const half: Point[] = [
    throat,
    ...curveTo(throat, corner, [torso.neck, torso.top]),
    [torso.shoulder, torso.top + torso.slope],
  ];
  half.push(
    [torso.chest - 0.3, torso.armpit],
    side,
    ...curveTo(side, [torso.hem * 0.75, (waistAt + torso.bottom) / 2], [torso.hem, torso.bottom]),
  );
  pencil.cloth(mirrored(half));
}

function drawPleats(pencil: Pencil, waist: number, hem: number, top: number, bottom: number): void {
  for (const share of [0.25, 0.7]) {
    const pleat: Point[] = [
      [waist * share, top + 1],
      [hem * share, bottom - 0.5],
    ];
    pencil.line(rightSide(pleat), 0.5, 0.75);
    pencil.line(leftSide(pleat), 0.5, 0.75);
  }
}

function drawSneaker(pencil: Pencil): void {
  const { between, chance } = pencil;
  const sole = between(19, 21);
  const collar = sole - between(7.2, 10.2);
  const toe = between(0.6, 2.2);
  const heel = between(25.8, 27.4);
  const throat = between(15, 18);
  const vamp: Point = [between(7, 10), sole - between(4, 5.6)];
  const back: Point = [heel, collar + between(-0.4, 0.8)];
  const dip: Point = [(heel + throat) / 2 + 0.5, collar + between(1.4, 2.8)];
  const outline: Point[] = [
    [throat, collar],
    ...curveTo([throat, collar], [dip[0], dip[1] + 1], back),
    [heel, sole],
    [toe, sole],
  ];
  outline.push(...curveTo([toe, sole], [toe, sole - between(3, 4.4)], vamp), [throat, collar]);
  pencil.cloth(outline);
  const thickness = between(1.3, 2.6);
  pencil.cloth(
    [
      [toe - 0.4, sole - 0.4],
      [heel + 0.3, sole - 0.4],
      [heel, sole + thickness],
      [toe + 0.8, sole + thickness],
    ],
    chance(0.6) ? 1.35 : 0.55,
  );
  drawLaces(pencil, vamp, [throat, collar]);
  if (chance(0.6)) drawSideStripes(pencil, sole);
  if (chance(0.4)) {
    pencil.line(
      [
        [toe + 5, sole - 0.5],
        [toe + 6.2, sole - 3.4],
      ],
      0.8,
      between(0.4, 0.7),
    );
  }
}

function drawLaces(pencil: Pencil, vamp: Point, throat: Point): void {
  const shade = pencil.chance(0.5) ? 0.35 : 1.4;
  for (const share of [0.25, 0.5, 0.75]) {
    const x = vamp[0] + (throat[0] - vamp[0]) * share;
    const y = vamp[1] + (throat[1] - vamp[1]) * share;
    pencil.line(
      [
        [x - 0.2, y + 0.2],
        [x + 1.6, y + 2],
      ],
      0.7,
      shade,
    );
  }
}

function drawSideStripes(pencil: Pencil, sole: number): void {
  const { between } = pencil;
  const shade = pencil.chance(0.5) ? between(0.3, 0.6) : between(1.25, 1.5);
  const count = 1 + pencil.random.nextBelow(3);
  for (let at = 0; at < count; at++) {
    const x = 14.5 + 2 * at;
    pencil.line(
      [
        [x, sole - 1],
        [x + between(1.6, 2.4), sole - between(4.5, 5.5)],
      ],
      0.9,
      shade,
    );
  }
}

function drawAnkleBoot(pencil: Pencil): void {
  const { between, chance } = pencil;
  const heelHeight = chance(0.45) ? between(3, 5) : between(0.8, 2);
  const ground = between(24.5, 26.8);
  const sole = ground - between(0.8, 1.4);
  const heelSole = ground - heelHeight;
  const top = between(1, 7);
  const front = between(14, 17);
  const back = between(25, 27);
  const toe = between(0.6, 2.6);
  const ankle: Point = [front - between(0, 1), between(12, 14.5)];
  const outline: Point[] = [
    [front, top],
    [back, top + between(-0.6, 0.6)],
    [back + 0.3, heelSole],
    [17, heelSole],
    [10, sole],
    [toe, sole],
  ];
  outline.push(...curveTo([toe, sole], [toe + 0.2, sole - between(4, 5.5)], [toe + 5, sole - between(4.6, 6)]));
  outline.push(...curveTo([toe + 5, sole - 5.2], [ankle[0] - 1, ankle[1] + 3], ankle));
  pencil.cloth(outline);
  drawBootSole(pencil, { toe, back, sole, heelSole, ground });
  if (chance(0.5)) {
    pencil.line(
      [
        [back - 3, top + 1],
        [back - 3.4, heelSole - 1],
      ],
      0.7,
      between(0.3, 0.65),
    );
  }
  if (chance(0.4)) {
    pencil.line(
      [
        [ankle[0], ankle[1]],
        [back, ankle[1] + 1],
      ],
      between(0.7, 1.4),
      between(0.4, 0.7),
    );
  }
  if (chance(0.3)) drawLaces(pencil, [toe + 7, sole - 5.5], [front + 0.5, top + 3]);
}

interface BootSole {
  readonly toe: number;
  readonly back: number;
  readonly sole: number;
  readonly heelSole: number;
  readonly ground: number;
}

function drawBootSole(pencil: Pencil, { toe, back, sole, heelSole, ground }: BootSole): void {
  const { between } = pencil;
  const shade = between(0.45, 0.8);
  const heelFront = back - between(3, 6.5);
  pencil.cloth(
    [
      [toe, sole - 0.3],
      [10, sole - 0.3],
      [18, heelSole - 0.3],
      [18, heelSole + 0.8],
      [11, ground],
      [toe + 0.6, ground],
    ],
    shade,
  );
  pencil.cloth(
    [
      [heelFront, heelSole - 0.2],
      [back + 0.3, heelSole - 0.2],
      [back, ground],
      [heelFront + between(0, 1.6), ground],
    ],
    shade,
  );
}

function drawSandal(pencil: Pencil): void {
  const { between, chance } = pencil;
  const ground = between(20, 25);
  const heel = chance(0.4) ? between(5, 10) : between(0.3, 3);
  const toe = between(0.6, 2.4);
  const back = between(25, 27.4);
  const thickness = between(0.9, 2.4);
  const heelTop = ground - thickness - heel;
  const footTop = ground - thickness;
  const ball = between(9, 11.5);
  const shade = between(0.6, 1.1);
  const bed: Point[] = [
    [toe, footTop],
    [ball, footTop],
    ...curveTo([ball, footTop], [ball + 5, footTop], [20, heelTop]),
    [back, heelTop - 0.4],
  ];
  if (chance(0.4)) pencil.cloth([...bed, [back, ground], [toe + 0.5, ground]], shade);
  else drawHeeledSole(pencil, { bed, toe, back, ball, heelTop, footTop, ground, shade });
  drawStraps(pencil, { toe, back, ball, heelTop, footTop });
}

interface HeeledSole extends SandalBed {
  readonly bed: readonly Point[];
  readonly ground: number;
  readonly shade: number;
}

interface SandalBed {
  readonly toe: number;
  readonly back: number;
  readonly ball: number;
  readonly heelTop: number;
  readonly footTop: number;
}

function drawHeeledSole(pencil: Pencil, { bed, toe, back, ball, heelTop, footTop, ground, shade }: HeeledSole): void {
  const under: Point[] = [
    [back, heelTop + 1],
    [20, heelTop + 1.6],
    ...curveTo([20, heelTop + 1.6], [ball + 5, ground], [ball, ground], 4),
  ];
  pencil.cloth([...bed, ...under, [toe + 0.5, ground], [toe, footTop]], shade);
  const width = pencil.between(1, 3.4);
  pencil.cloth(
    [
      [back - width, heelTop + 0.6],
      [back, heelTop + 0.4],
      [back - 0.4, ground],
      [back - 0.5 - width * 0.6, ground],
    ],
    shade,
  );
}

function drawStraps(pencil: Pencil, { toe, back, ball, heelTop, footTop }: SandalBed): void {
  const { between, chance } = pencil;
  const width = between(0.9, 2);
  const shade = between(0.75, 1.2);
  const arch = (from: Point, peak: Point, to: Point): void =>
    pencil.line([from, ...curveTo(from, peak, to)], width, shade);
  const instep = footTop - between(5.5, 8.5);
  arch([toe + between(1.5, 3), footTop], [toe + 4, instep], [ball + 0.5, footTop]);
  if (chance(0.5)) arch([ball - 3, footTop], [ball + 1, instep - 2], [ball + 5, footTop - (footTop - heelTop) * 0.4]);
  if (chance(0.75)) drawAnkleStrap(pencil, back, heelTop, width, shade);
  if (chance(0.3)) {
    pencil.line(
      [
        [toe + 4.5, instep + 3],
        [back - 6, heelTop - 5],
      ],
      width,
      shade,
    );
  }
}

function drawAnkleStrap(pencil: Pencil, back: number, heelTop: number, width: number, shade: number): void {
  const height = pencil.between(4, 7.5);
  const buckle: Point = [back - pencil.between(6.5, 9), heelTop - height + 1];
  pencil.line(
    [
      [back - 0.4, heelTop],
      [back - 0.6, heelTop - height],
    ],
    width * 1.1,
    shade,
  );
  pencil.line([[back - 0.6, heelTop - height], buckle, [buckle[0] + 0.6, heelTop + 0.4]], width * 0.9, shade);
}

function drawBag(pencil: Pencil): void {
  const { between, chance } = pencil;
  const top = between(8, 14.5);
  const bottom = between(21.5, 26.5);
  const upper = between(7, 12.2);
  const lower = Math.min(13, upper + between(-1.6, 1.8));
  drawBagHandle(pencil, top, upper);
  const round = between(0.3, 2.5);
  const corner: Point = [lower, bottom - round];
  pencil.cloth(
    mirrored([
      [0, top],
      [upper - 0.6, top],
      [upper, top + 1],
      corner,
      ...curveTo(corner, [lower, bottom], [lower - round, bottom], 3),
      [0, bottom],
    ]),
  );
  if (chance(0.55)) drawFlap(pencil, top, bottom, upper);
  else if (chance(0.6)) {
    pencil.line(
      [
        [MIDDLE - upper + 0.5, top + 2],
        [MIDDLE + upper - 0.5, top + 2],
      ],
      0.7,
      between(0.3, 0.7),
    );
  }
  if (chance(0.3)) {
    pencil.cloth(
      mirrored([
        [0, bottom - 6.5],
        [upper * 0.55, bottom - 6.5],
        [upper * 0.55, bottom - 1.6],
        [0, bottom - 1.6],
      ]),
      between(0.75, 0.9),
    );
  }
}

function drawBagHandle(pencil: Pencil, top: number, upper: number): void {
  const { between, chance } = pencil;
  if (chance(0.12)) return;
  const foot = upper * between(0.35, 0.92);
  const peak = top - between(5, 11.5);
  const width = between(0.8, 1.8);
  const shade = between(0.6, 1.1);
  const half: Point[] = [[foot, top + 1], ...curveTo([foot, top + 1], [foot, peak], [0, peak])];
  pencil.line(rightSide(half), width, shade);
  pencil.line(leftSide(half), width, shade);
}

function drawFlap(pencil: Pencil, top: number, bottom: number, upper: number): void {
  const { between, chance } = pencil;
  const edge = top + (bottom - top) * between(0.3, 0.6);
  const end: Point = [0, edge + between(0, 1.5)];
  const side: Point = [upper - 0.3, top + 0.8];
  pencil.cloth(mirrored([[0, top], side, ...curveTo(side, [upper - 0.5, edge], end)]), between(0.7, 0.9));
  if (chance(0.7)) {
    pencil.cloth(
      mirrored([
        [0, end[1] - 1],
        [1, end[1] - 1],
        [1, end[1] + 1],
        [0, end[1] + 1],
      ]),
      chance(0.5) ? 1.5 : 0.3,
    );
  }
}

/** The whole outline from its right half, whose points are offsets from the middle, listed from top to bottom. */
function mirrored(half: readonly Point[]): readonly Point[] {
  return [...rightSide(half), ...leftSide(half).reverse()];
}

function rightSide(half: readonly Point[]): Point[] {
  return half.map(([x, y]): Point => [MIDDLE + x, y]);
}

function leftSide(half: readonly Point[]): Point[] {
  return half.map(([x, y]): Point => [MIDDLE - x, y]);
}
