/** Numbers as text. A unit is chosen once per column; what was not collected is "-". */

export type Maybe = number | null | undefined;
export const kNone = '-';

export const known = (value: Maybe): value is number => typeof value === 'number' && Number.isFinite(value);

export interface Scale { unit: string; divisor: number }

function pick(largest: number, steps: readonly (readonly [number, string])[]): Scale {
  for (const [divisor, unit] of steps) {
    if (Math.abs(largest) >= divisor) return { unit, divisor };
  }
  const [divisor, unit] = steps[steps.length - 1] ?? [1, ''];
  return { unit, divisor };
}

const kTime = [[60e9, 'min'], [1e9, 's'], [1e6, 'ms'], [1e3, 'µs'], [1, 'ns']] as const;
const kBytes = [[2 ** 40, 'TiB'], [2 ** 30, 'GiB'], [2 ** 20, 'MiB'], [1024, 'KiB'], [1, 'B']] as const;
const kDecimal = [[1e15, 'P'], [1e12, 'T'], [1e9, 'G'], [1e6, 'M'], [1e3, 'k'], [1, '']] as const;

export const timeScale = (largest: number): Scale => pick(largest, kTime);
export const byteScale = (largest: number): Scale => pick(largest, kBytes);

/** About three significant digits, trailing zeros kept: 48.3, 0.912, 1,234. */
export function digits(value: number, significant = 3): string {
  if (value === 0) return '0';
  const size = Math.floor(Math.log10(Math.abs(value)));
  if (size < -4) return value.toExponential(significant - 1);
  const decimals = Math.min(6, Math.max(0, significant - 1 - size));
  return group(value.toFixed(decimals));
}

const group = (text: string): string => {
  const [whole = '', fraction] = text.split('.');
  const grouped = whole.replace(/\B(?=(\d{3})+(?!\d))/g, '\u2009');
  return fraction === undefined ? grouped : `${grouped}.${fraction}`;
};

/** `value` in `scale`, with the decimals that `largest` of its column asks for. */
export function inScale(scale: Scale, value: Maybe, largest: number): string {
  if (!known(value)) return kNone;
  const top = Math.abs(largest / scale.divisor);
  const decimals = top >= 100 ? 1 : top >= 10 ? 2 : 3;
  return group((value / scale.divisor).toFixed(scale.divisor === 1 ? 0 : decimals));
}

function scaled(value: Maybe, scale: (largest: number) => Scale): string {
  if (!known(value)) return kNone;
  const chosen = scale(value);
  return `${digits(value / chosen.divisor)} ${chosen.unit}`.trimEnd();
}

export const time = (ns: Maybe): string => scaled(ns, timeScale);
export const bytes = (count: Maybe): string => scaled(count, byteScale);
const decimal = (value: Maybe, unit: string): string =>
  scaled(value, (v) => { const { unit: prefix, divisor } = pick(v, kDecimal); return { unit: prefix + unit, divisor }; });
export const flops = (count: Maybe): string => decimal(count, 'FLOP');
export const flopRate = (value: Maybe): string => decimal(value, 'FLOP/s');
export const byteRate = (value: Maybe): string => decimal(value, 'B/s');
export const hertz = (value: Maybe): string => decimal(value, 'Hz');
export const count = (value: Maybe): string => (known(value) ? group(String(Math.round(value))) : kNone);
/** "1 op", "7 ops". */
export const plural = (n: number, noun: string): string => `${count(n)} ${noun}${n === 1 ? '' : 's'}`;
export const share = (ratio: Maybe): string => {
  if (!known(ratio)) return kNone;
  const percent = 100 * ratio;
  return `${percent !== 0 && Math.abs(percent) < 0.1 ? percent.toPrecision(1) : percent.toFixed(1)} %`;
};
export const ratio = (value: Maybe): string => (known(value) ? `${value.toFixed(3)}×` : kNone);
export const plain = (value: Maybe): string => (known(value) ? digits(value) : kNone);

export function interval(low: Maybe, high: Maybe, show: (value: Maybe) => string = time): string {
  return known(low) && known(high) ? `[${show(low)}, ${show(high)}]` : kNone;
}

/** A value in the unit that a document names beside it. */
export function withUnit(value: Maybe | string | boolean, unit?: string | null): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (!known(value)) return kNone;
  switch (unit) {
    case 'ns': return time(value);
    case 'bytes': return bytes(value);
    case 'ratio': return value > 2 ? `${digits(value)}×` : share(value);
    case 'hz': return hertz(value);
    case 'count': return Number.isInteger(value) ? count(value) : digits(value);
    case 'flops': return flops(value);
    case 'flops_per_second': return flopRate(value);
    case 'bytes_per_second': return byteRate(value);
    case 'per_second': return `${digits(value)} per second`;
    case 'flops_per_byte': return `${digits(value)} FLOP/B`;
    default: return unit && unit !== 'unknown' ? `${digits(value)} ${unit}` : digits(value);
  }
}
