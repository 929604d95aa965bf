import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { LAUNCHER } from '../support/program.ts';

/** Pretends to be another version of Node.js, which nobody needs to install for this. */
const OLD = `data:text/javascript,Object.defineProperty(process, 'versions', { value: { node: '20.19.0' } })`;

it('A Node.js that is too old is told so in one line, and nothing is begun', () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', OLD, LAUNCHER, 'serve'], {
    encoding: 'utf8',
  });
  expect(stderr).toMatch(/^rungate: this is Node\.js 20\.19\.0, and version 24 or later is needed; [^\n]*\n$/);
  expect([status, stdout]).toEqual([1, '']);
});
