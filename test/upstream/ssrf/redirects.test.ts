import { describe, expect, it } from 'vitest';
import { DOOR_NAMES, openDoor } from './doors.ts';
import { answerText, echo, httpServer, rawServer, SECRET } from '../support.ts';

const STATUSES = [301, 302, 303, 307, 308];

describe.each(DOOR_NAMES)('%s that is redirected', (name) => {
  it.each(STATUSES)('by %i to another origin stays where it is, and takes no secret there', async (status) => {
    const elsewhere = await httpServer(echo(() => ({})));
    const server = await redirecting(status, `${elsewhere.origin}/taken`);

    const outcome = await openDoor(name).go({ origin: server.origin, allowPrivateNetwork: true });

    expect(JSON.stringify(outcome)).toContain(String(status));
    expect(JSON.stringify(outcome)).not.toContain('taken');
    expect([server.requests(), elsewhere.connections()]).toEqual([1, 0]);
  });

  it.each(['http://169.254.169.254/latest/meta-data/', 'http://[::1]/', '//10.0.0.1/', 'file:///etc/passwd'])(
    'to %s goes nowhere',
    async (location) => {
      const server = await redirecting(302, location);
      const outcome = await openDoor(name).go({ origin: server.origin, allowPrivateNetwork: true });
      expect(JSON.stringify(outcome)).toContain('302');
      expect(server.requests()).toBe(1);
    },
  );

  it('to another path of its own asks no second time', async () => {
    const server = await redirecting(307, '/again');
    await openDoor(name).go({ origin: server.origin, allowPrivateNetwork: true });
    expect(server.requests()).toBe(1);
  });

  it('shows its secret, where it has one, to nobody but the first server', async () => {
    const heads: string[] = [];
    const elsewhere = await rawServer(({ head, socket }) => {
      heads.push(head);
      socket.end(answerText('{}'));
    });
    const seen: string[] = [];
    const server = await rawServer(({ head, socket }) => {
      seen.push(head);
      socket.end(answerText('', { status: '308 Moved', headers: [`location: ${elsewhere.origin}/`] }));
    });
    const door = openDoor(name);
    await door.go({ origin: server.origin, allowPrivateNetwork: true });
    expect(seen.some((head) => head.includes(SECRET))).toBe(door.showsSecret);
    expect(heads).toEqual([]);
  });
});

function redirecting(status: number, location: string) {
  return rawServer(({ socket }) => {
    socket.end(answerText('', { status: `${status} Moved`, headers: [`location: ${location}`] }));
  });
}
