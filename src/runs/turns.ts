/** Somebody who waits for `units`, or is allowed no more of them. */
export interface Waiting {
  name: string;
  units: number;
}

/**
 * Who is next, among those that wait for units of something scarce: start-time fair queueing, with units of one size.
 *
 * A virtual time counts the rounds. Each unit begins at the later of now and the end of the same name's last one, and
 * lasts one round; the unit that begins first is served first, and sets the time. So a name that comes anew stands level
 * with all others, saves nothing up while it is away, and is behind by what it has had before its turn. Remembered are
 * only those whose last unit ends after now: they were served in this round.
 */
export class Turns {
  #round = 0;
  readonly #ends = new Map<string, number>();

  /** How many of `units` each gets, in the order of `waiting`. */
  share(waiting: readonly Waiting[], units: number): number[] {
    const contenders = waiting.map(({ name, units }) => this.#enter(name, units));
    // The one that begins first is popped first; of equals, the one that was named first.
    const arriving = contenders.filter(({ wanted }) => wanted > 0).sort((a, b) => a.start - b.start);
    arriving.reverse();
    let present: Contender[] = [];
    for (let left = Math.floor(units), round = 0; left > 0; round++) {
      const next = arriving.at(-1);
      if (present.length === 0) {
        if (!next) break;
        round = next.start;
      }
      while ((arriving.at(-1)?.start ?? Infinity) <= round) present.push(...arriving.splice(-1));
      const served = present.slice(0, left);
      for (const contender of served) this.#serve(contender, round);
      left -= served.length;
      present = served.filter(({ wanted, got }) => got < wanted);
    }
    for (const [name, end] of this.#ends) if (end <= this.#round) this.#ends.delete(name);
    return contenders.map(({ got }) => got);
  }

  #enter(name: string, units: number): Contender {
    return { name, wanted: Math.floor(units), got: 0, start: Math.max(this.#round, this.#ends.get(name) ?? 0) };
  }

  #serve(contender: Contender, round: number): void {
    contender.got++;
    this.#round = round;
    this.#ends.set(contender.name, round + 1);
  }
}

interface Contender {
  readonly name: string;
  readonly wanted: number;
  got: number;
  /** The round in which its next unit begins. */
  readonly start: number;
}
