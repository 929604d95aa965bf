import type { StreamReader } from '../define-provider.ts';
import { isJsonObject, parseJson } from '../../core/json.ts';
import { failed, type Outcome } from '../outcome.ts';
import { reasonText, shortText } from '../reading.ts';
import { beginsDataStream, createDataStreamReader } from './data-stream.ts';
import { createGatheredText } from './gathered-text.ts';

/**
 * Reads a stream of text of which nothing is declared: lines of Vercel's data stream where its first line is one, else
 * an answer whose every piece is a piece of the text. Such an answer has no other end than its own; one that ends without a
 * word is none that anybody wrote, and one that is `{"success":false,…}` from end to end is the vendor's word for a failure.
 */
export function createTextStreamReader(finish: (text: string) => Outcome): StreamReader {
  let reader: StreamReader | null = null;
  let first = '';

  function choose(isDataStream: boolean): StreamReader {
    return (reader = isDataStream ? createDataStreamReader(finish, { declared: false }) : createPlainReader(finish));
  }

  return {
    read(frame) {
      if (frame.kind !== 'text') throw new TypeError('expected text');
      if (reader !== null) return reader.read(frame);
      first += frame.text;
      const isDataStream = beginsDataStream(first);
      return isDataStream === null ? [] : choose(isDataStream).read({ kind: 'text', text: first });
    },
    end() {
      if (reader !== null) return reader.end();
      // One line without its end.
      const only = choose(beginsDataStream(`${first}\n`) === true);
      only.read({ kind: 'text', text: first });
      return only.end();
    },
  };
}

function createPlainReader(finish: (text: string) => Outcome): StreamReader {
  const gathered = createGatheredText(finish);
  return {
    read: (frame) => (frame.kind === 'text' ? gathered.delta(frame.text) : []),
    end: () => refusalIn(gathered.text()) ?? gathered.ended(),
  };
}

/** An error in the form of the blocking call's, under a type that is not its own. */
function refusalIn(text: string): Outcome | null {
  if (!text.trimStart().startsWith('{')) return null;
  const parsed = parseJson(text);
  if (!parsed.ok || !isJsonObject(parsed.value) || parsed.value.success !== false) return null;
  return failed({ message: reasonText(parsed.value.error) ?? shortText(parsed.value.message) });
}
