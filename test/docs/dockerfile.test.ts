import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { builtinModules } from 'node:module';
import type { AddressInfo } from 'node:net';
import { join, posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { LIMIT_SETTINGS } from '../../src/config/limit-settings.ts';
import { SETTING_VARIABLES } from '../../src/config/setting-variables.ts';
import { TEXT_SETTINGS } from '../../src/config/text-settings.ts';
import { reviveJson } from '../../src/core/json.ts';
import { ROOT } from '../support/documents.ts';

interface Package {
  version: string;
  license: string;
  bin: { rungate: string };
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
}

interface Compose {
  services: Record<string, Service>;
  secrets: Record<string, { file: string }>;
  volumes: Record<string, unknown>;
}

interface Service {
  ports: string[];
  environment: Record<string, string>;
  secrets: string[];
  volumes: string[];
  read_only: boolean;
  cap_drop: string[];
  security_opt: string[];
  stop_grace_period: string;
}

const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const pkg = reviveJson<Package>(read('package.json'));
const dockerfile = read('Dockerfile');
/** Instructions with their continuation lines joined, without comments. */
const instructions = dockerfile
  .replace(/^#.*\n/gm, '')
  .replace(/\\\n/g, ' ')
  .split('\n')
  .filter((line) => line.trim() !== '');
const compose = parse(read('docker-compose.yml')) as Compose;
const port = TEXT_SETTINGS.port.default;

function argumentsOf(name: string): string[] {
  return instructions.filter((line) => line.startsWith(`${name} `)).map((line) => line.slice(name.length + 1));
}

/** What is copied out of the checkout; a later stage copies it from there. */
const copied = argumentsOf('COPY')
  .filter((text) => !text.startsWith('--from='))
  .flatMap((text) => text.split(/\s+/).slice(0, -1));

describe('the Dockerfile', () => {
  it('begins with the Node.js that the tests run on', () => {
    const [, major] = /^NODE_IMAGE=node:(\d+)-/.exec(argumentsOf('ARG')[0] ?? '') ?? [];
    expect(major).toBe(pkg.devDependencies['node']?.split('.')[0]);
  });

  it('copies what exists, which is what .dockerignore lets through', () => {
    const letThrough = read('.dockerignore')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1));
    expect(copied.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
    expect(copied.toSorted()).toEqual(letThrough.toSorted());
  });

  it('has the program’s entry, and all that src imports or opens', () => {
    const files = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('.ts'),
    );
    const texts = files.map((name) => ({ path: `src/${name.replaceAll('\\', '/')}`, text: read(join('src', name)) }));
    const packages = new Set(texts.flatMap(({ text }) => importedPackages(text)));
    expect(packages.size).toBeGreaterThan(5);
    expect([...packages].filter((name) => pkg.dependencies[name] === undefined)).toEqual([]);
    expect(copied.some((root) => isBelow(pkg.bin.rungate, root))).toBe(true);
    expect(texts.flatMap(openedBeside).filter((path) => !copied.some((root) => isBelow(path, root)))).toEqual([]);
  });

  it('finds a package that is missing, and a file that lies elsewhere', () => {
    expect(importedPackages(`import { parse } from '@scope/name/part';\nawait import('other');`)).toEqual([
      '@scope/name',
      'other',
    ]);
    const text = `new URL('../../openapi/a.json', import.meta.url); join(import.meta.dirname, '..', '..', 'web')`;
    expect(openedBeside({ path: 'src/http/x.ts', text })).toEqual(['openapi/a.json', 'web']);
  });

  it('sets variables that exist', () => {
    const names = argumentsOf('ENV').flatMap((text) => Array.from(text.matchAll(/(\w+)=/g), ([, name = '']) => name));
    expect(names.filter((name) => name.startsWith('RUNGATE_') && !SETTING_VARIABLES.includes(name))).toEqual([]);
    expect(names).toContain(TEXT_SETTINGS.dataDir.variable);
  });

  it('names the port, the version and the licence that the program has', () => {
    expect(argumentsOf('EXPOSE')).toEqual([port]);
    const labels = argumentsOf('LABEL').join(' ');
    expect(labels).toContain(`image.version="${pkg.version}"`);
    expect(labels).toContain(`image.licenses="${pkg.license}"`);
  });

  it('gives up root, by number, and starts Node.js without a shell', () => {
    expect(argumentsOf('USER').at(-1)).toMatch(/^[1-9]\d*:[1-9]\d*$/);
    expect(argumentsOf('ENTRYPOINT')).toEqual([`["node", "/app/${pkg.bin.rungate}"]`]);
    expect(argumentsOf('STOPSIGNAL')).toEqual(['SIGTERM']);
  });

  it('fills the compile cache as its reader, at its path, by starting what the image starts, and gives it to root', () => {
    const place = '/app/cache';
    expect(new Set(argumentsOf('USER')).size).toBe(1);
    const places = argumentsOf('ENV').map((text) => /\bNODE_COMPILE_CACHE=(\S+)/.exec(text)?.[1]);
    expect(places).toEqual([place, place]);
    expect(argumentsOf('RUN').filter((text) => text.includes(`node ${pkg.bin.rungate} serve`))).toHaveLength(1);
    expect(argumentsOf('COPY')).toContain(`--from=cache --chown=0:0 ${place} ${place}`);
  });

  it('needs neither a newer builder nor a registry of its own', () => {
    expect(dockerfile).not.toMatch(/^# *syntax|--mount|--chmod|COPY --link/m);
    const images = [...argumentsOf('ARG'), ...argumentsOf('FROM')].join(' ');
    expect(images).not.toMatch(/[\w-]+\.[\w.-]+\//);
  });
});

describe('docker-compose.yml', () => {
  const services = Object.values(compose.services);
  const [service] = services;
  if (service === undefined) throw new Error('docker-compose.yml has no service');

  it('waits longer for the end than the drain may take', () => {
    const [, seconds] = /^(\d+)s$/.exec(service.stop_grace_period) ?? [];
    const drain = service.environment[LIMIT_SETTINGS.drainTimeoutS.variable] ?? LIMIT_SETTINGS.drainTimeoutS.default;
    expect(Number(seconds)).toBeGreaterThanOrEqual(Number(drain) + 10);
  });

  it('publishes the runs API’s port alone, on loopback', () => {
    expect(services).toHaveLength(1);
    expect(service.ports).toEqual([`127.0.0.1:\${RUNGATE_PORT:-${port}}:${port}`]);
  });

  it('takes the master key from a secret that it has', () => {
    const [name = ''] = service.secrets;
    expect(Object.keys(compose.secrets)).toEqual(service.secrets);
    expect(service.environment).toEqual({ [TEXT_SETTINGS.masterKeyFile.variable]: `/run/secrets/${name}` });
  });

  it('mounts where the image keeps its data and looks for its configuration', () => {
    const targets = service.volumes.map((volume) => volume.split(':')[1]);
    expect(targets).toEqual([argumentsOf('VOLUME')[0], argumentsOf('WORKDIR').at(-1)]);
    expect(Object.keys(compose.volumes)).toEqual([service.volumes[0]?.split(':')[0]]);
  });

  it('leaves the container nothing to write to and no rights', () => {
    const { read_only, cap_drop, security_opt } = service;
    expect({ read_only, cap_drop, security_opt }).toEqual({
      read_only: true,
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
    });
  });

  it('is readable for older and current versions', () => {
    expect(Object.keys(compose).toSorted()).toEqual(['secrets', 'services', 'volumes']);
  });
});

describe('the health check', () => {
  it('is the one that the Dockerfile names', () => {
    expect(argumentsOf('HEALTHCHECK').join()).toContain('CMD ["node", "/app/scripts/health-check.mjs"]');
  });

  it.each([
    ['succeeds where the port of RUNGATE_PORT answers', 200, 0],
    ['fails where it answers anything else', 503, 1],
  ])('%s', async (_, status, exitCode) => {
    const paths: string[] = [];
    const server = createServer(({ url = '' }, answer) => {
      paths.push(url);
      answer.writeHead(status).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port: taken } = server.address() as AddressInfo;
    try {
      expect(await healthCheck({ RUNGATE_HOST: '0.0.0.0', RUNGATE_PORT: ` ${taken} ` })).toBe(exitCode);
      expect(paths).toEqual(['/healthz']);
    } finally {
      server.close();
    }
  });

  it('fails where nobody listens', async () => {
    expect(await healthCheck({ RUNGATE_PORT: '1' })).toBe(1);
  });
});

/** Names of packages that a module imports, now or later. */
function importedPackages(text: string): string[] {
  const specifiers = Array.from(text.matchAll(/(?:\bfrom |\bimport\()'([^'.][^']*)'/g), ([, name = '']) => name);
  return specifiers
    .filter((name) => !name.startsWith('node:') && !builtinModules.includes(name))
    .map((name) => /^(@[^/]+\/)?[^/]+/.exec(name)?.[0] ?? name);
}

/** Paths below the root that a module makes from where it lies itself. */
function openedBeside({ path, text }: { path: string; text: string }): string[] {
  const urls = Array.from(text.matchAll(/'(\.[^']*)'(?=[^'\n]*import\.meta\.url)/g), ([, part = '']) => part);
  const joined = Array.from(text.matchAll(/import\.meta\.dirname((?:, *'[^']*')+)/g), ([, parts = '']) =>
    Array.from(parts.matchAll(/'([^']*)'/g), ([, part = '']) => part).join('/'),
  );
  return [...urls, ...joined].map((part) => posix.normalize(posix.join(posix.dirname(path), part)));
}

function isBelow(path: string, root: string): boolean {
  return path === root || path.startsWith(`${root}/`);
}

function healthCheck(environment: Record<string, string>): Promise<number | null> {
  const child = spawn(process.execPath, [join(ROOT, 'scripts', 'health-check.mjs')], {
    env: environment,
    stdio: 'ignore',
  });
  return new Promise((resolve) => child.once('close', resolve));
}
