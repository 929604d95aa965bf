import type { VendorSandbox } from './vendor.ts';
import { aiTutor } from './vendors/ai-tutor.ts';
import { b3os } from './vendors/b3os.ts';
import { draftAndGoal } from './vendors/draft-and-goal.ts';
import { interactly } from './vendors/interactly.ts';

/** Every simulated vendor; another one is a file in `vendors/` and a line here. */
export const VENDOR_SANDBOXES = [aiTutor, b3os, draftAndGoal, interactly] as const satisfies readonly VendorSandbox[];

export type SandboxKind = (typeof VENDOR_SANDBOXES)[number]['kind'];
