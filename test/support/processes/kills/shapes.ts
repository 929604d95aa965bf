import type { SeededRandom } from '../../simulation/seeded-random.ts';

export type VendorKind = 'ai-tutor' | 'b3os' | 'draft-and-goal' | 'interactly';

export const VENDOR_KINDS: readonly VendorKind[] = ['ai-tutor', 'b3os', 'draft-and-goal', 'interactly'];

/** How a vendor treats a run, and what becomes of it when no gateway is killed meanwhile. */
export interface Shape {
  /** The part of the workflow id that the sandbox understands; '' for an ordinary run. */
  part: string;
  weight: number;
  /** The run's status, or its error's code. */
  end: string;
  /** Milliseconds after the start by which the vendor's run has ended. */
  vendorMs: number;
  /** Whether the vendor's answer proves that nothing began. */
  refused?: true;
  /** Whether the answer rests the credential, so that no other run should depend on it. */
  limited?: true;
  /** An end that only the patience of a look-up brings, 30 s after the start. */
  patient?: true;
}

const EVERYWHERE: readonly Shape[] = [
  { part: '', weight: 24, end: 'succeeded', vendorMs: 300 },
  { part: 'runs-1500', weight: 14, end: 'succeeded', vendorMs: 1_500 },
  { part: 'runs-4000', weight: 10, end: 'succeeded', vendorMs: 4_000 },
  { part: 'slow-500', weight: 10, end: 'succeeded', vendorMs: 800 },
  { part: 'status-429-retry-1', weight: 6, end: 'upstream_rate_limited', vendorMs: 0, refused: true, limited: true },
  {
    part: 'slow-300.status-429-retry-1',
    weight: 4,
    end: 'upstream_rate_limited',
    vendorMs: 300,
    refused: true,
    limited: true,
  },
  { part: 'status-401', weight: 2, end: 'upstream_auth_failed', vendorMs: 0, refused: true },
  { part: 'status-400', weight: 2, end: 'upstream_rejected_input', vendorMs: 0 },
  { part: 'status-503', weight: 3, end: 'upstream_unavailable', vendorMs: 300 },
];

const CUTS: readonly Shape[] = ['cut-before-headers', 'cut-in-headers', 'cut-in-body'].map((part) => ({
  part,
  weight: 3,
  end: 'outcome_unknown',
  vendorMs: 300,
}));

const BY_KIND: Readonly<Record<VendorKind, readonly Shape[]>> = {
  'ai-tutor': [
    ...CUTS,
    { part: 'cut-on-accept', weight: 3, end: 'outcome_unknown', vendorMs: 0 },
    { part: 'fails', weight: 5, end: 'upstream_error', vendorMs: 50 },
  ],
  'draft-and-goal': [
    ...CUTS,
    { part: 'cut-on-accept', weight: 3, end: 'outcome_unknown', vendorMs: 0 },
    { part: 'fails', weight: 5, end: 'workflow_failed', vendorMs: 300 },
    { part: 'aborted', weight: 2, end: 'cancelled', vendorMs: 300 },
    { part: 'poll-status-503-x2', weight: 4, end: 'succeeded', vendorMs: 300 },
  ],
  b3os: [
    // Its documents let a broken start be looked up, so what the vendor did is learnt.
    ...CUTS.map((cut) => ({ ...cut, end: 'succeeded' })),
    { part: 'cut-on-accept', weight: 2, end: 'outcome_unknown', vendorMs: 0, patient: true },
    { part: 'cut-unbegun', weight: 2, end: 'outcome_unknown', vendorMs: 0, patient: true },
    { part: 'cut-late-3000', weight: 3, end: 'succeeded', vendorMs: 3_000 },
    { part: 'fails', weight: 5, end: 'workflow_failed', vendorMs: 300 },
    { part: 'cancelled-by-vendor', weight: 2, end: 'cancelled', vendorMs: 300 },
    { part: 'waits-800', weight: 3, end: 'succeeded', vendorMs: 1_100 },
  ],
  interactly: [
    ...CUTS,
    { part: 'cut-on-accept', weight: 3, end: 'outcome_unknown', vendorMs: 0 },
    { part: 'fails', weight: 3, end: 'workflow_failed', vendorMs: 300 },
    { part: 'loops', weight: 2, end: 'workflow_failed', vendorMs: 300 },
    { part: 'cancelled-by-vendor', weight: 2, end: 'cancelled', vendorMs: 300 },
    { part: 'waits-800', weight: 3, end: 'succeeded', vendorMs: 1_100 },
    { part: 'poll-status-503-x2', weight: 4, end: 'succeeded', vendorMs: 300 },
  ],
};

/** What can happen to a run at this vendor. */
export function shapesOf(kind: VendorKind, { patient }: { patient: boolean }): Shape[] {
  return [...EVERYWHERE, ...BY_KIND[kind]].filter((shape) => patient || shape.patient !== true);
}

/** Picks by weight. */
export function pickShape(shapes: readonly Shape[], random: SeededRandom): Shape {
  let left = random.float() * shapes.reduce((sum, { weight }) => sum + weight, 0);
  for (const shape of shapes) {
    left -= shape.weight;
    if (left < 0) return shape;
  }
  throw new Error('there is no shape to pick');
}
