import type { Clock } from '../core/clock.ts';
import type { Random } from '../core/random.ts';
import { faultsFor } from './faults.ts';
import type { FaultEntry } from './plan.ts';
import { listen, type Listener, type Listening } from './http-kit.ts';
import { serveControl } from './serve-control.ts';
import { serveSockets, serveVendor } from './serve-vendor.ts';
import { createStartRecorder, type RecordedStart, type StartFilter, type StartRecorder } from './start-recorder.ts';
import type { Vendor, VendorSandbox } from './vendor.ts';
import { plainNames } from './workflow-names.ts';
import { VENDOR_SANDBOXES, type SandboxKind } from './vendors.ts';
import { createWebhookSender, type WebhookSender, type WebhookTarget } from './webhooks.ts';

const RECORDS_MAX = 200_000;
const RUNS_MAX = 200_000;

export interface SandboxOptions {
  clock: Clock;
  random: Random;
  /** A loopback address. */
  host: string;
  /** Fixed ports, so that clients find a sandbox again; any free one where none is given. */
  ports?: Partial<Record<SandboxKind | 'control', number>>;
  /** Credentials to accept instead of the demo ones. */
  keys?: Partial<Record<SandboxKind, string>>;
  /** Milliseconds that an ordinary run takes, instead of each vendor's own. */
  runMs?: Partial<Record<SandboxKind, number>>;
  /** Starts that are remembered; 200,000. */
  recordsMax?: number;
}

export interface SandboxVendor {
  kind: SandboxKind;
  title: string;
  origin: string;
  /** What a provider's `base_url` must be. */
  baseUrl: string;
  /** The credential that it accepts. */
  key: string;
  /** The special workflow ids that mean something here. */
  faults: readonly FaultEntry[];
  /**
   * The vendor's id of a workflow that is called so; the sandbox knows the workflow from then on. The id is the
   * name itself, except where the vendor takes no such ids.
   */
  workflowId: (name: string) => string;
  /** HTTP requests that came in since the last reset, good or bad. */
  requests: () => number;
}

export interface Sandbox {
  vendors: Readonly<Record<SandboxKind, SandboxVendor>>;
  /** Where other processes count starts. */
  control: { origin: string };
  /** What was started, oldest first, whether it began or not. */
  starts(filter?: StartFilter): RecordedStart[];
  /** The same of what lets a waiting run go on: every resume that was good, whether it took effect or not. */
  resumes(filter?: StartFilter): RecordedStart[];
  /**
   * From now on a vendor tells a loopback address when one of its runs that begins afterwards has ended; null: no more.
   * Throws `RangeError` where the vendor has no webhooks, or the address is no loopback one.
   */
  sendWebhooks(kind: SandboxKind, target: WebhookTarget | null): void;
  /** Forgets every start, every run and where webhooks go. */
  reset(): void;
  /** Cuts every connection and frees the ports. */
  close(): Promise<void>;
}

interface Running {
  vendor: SandboxVendor;
  webhooks: WebhookSender;
  reset(): void;
  close(): Promise<void>;
}

/** Starts every simulated vendor and the control server on loopback; rejects, with nothing left open, where a port is taken. */
export async function startSandbox(options: SandboxOptions): Promise<Sandbox> {
  const createRecorder = () =>
    createStartRecorder({ clock: options.clock, recordsMax: options.recordsMax ?? RECORDS_MAX });
  const recorders = { starts: createRecorder(), resumes: createRecorder() };
  const running: Running[] = [];
  const reset = () => {
    recorders.starts.reset();
    recorders.resumes.reset();
    for (const one of running) one.reset();
  };
  const close = async () => {
    await Promise.all(running.map((one) => one.close()));
  };
  try {
    for (const definition of VENDOR_SANDBOXES) running.push(await startVendor(definition, recorders, options));
    const port = options.ports?.control ?? 0;
    const vendors = Object.fromEntries(running.map(({ vendor }) => [vendor.kind, vendor])) as Sandbox['vendors'];
    const workflowId = (kind: string, name: string) =>
      running.find(({ vendor }) => vendor.kind === kind)?.vendor.workflowId(name) ?? null;
    const webhooksOf = (kind: string) => running.find(({ vendor }) => vendor.kind === kind)?.webhooks ?? null;
    const request = serveControl({ ...recorders, workflowId, webhooksOf, reset });
    const control = await listen({ request }, { host: options.host, port });
    return {
      vendors,
      control: { origin: control.origin },
      starts: (filter) => recorders.starts.list(filter),
      resumes: (filter) => recorders.resumes.list(filter),
      sendWebhooks: (kind, target) => webhooksOf(kind)?.setTarget(target),
      reset,
      close: async () => void (await Promise.all([close(), control.close()])),
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function startVendor(
  definition: VendorSandbox<SandboxKind>,
  recorders: { starts: StartRecorder; resumes: StartRecorder },
  { clock, random, host, ports, keys, runMs }: SandboxOptions,
): Promise<Running> {
  const { kind, title, basePath, demoKey, ordinaryRunMs, traits } = definition;
  const key = keys?.[kind] ?? demoKey;
  const faults = faultsFor(traits);
  const names = definition.createNames?.(faults.flatMap(({ examples }) => examples)) ?? plainNames;
  const times = { runMs: runMs?.[kind] ?? ordinaryRunMs, runsMax: RUNS_MAX };
  const webhooks = createWebhookSender({ clock, form: () => vendor.webhooks ?? null });
  const vendor: Vendor = definition.create({
    clock,
    random,
    key,
    ...recorders,
    names,
    ...times,
    watch: (run) => webhooks.watch(run),
  });
  const handle = serveVendor(vendor, clock);
  const upgrade = serveSockets(vendor, clock);
  let requests = 0;
  const listener: Listener = {
    request(request, response) {
      requests += 1;
      handle(request, response);
    },
    ...(vendor.sockets === undefined
      ? {}
      : {
          upgrade(request, stream, head) {
            requests += 1;
            upgrade(request, stream, head);
          },
        }),
  };
  const listening: Listening = await listen(listener, { host, port: ports?.[kind] ?? 0 });
  const { origin } = listening;
  return {
    vendor: {
      kind,
      title,
      origin,
      baseUrl: origin + basePath,
      key,
      faults,
      workflowId: (name) => names.idOf(name),
      requests: () => requests,
    },
    webhooks,
    reset() {
      requests = 0;
      vendor.reset();
      webhooks.setTarget(null);
    },
    close: async () => {
      webhooks.stop();
      await listening.close();
    },
  };
}
