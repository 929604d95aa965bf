import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseSync } from 'oxc-parser';
import { describe, expect, it } from 'vitest';

const STORE = resolve(import.meta.dirname, '../../src/store');

/** Lists of columns, which are put together with the statements around them: constants of the source. */
const CONSTANTS: ReadonlySet<string> = new Set(['RUN_COLUMNS', 'DELIVERY_COLUMNS']);
/** What else may stand where a statement is expected, by file: lists of constants. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  'sqlite/execute-operation.ts': ['PLAIN_STATEMENTS[name]'],
  'sqlite/execute-vault-operation.ts': ['column.under', 'column.reseal'],
  'sqlite/inspect-database.ts': ['ALL_MASTER_KEYS', 'MASTER_KEYS'],
  'sqlite/migrate.ts': ['script'],
  'sqlite/read-statements.ts': ['others', 'count'],
};
/** A parameter of this name takes a statement and hands it on as it is: what it is given is judged at each call. */
const HANDED_ON = 'sql';
/** A text is SQL where it says one of these words, in capitals, with another word near it. */
const SQL =
  /\b(?:SELECT|INSERT INTO|INSERT OR|UPDATE|DELETE FROM|CREATE|ALTER|DROP|PRAGMA|REPLACE INTO|VACUUM|ATTACH|FROM|WHERE|ORDER BY|GROUP BY|VALUES|SAVEPOINT|ROLLBACK)\b\s*\S/;

interface Node {
  type: string;
  start: number;
  end: number;
  [field: string]: unknown;
}

interface Judged {
  /** Statements that were looked at. */
  statements: number;
  faults: string[];
}

interface Module {
  file: string;
  text: string;
  program: Node;
}

function parse(file: string, text: string): Module {
  const { program, errors } = parseSync(file, text);
  if (errors.length > 0) throw new Error(`${file}: ${errors[0]?.message}`);
  return { file, text, program: program as unknown as Node };
}

/** Looks at every statement of a module, and at every text that looks like one. */
function judge({ file, text, program }: Module, carriers: ReadonlyMap<string, number>): Judged {
  const judged: Judged = { statements: 0, faults: [] };
  const said = (node: Node) => text.slice(node.start, node.end);
  const fault = (node: Node, what: string) => judged.faults.push(`${file}: ${what}: ${said(node).slice(0, 80)}`);

  function judgeStatement(node: Node): void {
    if (isText(node)) return;
    if (node.type === 'BinaryExpression') return judgeBoth(node['left'], node['right']);
    if (node.type === 'ConditionalExpression') return judgeBoth(node['consequent'], node['alternate']);
    const isHandedOn = said(node) === HANDED_ON && carriers.size > 0;
    if (isHandedOn || CONSTANTS.has(said(node)) || ALLOWED[file]?.includes(said(node))) return;
    fault(node, 'a statement that is no constant');
  }
  function judgeBoth(one: unknown, other: unknown): void {
    judgeStatement(one as Node);
    judgeStatement(other as Node);
  }

  walk(program, (node) => {
    const place = node.type === 'CallExpression' ? placeOfStatement(node, said, carriers) : null;
    const statement = place === null ? undefined : (node['arguments'] as Node[])[place];
    if (statement !== undefined) {
      judged.statements++;
      judgeStatement(statement);
    }
    if (node.type === 'TaggedTemplateExpression') fault(node, 'a template that something else writes');
    if (node.type === 'VariableDeclarator' && said(node['id'] as Node) === HANDED_ON) fault(node, 'a statement put by');
    if (!SQL.test(said(node))) return;
    if (node.type === 'TemplateLiteral' && holes(node) > 0) fault(node, 'a statement with a hole');
    if (node.type === 'BinaryExpression' && node['operator'] === '+') judgeStatement(node);
    if (node.type === 'AssignmentExpression' && node['operator'] === '+=') fault(node, 'a statement that grows');
  });
  return judged;
}

