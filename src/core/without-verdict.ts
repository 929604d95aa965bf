/** A schema's complaint without the verdict that it begins with, so that it says what was expected and no more. */
export function withoutVerdict(message: string): string {
  return message.replace(/^(Invalid input|Invalid option|Invalid string|Too big|Too small): /, '');
}
