// Findings documents for the tests and the benchmark: a small one with every section, and what grows out of it.
import { readFileSync } from 'node:fs';

export const small = () => JSON.parse(readFileSync(new URL('document.json', import.meta.url), 'utf8'));

const base64 = (array) => Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString('base64');
const kTypes = { Uint8Array: 'u8', Uint16Array: 'u16', Uint32Array: 'u32', Float64Array: 'f64' };
export const column = (array, delta = false) => ({
  type: kTypes[array.constructor.name], length: array.length, delta, data: base64(array),
});

/** A small fast random number in [0, 1), the same in every run. */
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** A document with `count` ops of eight types, as a large network has them. */
export function withOps(document, count) {
  const next = random(7);
  const types = ['Conv', 'Relu', 'Add', 'MatMul', 'LayerNormalization', 'Softmax', 'Transpose', 'Gemm'];
  const bounds = ['compute', 'L2', 'L3', 'DRAM', 'overhead'];
  const every = (make) => Array.from({ length: count }, (_, i) => make(i));
  const time = every(() => Math.round(2000 * Math.exp(4 * next())));
  const total = time.reduce((a, b) => a + b, 0);
  const flops = every((i) => (i % 8 === 6 ? null : Math.round(time[i] * 20 * (0.2 + next()))));
  const bytes = every((i) => Math.round(time[i] * (0.5 + 5 * next())));
  const coded = (values, make) => ({ values, codes: every(make) });
  document.ops = {
    count,
    name: every((i) => `/encoder/layers.${Math.floor(i / 8)}/block/${types[i % 8]}_${i}`),
    type: coded(types, (i) => i % 8), phase: coded(['forward'], () => 0), provider: coded(['CPUExecutionProvider'], () => 0),
    method: coded(['cut', 'corrected'], (i) => i % 2), bound: coded(bounds, (i) => (flops[i] === null ? null : i % 5)),
    shapes: coded(['f32 1x128x768 -> f32 1x128x768', 'f32 1x64x56x56 -> f32 1x64x56x56'], (i) => i % 2),
    original_nodes: every((i) => [`layers.${Math.floor(i / 8)}.${types[i % 8].toLowerCase()}`]),
    time_ns: time, low_ns: time.map((t) => Math.round(t * 0.98)), high_ns: time.map((t) => Math.round(t * 1.02)),
    raw_ns: time.map((t) => t + 3900), share_ratio: time.map((t) => t / total), samples: every(() => 45), flops, bytes,
    memory_bytes: bytes, ideal_ns: time.map((t, i) => (flops[i] === null ? null : Math.round(t * 0.6))),
    roof_ratio: flops.map((f) => (f === null ? null : 0.6)), intensity_flops_per_byte: flops.map((f, i) => (f === null ? null : f / bytes[i])),
    flops_per_second: flops.map((f, i) => (f === null ? null : (f / time[i]) * 1e9)), bytes_per_second: bytes.map((b, i) => (b / time[i]) * 1e9),
  };
  document.critical_path = { ops: every((i) => i).filter((i) => i % 3 !== 0), time_ns: total * 0.7, total_ns: total, parallelism_ratio: 1.4 };
  return document;
}

/** A timeline of `count` events on `tracks` threads, two levels deep, every name and op different in turn. */
export function withEvents(document, count, tracks) {
  const next = random(11);
  const each = Math.floor(count / tracks);
  const n = each * tracks;
  const begin = new Uint32Array(n);
  const duration = new Uint32Array(n);
  const name = new Uint16Array(n);
  const op = new Uint16Array(n);
  const kGroup = 50;  // events in an iteration
  const { ops } = document;
  const names = ['model_run', ...ops.name.slice(0, 60000)];
  let longest = 0;
  for (let t = 0; t < tracks; ++t) {
    let clock = 0;
    let last = 0;
    for (let g = 0; g < each; g += kGroup) {
      const inner = Math.min(kGroup, each - g) - 1;
      const head = t * each + g;
      begin[head] = clock - last;
      last = clock;
      const start = clock;
      for (let k = 1; k <= inner; ++k) {
        const row = (g + k) % Math.min(ops.count, 60000);
        clock += Math.round(200 + 800 * next());
        begin[head + k] = clock - last;
        last = clock;
        duration[head + k] = Math.round(500 + 4000 * next());
        clock += duration[head + k];
        name[head + k] = row + 1;
        op[head + k] = row;
      }
      duration[head] = clock - start;
      name[head] = 0;
      op[head] = 0xffff;
      clock += 2000;
    }
    longest = Math.max(longest, clock);
  }
  document.timeline = {
    count: n, begin_ns: 0, end_ns: longest, names,
    tracks: Array.from({ length: tracks }, (_, t) => ({ name: `worker ${t}`, kind: 'thread', process: 1, id: t + 1, first: t * each, count: each, depth: 2 })),
    begin: column(begin, true), duration: column(duration), name: column(name), op: column(op),
  };
  return document;
}

export const kHostile = [
  '</script><script>window.hacked = 1</script>', '<img src=x onerror="window.hacked = 2">', '"\'`><svg onload=window.hacked=3>',
  'left \u202eright\u202c and \u2066isolate', 'null \u0000 bell \u0007 escape \u001b[31m', `${'long '.repeat(2000)}name`,
  '{{constructor.constructor("window.hacked = 4")()}}', 'javascript:window.hacked=5', '<!--', ']]>', '&lt;b&gt;', '\ud83d\ude00 emoji \u0301', '__proto__',
];

/** The small document with a hostile text in every place that holds a text. */
export function hostile() {
  const keep = new Set(['type', 'data', 'verdict', 'severity', 'status', 'schema_version', 'unit', 'kind', 'unit_of_work', 'media_type', 'scope', 'integrity', 'created_at']);
  let turn = 0;
  const poison = (value, key) => {
    if (typeof value === 'string') return keep.has(key) && !value.startsWith('@@') ? value : kHostile[turn++ % kHostile.length];
    if (Array.isArray(value)) return value.map((entry) => poison(entry, key));
    if (value && typeof value === 'object') return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, poison(v, k)]));
    return value;
  };
  const source = small();
  const document = poison(source, '');
  for (const key of ['type', 'shapes', 'provider']) document.ops[key].values = document.ops[key].values.map((_, i) => kHostile[i % kHostile.length]);
  document.ops.name = document.ops.name.map((_, i) => kHostile[i % kHostile.length]);
  document.types = document.types.map((row, i) => ({ ...row, type: kHostile[i % kHostile.length] }));
  document.ops.bound = source.ops.bound;
  return document;
}

/** A sampled program: stacks, and none of what a model has. */
export function program() {
  const document = small();
  const functions = ['main', 'parse<T>(std::string)', 'solve', 'axpy', 'write'];
  document.profile = {
    unit: 'ns', frames: functions.map((f) => ({ function: f, module: 'program', file: null, line: null })),
    parent: column(new Uint8Array([255, 0, 0, 2, 0])), frame: column(new Uint8Array([0, 1, 2, 3, 4])),
    self: column(new Uint32Array([1e6, 5e6, 2e6, 9e6, 1e6])),
  };
  for (const key of ['roofline', 'critical_path', 'graph', 'comparison', 'history']) document[key] = null;
  document.memory.counters = [];
  return document;
}
