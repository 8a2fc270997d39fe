// What the API sends (src/api), as far as the page reads it. For the type check only; never served.

export type Ms = number;
export interface Names { zh: string; en: string }
export type QualityWord = 'good' | 'uncertain' | 'bad';
export type Scalar = number | boolean | string | null;

export interface Site { id: string; name: Names; timezone: string; now: Ms; build: string; languages: string[] }
/** `points` are its own alone; `key` the quantities a person wants first. */
export interface Asset {
  id: string; class: string; name: Names; parent: string | null; system: string | null; key: string[]; points: number;
}
/** A point as the pages of the plant need it. */
export interface PlantPoint {
  address: string; asset: string; quantity: string; name: Names; unit: string; symbol: string; decimals: number;
  kind: 'decimal' | 'float' | 'bool' | 'text'; states: State[]; range: [number, number] | null;
  normal: [number, number] | null; key: boolean; stale_after_ms: number; interval_ms: number | null; device: string | null;
}
export interface OverviewRow {
  system: string; building: string | null; assets: number; points: number; key: PlantPoint[];
  comms: { good: number; total: number };
  alarms: { worst_priority: number | null; open: number; unacknowledged: number }; work_orders_open: number;
}
export interface Overview { now: Ms; items: OverviewRow[] }
export interface SystemAsset extends Omit<Asset, 'points' | 'system'> { building: string | null; points: PlantPoint[] }
export interface Machine extends Omit<Asset, 'points'> {
  points: PlantPoint[]; sources: { protocol: 'modbus' | 'mqtt'; bus: string; device: string | null }[];
}
export interface Feed { medium: string; from: string[]; to: string[]; needs: number }

/** What one number of a point stands for; a flag is 0 or 1. */
export interface State { value: number; name: Names }

export interface Point {
  id: number; address: string; site: string; asset: string; quantity: string; name: Names;
  unit: string; symbol: string; decimals: number; kind: 'decimal' | 'float' | 'bool' | 'text';
  stale_after_ms: number; hold_ms: number; range: [number, number] | null; states: State[];
}
export interface Value {
  point: string; at: Ms; received_at: Ms; at_error_ms: number; value: Scalar; quality: QualityWord;
  reason: string | null;
}
export interface PointNow extends Point { value: Value | null }
/** A value that a person put in the place of a device's. */
export interface Substitution {
  id: number; point: string; value: Scalar; since: Ms; until: Ms; by: string; reason: string;
}
export interface Reading { at: Ms; value: Scalar; quality: QualityWord; reason: string | null }
export interface Readings {
  point: string; unit: string; symbol: string; from: Ms; to: Ms; readings: Reading[]; next: Ms | null;
}
export interface PointPage { items: Point[]; next: string | null }

export interface Alarm {
  id: number; rule: string; asset: string; asset_name: Names; point: string; point_name: Names;
  priority: 1 | 2 | 3 | 4; failure_mode: string; state: string; active: boolean; acked: boolean;
  raised_at: Ms; cleared_at: Ms | null; acked_at: Ms | null; acked_by: string | null;
  value: Scalar; limit: Scalar; unit: string; symbol: string; value_states: State[]; message: Names;
  response: Names;
  work_order: number | null;
}
export interface Alarms { items: Alarm[]; counts: Record<string, number> }

export type OrderState = 'new' | 'accepted' | 'done' | 'closed';
export interface WorkOrder {
  id: number; number: string; state: OrderState; asset: string; asset_name: Names; failure_mode: string;
  priority: 1 | 2 | 3 | 4; title: Names; response: Names; opened_at: Ms; accepted_at: Ms | null;
  accepted_by: string | null; done_at: Ms | null; done_by: string | null; note: string | null;
  closed_at: Ms | null; closed_by: string | null; point: string; value: Scalar; limit: Scalar;
  unit: string; symbol: string; value_states: State[]; alarm_ids: number[]; version: number;
}
export interface OrderStep { at: Ms; actor: string; from: OrderState | null; to: OrderState; note: string | null }
export interface WorkOrderFull extends WorkOrder { history: OrderStep[]; alarms: Alarm[] }

export interface TariffClass { id: string; name: Names; price: number }
export interface Tariff { id: string; name: Names; currency: string; classes: TariffClass[]; half_hours: number[] }
export interface Meter {
  id: string; name: Names; point: string; unit: string; symbol: string; tariff: Tariff | null;
}
export interface ClassShare { id: string; energy: number; cost: number }
export interface Day {
  date: string; start: Ms; end: Ms; energy: number | null; cost: number | null; classes: ClassShare[];
  cells: number; good: number; estimated: number; event: number; missing: number;
}
export interface Days {
  meter: string; unit: string; symbol: string; currency: string; recounted_from: Ms | null; days: Day[];
}
export interface Cell {
  start: Ms; end: Ms; energy: number | null; quality: 'good' | 'estimated' | 'event' | 'missing';
  class: string | null;
}

