import type { Check } from '../checks.ts';
import type { PlayedRotation } from './play.ts';

/** What must hold of a rotation under load. */
export function judgeRotation(played: PlayedRotation, { secrets }: { secrets: number }): Check[] {
  const { load, killed, last, oldKey, keysInFile, modeOfFile, scan, opened, swept, complaints } = played;
  const [newKey = ''] = keysInFile;
  const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;
  const rows = scan.reduce((sum, count) => sum + count.rows, 0);
  const expected = secrets + load.added + load.webhookSecrets;
  return [
    {
      name: 'no request failed while the master key was rotated',
      detail: `${load.runs} runs, ${load.added} credentials added, ${load.webhookSecrets} webhook secrets changed`,
      faults: [
        ...load.faults,
        ...(load.runs > 0 && load.added > 0 && load.webhookSecrets > 0 ? [] : ['there was no load of each kind']),
        ...(played.refusedByVendor > 0 ? [`the vendor was shown ${played.refusedByVendor} wrong secrets`] : []),
      ],
    },
    {
      name: 'the rotation was killed three times in the middle',
      detail: killed.map(({ rewrapped, rows: all, ms }) => `at ${rewrapped} of ${all} after ${seconds(ms)}`).join(', '),
      faults: killed.flatMap((one) =>
        one.ending === 'SIGKILL' && one.rewrapped < one.rows
          ? []
          : [`wanted at ${one.wantedShare * 100} %: ${one.ending} with ${one.rewrapped} of ${one.rows}`],
      ),
    },
    {
      name: 'begun again, it went on to the end with the key that the first had made',
      detail: `${last.document?.rewrapped ?? 0} re-wrapped in ${seconds(last.ms)}`,
      faults: [
        ...(last.complaint === '' ? [] : [last.complaint]),
        ...(last.document?.added === false ? [] : ['it made a key of its own']),
        ...(last.document?.retired.join() === oldKey ? [] : ['it did not retire the old key']),
        ...(keysInFile.length === 2 && keysInFile[1] === oldKey ? [] : [`the file holds ${keysInFile.join(', ')}`]),
        ...(modeOfFile === 0o600 ? [] : [`the file has mode ${modeOfFile.toString(8)}`]),
      ],
    },
    {
      name: 'a scan of every encrypted column finds nothing under the old key',
      detail: scan.map((count) => `${count.column} ${count.rows}`).join(', '),
      faults: [
        ...scan
          .filter(({ version, fingerprint }) => version !== 2 || fingerprint !== newKey)
          .map((count) => `${count.column}: ${count.rows} of version ${count.version} under ${count.fingerprint}`),
        // Each of the load's keys came with a webhook secret of its own.
        ...(rows >= expected ? [] : [`${rows} rows, and ${expected} were stored`]),
      ],
    },
    {
      name: 'every secret opens with the new key alone',
      detail: `${opened.opened} of ${rows}`,
      faults: opened.opened === rows ? opened.faults : [...opened.faults, `${rows - opened.opened} do not open`],
    },
    {
      name: 'the gateway goes on after a restart with the new key alone',
      detail: `${swept.runs} runs at every provider`,
      faults: [...swept.faults, ...complaints, ...(swept.runs > 0 ? [] : ['nothing was run'])],
    },
  ];
}
