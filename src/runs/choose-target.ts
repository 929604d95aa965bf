import { createHash } from 'node:crypto';
import type { RegisteredWorkflow, WeightedTarget } from '../providers/registry.ts';
import { byWeight } from './by-weight.ts';

/**
 * Where a run of a registered workflow goes, by weight: for every run with the same value of its sticky metadata key
 * the same target, in every process and for good; otherwise by chance, a number in [0, 1).
 */
export function chooseTarget(
  { name, targets, stickyBy }: Pick<RegisteredWorkflow, 'name' | 'targets' | 'stickyBy'>,
  metadata: Readonly<Record<string, string>>,
  chance: () => number,
): WeightedTarget {
  const [first, ...others] = targets.filter(({ weight }) => weight > 0);
  // The configuration lets no workflow be without one.
  if (first === undefined) throw new TypeError(`workflow ${name}: no target has a weight`);
  if (others.length === 0) return first;
  const value = stickyBy !== null && Object.hasOwn(metadata, stickyBy) ? metadata[stickyBy] : undefined;
  return value === undefined ? byWeight([first, ...others], chance()) : byValue([first, ...others], [name, value]);
}

/**
 * Weighted rendezvous hashing: each target draws by itself, and the least draw wins. So a changed weight, or a target
 * more or less, moves no more values than it must, and the order of the file says nothing.
 */
function byValue(targets: readonly [WeightedTarget, ...WeightedTarget[]], key: readonly string[]): WeightedTarget {
  const draw = ({ provider, workflow, weight }: WeightedTarget) =>
    -Math.log(hashShare([...key, provider, workflow])) / weight;
  const [first, ...others] = targets;
  let winner = { target: first, drawn: draw(first) };
  for (const target of others) {
    const drawn = draw(target);
    if (drawn < winner.drawn) winner = { target, drawn };
  }
  return winner.target;
}

const HASH_BYTES = 6;

/** A number in (0, 1) that follows from the texts alone. */
function hashShare(texts: readonly string[]): number {
  const hash = createHash('sha256').update(JSON.stringify(texts)).digest();
  return (hash.readUIntBE(0, HASH_BYTES) + 0.5) / 2 ** (HASH_BYTES * 8);
}
