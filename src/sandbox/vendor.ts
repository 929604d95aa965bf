import type { Clock } from '../core/clock.ts';
import type { Json, JsonObject } from '../core/json.ts';
import type { Random } from '../core/random.ts';
import type { Damage } from './damages.ts';
import type { Concern, Trait } from './plan.ts';
import type { Call, Reply } from './http-kit.ts';
import type { StartRecorder } from './start-recorder.ts';
import type { ServerSocket } from './web-socket.ts';
import type { WorkflowNames } from './workflow-names.ts';

/** What an answer of a vendor will be: its normal reply, and what is done to it. */
export interface Sending {
  reply: Reply;
  damage: Damage | null;
  concerns: Concern;
}

export interface Route {
  method: 'GET' | 'POST';
  /** Below the origin, with at most one hole: `/v1/runs/:id/cancel`. */
  path: string;
  handle(call: Call, id: string): Promise<Sending>;
}

/** Where a vendor takes a WebSocket. */
export interface SocketRoute {
  path: string;
  /** Looks at the handshake; throws `Refusal`. */
  admit(call: Pick<Call, 'header' | 'query'>): void;
  /** Resolves when the conversation is over. */
  talk(socket: ServerSocket): Promise<void>;
}

/** How a vendor tells of its runs. */
export interface WebhookForm {
  /** The message about this run as it is now. */
  message(runId: string): JsonObject;
  /** Headers with the signature over the body. */
  sign(body: string, secret: string): Record<string, string>;
}

/** A run whose end is to be told. */
export interface RunToWatch {
  id: string;
  hasEnded(): boolean;
  /** Milliseconds until it changes by itself, as far as is known; Infinity where it waits for somebody. */
  nextChangeMs(): number;
}

export interface ErrorDetail {
  message?: string | undefined;
  code?: string | null;
  /** In the shape of the vendor's older pages, where they show one. */
  older?: boolean;
  concerns?: Concern;
}

/** What a simulated vendor gets. */
export interface VendorParts {
  clock: Clock;
  random: Random;
  /** The credential that it accepts. */
  key: string;
  /** Milliseconds that an ordinary run takes. */
  runMs: number;
  starts: StartRecorder;
  resumes: StartRecorder;
  names: WorkflowNames;
  /** Runs it remembers; the oldest are forgotten. */
  runsMax: number;
  /** Tells whoever has asked for webhooks when the run has ended. */
  watch: (run: RunToWatch) => void;
}

/** A simulated vendor at work. */
export interface Vendor {
  routes: readonly Route[];
  sockets?: readonly SocketRoute[];
  webhooks?: WebhookForm;
  /** The documented error of this status, or the likeliest where the documents show none. */
  errorReply(status: number, detail?: ErrorDetail): Reply;
  /** What a 200 says that is no success. */
  unsuccessful(): Json;
  /** The credential that a request shows, for the fault which repeats it. */
  credentialOf(call: Call): string;
  reset(): void;
}

/** One vendor of the sandbox: its file in `vendors/` exports this. */
export interface VendorSandbox<Kind extends string = string> {
  kind: Kind;
  title: string;
  /** What the base URL has behind the origin. */
  basePath: string;
  demoKey: string;
  /** Milliseconds that an ordinary run takes. */
  ordinaryRunMs: number;
  traits: readonly Trait[];
  /** Where a workflow's id cannot be its name. Default: it is. */
  createNames?: (examples: readonly string[]) => WorkflowNames;
  create(parts: VendorParts): Vendor;
}

/** The form of the ids that a simulated vendor takes for a workflow of its own. */
const WORKFLOW_ID = /^[A-Za-z0-9][A-Za-z0-9._~:@-]{0,199}$/;

/** Whether the sandbox knows this workflow; it knows every ordinary one. */
export function isWorkflowId(text: string): boolean {
  return WORKFLOW_ID.test(text);
}

/** Checks the types of one vendor; adds nothing at run time. */
export function defineVendorSandbox<const Kind extends string>(vendor: VendorSandbox<Kind>): VendorSandbox<Kind> {
  return vendor;
}
