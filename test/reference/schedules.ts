/** Learning rate schedules as their papers and libraries write them; t counts steps from 0. */

/** PyTorch's StepLR */
export const step = (rate: number, every: number, factor: number, t: number): number =>
  rate * factor ** Math.floor(t / every);

/** Keras' ExponentialDecay */
export const exponential = (rate: number, every: number, factor: number, t: number): number =>
  rate * factor ** (t / every);

/** Keras' PolynomialDecay */
export const polynomial = (rate: number, steps: number, end: number, power: number, t: number): number =>
  (rate - end) * (1 - Math.min(t, steps) / steps) ** power + end;

/** η = ηmin + ½ (ηmax − ηmin)(1 + cos(π t/T)) (Loshchilov & Hutter 2017, equation 5), and ηmin after T */
export const cosine = (rate: number, steps: number, end: number, t: number): number =>
  end + 0.5 * (rate - end) * (1 + Math.cos((Math.PI * Math.min(t, steps)) / steps));

/** The same begun anew after T, T·growth, T·growth², … steps (ibid., section 3), each time lower by `shrink`. */
export function cosineRestarts(
  rate: number,
  steps: number,
  end: number,
  growth: number,
  shrink: number,
  t: number,
): number {
  if (t >= steps) return cosineRestarts(end + (rate - end) * shrink, steps * growth, end, growth, shrink, t - steps);
  return cosine(rate, steps, end, t);
}

/** PyTorch's OneCycleLR with two phases and `anneal_strategy="cos"`; after its last step the rate stays. */
export function oneCycle(
  peak: number,
  steps: number,
  share: number,
  startDivisor: number,
  endDivisor: number,
  t: number,
): number {
  const initial = peak / startDivisor;
  const anneal = (start: number, end: number, part: number): number =>
    end + ((start - end) / 2) * (Math.cos(Math.PI * part) + 1);
  const top = share * steps - 1;
  const last = steps - 1;
  if (t <= top && top > 0) return anneal(initial, peak, t / top);
  return anneal(peak, initial / endDivisor, (Math.min(t, last) - top) / (last - top));
}

/** From start·base to base over `steps` steps: the (t + 1)-th of them ends at (t + 1)/steps of the way. */
export const warmup = (base: number, steps: number, start: number, t: number): number =>
  base * (start + ((1 - start) * (t + 1)) / steps);
