/** Writes `docs/settings.md`, every environment variable, from the tables of `src/config`. */
import { LIMIT_SETTINGS, type LimitSetting } from '../src/config/limit-settings.ts';
import { TEXT_SETTINGS, type TextSetting } from '../src/config/text-settings.ts';
import { TRACE_SETTINGS } from '../src/config/trace-settings.ts';
import { VAULT_SETTINGS } from '../src/config/vault-settings.ts';
import { writeOrCheck } from './support/generated-file.ts';
import { code, table } from './support/markdown.ts';

const INTRODUCTION = `# Settings

Settings of the process come from environment variables; providers and workflows come from
[\`rungate.yaml\`](configuration.md). Commands read the same variables as the server, so give both the same.

A variable that is empty counts as unset. A wrong value refuses the start, all faults at once; a variable that begins
with \`RUNGATE_\` and is none of these is warned about in the log. Variables marked as secret are never shown.`;

const LIMITS = `## Limits

Whole numbers, in the unit of the name's end.`;

const TRACES = `## Traces

OpenTelemetry's own variables; [Logs and traces](logs-and-traces.md) tells what is traced.`;

const VAULT = `## HashiCorp Vault or OpenBao

For [\`vault:\` references](configuration.md#references); [Operations](operations.md#hashicorp-vault-or-openbao) tells how to set it up.`;

const BYTES: ReadonlyArray<readonly [unit: string, bytes: number]> = [
  ['MiB', 1024 * 1024],
  ['KiB', 1024],
];

function amount(value: number, { unit }: LimitSetting): string {
  const fits = unit === 'bytes' ? BYTES.find(([, bytes]) => value % bytes === 0) : undefined;
  return fits === undefined ? String(value) : `${value} (${value / fits[1]} ${fits[0]})`;
}

function textRow({ variable, form, default: usual, secret, docs }: TextSetting): string[] {
  const shown = form.includes('<') ? code(form) : form;
  return [code(variable), usual === null ? 'none' : code(usual), secret ? `${shown}; secret` : shown, docs];
}

function limitRow(setting: LimitSetting): string[] {
  const { variable, unit, min, max, docs } = setting;
  const range = `${amount(min, setting)} to ${amount(max, setting)}`;
  return [code(variable), amount(setting.default, setting), unit === 'count' ? range : `${range}, ${unit}`, docs];
}

function render(): string {
  const columns = (form: string) => ['variable', 'default', form, 'what it sets'];
  return [
    INTRODUCTION,
    '## The process',
    table(columns('form'), Object.values<TextSetting>(TEXT_SETTINGS).map(textRow)),
    LIMITS,
    table(columns('range'), Object.values<LimitSetting>(LIMIT_SETTINGS).map(limitRow)),
    VAULT,
    table(columns('form'), Object.values<TextSetting>(VAULT_SETTINGS).map(textRow)),
    TRACES,
    table(columns('form'), Object.values<TextSetting>(TRACE_SETTINGS).map(textRow)),
  ].join('\n\n');
}

await writeOrCheck({ path: 'docs/settings.md', render }, import.meta.filename);
