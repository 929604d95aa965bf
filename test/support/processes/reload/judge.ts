import type { Check } from '../checks.ts';
import type { PlayedReload, ReloadGame } from './play.ts';

/** What must hold of requests during reloads. `rateMin` is what has to be answered a second for it to count. */
export function judgeReload(played: PlayedReload, game: ReloadGame, rateMin: number): Check[] {
  const { sent, answered, faults, rates, latencyMs, written, reloaded, refused, complaints, ending } = played;
  const ms = (value: number) => value.toFixed(0);
  return [
    {
      name: 'no request failed while the configuration was reloaded',
      detail: `${answered} of ${sent} answered with a finished run, ${faults.length} failed`,
      faults: answered === sent ? faults : [...faults, `${sent - answered} were not answered with a finished run`],
    },
    {
      name: `the load was that of ${game.requestsPerSecond} requests a second`,
      detail: `${rates.sent.toFixed(0)} sent and ${rates.answered.toFixed(0)} answered a second; median ${ms(latencyMs.median)} ms, p99 ${ms(latencyMs.p99)} ms, most ${ms(latencyMs.max)} ms`,
      faults:
        rates.answered >= rateMin ? [] : [`${rates.answered.toFixed(0)} answered a second is less than ${rateMin}`],
    },
    {
      name: 'good files were taken and bad ones refused, again and again',
      detail: `${written} written, ${reloaded} taken, ${refused} refused`,
      faults: reloaded > 1 && refused > 0 ? [] : ['too few of either to say anything'],
    },
    {
      name: 'SIGHUP did not end the process, and SIGTERM did, in order',
      detail: ending,
      faults: [...(ending === 'exit 0' ? [] : [ending]), ...complaints],
    },
  ];
}