/** Functions with a parameter that hands a statement on, and its place. */
function carriersOf({ text, program }: Module): [string, number][] {
  const found: [string, number][] = [];
  const note = (name: Node | null, parameters: Node[]) => {
    const place = parameters.findIndex(({ name: parameter }) => parameter === HANDED_ON);
    if (name !== null && place !== -1) found.push([text.slice(name.start, name.end).replace(/:.*$/s, ''), place]);
  };
  walk(program, (node) => {
    if (node.type === 'FunctionDeclaration') note(node['id'] as Node | null, node['params'] as Node[]);
    const value = node.type === 'VariableDeclarator' ? (node['init'] as Node | null) : null;
    if (value?.type === 'ArrowFunctionExpression') note(node['id'] as Node, value['params'] as Node[]);
  });
  return found;
}

/** Which argument of a call is a statement: of `db.prepare(…)` and its like the first; a pattern's `exec` has none. */
function placeOfStatement(
  call: Node,
  said: (node: Node) => string,
  carriers: ReadonlyMap<string, number>,
): number | null {
  const callee = call['callee'] as Node;
  if (callee.type === 'Identifier') return carriers.get(said(callee)) ?? null;
  if (callee.type !== 'MemberExpression') return null;
  const object = callee['object'] as Node;
  const isPattern = object.type === 'Literal' && 'regex' in object;
  return !isPattern && ['prepare', 'exec'].includes(said(callee['property'] as Node)) ? 0 : null;
}

function isText(node: Node): boolean {
  return (
    (node.type === 'Literal' && typeof node['value'] === 'string') ||
    (node.type === 'TemplateLiteral' && holes(node) === 0)
  );
}

function holes(template: Node): number {
  return (template['expressions'] as Node[]).length;
}

function walk(node: Node, see: (node: Node) => void): void {
  see(node);
  for (const value of Object.values(node)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (typeof one === 'object' && one !== null && typeof (one as Node).type === 'string') walk(one as Node, see);
    }
  }
}

describe('statements of the store', () => {
  const files = readdirSync(STORE, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
  const modules = files.map((name) => parse(name, readFileSync(join(STORE, name), 'utf8')));
  const carriers = new Map(modules.flatMap(carriersOf));
  const judged = modules.map((module) => judge(module, carriers));
  const faultsIn = (source: string) => judge(parse('x.ts', source), carriers).faults;

  it('are constants, with parameters for everything that anybody said', () => {
    expect(judged.flatMap(({ faults }) => faults)).toEqual([]);
  });

  it('were found', () => {
    expect(judged.reduce((sum, { statements }) => sum + statements, 0)).toBeGreaterThan(80);
  });

  it.each(Object.entries(ALLOWED))('of %s still need what they are allowed', (file, allowed) => {
    const text = readFileSync(join(STORE, file), 'utf8');
    expect(allowed.filter((expression) => !text.includes(expression))).toEqual([]);
  });

  it.each([
    ['db.prepare(`SELECT * FROM keys WHERE id = ${id}`)'],
    ["db.prepare('SELECT * FROM keys WHERE id = ' + id)"],
    ["db.exec('DELETE FROM runs WHERE id = \"' + id + '\"')"],
    ['db.prepare(statementFor(id))'],
    ['db.prepare(made)'],
    ["read(all ? 'SELECT 1' : other)"],
    ["pragma(db, 'PRAGMA ' + name)"],
    ['const sql = made(); db.prepare(sql)'],
    ['const late = `UPDATE runs SET status = ${status} WHERE id = ?`;'],
    ["const late = 'SELECT id FROM runs ORDER BY ' + column;"],
    ["let late = ''; late += ` WHERE tag = '${tag}'`;"],
    ['store.sql`SELECT * FROM keys WHERE id = ${id}`'],
    ["db.prepare(['SELECT * FROM runs WHERE', filter].join(' '))"],
  ])('would be refused: %s', (source) => {
    expect(faultsIn(source)).not.toEqual([]);
  });

  it.each([
    ["db.prepare('SELECT * FROM keys WHERE id = ?').get(id)"],
    ["read('SELECT ' + RUN_COLUMNS + ' FROM runs WHERE id = ?')"],
    ["db.exec(done ? 'COMMIT' : 'ROLLBACK TO claimed')"],
    ['const path = /^sqlite:(.+)$/.exec(url)?.[1];'],
    ['throw new Error(`There is no file ${file}.`)'],
  ])('pass: %s', (source) => {
    expect(faultsIn(source)).toEqual([]);
  });
});
