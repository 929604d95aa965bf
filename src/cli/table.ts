import { isoTime } from '../core/iso-time.ts';
import { printable } from './printable.ts';

const GAP = '  ';
const NOTHING = '-';

/** Lays out rows under headings, in columns; what is stored cannot leave its cell. */
export function table(headings: readonly string[], rows: readonly (readonly (string | null)[])[]): string {
  const lines = [headings, ...rows.map((row) => row.map((cell) => printable(cell ?? NOTHING) || NOTHING))];
  const widths = headings.map((_, column) => Math.max(...lines.map((line) => widthOf(line[column] ?? ''))));
  return lines.map((line) => layOut(line, widths)).join('\n');
}

/** Lays out what there is to know of one thing, a name and a value a line. */
export function details(entries: readonly (readonly [name: string, value: string | null])[]): string {
  const width = Math.max(...entries.map(([name]) => widthOf(name)));
  return entries.map(([name, value]) => layOut([name, printable(value ?? NOTHING)], [width])).join('\n');
}

function layOut(cells: readonly string[], widths: readonly number[]): string {
  const padded = cells.map((cell, column) => cell + ' '.repeat(Math.max(0, (widths[column] ?? 0) - widthOf(cell))));
  return padded.join(GAP).trimEnd();
}

function widthOf(text: string): number {
  return Array.from(text).length;
}

/** A time as people and the API see it. */
export function formatTime(ms: number): string;
export function formatTime(ms: number | null): string | null;
export function formatTime(ms: number | null): string | null {
  return ms === null ? null : isoTime(ms);
}
