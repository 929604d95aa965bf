import type { TextSetting } from './text-settings.ts';

/** Reads a setting, and takes notes of what is wrong. */
export interface SettingReader {
  text(setting: { variable: string }): string | undefined;
  fault(name: string, message: string): void;
}

/** A setting that is `true` or `false`; whatever else is a fault, and counts as `false`. */
export function readBoolean(reader: SettingReader, setting: TextSetting & { default: 'true' | 'false' }): boolean {
  const text = reader.text(setting) ?? setting.default;
  if (text !== 'true' && text !== 'false') reader.fault(setting.variable, `expected ${setting.form}`);
  return text === 'true';
}
