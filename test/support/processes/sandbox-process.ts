import { fileURLToPath } from 'node:url';
import { reviveJson } from '../../../src/core/json.ts';
import { linesUntil, startChild } from './child.ts';

const SCRIPT = fileURLToPath(new URL('../../../scripts/sandbox.ts', import.meta.url));

/** One start as the simulated vendors' control server tells it. */
export interface SeenStart {
  seq: number;
  kind: string;
  /** Its name. */
  workflow: string;
  began: boolean;
  at: string;
}

/** Simulated vendors in a process of their own, which outlive every gateway. */
export interface SandboxProcess extends AsyncDisposable {
  vendors: Readonly<Record<string, { base_url: string; key: string }>>;
  /** The id of a workflow that the kind's vendor knows by this name from now on. */
  workflowId(kind: string, name: string): Promise<string>;
  /** Every start so far, oldest first; of one workflow where it is given. */
  starts(workflow?: string): Promise<SeenStart[]>;
}

interface Announced {
  control: { origin: string };
  vendors: Record<string, { base_url: string; origin: string; key: string }>;
}

/** Starts `scripts/sandbox.ts` on free ports. */
export async function startSandboxProcess(): Promise<SandboxProcess> {
  const child = startChild([SCRIPT], {});
  const complaints: string[] = [];
  child.stderr.on('line', (line: string) => complaints.push(line));
  const [line = ''] = await linesUntil(
    child,
    () => true,
    () => `the sandbox did not start: ${complaints.join('\n')}`,
  );
  const { control, vendors } = reviveJson<Announced>(line);
  return {
    vendors,
    async workflowId(kind, name) {
      const query = new URLSearchParams({ kind, name });
      const answer = await fetch(`${control.origin}/workflow-id?${query.toString()}`);
      return reviveJson<{ id: string }>(await answer.text()).id;
    },
    starts: (workflow) => readStarts(control.origin, workflow),
    async [Symbol.asyncDispose]() {
      child.signal('SIGKILL');
      await child.gone;
    },
  };
}

async function readStarts(origin: string, workflow: string | undefined): Promise<SeenStart[]> {
  const starts: SeenStart[] = [];
  for (let after: number | null = 0; after !== null;) {
    const query = new URLSearchParams({ after: String(after), ...(workflow === undefined ? {} : { workflow }) });
    const answer = await fetch(`${origin}/starts?${query.toString()}`);
    const page = reviveJson<{ starts: SeenStart[]; forgotten: number; next: number | null }>(await answer.text());
    if (page.forgotten > 0) throw new Error('the sandbox forgot starts, so that they cannot be counted');
    starts.push(...page.starts);
    after = page.next;
  }
  return starts;
}