export interface Device {
  id: string; unit: number; assets: string[]; points: number; interval_ms: number; last_good_at: Ms | null;
  consecutive_failures: number; demoted: boolean;
}
export interface Bus { id: string; link: string; running: boolean; connected: boolean; devices: Device[] }
export interface Buses { now: Ms; items: Bus[] }

/** A topic that leads to no known point. */
export interface Unmapped { topic: string; address: string | null; sample: string; count: number; last_at: Ms }
export interface Broker {
  id: string; address: string; tls: boolean; client_id: string; running: boolean; connected: boolean; since: Ms | null;
  reason: string | null; subscribed: boolean; topics: string[]; refused: string[]; last_message_at: Ms | null;
  messages: number; connections: number; silent_after_ms: number; silent_since: Ms | null; sessions_lost: number;
  gap: { from: Ms; to: Ms } | null; unmapped: Unmapped[]; unmapped_unlisted: number;
}
export interface Brokers { now: Ms; items: Broker[] }
/** What became of a message; `why` is in the server's English. */
export type Fate =
  | { kind: 'taken'; samples: number; failed: number; why: string | null }
  | { kind: 'unmapped'; address: string | null; why: string | null }
  | { kind: 'duplicate' } | { kind: 'dropped' };
export interface SeenTopic { topic: string; count: number; bytes: number; first_at: Ms; last_at: Ms; fate: Fate }
export interface Topics { now: Ms; items: SeenTopic[]; unlisted: number }
export interface Message {
  received_at: Ms; text: string | null; hex: string | null; bytes: number; retained: boolean; qos: number; fate: Fate;
}
export interface Messages { now: Ms; topic: string; items: Message[] }

/** Where an expression is wrong: characters of the part, from 0. */
export interface Mistake { part: 'formula' | 'unit'; start: number; end: number; what: string; help: string | null }
export interface ExpressionInput {
  point: string; name: Names; symbol: string; decimals: number; states: State[]; value: Scalar;
  quality: QualityWord; reason: string | null; at: Ms | null; decided: boolean;
  windows: { length_ms: number; readings: number; coverage: number }[];
}
export interface ExpressionResult {
  says: 'condition' | 'number' | 'text'; unit: string | null; symbol: string; value: Scalar; quality: QualityWord;
  reason: string | null; words: Names[]; inputs: ExpressionInput[]; cost_parts: number; cost_readings: number;
  cost_max: number; moves_with_time: boolean;
}
export interface TriedExpression { now: Ms; mistake: Mistake | null; result: ExpressionResult | null }

/** What a message would give: mistakes of the mapping, or samples with raw values. */
export interface TriedSample {
  point: string; mapped: boolean; known: boolean; name: Names | null; unit: string; states: State[]; value: Scalar;
  fault: string | null; doubted: boolean; why: string | null; at: Ms | null;
}
export interface TriedMapping {
  now: Ms; problems: { line: number; column: number; path: string; what: string; help: string | null }[];
  fits: boolean; filters: string[]; samples: TriedSample[]; unlisted: number; unknown: string[]; unreadable: string | null;
}

/** Where the raw values of a point come from. */
export type MakingSource =
  | {
    kind: 'device'; bus: string; device: string; unit: number; table: string; address: number; type: string;
    interval_ms: number; running: boolean; connected: boolean; demoted: boolean; consecutive_failures: number;
  }
  | { kind: 'broker'; broker: string; address: string; topics: string[]; running: boolean; connected: boolean }
  | { kind: 'formula'; formula: string };
export interface Step {
  kind: 'raw' | 'scaled' | 'offset' | 'converted' | 'clamped' | 'counted'; value: Scalar; by: number | null;
  from: string | null; to: string | null; low: number | null; high: number | null; modulus: number | null;
}
/** A question asked of a value; limit and find as the server spells them. */
export interface Check {
  rule: string; limit: string | null; saw: string | null; verdict: 'passed' | 'failed' | 'not_configured' | 'not_reached';
}
export interface Making {
  now: Ms; point: string; source: MakingSource | null;
  sample: {
    value: Scalar; fault: string | null; exception: number | null; doubted: boolean; device: string; source_at: Ms | null;
    received_at: Ms; at_error_ms: number | null; fate: 'current' | 'late' | 'duplicate';
  } | null;
  steps: Step[]; checks: Check[]; reading: Reading | null; heard_ago_ms: number | null;
  history: { kind: 'everything' | 'kept' | 'held_back'; kept: Reading | null; held: Reading | null };
  counts: { readings: number; bad: number; held_back: number; duplicates: number; late: number } | null;
}

export interface LogEvent { seq: number; at: Ms; kind: string; subject: string; body: unknown }

/** A value as the live connection keeps it: `q` 0 good, 1 uncertain, 2 bad. */
export interface Live { v: Scalar; q: 0 | 1 | 2; r: string | null; at: Ms }

/** Figures of a point over a span; null where its readings give none. */
export interface Statistics {
  point: string; count: number; min: number | null; min_at: Ms | null; max: number | null; max_at: Ms | null;
  mean: number | null; weighted_mean: number | null; first: number | null; last: number | null;
  increase: number | null; deviation: number | null; good_share: number | null;
}
