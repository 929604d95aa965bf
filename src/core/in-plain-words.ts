const VERDICT = /^(Invalid input|Invalid option|Invalid string|Too big|Too small): /;

const KINDS: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
};

const FOUND: Readonly<Record<string, string>> = { ...KINDS, boolean: 'a boolean', null: 'null', NaN: 'NaN' };

const BOUNDS: Readonly<Record<string, string>> = {
  '>=': 'at least',
  '<=': 'at most',
  '>': 'more than',
  '<': 'less than',
};

/**
 * A schema library's own complaint as people say it: what was expected, without a verdict before it and signs in it. Any other
 * text stays as it is.
 */
export function inPlainWords(message: string): string {
  return message
    .replace(VERDICT, '')
    .replace(/^expected (\w+), received (\w+)$/, (_, wanted: string, found: string) => kindFault(wanted, found))
    .replace(
      /^expected \w+ to (?:be|have) ([<>]=?)(\S+)(?: (\w+?)s)?$/,
      (_, sign: string, bound: string, unit?: string) => {
        const counted = unit === undefined ? '' : ` ${unit}${bound === '1' ? '' : 's'}`;
        return `expected ${BOUNDS[sign]} ${bound}${counted}`;
      },
    )
    .replace(
      /^expected one of (".*")$/,
      (_, values: string) => `expected one of ${values.slice(1, -1).replaceAll('"|"', ', ')}`,
    );
}

function kindFault(wanted: string, found: string): string {
  const expected = `expected ${KINDS[wanted] ?? wanted}`;
  // Nothing was found, or a number where a whole one was wanted.
  return found === 'undefined' || (wanted === 'int' && found === 'number')
    ? expected
    : `${expected}, not ${FOUND[found] ?? found}`;
}
