import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { parseSync } from 'oxc-parser';
import { describe, expect, it } from 'vitest';

const SOURCE = resolve(import.meta.dirname, '../../src');

/** Folder → folders of ours that it may import (itself apart). `main` is the file of that name. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  core: [],
  providers: ['core'],
  vault: ['core'],
  access: ['core'],
  config: ['core', 'providers'],
  runs: ['core', 'providers', 'vault'],
  store: ['core', 'runs', 'vault', 'access'],
  upstream: ['core'],
  observability: ['core', 'runs'],
  http: ['core', 'providers', 'vault', 'access', 'runs'],
  sandbox: ['core'],
  app: [
    'core',
    'providers',
    'vault',
    'access',
    'config',
    'runs',
    'store',
    'upstream',
    'http',
    'sandbox',
    'observability',
  ],
  cli: ['app', 'core', 'providers', 'vault', 'access', 'config', 'runs', 'http'],
  main: ['cli'],
};

/** Package → folders that may import it; a package that is not named here may be used by none. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  fastify: ['http', 'app'],
  'fastify-type-provider-zod': ['http', 'app'],
  '@fastify/rate-limit': ['http'],
  undici: ['upstream'],
  'eventsource-parser': ['upstream'],
  'node:sqlite': ['store'],
  pino: ['observability'],
  '@prometheus-io/client': ['observability'],
  '@opentelemetry/api': ['observability'],
  '@opentelemetry/exporter-trace-otlp-http': ['observability'],
  '@opentelemetry/resources': ['observability'],
  '@opentelemetry/sdk-trace': ['observability'],
  jose: ['access'],
  yaml: ['config'],
  ajv: ['config'],
  commander: ['cli'],
  zod: ['providers', 'config', 'http', 'runs', 'access', 'vault'],
};

interface Module {
  file: string;
  folder: string;
  imports: string[];
}

function modulesBelow(root: string): Module[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => readModule(root, name));
}

function readModule(root: string, name: string): Module {
  const text = readFileSync(join(root, name), 'utf8');
  const { module, errors } = parseSync(name, text);
  if (errors.length > 0) throw new Error(`${name}: ${errors[0]?.message}`);
  const fixed = module.staticImports.map((entry) => entry.moduleRequest.value);
  const again = module.staticExports.flatMap((entry) => entry.entries.flatMap((e) => e.moduleRequest?.value ?? []));
  const late = module.dynamicImports.map((entry) =>
    text.slice(entry.moduleRequest.start + 1, entry.moduleRequest.end - 1),
  );
  return { file: name, folder: folderOf(name), imports: [...fixed, ...again, ...late] };
}

function folderOf(name: string): string {
  return name.includes(sep) ? (name.split(sep)[0] ?? '') : name.replace(/\.ts$/, '');
}

/** What a module imports that it may not, as sentences. */
function faultsOf({ file, folder, imports }: Module): string[] {
  const allowed = MAY_IMPORT[folder];
  if (!allowed) return [`${file}: there is no folder ${folder} in the house`];
  return imports.flatMap((wanted) => {
    if (wanted.startsWith('.')) {
      const target = relative(SOURCE, resolve(SOURCE, dirname(file), wanted));
      const to = folderOf(target);
      return to === folder || allowed.includes(to) ? [] : [`${file} imports ${target}`];
    }
    const home = PACKAGES[wanted] ?? PACKAGES[wanted.split('/')[0] ?? ''];
    if (!home) return wanted.startsWith('node:') ? [] : [`${file} imports ${wanted}, which no folder may`];
    return home.includes(folder) ? [] : [`${file} imports ${wanted}`];
  });
}

describe('imports', () => {
  const modules = modulesBelow(SOURCE);

  it('run one way, in every module', () => {
    expect(modules.flatMap(faultsOf)).toEqual([]);
  });

  it('were read from every module, and from each folder of the house', () => {
    const everyFile = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
    expect(modules.length).toBe(everyFile.length);
    expect(modules.length).toBeGreaterThan(100);
    expect(new Set(modules.map(({ folder }) => folder))).toEqual(new Set(Object.keys(MAY_IMPORT)));
    expect(modules.flatMap(({ imports }) => imports).length).toBeGreaterThan(modules.length);
  });

  it.each([
    [{ file: join('core', 'x.ts'), folder: 'core', imports: ['../runs/model.ts'] }],
    [{ file: join('sandbox', 'x.ts'), folder: 'sandbox', imports: ['../providers/registry.ts'] }],
    [{ file: join('runs', 'x.ts'), folder: 'runs', imports: ['undici'] }],
    [{ file: join('http', 'x.ts'), folder: 'http', imports: ['node:sqlite'] }],
    [{ file: join('cellar', 'x.ts'), folder: 'cellar', imports: [] }],
  ])('are refused where they run the wrong way: %o', (module) => {
    expect(faultsOf(module)).toHaveLength(1);
  });
});

describe('the environment', () => {
  it('is read by the configuration and the entry point alone', () => {
    const readers = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && /process\.env/.test(readFileSync(join(SOURCE, name), 'utf8')))
      .map(folderOf);
    expect([...new Set(readers)].filter((folder) => folder !== 'config' && folder !== 'main')).toEqual([]);
  });
});
