/** The document that the page reads: schema/findings.schema.json, version 1.x. null: not collected. */

export interface ColumnData { type: 'u8' | 'u16' | 'u32' | 'f64'; length: number; delta: boolean; data: string }
export interface Coded { values: string[]; codes: (number | null)[] }
type Num = number | null;
type Text = string | null;

export interface Verdict {
  verdict: 'regressed' | 'improved' | 'equivalent' | 'inconclusive';
  ratio: Num; ratio_low: Num; ratio_high: Num; p_value: Num; blocks: number;
  detectable_ratio: Num; blocks_to_settle: Num;
}

export interface Headline {
  subject: string; sentence: string; unit_of_work: string; time_ns: Num; low_ns: Num; high_ns: Num;
  observer_included: boolean; throughput_per_second: Num; batch_size: Num; flops: Num; flops_per_second: Num;
  roof_ratio: Num; ops_total_ns: number; facts: string[]; verdict: Verdict | null; verdict_sentence: Text;
}

export interface Evidence { name: string; label: string; value: number | string | boolean | null; unit: string; text: string }

export interface Finding {
  rule: string; title: string; message: string; scope: string;
  severity: 'info' | 'notice' | 'warning' | 'critical'; confidence: string; confidence_reason: string;
  gain_ns: Num; gain_ratio: Num; ops: number[]; evidence: Evidence[]; suggestions: string[];
  next_step: string; references: string[];
}

export interface OpColumns {
  count: number; name: string[]; type: Coded; phase: Coded; provider: Coded; method: Coded; bound: Coded;
  shapes: Coded; original_nodes: string[][]; time_ns: Num[]; low_ns: Num[]; high_ns: Num[]; raw_ns: Num[];
  share_ratio: Num[]; samples: number[]; flops: Num[]; bytes: Num[]; memory_bytes: Num[]; ideal_ns: Num[];
  roof_ratio: Num[]; intensity_flops_per_byte: Num[]; flops_per_second: Num[]; bytes_per_second: Num[];
}

export interface TypeRow { type: string; count: number; time_ns: number; share_ratio: number; flops: Num; bytes: Num }

export interface Kernel {
  op: number; name: string; time_ns: Num; launches: Num; grid: number[] | null; block: number[] | null;
  counters: Record<string, Num>;
}

export interface TrackRow {
  name: string; kind: string; process: Num; id: Num; first: number; count: number; depth: number;
}

export interface Timeline {
  count: number; begin_ns: number; end_ns: number; tracks: TrackRow[]; names: string[];
  begin: ColumnData; duration: ColumnData; name: ColumnData; op: ColumnData;
}

export interface Ceiling {
  name: string; kind: 'compute' | 'memory'; label: string; value: number; low: Num; high: Num; used: boolean;
}

export interface IterationSummary {
  count: number; p50_ns: Num; low_ns: Num; high_ns: Num; p95_ns: Num; min_ns: Num;
}

export interface Iterations {
  count: number; begin_ns: ColumnData; duration_ns: ColumnData; observed: ColumnData; warmup: ColumnData;
  disturbed: ColumnData; summary_unobserved: IterationSummary; summary_observed: IterationSummary;
  warmup_count: number; disturbed_count: number; unit_of_work: string;
}

export interface Ledger { event: string; cost_ns: number; low_ns: Num; high_ns: Num; events_per_iteration: Num }

export interface Observer {
  observed_ratio: Num; events_lost: Num; integrity: string; reasons: string[]; ledger: Ledger[];
}

export interface Counter { name: string; unit: string; time_ns: ColumnData; value: ColumnData }

export interface Memory {
  host_before_bytes: Num; host_peak_bytes: Num; accelerator_peak_bytes: Num; counters: Counter[];
}

export interface CriticalPath { ops: number[]; time_ns: number; total_ns: number; parallelism_ratio: number }

export interface Profile {
  unit: 'ns' | 'bytes';
  frames: { function: string; module: Text; file: Text; line: Num }[];
  parent: ColumnData; frame: ColumnData; self: ColumnData;
}

export interface Side { path: Text; run_id: string; created_at: string; subject: string }

