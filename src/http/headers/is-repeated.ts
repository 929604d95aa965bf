/** Whether a header came more than once. `rawHeaders`: names and values in turn, as they came; `name` in small letters. */
export function isRepeated(rawHeaders: readonly string[], name: string): boolean {
  let times = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const shown = rawHeaders[i];
    if (shown?.length === name.length && shown.toLowerCase() === name) times++;
  }
  return times > 1;
}
