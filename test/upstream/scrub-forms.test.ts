import { describe, expect, it } from 'vitest';
import { Secret } from '../../src/core/secret.ts';
import { NODES_MAX } from '../../src/upstream/echo-forms.ts';
import { formTrie } from '../../src/upstream/form-trie.ts';
import { formsBehindBreak, formsOfCharacter } from '../../src/upstream/secret-forms.ts';
import { createOutputScrub } from '../../src/upstream/output-scrub.ts';
import { createScrubber } from '../../src/upstream/scrubber.ts';
import { escapedJson } from '../support/processes/canary/echo-texts.ts';
import { seededRandom, type SeededRandom } from '../support/simulation/seeded-random.ts';
import { findMarkers, formsOf, makeSecret } from '../support/processes/canary/markers.ts';

const SECRET = makeSecret('forms');
/** A form by itself, and a longer text that is encoded with the secret in it. */
const FORMS = [
  ...formsOf(SECRET),
  ['in the base64 of a user and a password', Buffer.from(`user:${SECRET}`).toString('base64')],
  ['in the middle of base64', Buffer.from(`a${SECRET}b`).toString('base64url')],
  ['percent-encoded twice', encodeURIComponent(encodeURIComponent(SECRET))],
] as const;

function expectGone(text: string): void {
  const hits = findMarkers([{ name: 'it', value: SECRET }], [{ place: 'there', bytes: Buffer.from(text) }]);
  expect(hits).toEqual([]);
  expect(text).toContain('[secret]');
}

