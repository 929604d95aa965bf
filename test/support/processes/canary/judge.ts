import type { Check } from '../checks.ts';
import { findMarkers, formsOf, type Evidence, type Marker } from './markers.ts';
import type { PlayedCanary } from './play.ts';
import { SCENES } from './scenes.ts';

const COMMANDS = [
  'audit export',
  'audit verify',
  'backup',
  'check',
  'credentials add',
  'credentials list',
  'credentials remove',
  'credentials verify',
  'keys create',
  'keys list',
  'keys revoke',
  'keys rotate',
  'restore',
  'runs cancel',
  'runs events',
  'runs get',
  'runs list',
  'runs resolve',
  'vault rotate',
];
const ROUTES_MIN = 30;

/** What must hold once every secret was everywhere. */
export function judgeCanary(played: PlayedCanary): Check[] {
  const { markers, evidence, shown, wanted, used, scenes, spans, deliveries, strayed, oddities } = played;
  const areas: [string, RegExp][] = [
    ['logs and standard streams of the gateway', / of the gateway$/],
    ['standard streams of the commands', /^standard /],
    ['answers of both listeners, events and metrics', /^answer|^failure/],
    ['traces', /the collector/],
    ['webhooks', /the webhooks/],
    ['database, its journals, backups and all other files', /^the file/],
  ];
  return [
    usedEverything(played),
    {
      name: 'every secret was shown to whoever it is for, and echoed in every scene',
      detail: `${scenes.size} scenes of vendors, ${used.size} commands and routes, ${spans} exports of spans, ${deliveries} webhooks`,
      faults: [
        ...wanted.filter((secret) => !shown.has(secret)).map((secret) => `${secret.slice(0, 12)}… was shown to nobody`),
        ...SCENES.filter((scene) => ![...scenes.keys()].some((one) => one.endsWith(` ${scene}`))).map(
          (scene) => `no vendor played ${scene}`,
        ),
        ...COMMANDS.filter((command) => !used.has(command)).map((command) => `the command ${command} was not used`),
        ...(used.size < ROUTES_MIN + COMMANDS.length ? ['hardly any route was called'] : []),
        ...(spans === 0 ? ['no span was exported'] : []),
        ...(deliveries === 0 ? ['no webhook was sent'] : []),
        ...oddities,
      ],
    },
    planted(markers, evidence),
    ...areas.map(([name, place]) => {
      const mine = evidence.filter((one) => place.test(one.place));
      const bytes = mine.reduce((sum, one) => sum + one.bytes.length, 0);
      const hits = findMarkers(markers, mine).map((hit) => `${hit.marker} ${hit.form} in ${hit.place}: ${hit.around}`);
      return {
        name: `no secret in ${name}`,
        detail: `${mine.length} pieces, ${(bytes / 1e6).toFixed(1)} MB, ${markers.length} secrets`,
        faults: bytes === 0 ? ['there is nothing to look at'] : [...new Set(hits)],
      };
    }),
    {
      name: 'a collector that redirects is not followed',
      detail: '',
      faults: strayed > 0 ? [`${strayed} requests`] : [],
    },
  ];
}

/** Masks are there: so echoes came in, and were blotted out. */
function usedEverything({ evidence }: PlayedCanary): Check {
  const masked = (place: RegExp) => evidence.some((one) => place.test(one.place) && one.bytes.includes('[secret]'));
  const faults = [/^answer/, /^the file .*\.db/, /the webhooks/].filter((place) => !masked(place));
  return {
    name: 'echoes came in, and were blotted out',
    detail: '',
    faults: faults.map((place) => `no mask in ${place.source}`),
  };
}

/** Plants every secret in every form in a copy of a log: a search that finds nothing would prove nothing. */
function planted(markers: readonly Marker[], evidence: readonly Evidence[]): Check {
  const log = Buffer.concat(evidence.filter(({ place }) => place.endsWith('of the gateway')).map(({ bytes }) => bytes));
  const faults: string[] = [];
  let count = 0;
  for (const marker of markers) {
    for (const [form, text] of formsOf(marker.value)) {
      count++;
      const at = Math.floor(log.length / 2);
      const copy = Buffer.concat([
        log.subarray(at, at + 500),
        Buffer.from(text, 'latin1'),
        log.subarray(at + 500, at + 1_000),
      ]);
      if (findMarkers([marker], [{ place: 'a copy', bytes: copy }]).length === 0)
        faults.push(`${marker.name} ${form} is not found`);
    }
  }
  return { name: 'what is planted is found', detail: `${count} forms`, faults };
}