export interface WaterfallStep { label: string; kind: string; row: Num; delta_ns: number }

export interface ComparedOps {
  count: number; name: string[]; type: Coded; kind: Coded; baseline_ops: number[][]; candidate_ops: number[][];
  baseline_ns: Num[]; candidate_ns: Num[]; ratio: Num[]; ratio_low: Num[]; ratio_high: Num[]; verdict: Coded;
  discovered: boolean[]; flops_ratio: Num[]; bytes_ratio: Num[];
}

export interface Comparison {
  baseline: Side; candidate: Side; total: Verdict; baseline_ns: Num; candidate_ns: Num; baseline_p95_ns: Num;
  candidate_p95_ns: Num; memory_ratio: Num; flops_ratio: Num; bytes_ratio: Num; margin_ratio: number;
  interleaved: boolean; method: string; baseline_covered_ratio: number; candidate_covered_ratio: number;
  ops: ComparedOps; waterfall: WaterfallStep[];
  differences: { field: string; baseline: string; candidate: string; blocking: boolean }[]; notes: string[];
}

export interface History {
  metric: string; unit: 'ns' | 'per_second';
  points: { run_id: string; created_at: string; value: number }[];
  changes: { index: number; before: number; after: number; ratio: number }[]; current: Num;
}

export interface Fact { label: string; value: Text }

export interface Measured {
  host: Fact[]; software: Fact[]; workload: Fact[]; settings: Fact[]; command: string[];
  tags: Record<string, string>;
}

export interface EmbeddedRun { file_name: string; media_type: string; size_bytes: number; data: string }

export interface Document {
  schema_version: string; neurolens_version: string;
  run: { path: Text; run_id: string; created_at: string; status: string; status_reason: Text; neurolens_version: string };
  headline: Headline; findings: Finding[]; ops: OpColumns; types: TypeRow[]; kernels: Kernel[];
  timeline: Timeline | null; roofline: { ceilings: Ceiling[]; threads: number; unplaced: number } | null;
  iterations: Iterations; observer: Observer; memory: Memory; critical_path: CriticalPath | null;
  graph: { from: ColumnData; to: ColumnData } | null; profile: Profile | null; comparison: Comparison | null;
  history: History | null; measured: Measured; unknown: string[]; explanations: { key: string; text: string }[];
  embedded_run: EmbeddedRun | null;
}

/** One row of `ops`. */
export interface Op {
  index: number; name: string; type: string; phase: string; provider: string; method: string; bound: string;
  shapes: string; nodes: string[]; time: Num; low: Num; high: Num; raw: Num; share: Num; samples: number;
  flops: Num; bytes: Num; memory: Num; ideal: Num; roof: Num; intensity: Num; flopRate: Num; byteRate: Num;
}

export function coded(column: Coded, row: number): string {
  const code = column.codes[row];
  return code === null || code === undefined ? '' : (column.values[code] ?? '');
}

export function opsOf(columns: OpColumns): Op[] {
  const ops: Op[] = [];
  for (let i = 0; i < columns.count; ++i) {
    ops.push({
      index: i, name: columns.name[i] ?? '', type: coded(columns.type, i), phase: coded(columns.phase, i),
      provider: coded(columns.provider, i), method: coded(columns.method, i), bound: coded(columns.bound, i),
      shapes: coded(columns.shapes, i), nodes: columns.original_nodes[i] ?? [], time: columns.time_ns[i] ?? null,
      low: columns.low_ns[i] ?? null, high: columns.high_ns[i] ?? null, raw: columns.raw_ns[i] ?? null,
      share: columns.share_ratio[i] ?? null, samples: columns.samples[i] ?? 0, flops: columns.flops[i] ?? null,
      bytes: columns.bytes[i] ?? null, memory: columns.memory_bytes[i] ?? null, ideal: columns.ideal_ns[i] ?? null,
      roof: columns.roof_ratio[i] ?? null, intensity: columns.intensity_flops_per_byte[i] ?? null,
      flopRate: columns.flops_per_second[i] ?? null, byteRate: columns.bytes_per_second[i] ?? null,
    });
  }
  return ops;
}