describe.each(FORMS)('a secret %s', (_name, form) => {
  const sentence = `before ${form} after`;

  it('is blotted out of text', () => {
    expectGone(createScrubber([SECRET]).text(sentence));
  });

  it.each([
    ['JSON', JSON.stringify],
    ['JSON that escapes every character', escapedJson],
    [
      'JSON that escapes what HTML does not like',
      (value: unknown) => JSON.stringify(value).replace(/[+<>&'/=]/g, unicode),
    ],
  ])('is blotted out of values and keys of %s', (_format, write) => {
    const body = createScrubber([SECRET]).bytes(Buffer.from(write({ a: [sentence], [sentence]: 1 })));
    expectGone(JSON.stringify(JSON.parse(body.toString())));
  });

  it('is blotted out of pieces of any size', () => {
    for (const size of [1, 2, 3, 7, 50]) {
      const scrub = createOutputScrub([new Secret(SECRET)], () => {});
      const pieces = sentence.match(new RegExp(`.{1,${size}}`, 'gs')) ?? [];
      expectGone(pieces.map((piece) => scrub.push(piece)).join('') + scrub.end());
    }
  });
});

describe('a secret that was rotated', () => {
  it('is blotted out with those before it, for as long as a vendor may repeat them', () => {
    const [first, second, third] = ['the-first-secret', 'the-second-secret', 'the-third-secret'] as const;
    const secret = new Secret(third, [new Secret(second), new Secret(first)]);
    for (const secrets of [[secret], [secret, new Secret('a-token-besides')]]) {
      const scrub = createOutputScrub(secrets, () => {});
      expect(scrub.text(`${first} ${second} ${third}`)).toBe('[secret] [secret] [secret]');
    }
  });
});

describe('a secret with spaces', () => {
  it('is blotted out of a form whose plus signs JSON escapes, also within JSON', () => {
    const json = '{"q":"x=correct\\u002Bhorse\\u002Bbattery"}';
    for (const text of [json, JSON.stringify(json)]) {
      expect(createScrubber(['correct horse battery']).text(text)).toContain('x=[secret]');
    }
  });
});

describe('a secret in base64 that is broken into lines', () => {
  /** What is in front decides where the lines end. */
  const headers = Array.from({ length: 13 }, (_, i) => `Authorization: ${'x'.repeat(i * 5)}`);
  /** Everything that base64 or a longer text could hide it in, undone. */
  const undone = (text: string) =>
    [text, text.replaceAll(/(?:\\+r)?\\+n|%(?:25)?0[da]|&#13;|\\u000[da]|\s/gi, '')].map((one) =>
      one
        .replaceAll(/\\+\//g, '/')
        .replaceAll(/%(?:25)?2F/g, '/')
        .replaceAll(/%(?:25)?2B/g, '+'),
    );

  it.each([
    ['Ruby', 60, '\n'],
    ['OpenSSL', 64, '\n'],
    ['MIME', 76, '\r\n'],
  ])('as %s does is blotted out, whole and in pieces', (_name, length, lineBreak) => {
    for (const header of headers) {
      const base64 = Buffer.from(header + SECRET).toString('base64');
      const lines = base64.replaceAll(new RegExp(`.{${length}}`, 'g'), `$&${lineBreak}`);
      const json = JSON.stringify({ a: lines });
      const php = json.replaceAll('/', '\\/');
      const url = encodeURIComponent(lines);
      const xml = lines.replaceAll('\r', '&#13;');
      const escaped = json.replaceAll('\\n', '\\u000a').replaceAll('\\r', '\\u000D');
      const inXml = [xml, JSON.stringify(xml), JSON.stringify({ xml: JSON.stringify(xml) })];
      const texts = [lines, json, php, JSON.stringify(json), url, encodeURIComponent(url), ...inXml, escaped];
      for (const text of texts) {
        const scrub = createOutputScrub([new Secret(SECRET)], () => {});
        const pieces = Array.from({ length: Math.ceil(text.length / 7) }, (_, i) => text.slice(i * 7, i * 7 + 7));
        for (const clean of [
          createScrubber([SECRET]).text(text),
          createScrubber([SECRET]).bytes(Buffer.from(text)).toString(),
          pieces.map((piece) => scrub.push(piece)).join('') + scrub.end(),
        ]) {
          for (const one of undone(clean)) expectGone(one);
        }
      }
    }
  });

  it('leaves alone what only begins like it', () => {
    const half = Buffer.from(SECRET).toString('base64').slice(0, 20);
    const text = `${half}\n${half}\n${half}\nand more`;
    expect(createScrubber([SECRET]).text(text)).toBe(text);
  });
});

describe('what holds no secret', () => {
  it('stays as it came, though it is no well-formed text', () => {
    const text = 'half \ud83d of a C:\\/pair';
    const scrub = createOutputScrub([new Secret(SECRET)], () => {});
    expect([scrub.text(text), scrub.push(text) + scrub.end()]).toEqual([text, text]);
  });

  it('stays as it came, needless escapes in', () => {
    const body = Buffer.from('{"a":"\\u0041\\u002b\\u0022 \\\\u0041 \\/"}');
    expect(createScrubber([SECRET]).bytes(body)).toBe(body);
  });

  it('is not taken for a short secret in capitals, which may be a word', () => {
    expect(createScrubber(['production']).text('Production, PRODUCTION')).toBe('Production, PRODUCTION');
  });
});

/** The same text whole, and in pieces of several sizes. */
function inEveryWay(secrets: string[], text: string): string[] {
  const cut = (size: number) => {
    const scrub = createOutputScrub(
      secrets.map((secret) => new Secret(secret)),
      () => {},
    );
    const pieces = text.match(new RegExp(`.{1,${size}}`, 'gs')) ?? [];
    return pieces.map((piece) => scrub.push(piece)).join('') + scrub.end();
  };
  return [createScrubber(secrets).text(text), ...[1, 2, 3, 5, 7, 50].map(cut)];
}

function expectInEveryWay(secrets: string[], text: string, clean: string): void {
  for (const way of inEveryWay(secrets, text)) expect(way).toBe(clean);
}

describe('a secret of thousands of characters', () => {
  const secret = `${makeSecret('long')}${'Aa0-'.repeat(2_000)}`;

  it('is found escaped, whole and in pieces', () => {
    const escapes = '100% and no echo '.repeat(100);
    expectInEveryWay([secret], `${escapes}${escapedJson(secret)}${escapes}`, `${escapes}"[secret]"${escapes}`);
  });
});

describe('an answer that holds many echoes', () => {
  it.each([
    ['as it is', (secret: string) => secret],
    ['escaped', escapedJson],
    ['percent-encoded', (secret: string) => secret.replace(/./g, (char) => `%${char.charCodeAt(0).toString(16)}`)],
  ])('keeps all the rest: %s', (_how, write) => {
    const secret = '4fe1a09c33d7b8e2465f0a1c9d8e7b6a5f4c3d2e';
    const items = (key: string) => `{"url":"https://vendor.test/?key=${key}&alt=media"}\n`.repeat(20_000);
    const [echo, clean] = [items(write(secret)), items(write(secret).startsWith('"') ? '"[secret]"' : '[secret]')];
    expect(createScrubber([secret]).bytes(Buffer.from(echo)).toString() === clean).toBe(true);
    const stream = createScrubber([secret]).stream();
    let told = '';
    for (let at = 0; at < echo.length; at += 7) told += stream.push(Buffer.from(echo.slice(at, at + 7))).toString();
    expect(told + stream.end().toString() === clean).toBe(true);
  });
});

describe('a secret of several lines', () => {
  const secret = '-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ\n-----END PRIVATE KEY-----\n';

  it.each([
    ['JSON', 1],
    ['JSON within JSON', 2],
    ['JSON within that', 3],
  ])('is found in %s', (_what, depth) => {
    let text = secret;
    for (let i = 0; i < depth; i++) text = JSON.stringify(text).slice(1, -1);
    expectInEveryWay([secret], `a ${text} b`, 'a [secret] b');
  });
});

describe('a secret as other programs write it', () => {
  const php = (text: string) => JSON.stringify(text).replaceAll('/', '\\/');

  it.each([
    ['PHP in JSON', 'abc/def/ghi', php('abc/def/ghi')],
    ['PHP in JSON within JSON', 'abc/def/ghi', php(php('abc/def/ghi'))],
    ['PHP in JSON within that', 'abc/def/ghi', php(php(php('abc/def/ghi')))],
    ['PHP in JSON, then others, then PHP', 'abc/def/ghi', php(JSON.stringify(php('abc/def/ghi')))],
    ['PHP in JSON, then PHP, then others', 'abc/def/ghi', JSON.stringify(php(php('abc/def/ghi')))],
    ['PHP in HTML', "it's-a-token", 'it&#039;s-a-token'],
    ['Go in HTML', 'a+token+b=', 'a&#43;token&#43;b&#x3d;'],
    ['a form', 'correct horse battery', 'correct+horse+battery'],
    ['shouted JSON', 'two\nlines of a token', 'TWO\\nLINES OF A TOKEN'],
  ])('is found: %s', (_what, secret, echo) => {
    for (const way of inEveryWay([secret], `a ${echo} b`)) expect(way).toMatch(/^a ["\\]*\[secret\]["\\]* b$/);
    expect(
      createScrubber([secret])
        .bytes(Buffer.from(`a ${echo} b`))
        .toString(),
    ).toContain('[secret]');
  });

  const net = (text: string) => JSON.stringify(text).replace(/\\"|[+&<>'`]/g, (char) => unicode(char.slice(-1)));
  const slashes = Buffer.from('a>?a>?a>?a>?zz').toString('base64url').replaceAll('_', '/');
  const pluses = Buffer.from('a>>a>>a>>a>>zz-key').toString('base64');

  it.each([
    ['PHP', 'a>?a>?a>?a>?zz', php(slashes)],
    ['PHP within PHP', 'a>?a>?a>?a>?zz', php(php(slashes))],
    ['PHP within others', 'a>?a>?a>?a>?zz', JSON.stringify(php(slashes))],
    ['.NET', 'a>>a>>a>>a>>zz-key', net(pluses)],
    ['.NET within others', 'a>>a>>a>>a>>zz-key', JSON.stringify(net(pluses))],
    ['a URL', 'a>>a>>a>>a>>zz-key', encodeURIComponent(pluses)],
    [
      'PHP, of what begins with a slash',
      '??k-live-0123456789',
      php(Buffer.from('us??k-live-0123456789').toString('base64')),
    ],
  ])('is found in base64 that is written by %s, and leaves JSON', (_what, secret, echo) => {
    expect(slashes).toContain('/');
    expect(pluses).toContain('+');
    for (const way of inEveryWay([secret], echo)) expect(way).toContain('[secret]');
    const body = createScrubber([secret]).bytes(Buffer.from(echo)).toString();
    expect(body).toContain('[secret]');
    if (echo.startsWith('"')) expect(JSON.parse(body)).toContain('[secret]');
  });

  it.each([
    [
      '.NET within others, within others',
      'tok"en-0123456789',
      JSON.stringify(net(JSON.stringify('tok"en-0123456789'))),
    ],
    ['Go in HTML', "it's&a-token<0123", 'it\\u0026#39;s\\u0026amp;a-token\\u0026lt;0123'],
    ['PHP, in small letters', '/Abc/def/ghi-0123456789', php('/abc/def/ghi-0123456789')],
  ])('is found where %s wrote it', (_what, secret, echo) => {
    for (const way of inEveryWay([secret], echo)) expect(way).toMatch(/^["\\u02]*\[secret\]["\\u02]*$/);
  });

  it('is found in what is no JSON where it looks like an escape itself', () => {
    const secret = 'abc\\u0041defgh';
    const body = Buffer.from(`text ${secret} \\u0061bc\\\\u0041defgh text`);
    expect(createScrubber([secret]).bytes(body).toString()).toBe('text [secret] [secret] text');
  });
});

describe('a stream that goes on after an end', () => {
  it('loses nothing of an ordinary text', () => {
    const scrub = createOutputScrub([new Secret('sk-live-0123456789')], () => {});
    const told = ['Use the prefix sk-', null, 'live-012', ' for live mode.', null];
    const pieces = told.map((piece) => (piece === null ? scrub.end() : scrub.push(piece)));
    expect(pieces).toEqual(['Use the prefix ', 'sk-', '', 'live-012 for live mode.', '']);
  });

  it('still hides the rest of a secret whose beginning was told', () => {
    const scrub = createOutputScrub([new Secret('sk-live-0123456789')], () => {});
    expect([scrub.push('a sk-live'), scrub.end(), scrub.push('-0123456789 b'), scrub.end()].join('')).toBe(
      'a sk-live[secret] b',
    );
  });
});

describe('a secret with many backslashes', () => {
  const secret = `token-${'\\'.repeat(18)}end`;

  it('is found in JSON within JSON', () => {
    const once = JSON.stringify({ said: secret });
    const text = JSON.stringify(once);
    expectInEveryWay([secret], text, JSON.stringify(once.replace(/token-.*end/, '[secret]')));
  });

  it('is told from a text with twice as many', () => {
    const text = `token-${'\\'.repeat(40)}`.repeat(500);
    expectInEveryWay([secret], text, text);
  });
});

describe('echoes that overlap or touch', () => {
  const spelled = (secret: string) => Array.from(secret, unicode).join('');

  it.each([
    ['the same twice', ['secret-key'], 'secret-keysecret-key', '[secret][secret]'],
    ['one that may end later', ['\\token-0123\\'], `\\token-0123\\${spelled('\\token-0123\\')}`, '[secret]'],
    ['one that ends as it begins', ['/abc//abc/'], '/abc//abc//abc//abc/', '[secret]'],
    ['two secrets', ['alpha-key%', '25-beta-key'], 'alpha-key%25-beta-key', '[secret]'],
    ['one within another', ['inner-token', 'an-inner-token-more'], 'an-inner-token-more', '[secret]'],
  ])('are both gone: %s', (_what, secrets, text, clean) => {
    expectInEveryWay(secrets, `a ${text} b`, `a ${clean} b`);
  });
});

describe('a text that repeats what a secret begins with', () => {
  it.each([
    ['silence in base64', `AAAAAAAAAAAAAAAAAAAAAMLheAAAAAAA0%2BuSeidULvsea4JtiGRiSDSJSI%3DEUifi`, 'A'.repeat(300_000)],
    ['a ruled table', '-----BEGIN PRIVATE KEY-----', `|${'-'.repeat(40)}|\n`.repeat(7_000)],
    ['zeros', '0'.repeat(20), `${'0'.repeat(19)} `.repeat(15_000)],
    ['a large text in escapes', '"é-token-of-ours', '\\u00e9'.repeat(1_000_000)],
    ['a large empty table', '0000abcd-1234-0000', '0'.repeat(4_000_000)],
    ['a large silence', `${'A'.repeat(22)}token%2B`, 'A'.repeat(8_000_000)],
    ['a large ruled table', '-----BEGIN PRIVATE KEY-----\nMC4C', '-'.repeat(8_000_000)],
    ['what a long secret repeats', `${'A'.repeat(400)}b${'A'.repeat(399)}`, 'A'.repeat(2_000_000)],
  ])('stays: %s', (_what, secret, text) => {
    expect(createScrubber([secret]).text(`100% ${text}`)).toBe(`100% ${text}`);
    const scrub = createOutputScrub([new Secret(secret)], () => {});
    expect(scrub.push(`100% ${text}`) + scrub.end()).toBe(`100% ${text}`);
  });
});

describe('a text that reads as a secret in more ways than anybody can follow', () => {
  const secret = '\\'.repeat(2_000);
  const text = `a ${'\\'.repeat(1_999)} `.repeat(100);

  it('is blotted out', () => {
    expect(createScrubber([secret]).text(text)).toBe('[secret]');
    expect(createScrubber([secret]).bytes(Buffer.from(text)).toString()).toBe('[secret]');
  });

  it('costs no more than others, however long', () => {
    const body = Buffer.from(`%${'A'.repeat(8_000_000)}`);
    const begunAt = process.cpuUsage();
    expect(
      createScrubber([`${'A'.repeat(8_000)}b`])
        .bytes(body)
        .toString(),
    ).toBe('[secret]');
    const { user, system } = process.cpuUsage(begunAt);
    expect((user + system) / 1e6).toBeLessThan(10);
  });

  it('is given no more time where it comes as many texts of one call', () => {
    let gaveUp = 0;
    const scrubber = createScrubber([SECRET], () => gaveUp++);
    const random = seededRandom(7);
    const begunAt = process.cpuUsage();
    let first: number | null = null;
    for (let i = 0; i < 100; i++) {
      scrubber.text(beginnings(SECRET, 20_000, random));
      first ??= gaveUp;
    }
    const { user, system } = process.cpuUsage(begunAt);
    expect(first).toBe(0);
    expect(gaveUp).toBeGreaterThan(50);
    expect((user + system) / 1e6).toBeLessThan(5);
  });

  it('is given no more time after a long quiet', () => {
    const stream = createScrubber([`${'A'.repeat(3_000)}b`]).stream();
    for (let i = 0; i < 40; i++) stream.push(Buffer.from('xyz '.repeat(25_000)));
    expect(stream.push(Buffer.from('A'.repeat(64_000))).toString()).toBe('[secret]');
  });

  it('is blotted out from there on where it comes in pieces', () => {
    const scrub = createOutputScrub([new Secret(secret)], () => {});
    const told = `${scrub.push('before ')}${Array.from(text, (char) => scrub.push(char)).join('')}${scrub.end()}`;
    expect(told).toMatch(/^before .*\[secret\]$/);
    expect(told.length).toBeLessThan(text.length / 2);
  });
});

describe('what a secret is looked for by', () => {
  it('may be as long as a vendor makes a token', () => {
    const token = 'aB3/'.repeat(100_000);
    const stream = createScrubber([token]).stream();
    expect(`${stream.push(Buffer.from('no token'))}${stream.end()}`).toBe('no token');
  });

  it('has fewer forms for a character than positions have room for', () => {
    const chars = [...Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)), '€', '\u{1f600}', '\ud800'];
    const tooMany = (forms: typeof formsOfCharacter) =>
      chars.filter((char) => formTrie(forms(char)).children.length >= NODES_MAX);
    expect([tooMany(formsOfCharacter), tooMany(formsBehindBreak)]).toEqual([[], []]);
  });
});

/** Ever new ways to begin a secret, none of which ends as one. */
function beginnings(secret: string, length: number, random: SeededRandom): string {
  let text = '';
  while (text.length < length) {
    const count = 1 + random.below(secret.length - 1);
    const chars = Array.from(secret).slice(0, count);
    text += `${chars.map((char) => random.pick(formsOfCharacter(char)).text).join('')}~`;
  }
  return text;
}

function unicode(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0').toUpperCase()}`;
}
