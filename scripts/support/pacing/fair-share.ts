import { setTimeout as sleep } from 'node:timers/promises';
import type { Check } from '../../../test/support/processes/checks.ts';
import { clientOf, preparePacedGateway, sendRuns, STARTS_A_MINUTE, WINDOW_MS } from './paced-gateway.ts';
import { startStrictVendor, type VendorStart } from './strict-vendor.ts';

const FLOOD = 200;
const OTHERS = 10;
const RUN_MS = 500;
/** The flood has queued up, and its first starts have left. */
const LATER_MS = 5_000;
/** A minute is kept with a second to spare, since starts are on their way for different times. */
const MARGIN_MS = 1_500;
const LOOK_AGAIN_MS = 100;

/** One key floods a vendor's allowance; another comes with a few runs. */
export async function checkFairShare(): Promise<Check[]> {
  await using vendor = await startStrictVendor({ startsMax: STARTS_A_MINUTE, windowMs: WINDOW_MS, runMs: RUN_MS });
  await using gateway = await preparePacedGateway(vendor.url);
  await gateway.start();
  using flooding = clientOf(gateway, gateway.key);
  using other = clientOf(gateway, await gateway.createKey('other'));
  await sendRuns(flooding, 'flood', FLOOD);
  await sleep(LATER_MS);
  const cameAt = Date.now();
  await sendRuns(other, 'other', OTHERS);
  const ideals = idealWaitsMs(vendor.starts, cameAt);
  const patienceMs = Math.max(...ideals) + 2 * MARGIN_MS + WINDOW_MS;
  const seen = () => vendor.starts.filter(({ workflow, refused }) => workflow.startsWith('other-') && !refused);
  while (seen().length < OTHERS && Date.now() - cameAt < patienceMs) await sleep(LOOK_AGAIN_MS);
  return judge(vendor.starts, { waits: seen().map(({ at }) => at - cameAt), ideals, complaints: gateway.complaints() });
}

/**
 * What the newcomer's runs would wait if the vendor's allowance were used to the millisecond, and keys took turns: of
 * each window's starts every second one is the newcomer's.
 */
function idealWaitsMs(before: readonly VendorStart[], cameAt: number): number[] {
  const slots = before.map(({ at }) => at);
  const own: number[] = [];
  for (let turn = 0; own.length < OTHERS; turn++) {
    const at = Math.max(cameAt, (slots.at(-STARTS_A_MINUTE) ?? 0) + WINDOW_MS);
    slots.push(at);
    if (turn % 2 === 1) own.push(at - cameAt);
  }
  return own;
}

function judge(
  starts: readonly VendorStart[],
  { waits, ideals, complaints }: { waits: readonly number[]; ideals: readonly number[]; complaints: readonly string[] },
): Check[] {
  const seconds = (all: readonly number[]) => all.map((ms) => (ms / 1000).toFixed(1)).join(' ');
  const name = `${FLOOD} runs of one key queued, ${OTHERS} of another`;
  const late = ideals.flatMap((idealMs, i) => {
    const waitMs = waits[i];
    // The margin of each window that was waited for.
    const allowedMs = idealMs + MARGIN_MS * Math.ceil(idealMs / WINDOW_MS);
    if (waitMs !== undefined && waitMs <= allowedMs) return [];
    return [
      `run ${i + 1} waited ${waitMs === undefined ? 'in vain' : seconds([waitMs])} s, not ${seconds([allowedMs])} s`,
    ];
  });
  return [
    {
      name: `${name}: the other’s wait at most their fair share`,
      detail: `waited ${seconds(waits)} s; ideal turn-taking ${seconds(ideals)} s`,
      faults: late,
    },
    {
      name: `${name}: no 429 of the vendor`,
      detail: `${starts.length} starts`,
      faults: starts.filter(({ refused }) => refused).map(({ workflow }) => `${workflow} got a 429`),
    },
    { name: `${name}: no process complained`, detail: '', faults: complaints },
  ];
}
